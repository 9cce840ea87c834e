"""The parameters of a request as the option types of `meta.k8s.io`: what they say, and what they may not.

`ListOptions`, `WriteOptions` and `DeleteOptions` are read from the query, and from the body of a delete. What is no
number is a 400; what the API's own validation refuses is a 422 about the option type, with the field as its cause, as
clients get it from a cluster.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.kube import errors
from sandbox.kube.deletion import DeleteOptions
from sandbox.kube.errors import ApiError, Problems
from sandbox.kube.managers import Manager
from sandbox.kube.reading import ListOptions, WatchOptions
from sandbox.kube.writing import WriteOptions

_MANAGER_LIMIT = 128
_STRICTNESS = ("", "Ignore", "Strict", "Warn")
_POLICIES = ("Foreground", "Background", "Orphan")


def flag(query: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false, in any spelling that Go's `strconv.ParseBool` takes for true."""
    return query.get(name, "") in {"1", "t", "T", "true", "TRUE", "True"}


def number(query: Mapping[str, str], name: str) -> int:
    """A parameter that is a whole number; 0 where it is not given.

    Raises:
        ApiError: 400.
    """
    text = query.get(name) or "0"
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit():
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def list_options(query: Mapping[str, str]) -> ListOptions:
    """How to list.

    Raises:
        ApiError: 400 or 422.
    """
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    problems, path = Problems(), "resourceVersionMatch"
    if match:
        if not version:
            problems.forbidden(path, "resourceVersionMatch is forbidden unless resourceVersion is provided")
        if query.get("continue"):
            problems.forbidden(path, "resourceVersionMatch is forbidden when continue is provided")
        if match not in {"Exact", "NotOlderThan"}:
            problems.unsupported(path, match, ("Exact", "NotOlderThan", ""))
        if match == "Exact" and version == "0":
            problems.forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if "sendInitialEvents" in query:
        problems.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
    _refuse("ListOptions", problems)
    return ListOptions(
        limit=max(number(query, "limit"), 0),
        continue_token=query.get("continue", ""),
        version=version,
        version_match=match,
    )


def watch_options(query: Mapping[str, str]) -> WatchOptions:
    """How to watch.

    Raises:
        ApiError: 422.
    """
    match, initial = query.get("resourceVersionMatch", ""), "sendInitialEvents" in query
    problems, path = Problems(), "resourceVersionMatch"
    if initial and match != "NotOlderThan":
        problems.forbidden(path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if match and not initial:
        problems.forbidden(path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    if match not in {"", "NotOlderThan"}:
        problems.unsupported(path, match, ("NotOlderThan",))
    if query.get("continue"):
        problems.forbidden(path, "resourceVersionMatch is forbidden when continue is provided")
    _refuse("ListOptions", problems)
    return WatchOptions(
        version=query.get("resourceVersion", ""),
        bookmarks=flag(query, "allowWatchBookmarks"),
        initial_events=flag(query, "sendInitialEvents") if initial else None,
    )


def write_options(
    query: Mapping[str, str], verb: str, subresource: str, user_agent: str, repeated: Callable[[], tuple[str, ...]]
) -> WriteOptions:
    """How to create, update, patch or, which is a patch too, apply. `repeated` gives what `bodies.duplicates` says; it
    is asked only where somebody will be told.

    Raises:
        ApiError: 422.
    """
    given, strictness = query.get("fieldManager", ""), query.get("fieldValidation", "")
    problems = Problems()
    if verb == "apply" and not given:
        problems.required("fieldManager", "is required for apply patch")
    if verb == "patch" and "force" in query:
        problems.forbidden("force", "may not be specified for non-apply patch")
    _check_manager(given, problems)
    dry_run = _dry_run(query.get("dryRun", ""), problems)
    if strictness not in _STRICTNESS:
        problems.unsupported("fieldValidation", strictness, _STRICTNESS)
    _refuse(f"{'Patch' if verb == 'apply' else verb.capitalize()}Options", problems)
    strictness = strictness or "Warn"
    return WriteOptions(
        manager=Manager(given or user_agent.partition("/")[0] or "unknown", subresource),
        dry_run=dry_run,
        strictness=strictness,
        duplicates=() if strictness == "Ignore" else repeated(),
    )


def _check_manager(name: str, problems: Problems) -> None:
    if len(name.encode()) > _MANAGER_LIMIT:
        problems.too_long("fieldManager", _MANAGER_LIMIT)
    for index, char in enumerate(name):
        if not char.isprintable():
            problems.invalid("fieldManager", name, f"invalid character U+{ord(char):04X} (at position {index})")


def delete_options(query: Mapping[str, str], given: Any) -> DeleteOptions:
    """How to delete: what is given in the body, and the query for what that does not say.

    Raises:
        ApiError: 400 or 422.
    """
    if not isinstance(given, dict):
        raise errors.bad_request("the body of a delete has to be DeleteOptions")
    if given.get("kind") not in {None, "", "DeleteOptions"}:
        raise errors.bad_request(f'no kind "{given["kind"]}" is registered for deletion: it has to be DeleteOptions')
    problems = Problems()
    policy, orphan = given.get("propagationPolicy") or query.get("propagationPolicy"), given.get("orphanDependents")
    if policy and orphan is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        problems.invalid("propagationPolicy", policy, why)
    elif policy and policy not in _POLICIES:
        problems.unsupported("propagationPolicy", policy, (*_POLICIES, "nil"))
    dry_run = _dry_run(given.get("dryRun") or query.get("dryRun", ""), problems)
    _refuse("DeleteOptions", problems)
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
        propagation=policy or ("Orphan" if orphan else "Background"),
        dry_run=dry_run,
    )


def _dry_run(value: str | list[str], problems: Problems) -> bool:
    stages = [value] if isinstance(value, str) else value
    if stages in ([], [""]):
        return False
    if set(stages) != {"All"}:
        problems.unsupported("dryRun", stages, ("All",))
    return True


def _refuse(kind: str, problems: Problems) -> None:
    if problems.causes:
        raise errors.invalid("meta.k8s.io", kind, "", problems.causes)


def refused_version(error: ApiError) -> ApiError:
    """What is no version, in a get or a watch: the API server calls that its own error, in a list the client's."""
    return ApiError(500, "", error.message.removeprefix("invalid resource version: "))
