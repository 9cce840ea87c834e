"""The property that the rules we program answer as the specification does, for any routes and any request.

Two evaluations that share no code: `rules_reference` reads the routes; `by_lattice` walks the rules that were made of
them as VPC Lattice does, the lowest priority first, texts compared as texts, the first that matches. An example is a
set of routes that meet in one service; its requests are all that its paths, methods and headers can tell apart, so that
an example tries some hundred of them.

With one criterion of precedence broken on purpose (`MUTATIONS`) the property must fail.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations, product
from typing import Any, NamedTuple
from unittest import mock

from hypothesis import strategies as st

from controller.api.keys import ServiceKey, TargetGroupKey
from controller.lattice.model import DesiredRule, FixedResponse, Identity
from controller.translate import rules as translated
from controller.translate.context import TranslateContext
from controller.translate.draft import draft_route
from tests.support.view import (
    CONTROLLER,
    FakeView,
    backend,
    gateway,
    gateway_class,
    grpc_route,
    namespace,
    route,
    rule,
    service,
)
from tests.translate import rules_reference as reference
from tests.translate.rules_reference import Answer, Json, Request

CTX = TranslateContext(
    controller_name=CONTROLLER, identity=Identity(account="1", region="us-west-2", cluster="c", vpc="vpc-1")
)
KEYS = {
    kind: ServiceKey(kind, hostname="shop.example.com", networks=("my-hotel",)) for kind in ("HTTPRoute", "GRPCRoute")
}

NAMES = (("a", "x"), ("a", "y"), ("a-b", "c"), ("b", "x"))
"""Namespaces and names of routes; `a-b/c` comes before `a/x` as a text, though `a` comes before `a-b`."""
AGES = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
BACKENDS = ("blue", "green", "red")
ELEMENTS = ("a", "b", "ab")
METHODS = ("GET", "POST")
CALLS = (("a.A", "Get"), ("a.A", "GetAll"), ("a.AB", "Get"), ("b", "Get"))
"""Services and methods of gRPC calls."""

paths = st.lists(st.sampled_from(ELEMENTS), max_size=3).map(lambda elements: "/" + "/".join(elements))


@st.composite
def matches(draw: st.DrawFn) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if draw(st.integers(0, 9)):
        value = draw(paths) + draw(st.sampled_from(("", "", "/")))
        type_ = draw(st.sampled_from(("Exact", "PathPrefix", "PathPrefix")))
        written["path"] = {"type": type_, "value": value.replace("//", "/")}
    if draw(st.booleans()):
        written["method"] = draw(st.sampled_from(METHODS))
    return written | draw(headers())


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """Matches of a GRPCRoute."""
    service_name, method = draw(st.sampled_from(CALLS))
    wanted = draw(st.sampled_from(({}, {"service": service_name}, {"service": service_name, "method": method})))
    return ({"method": wanted} if wanted else {}) | draw(headers())


@st.composite
def headers(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(("x", "X", "y")), max_size=2, unique=True))
    return {"headers": [{"name": name, "value": draw(st.sampled_from("12"))} for name in names]} if names else {}


@st.composite
def routes(draw: st.DrawFn, kind: str) -> list[Json]:
    """Up to three routes, whose rules share a few matches: so they tie, and every criterion has something to decide."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    shared = draw(st.lists(calls() if kind == "GRPCRoute" else matches(), min_size=1, max_size=5))
    refs = st.lists(
        st.builds(
            lambda name, weight: backend(name, weight=weight),
            st.sampled_from(BACKENDS),
            st.sampled_from((0, 1, 1, 10, 90)),
        ),
        max_size=2,
    )
    rules = st.builds(
        lambda found, chosen: rule(*found, matches=chosen), refs, st.lists(st.sampled_from(shared), max_size=3)
    )
    return [
        {
            "kind": kind,
            "metadata": {"namespace": where, "name": name, "creationTimestamp": draw(st.sampled_from(AGES))},
            "spec": {"rules": draw(st.lists(rules, min_size=1, max_size=3))},
        }
        for where, name in names
    ]


@dataclass
class Tally:
    """What a run of the property has seen."""

    examples: int = 0
    requests: int = 0
    contested: int = 0
    """Requests for which matches with different answers fitted, so that precedence decided."""


def holds(wanted: Sequence[Json], tally: Tally) -> None:
    """Assert that every request gets the specification's answer."""
    made = program(wanted)
    tally.examples += 1
    for request in probes(wanted):
        fitting = reference.candidates(wanted, request)
        right = reference.answer(fitting)
        assert by_lattice(made, request) == right, (request, right)
        tally.requests += 1
        tally.contested += any(reference.shares(one) != right for one in fitting)


