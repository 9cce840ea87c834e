"""Tags, by VPC Lattice's own operations.

Sources: API reference `TagResource`, `UntagResource`, `ListTagsForResource` and `TagMap` (the characters and the prefix
that are not allowed). The Resource Groups Tagging API (`sandbox.lattice.tagging`) reads and writes the same tags.
"""

from sandbox.lattice.errors import not_found
from sandbox.lattice.resources import Described, Resource
from sandbox.lattice.state import Call, Handler, State


def _find(state: State, arn: str) -> Resource:
    resource = state.tagged.get(arn)
    if resource is None:
        raise not_found("RESOURCE", arn)
    return resource


def tag_resource(state: State, call: Call) -> Described:
    state.set_tags(_find(state, call.params["resourceArn"]), call.params["tags"])
    return {}


def untag_resource(state: State, call: Call) -> Described:
    state.remove_tags(_find(state, call.params["resourceArn"]), call.params["tagKeys"])
    return {}


def list_tags_for_resource(state: State, call: Call) -> Described:
    return {"tags": dict(_find(state, call.params["resourceArn"]).tags)}


OPERATIONS: dict[str, Handler] = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
