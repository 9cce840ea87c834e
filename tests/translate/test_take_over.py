"""Who is left to be taken over, who has released it, and what is told of what is held back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.keys import RouteKind, RouteRef, ServiceKey
from controller.kube.lease_marks import EVERYTHING
from controller.lattice.plan import Operation, Plan
from controller.translate.context import TranslateContext
from controller.translate.outcomes import Programmed, route_report
from controller.translate.route import translate_route
from controller.translate.take_over import (
    HELD_BACK,
    LONGEST_TEXT,
    TAKEN_OVER,
    Left,
    held_back,
    held_message,
    is_released,
    left_of,
)
from controller.translate.triggers import keys_for_change
from tests.support.view import FakeView, backend, gateway, gateway_class, make, route, rule, service
from tests.support.view import namespace as plain_namespace

RATES = RouteRef("HTTPRoute", "default", "rates")
OTHER = RouteRef("HTTPRoute", "default", "other")
WORD = "application-networking.k8s.aws/take-over"
REMOVE = Operation(call="DeleteRule", arguments={}, resource="rule 5 of listener x", description="remove /a/*")
ADD = Operation(call="CreateListener", arguments={}, resource="listener y", description="listen on 443")
PLAN = Plan(operations=(REMOVE, ADD))

kinds = st.sampled_from(("HTTPRoute", "GRPCRoute", "TLSRoute"))
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)


def refs(kind: RouteKind, namespace: str, name: str) -> RouteRef:
    return RouteRef(kind, namespace, name)


def world(word: str | None = None, of_namespace: str | None = None) -> FakeView:
    made = route("rates", rule(backend("parking")), annotations={} if word is None else {WORD: word})
    annotations = {} if of_namespace is None else {WORD: of_namespace}
    own = make(type(plain_namespace("x")), "default", "", meta={"annotations": annotations})
    return FakeView([gateway_class(), gateway(), service("parking"), own, made])


def test_everything_is_called_as_the_lease_calls_it() -> None:
    assert left_of(EVERYTHING) == Left(everything=True)
    assert Left(everything=True).text == EVERYTHING


@given(st.frozensets(st.builds(refs, kinds, names, names), max_size=10))
def test_what_is_left_is_read_as_it_was_written(routes: frozenset[RouteRef]) -> None:
    left = Left(routes=routes)
    assert left_of(left.text) == left
    assert bool(left) == bool(routes)


@given(st.text(max_size=40))
def test_what_cannot_be_read_leaves_everything(text: str) -> None:
    left = left_of(text)
    assert left.everything or left_of(left.text) == left


def test_a_list_too_long_for_the_lease_leaves_everything() -> None:
    many = Left(routes=frozenset(RouteRef("HTTPRoute", "n" * 60, f"{'r' * 200}-{number}") for number in range(1000)))
    assert sum(len(str(ref)) for ref in many.routes) > LONGEST_TEXT
    assert many.text == EVERYTHING


@pytest.mark.parametrize(
    ("word", "of_namespace", "released"),
    [
        (None, None, False),
        ("released", None, True),
        (" Released ", None, True),
        (None, "released", True),
        ("no", "released", False),
        ("", "released", False),
        ("released", "no", True),
    ],
)
def test_it_is_released_by_the_route_or_else_by_its_namespace(
    ctx: TranslateContext, word: str | None, of_namespace: str | None, released: bool
) -> None:
    assert is_released(world(word, of_namespace), RATES, ctx) is released


def test_a_route_that_is_gone_is_released_by_its_namespace(ctx: TranslateContext) -> None:
    assert is_released(world(of_namespace="released"), OTHER, ctx)
    assert not is_released(world("released"), OTHER, ctx)


def test_all_is_released_by_the_setting(ctx: TranslateContext) -> None:
    assert is_released(world("no"), RATES, msgspec.structs.replace(ctx, take_over_released=True))


def test_what_several_routes_share_waits_for_all_that_are_left(ctx: TranslateContext) -> None:
    left = Left(routes=frozenset({RATES, OTHER}))
    shared = held_back(world("released"), ctx, left, [RATES, OTHER], PLAN, None)
    assert shared.operations == (REMOVE,)
    assert shared.plan.operations == (ADD,)
    alone = held_back(world("released"), ctx, left, [RATES], PLAN, None)
    assert alone.plan == PLAN


def test_what_belongs_to_routes_that_are_not_left_goes_on(ctx: TranslateContext) -> None:
    assert held_back(world(), ctx, Left(routes=frozenset({OTHER})), [RATES], PLAN, None).plan == PLAN
    assert held_back(world(), ctx, Left(), [], PLAN, None).plan == PLAN


def test_what_belongs_to_nobody_is_released_for_all_only(ctx: TranslateContext) -> None:
    left = Left(routes=frozenset({OTHER}))
    assert held_back(world("released", "released"), ctx, left, [], PLAN, None).operations == (REMOVE,)
    all_released = msgspec.structs.replace(ctx, take_over_released=True)
    assert held_back(world(), all_released, left, [], PLAN, None).plan == PLAN


def test_it_is_told_on_every_parent_with_what_to_do(ctx: TranslateContext) -> None:
    translation = translate_route(world(), RATES, ctx)
    outcomes = {ServiceKey("HTTPRoute", route=RATES): Programmed(domain="d.on.aws", arn="arn:d")}
    (parent,) = route_report(translation, outcomes, (REMOVE,)).parents
    (told,) = (each for each in parent["conditions"] if each["type"] == TAKEN_OVER)
    assert (told["status"], told["reason"], told["observedGeneration"]) == ("False", HELD_BACK, 1)
    assert "DeleteRule of rule 5 of listener x: remove /a/*" in told["message"]
    assert f"{WORD}=released" in told["message"]
    (parent,) = route_report(translation, outcomes).parents
    assert [each["type"] for each in parent["conditions"]] == ["Accepted", "ResolvedRefs"]


def test_many_operations_are_counted() -> None:
    assert "1 operation:" in held_message([REMOVE])
    assert "7 operations:" in held_message([REMOVE] * 7)
    assert held_message([REMOVE] * 7).endswith("; and 2 more.")


def test_a_namespace_that_releases_touches_its_routes_and_nothing_else_of_it_does(ctx: TranslateContext) -> None:
    before, after = world(), world(of_namespace="released")
    old, new = before.namespace("default"), after.namespace("default")
    assert keys_for_change("Namespace", old, new, after, ctx) == {RATES.key}
    assert keys_for_change("Namespace", old, old, before, ctx) == frozenset()
