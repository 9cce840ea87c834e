"""The Resource Groups Tagging API over the tags of VPC Lattice resources, and of certificates.

Source: its API reference. Filters are answered from the indexes by tag, so that a query costs what it finds, not what
the account holds. Resource types are `vpc-lattice:` and the last type in the ARN (`service`, `targetgroup`,
`listener`…), and `acm:certificate`.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from sandbox.lattice.errors import ApiError, not_emulated
from sandbox.lattice.resources import Described, Resource
from sandbox.lattice.state import Call, Handler, State, make_token, token_position
from sandbox.lattice.visibility import Tags

PAGE_SIZE = 50
MAX_PAGE_SIZE = 100
NOT_WITH_ARNS = ("TagFilters", "ResourceTypeFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken")
NOT_EMULATED = ("TagsPerPage", "IncludeComplianceDetails", "ExcludeCompliantResources")


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", 400, message)


def _mapping(resource: Resource, former: Mapping[Resource, Tags]) -> Described:
    return {
        "ResourceARN": resource.arn,
        "Tags": [{"Key": key, "Value": value} for key, value in former.get(resource, resource.tags).items()],
    }


def get_resources(state: State, call: Call) -> Described:
    params = call.params
    former = state.visibility.former_tags()
    for name in NOT_EMULATED:
        if params.get(name):
            raise not_emulated("resourcegroupstaggingapi", f"{name} of GetResources")
    if "ResourceARNList" in params:
        if given := [name for name in NOT_WITH_ARNS if params.get(name)]:
            raise _invalid(f"ResourceARNList cannot be given together with {', '.join(given)}")
        there = (resource for arn in params["ResourceARNList"] if (resource := state.tagged.get(arn)))
        found = [_mapping(resource, former) for resource in there if former.get(resource, resource.tags)]
        return {"PaginationToken": "", "ResourceTagMappingList": found}
    size = params.get("ResourcesPerPage", PAGE_SIZE)
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise _invalid(f"ResourcesPerPage must be from 1 to {MAX_PAGE_SIZE}")
    position = 0
    if params.get("PaginationToken"):
        after = token_position(call.operation, params["PaginationToken"])
        if after is None:
            raise _invalid("PaginationToken is not valid")
        position = after
    types = _types(params.get("ResourceTypeFilters", ()))
    matching = sorted(
        (
            resource
            for resource in _shown(state, params.get("TagFilters", ()), former)
            if resource.number > position and (types is None or _is_of(resource, types))
        ),
        key=attrgetter("number"),
    )
    more = len(matching) > size
    return {
        "PaginationToken": make_token(call.operation, matching[size - 1].number) if more else "",
        "ResourceTagMappingList": [_mapping(resource, former) for resource in matching[:size]],
    }


def _types(filters: Iterable[str]) -> frozenset[tuple[str, str]] | None:
    """The resource types asked for, as service and type, which is empty for all of a service's; None for all."""
    wanted = frozenset((service, kind) for service, _, kind in (entry.partition(":") for entry in filters))
    return wanted or None


def _is_of(resource: Resource, types: frozenset[tuple[str, str]]) -> bool:
    return (resource.of_service, resource.tag_type) in types or (resource.of_service, "") in types


Condition = tuple[str, list[str]]
"""A tag's key, and the values that it may have; none for any."""


def _shown(state: State, filters: Iterable[dict[str, Any]], former: Mapping[Resource, Tags]) -> Iterable[Resource]:
    """The resources that are shown and satisfy all filters."""
    conditions: list[Condition] = []
    for entry in filters:
        if "Key" not in entry:
            raise _invalid("each tag filter needs a key")
        conditions.append((entry["Key"], entry.get("Values") or []))
    found = _matching(state, conditions)
    if former:
        found = [resource for resource in found if resource not in former]
        found += [resource for resource, tags in former.items() if tags and _fits(tags, conditions)]
    return state.visibility.shown(
        found, Resource, lambda resource: bool(resource.tags) and _fits(resource.tags, conditions)
    )


def _fits(tags: Tags, conditions: Iterable[Condition]) -> bool:
    return all(key in tags and (not values or tags[key] in values) for key, values in conditions)


def _matching(state: State, conditions: list[Condition]) -> Iterable[Resource]:
    """The resources that satisfy all conditions, found through the one that the fewest satisfy."""
    if not conditions:
        return [resource for resource in state.tagged.values() if resource.tags]
    candidates = [
        [
            state.by_tag.get((key, value), {})
            for value in (dict.fromkeys(values) or tuple(state.by_tag_key.get(key, ())))
        ]
        for key, values in conditions
    ]
    fewest = min(candidates, key=lambda holders: sum(map(len, holders)))
    return [resource for holders in fewest for resource in holders.values() if _fits(resource.tags, conditions)]


def _each(state: State, call: Call, change: Callable[[Resource], None]) -> Described:
    failed: Described = {}
    for arn in call.params["ResourceARNList"]:
        resource = state.tagged.get(arn)
        try:
            if resource is None:
                raise _invalid(f"{arn} does not exist")
            change(resource)
        except ApiError as error:
            failed[arn] = {
                "StatusCode": 400,
                "ErrorCode": "InvalidParameterException",
                "ErrorMessage": error.message,
            }
    return {"FailedResourcesMap": failed}


def tag_resources(state: State, call: Call) -> Described:
    return _each(state, call, lambda resource: state.set_tags(resource, call.params["Tags"]))


def untag_resources(state: State, call: Call) -> Described:
    return _each(state, call, lambda resource: state.remove_tags(resource, call.params["TagKeys"]))


OPERATIONS: dict[str, Handler] = {
    "GetResources": get_resources,
    "TagResources": tag_resources,
    "UntagResources": untag_resources,
}
