"""Amazon EC2, as far as a controller on a node asks it: the tags of its instance, which name the cluster.

EC2 has a protocol of its own: parameters are a form whose names say the place in a structure (`Filter.1.Value.2`), the
answer is XML. Sources: EC2 API reference `DescribeTags` (filters are ANDed, their values ORed, 5 to 1,000 results a
page) and "Query requests".
"""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from sandbox.lattice.errors import ApiError, invalid_fields, not_emulated
from sandbox.lattice.metadata import INSTANCE, Metadata
from sandbox.lattice.model import Operation, Params, ServiceModel, service_model
from sandbox.lattice.protocols import Incoming, Reply
from sandbox.lattice.resources import Described
from sandbox.lattice.state import Call, Handler, State, make_token, token_position

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
PAGE_SIZE = (5, 1000)
FILTERS = ("key", "resource-id", "resource-type", "value")
CODES = {
    "ThrottlingException": "RequestLimitExceeded",
    "UnrecognizedClientException": "AuthFailure",
    "InvalidSignatureException": "AuthFailure",
    "IncompleteSignatureException": "IncompleteSignature",
}
"""Codes that EC2 has other names for (EC2 API reference, "Error codes")."""


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterValue", 400, message)


def describe_tags(metadata: Metadata) -> Handler:
    """The operation `DescribeTags` over the tags of the one instance that there is."""

    def handle(_state: State, call: Call) -> Described:
        tags = [
            {"Key": key, "ResourceId": INSTANCE, "ResourceType": "instance", "Value": value}
            for key, value in metadata.tags.items()
        ]
        for condition in call.params.get("Filters", ()):
            tags = [tag for tag in tags if _fits(tag, condition)]
        low, high = PAGE_SIZE
        size = call.params.get("MaxResults", high)
        if not low <= size <= high:
            raise _invalid(f"MaxResults must be from {low} to {high}")
        if call.params.get("DryRun"):
            raise ApiError("DryRunOperation", 412, "Request would have succeeded, but DryRun flag is set.")
        start = 0
        if "NextToken" in call.params:
            found = token_position(call.operation, call.params["NextToken"])
            if found is None:
                raise _invalid("NextToken is not a token of this operation")
            start = found
        answer: Described = {"Tags": tags[start : start + size]}
        if start + size < len(tags):
            answer["NextToken"] = make_token(call.operation, start + size)
        return answer

    return handle


def _fits(tag: Mapping[str, str], condition: Mapping[str, Any]) -> bool:
    name, values = condition.get("Name", ""), condition.get("Values", ())
    if name.startswith("tag:"):
        return tag["Key"] == name.removeprefix("tag:") and tag["Value"] in values
    if name not in FILTERS:
        raise _invalid(f"The filter '{name}' is invalid")
    member = "".join(part.capitalize() for part in name.split("-"))
    return tag[member] in values


class Ec2:
    """The protocol of EC2's API; the model, which is large, is read when the first request comes."""

    service = "ec2"
    regional = True

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self.handlers = handlers

    @cached_property
    def _model(self) -> ServiceModel:
        return service_model("ec2")

    def identify(self, request: Incoming) -> tuple[Operation, Params]:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace") or request.query, keep_blank_values=True))
        name = form.pop("Action", "")
        form.pop("Version", None)
        if not re.fullmatch(r"[A-Za-z]+", name) or name not in self._model.operations:
            raise ApiError("InvalidAction", 400, f"The action {name} is not valid for this web service.")
        if name not in self.handlers:
            raise not_emulated(self.service, name)
        operation = self._model.operations[name]
        return operation, _members(_tree(form), operation.input_shape)

    def check(self, operation: Operation, params: Params) -> None:
        if problems := operation.problems(params):
            raise _invalid(invalid_fields(problems).message)

    def answer(self, operation: Operation, answer: dict[str, Any], request_id: str) -> Reply:
        name = operation.name
        body = f'<{name}Response xmlns="{NAMESPACE}"><requestId>{request_id}</requestId>'
        body += _xml(answer, operation.output_shape) + f"</{name}Response>"
        return Reply(200, body.encode(), {"Content-Type": "text/xml"})

    def refusal(self, error: ApiError, request_id: str) -> Reply:
        code = CODES.get(error.code, error.code)
        status = 503 if error.code == "ThrottlingException" else error.status
        body = (
            f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(error.message)}</Message></Error>"
            f"</Errors><RequestID>{request_id}</RequestID></Response>"
        )
        return Reply(status, body.encode(), {"Content-Type": "text/xml", **error.headers})


def _tree(form: Mapping[str, str]) -> dict[str, Any]:
    """The form's dotted names as nested objects."""
    tree: dict[str, Any] = {}
    for name, value in form.items():
        *parents, last = name.split(".")
        node = tree
        for parent in parents:
            below = node.setdefault(parent, {})
            if not isinstance(below, dict):
                raise _invalid(f"{name}: {parent} is given as a value too")
            node = below
        node[last] = value
    return tree


def _members(tree: Any, shape: Any) -> Any:
    """The tree by the names and types of the shape; what the shape has no place for stays, for the check to refuse."""
    if shape is None or not isinstance(tree, dict):
        if shape is not None and shape.type_name == "integer" and re.fullmatch(r"[0-9]{1,9}", tree):
            return int(tree)
        return {"true": True, "false": False}.get(tree, tree) if shape.type_name == "boolean" else tree
    if shape.type_name == "list":
        return [_members(tree[index], shape.member) for index in sorted(tree, key=_position)]
    names = {_wire_name(name, member): (name, member) for name, member in shape.members.items()}
    found = {}
    for wire_name, below in tree.items():
        name, member = names.get(wire_name, (wire_name, None))
        found[name] = below if member is None else _members(below, member)
    return found


def _position(index: str) -> int:
    return int(index) if index.isascii() and index.isdigit() else 0


def _wire_name(name: str, shape: Any) -> str:
    """How a parameter is called in the form: the location's name, its first letter in upper case."""
    given = shape.serialization.get("queryName") or shape.serialization.get("name", name)
    return str(given[:1].upper() + given[1:])


def _xml(value: Any, shape: Any) -> str:
    if shape.type_name == "structure":
        return "".join(
            _element(shape.members[name].serialization.get("name", name), _xml(item, shape.members[name]))
            for name, item in value.items()
        )
    if shape.type_name == "list":
        items: Iterable[Any] = value
        return "".join(_element(shape.member.serialization.get("name", "member"), _xml(i, shape.member)) for i in items)
    return escape(str(value))


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"
