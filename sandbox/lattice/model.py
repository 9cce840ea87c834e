"""The service models that botocore ships, made into routers, readers, validators and projections.

The model is the authority for what a request may say and what an answer has. For each operation this module compiles,
once, from the operation's shapes:

* the address: HTTP method and URI template, found through a tree of path segments;
* the reader: which members come from the path, the query and the body;
* the check of a request: types, required and unknown members, lengths, ranges, patterns, enumerations and unions. It is
  one walk over the shapes. botocore's own `ParamValidator` leaves patterns, upper bounds, enumerations and unions to
  the server; what it refuses, this refuses too;
* the projection of an answer: a handler gives all that it knows of a resource, and the output shape picks the members
  that this operation shows, so that create, get, update and list agree by construction.

Nothing here knows of VPC Lattice; the resource families in the modules beside this one do.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Set
from datetime import datetime
from functools import cache, cached_property
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import orjson
from botocore.loaders import Loader
from botocore.model import OperationModel, Shape
from botocore.model import ServiceModel as BotocoreModel

from sandbox.lattice.errors import FieldProblem, unparsable

Params = dict[str, Any]
Check = Callable[[Any, str, list[FieldProblem]], None]
Projection = Callable[[Any], Any]


class Operation:
    """One operation of a service: how a request to it is read and checked, and how its answer is formed."""

    def __init__(self, model: OperationModel) -> None:
        self.name: str = model.name
        self.method: str = model.http.get("method", "POST")
        self.template: str = model.http.get("requestUri", "/")
        self.status: int = model.http.get("responseCode", 200)
        self._model = model

    @property
    def input_shape(self) -> Any:
        """botocore's shape of the parameters; None where there are none."""
        return self._model.input_shape

    @property
    def output_shape(self) -> Any:
        """botocore's shape of the answer; None where it is empty."""
        return self._model.output_shape

    @cached_property
    def errors(self) -> frozenset[str]:
        """Codes of the exceptions that the model lists for this operation."""
        return frozenset(shape.error_code for shape in self._model.error_shapes)

    @cached_property
    def _sensitive(self) -> frozenset[str]:
        shape = self._model.input_shape
        members = {} if shape is None else shape.members
        return frozenset(name for name, member in members.items() if member.metadata.get("sensitive"))

    def without_secrets(self, params: Params) -> Params:
        """The parameters, for a log: those that the model marks as sensitive are only said to be there."""
        if not self._sensitive:
            return params
        return {name: "(secret)" if name in self._sensitive else value for name, value in params.items()}

    @cached_property
    def _required_of_errors(self) -> dict[str, tuple[str, ...]]:
        return {shape.error_code: tuple(shape.metadata.get("required", ())) for shape in self._model.error_shapes}

    def required_of_error(self, code: str) -> tuple[str, ...]:
        """The members without which an exception is not as modelled; none if the model does not list it here."""
        return self._required_of_errors.get(code, ())

    @cached_property
    def _check_errors(self) -> dict[str, tuple[int | None, Check]]:
        """Code of an exception → its HTTP status, and the check of what its body has."""
        return {
            shape.error_code: (shape.metadata.get("error", {}).get("httpStatusCode"), _body_check(shape))
            for shape in self._model.error_shapes
        }

    @cached_property
    def token_member(self) -> str | None:
        """The member that holds the client token, if the operation has one."""
        name: str | None = self._model.idempotent_members[0] if self._model.idempotent_members else None
        return name

    @cached_property
    def _bound(self) -> list[tuple[str, str, str, Shape]]:
        """(location, name on the wire, member, shape) for each member that is not in the body."""
        shape = self._model.input_shape
        if shape is None:
            return []
        return [
            (member.serialization["location"], member.serialization.get("name", name), name, member)
            for name, member in shape.members.items()
            if "location" in member.serialization
        ]

    @cached_property
    def _check_input(self) -> Check:
        return _no_members if self._model.input_shape is None else compile_check(self._model.input_shape)

    @cached_property
    def _check_output(self) -> Check:
        return _no_members if self._model.output_shape is None else compile_check(self._model.output_shape)

    @cached_property
    def project(self) -> Projection:
        """Pick, from what a handler knows, the members that this operation's answer has; what is None is left out."""
        shape = self._model.output_shape
        return _nothing if shape is None else compile_projection(shape)

    def read(self, labels: Mapping[str, str], query: str, body: bytes) -> Params:
        """The request's parameters by member name.

        Raises `ApiError` (`ValidationException`, `cannotParse`) for a body that is not a JSON object.
        """
        params = read_json_object(body)
        if self._bound:
            pairs = parse_qsl(query, keep_blank_values=True) if query else []
            for location, wire_name, name, shape in self._bound:
                if location == "uri":
                    params[name] = from_text(labels[wire_name], shape)
                elif location == "querystring":
                    found = [value for key, value in pairs if key == wire_name]
                    if shape.type_name == "list":
                        if found:
                            params[name] = found
                    elif found:
                        params[name] = from_text(found[-1], shape)
        return params

    def problems(self, params: Params) -> list[FieldProblem]:
        """Everything that the input shape refuses about these parameters; empty when it accepts them."""
        problems: list[FieldProblem] = []
        self._check_input(params, "", problems)
        return problems

    def output_problems(self, answer: Any) -> list[FieldProblem]:
        """Everything that the output shape refuses about this answer."""
        problems: list[FieldProblem] = []
        self._check_output(answer, "", problems)
        return problems

    def error_problems(self, code: str, status: int, body: Mapping[str, Any]) -> list[FieldProblem]:
        """Everything that the shape of this exception refuses about an error; nothing if the model does not list it."""
        modelled, check = self._check_errors.get(code, (status, _anything))
        problems: list[FieldProblem] = []
        check(dict(body), "", problems)
        if modelled is not None and modelled != status:
            problems.append(FieldProblem("status", f"must be {modelled}"))
        return problems