def program(wanted: Sequence[Json]) -> tuple[DesiredRule, ...]:
    """The rules that the controller makes of these routes in one service."""
    kind = wanted[0]["kind"]
    objects = [
        (grpc_route if kind == "GRPCRoute" else route)(
            one["metadata"]["name"],
            *one["spec"]["rules"],
            namespace=one["metadata"]["namespace"],
            parents=[{"name": "my-hotel", "namespace": "default"}],
            created=one["metadata"]["creationTimestamp"],
        )
        for one in wanted
    ]
    spaces = {obj.namespace for obj in objects}
    services = [service(name, space) for name in BACKENDS for space in spaces]
    view = FakeView([gateway_class(), gateway(), *map(namespace, spaces), *services, *objects])
    return translated.build_rules(KEYS[kind], [draft_route(view, obj, CTX).contribution for obj in objects])


def probes(wanted: Sequence[Json]) -> Iterator[Request]:
    """Requests at, below and beside every path, with every method; or all calls; each with every set of headers."""
    written = [match for one in wanted for rule in one["spec"]["rules"] for match in rule.get("matches") or [{}]]
    asked = sorted({(name, value) for match in written for name, value in reference.headers(match).items()})
    sent = chain.from_iterable(combinations(asked, size) for size in (0, 1, 2))
    sets = [one for one in sent if len({name for name, _ in one}) == len(one)]
    if wanted[0]["kind"] == "GRPCRoute":
        for (service_name, method), carried in product((*CALLS, ("a.A", "Put"), ("c", "Get")), sets):
            yield Request("POST", f"/{service_name}/{method}", carried)
        return
    values = {match.get("path", {}).get("value", "/") for match in written}
    beside = {f"{value.rstrip('/')}{tail}" for value in values for tail in ("", "/", "/a", "b", "/a/b")}
    found = sorted(path for path in {*values, *beside} if path.startswith("/"))
    for method, path, carried in product((*METHODS, "PUT"), found, sets):
        yield Request(method, path, carried)


def by_lattice(made: Sequence[DesiredRule], request: Request) -> Answer:
    """What VPC Lattice answers by these rules (API reference, `HttpMatch`), path prefixes compared by elements."""
    sent = dict(request.headers)
    for one in made:
        match = one.match
        if match.method not in {None, request.method}:
            continue
        if match.path_exact is not None and request.path != match.path_exact:
            continue
        if match.path_prefix is not None and not _under(match.path_prefix, request.path):
            continue
        if any(sent.get(header.name.lower()) != header.value for header in match.headers):
            continue
        if isinstance(one.action, FixedResponse):
            return one.action.status_code
        total = sum(weight for _, weight in one.action.weights)
        return {_name(group): Fraction(weight, total) for group, weight in one.action.weights if weight}
    return 404


def _under(prefix: str, path: str) -> bool:
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _name(group: TargetGroupKey | str) -> str:
    assert isinstance(group, TargetGroupKey)
    return f"{group.namespace}/{group.service}"


_OF_ROUTES: Mapping[str, tuple[int, ...]] = {
    "the oldest route": (1,),
    "the first by namespace/name": (2,),
    "the first rule": (3,),
}
_PLACES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "HTTPRoute": {
        "an exact path": (0, 0),
        "the longest path prefix": (0, 1),
        "a method": (0, 2),
        "the most headers": (0, 3),
        **_OF_ROUTES,
    },
    "GRPCRoute": {
        "the longest service": (0, 0),
        "the longest method": (0, 1),
        "the most headers": (0, 2),
        **_OF_ROUTES,
    },
}
"""Where each criterion stands in what the controller sorts by."""


class Mutation(NamedTuple):
    """One criterion of precedence, broken on purpose."""

    kind: str
    criterion: str
    how: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.criterion}, {self.how}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While this holds, the controller makes rules in that broken order."""
        entries, place, change = translated._entries, _PLACES[self.kind][self.criterion], _CHANGES[self.how]

        def broken(contributions: Any) -> list[Any]:
            return [_Broken(_changed(one.order, place, change), one.match, one.rule) for one in entries(contributions)]

        with mock.patch.object(translated, "_entries", broken):
            yield


class _Broken(NamedTuple):
    order: Any
    match: Any
    rule: Any


def _turned(value: Any) -> Any:
    return tuple(-ord(letter) for letter in value) if isinstance(value, str) else -value


def _changed(order: Any, place: tuple[int, ...], change: Callable[[Any], Any]) -> tuple[Any, ...]:
    first, *deeper = place
    value = _changed(order[first], tuple(deeper), change) if deeper else change(order[first])
    return (*order[:first], value, *order[first + 1 :])


_CHANGES: Mapping[str, Callable[[Any], Any]] = {"turned round": _turned, "forgotten": lambda _: 0}

MUTATIONS = [Mutation(kind, criterion, how) for kind in _PLACES for criterion in _PLACES[kind] for how in _CHANGES]
