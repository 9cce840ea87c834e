"""Whatever the objects say, an explanation of them can be made, and agrees with the translation."""

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings

from controller.api.core import Service
from controller.api.gateway import Gateway
from controller.translate.explain import explain_gateway, explain_route, explain_service
from controller.translate.facts import Fact, Seen
from controller.translate.gateway import gateway_status
from controller.translate.outcomes import Missing
from controller.translate.route import translate_route_object
from controller.translate.service import translate_service
from tests.support.view import FakeView
from tests.translate.test_properties import CTX, worlds

NOTHING_SEEN = Seen()


def everything(fact: Fact) -> Iterator[Fact]:
    yield fact
    for below in fact.below:
        yield from everything(below)


def of_kind(fact: Fact, kind: str) -> list[Fact]:
    return [each for each in everything(fact) if each.kind == kind]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_an_explanation_of_a_route_agrees_with_its_translation(view: FakeView) -> None:
    for route in view.routes():
        fact = explain_route(view, route, CTX, NOTHING_SEEN)
        translation = translate_route_object(view, route, CTX)
        if route.deleting:
            continue
        assert fact.well is bool(translation.services)
        assert len(of_kind(fact, "parent")) == len(route.spec.parent_refs or ())
        accepted = [parent.accepted for parent in translation.parents]
        assert [each.well for each in of_kind(fact, "parent") if each.well is not None] == accepted
        assert len(of_kind(fact, "Lattice service")) == len(translation.services)
        assert len(of_kind(fact, "target group")) == len(translation.target_groups)
        placed = [each for each in of_kind(fact, "match") if each.told.startswith("place ")]
        for key in translation.services:
            made = translate_service(view, key, CTX)
            assert made.desired is not None
            if route.kind == "TLSRoute":
                assert len(placed) == 1
            elif len(made.routes) == 1:
                assert {len(listener.rules) for listener in made.desired.listeners} == {len(placed)}
            else:
                assert max(len(listener.rules) for listener in made.desired.listeners) >= len(placed)
                (service,) = [each for each in of_kind(fact, "Lattice service") if each.name == made.desired.name]
                assert all(str(other.ref) in service.told for other in made.routes if other.ref != route.ref)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_gateways_and_services_can_be_explained(view: FakeView) -> None:
    for gateway in view.all(Gateway):
        fact = explain_gateway(view, gateway, CTX, Seen(networks={gateway.name: Missing()}))
        ours = gateway_status(view, gateway, Missing(), CTX) is not None
        assert len(of_kind(fact, "listener")) == (len(gateway.spec.listeners) if ours else 0)
        assert not ours or not fact.all_well
    for service in view.all(Service):
        used = {
            (group.namespace, group.service)
            for route in view.routes()
            for group in translate_route_object(view, route, CTX).target_groups
        }
        fact = explain_service(view, service, CTX, NOTHING_SEEN)
        assert bool(of_kind(fact, "target group")) == ((service.namespace, service.name) in used)