class ServiceModel:
    """A service's operations, by name and by address."""

    def __init__(self, service: str) -> None:
        document = Loader().load_service_model(service, "service-2")
        self._model = BotocoreModel(document, service)
        self.operations: dict[str, Operation] = {
            name: Operation(self._model.operation_model(name)) for name in self._model.operation_names
        }
        self._routes: dict[str | None, Any] = {}
        for operation in self.operations.values():
            self._add_route(operation)

    def _add_route(self, operation: Operation) -> None:
        node = self._routes
        labels = []
        for segment in operation.template.split("?")[0].strip("/").split("/"):
            if segment.startswith("{"):
                labels.append(segment.strip("{}+"))
                node = node.setdefault(None, {})
            else:
                node = node.setdefault(segment, {})
        node.setdefault("", {})[operation.method] = (operation, labels)

    def route(self, method: str, raw_path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation at this address, and the decoded labels of its path; None if there is none.

        `raw_path` is still percent-encoded, because an ARN in it has encoded slashes.
        """
        node = self._routes
        values = []
        for segment in raw_path.strip("/").split("/"):
            following = node.get(segment) if segment else None
            if following is None:
                following = node.get(None)
                values.append(unquote(segment))
            if following is None:
                return None
            node = following
        found = node.get("", {}).get(method)
        if found is None:
            return None
        operation, labels = found
        return operation, dict(zip(labels, values, strict=True))


@cache
def service_model(service: str) -> ServiceModel:
    """The model of a service by botocore's name for it (`vpc-lattice`, `resourcegroupstaggingapi`…); loaded once."""
    return ServiceModel(service)


def read_json_object(body: bytes) -> Params:
    """The members of a JSON object; none for an empty body, and a member that is null is not given.

    Raises `ApiError` (`ValidationException`, `cannotParse`) for anything else.
    """
    if not body:
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unparsable(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise unparsable("the body is not a JSON object")
    return {name: value for name, value in document.items() if value is not None}


def from_text(text: str, shape: Shape) -> Any:
    """A path label or query value as its shape's type; what cannot be converted stays text, for the check to refuse."""
    if shape.type_name in {"integer", "long"}:
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _nothing(_answer: Any) -> dict[str, Any]:
    return {}


def _no_members(value: Any, path: str, problems: list[FieldProblem]) -> None:
    problems.extend(FieldProblem(f"{path}{name}", "unknown member") for name in value)


def _anything(_value: Any, _path: str, _problems: list[FieldProblem]) -> None:
    return


def _body_check(shape: Shape) -> Check:
    """The check of those members of a structure that are in the body."""
    return _structure_check(
        shape, {name for name, member in shape.members.items() if "location" in member.serialization}
    )


def compile_check(shape: Shape) -> Check:
    """A function that appends to a list whatever the shape refuses about a value."""
    if shape.type_name == "structure":
        return _structure_check(shape)
    if shape.type_name == "list":
        return _list_check(shape)
    if shape.type_name == "map":
        return _map_check(shape)
    if shape.type_name == "string":
        return _string_check(shape)
    if shape.type_name in {"integer", "long", "float", "double"}:
        return _number_check(shape)
    if shape.type_name == "boolean":
        return _boolean_check
    if shape.type_name == "timestamp":
        return _timestamp_check
    if shape.type_name == "blob":
        return _blob_check(shape)
    raise ValueError(f"no check for a {shape.type_name} ({shape.name})")


def _structure_check(shape: Shape, without: Set[str] = frozenset()) -> Check:
    members = {name: compile_check(member) for name, member in shape.members.items() if name not in without}
    required = tuple(name for name in shape.metadata.get("required", ()) if name not in without)
    union = bool(shape.metadata.get("union"))

    def check(value: Any, path: str, problems: list[FieldProblem]) -> None:
        if not isinstance(value, dict):
            problems.append(FieldProblem(path.rstrip(".") or "request", "must be an object"))
            return
        problems.extend(FieldProblem(path + name, "is required") for name in required if name not in value)
        for name, item in value.items():
            member = members.get(name)
            if member is None:
                problems.append(FieldProblem(path + name, "unknown member"))
            elif isinstance(item, dict | list):
                member(item, f"{path}{name}.", problems)
            else:
                member(item, path + name, problems)
        if union and len(value) != 1:
            problems.append(FieldProblem(path.rstrip("."), f"must have exactly one of {', '.join(members)}"))

    return check


def _blob_check(shape: Shape) -> Check:
    """Bytes travel in JSON as base64; the bounds are on the bytes."""

    def check(value: Any, path: str, problems: list[FieldProblem]) -> None:
        try:
            size = len(b64decode(value, validate=True))
        except (TypeError, ValueError):
            problems.append(FieldProblem(path, "must be base64"))
            return
        if problem := _bounds_problem(size, shape):
            problems.append(FieldProblem(path, f"number of bytes {problem}"))

    return check


def _bounds_problem(size: float, shape: Shape) -> str | None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        return f"must be from {low if low is not None else 'any'} to {high if high is not None else 'any'}"
    return None


def _list_check(shape: Shape) -> Check:
    member = compile_check(shape.member)

    def check(value: Any, path: str, problems: list[FieldProblem]) -> None:
        name = path.rstrip(".")
        if not isinstance(value, list):
            problems.append(FieldProblem(name, "must be a list"))
            return
        if problem := _bounds_problem(len(value), shape):
            problems.append(FieldProblem(name, f"number of items {problem}"))
        for index, item in enumerate(value):
            suffix = "." if isinstance(item, dict | list) else ""
            member(item, f"{name}[{index}]{suffix}", problems)

    return check


def _map_check(shape: Shape) -> Check:
    check_key, check_value = compile_check(shape.key), compile_check(shape.value)

    def check(value: Any, path: str, problems: list[FieldProblem]) -> None:
        name = path.rstrip(".")
        if not isinstance(value, dict):
            problems.append(FieldProblem(name, "must be an object"))
            return
        if problem := _bounds_problem(len(value), shape):
            problems.append(FieldProblem(name, f"number of entries {problem}"))
        for key, item in value.items():
            check_key(key, f"{name} key {key!r}", problems)
            check_value(item, f"{name}[{key!r}]", problems)

    return check


def _string_check(shape: Shape) -> Check:
    enum = frozenset(shape.metadata.get("enum", ()))
    source = shape.metadata.get("pattern")
    pattern = _compile_pattern(source) if source else None
    bounded = "min" in shape.metadata or "max" in shape.metadata

    def check(value: Any, path: str, problems: list[FieldProblem]) -> None:
        if not isinstance(value, str):
            problems.append(FieldProblem(path.rstrip("."), "must be a string"))
            return
        if bounded and (problem := _bounds_problem(len(value), shape)):
            problems.append(FieldProblem(path, f"length {problem}"))
        elif pattern is not None and pattern.fullmatch(value) is None:
            problems.append(FieldProblem(path, f"must match {source}"))
        if enum and value not in enum:
            problems.append(FieldProblem(path, f"must be one of {', '.join(sorted(enum))}"))

    return check


_CATEGORIES = {r"\p{L}": r"\w", r"\p{N}": r"\w", r"\p{Z}": r"\s"}
"""Unicode's categories in the models' patterns, which Python's `re` does not know → what comes nearest there."""


def _compile_pattern(source: str) -> re.Pattern[str]:
    """The pattern of a shape; only where it speaks of Unicode's categories does it mean more than ASCII."""
    translated = source
    for category, near in _CATEGORIES.items():
        translated = translated.replace(category, near)
    return re.compile(translated, re.ASCII if translated == source else re.UNICODE)


def _number_check(shape: Shape) -> Check:
    accepted: tuple[type, ...] = (int,) if shape.type_name in {"integer", "long"} else (int, float)

    def check(value: Any, path: str, problems: list[FieldProblem]) -> None:
        if isinstance(value, bool) or not isinstance(value, accepted):
            problems.append(FieldProblem(path.rstrip("."), f"must be of type {shape.type_name}"))
        elif problem := _bounds_problem(cast("float", value), shape):
            problems.append(FieldProblem(path, problem))

    return check


def _boolean_check(value: Any, path: str, problems: list[FieldProblem]) -> None:
    if not isinstance(value, bool):
        problems.append(FieldProblem(path.rstrip("."), "must be true or false"))


def _timestamp_check(value: Any, path: str, problems: list[FieldProblem]) -> None:
    """ISO 8601 text in REST JSON; a number of seconds since the epoch in JSON 1.1."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        problems.append(FieldProblem(path.rstrip("."), "must be a time"))


def compile_projection(shape: Shape) -> Projection:
    """A function that keeps, at every depth, only the members that the shape has and that are not None."""
    if shape.type_name == "structure":
        members = [(name, compile_projection(member)) for name, member in shape.members.items()]

        def structure(value: Mapping[str, Any]) -> dict[str, Any]:
            return {name: project(item) for name, project in members if (item := value.get(name)) is not None}

        return structure
    if shape.type_name == "list":
        project_item = compile_projection(shape.member)
        if project_item is _same:
            return _same

        def items(value: list[Any]) -> list[Any]:
            return [project_item(item) for item in value]

        return items
    return _same


def _same(value: Any) -> Any:
    return value
