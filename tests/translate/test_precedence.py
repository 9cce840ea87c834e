"""The rules that Lattice gets answer every request as the specification says (`HTTPRouteRule.matches`).

Two evaluations that share no code: one finds, among all matches of the route, the best that fits a request, by the
words of the specification; the other walks the produced rules as VPC Lattice does, texts compared as texts, first
match first.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.api.keys import RouteRef, ServiceKey
from controller.lattice.model import DesiredRule, Forward, Identity
from controller.translate.context import TranslateContext
from controller.translate.service import translate_service
from tests.support.view import CONTROLLER, FakeView, backend, gateway, gateway_class, route, service

CTX = TranslateContext(
    controller_name=CONTROLLER, identity=Identity(account="1", region="us-west-2", cluster="c", vpc="vpc-1")
)
KEY = ServiceKey("HTTPRoute", route=RouteRef("HTTPRoute", "default", "r"))
BACKENDS = [f"b{number}" for number in range(4)]

ELEMENT = st.sampled_from(["a", "b", "ab"])
PATH = st.lists(ELEMENT, max_size=3).map(lambda parts: "/" + "/".join(parts))
HEADERS = st.dictionaries(st.sampled_from(["x", "Y", "z"]), st.sampled_from(["1", "2", "V"]), max_size=3)
METHOD = st.sampled_from(["GET", "POST"])


@dataclass
class Request:
    path: str
    method: str
    headers: dict[str, str] = field(default_factory=dict)


REQUESTS = st.builds(
    Request,
    path=st.tuples(PATH, st.sampled_from(["", "/", "x", "/x"])).map("".join),
    method=METHOD,
    headers=HEADERS.map(lambda headers: {name.lower(): value for name, value in headers.items()}),
)


@st.composite
def matches(draw: st.DrawFn) -> dict[str, Any]:
    slash = draw(st.sampled_from(["", "/"]))
    value = draw(PATH)
    type_ = draw(st.sampled_from(["Exact", "PathPrefix"]))
    written: dict[str, Any] = {"path": {"type": type_, "value": value if value == "/" else value + slash}}
    if draw(st.booleans()):
        written["method"] = draw(METHOD)
    headers = draw(HEADERS)
    if headers:
        written["headers"] = [{"name": name, "value": value} for name, value in headers.items()]
    return written


RULES = st.lists(
    st.tuples(st.sampled_from(BACKENDS), st.lists(matches(), min_size=1, max_size=4)), min_size=1, max_size=5
)


def fits(match: dict[str, Any], request: Request) -> bool:
    value = match["path"]["value"]
    if match["path"]["type"] == "Exact":
        path_fits = request.path == value
    else:
        wanted = [part for part in value.split("/") if part]
        path_fits = request.path.split("/")[1 : len(wanted) + 1] == wanted
    return (
        path_fits
        and match.get("method", request.method) == request.method
        and all(request.headers.get(each["name"].lower()) == each["value"] for each in match.get("headers", []))
    )


def better(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether `one` comes before `other` by the specification, ties apart."""
    exact = [match["path"]["type"] == "Exact" for match in (one, other)]
    if exact[0] != exact[1]:
        return exact[0]
    if not exact[0]:
        lengths = [len(match["path"]["value"].rstrip("/") or "/") for match in (one, other)]
        if lengths[0] != lengths[1]:
            return lengths[0] > lengths[1]
    methods = ["method" in match for match in (one, other)]
    if methods[0] != methods[1]:
        return methods[0]
    return len(one.get("headers", [])) > len(other.get("headers", []))


def by_specification(rules: list[tuple[str, list[dict[str, Any]]]], request: Request) -> str | None:
    best: tuple[str, dict[str, Any]] | None = None
    for name, written in rules:
        for match in written:
            if fits(match, request) and (best is None or better(match, best[1])):
                best = (name, match)
    return best[0] if best is not None else None


def under(prefix: str, path: str) -> bool:
    """By element, which is what a prefix match is trusted to mean (see `controller.translate.matches`)."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")


def by_lattice(rules: tuple[DesiredRule, ...], request: Request) -> str | None:
    for made in rules:
        match = made.match
        if match.method not in {None, request.method}:
            continue
        if match.path_exact is not None and request.path != match.path_exact:
            continue
        if match.path_prefix is not None and not under(match.path_prefix, request.path):
            continue
        if any(request.headers.get(header.name.lower()) != header.value for header in match.headers):
            continue
        assert isinstance(made.action, Forward)
        ((group, _),) = made.action.weights
        assert not isinstance(group, str)
        return group.service
    return None


@settings(deadline=None)
@given(RULES, st.lists(REQUESTS, min_size=1, max_size=8))
def test_lattices_answer_is_the_specifications(rules, requests):
    written = [{"backendRefs": [backend(name)], "matches": found} for name, found in rules]
    view = FakeView([gateway_class(), gateway(), *map(service, BACKENDS), route("r", *written)])
    desired = translate_service(view, KEY, CTX).desired
    assert desired is not None
    for request in requests:
        assert by_lattice(desired.listeners[0].rules, request) == by_specification(rules, request)
