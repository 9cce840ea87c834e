"""The report of a route: its translation, and what became of its services."""

from controller.api.keys import RouteRef, ServiceKey
from controller.translate.outcomes import Failed, Pending, Programmed, RouteReport, route_report
from controller.translate.route import translate_route
from tests.support.view import CONTROLLER, FakeView, backend, gateway, gateway_class, listener, route, rule, service

RATES = RouteRef("HTTPRoute", "default", "rates")
PREFIX = "application-networking.k8s.aws/"
A = ServiceKey("HTTPRoute", hostname="a.example.com", networks=("my-hotel",))
B = ServiceKey("HTTPRoute", hostname="b.example.com", networks=("other",))
DONE_A = Programmed(domain="a.on.aws", arn="arn:a")
DONE_B = Programmed(domain="b.on.aws", arn="arn:b")


def report(
    ctx, outcomes, *, hostnames=("a.example.com", "b.example.com"), parents=({"name": "my-hotel"}, {"name": "other"})
):
    view = FakeView(
        [
            gateway_class(),
            gateway("my-hotel", "default", listener(hostname="a.example.com")),
            gateway("other", "default", listener(hostname="b.example.com")),
            service("parking"),
            route("rates", rule(backend("parking")), hostnames=hostnames, parents=parents),
        ]
    )
    translation = translate_route(view, RATES, ctx)
    return route_report(translation, outcomes)


def accepted(made: RouteReport) -> list[tuple[str, str, str]]:
    found = [next(each for each in parent["conditions"] if each["type"] == "Accepted") for parent in made.parents]
    return [(each["status"], each["reason"], each["message"]) for each in found]


def test_a_service_without_an_outcome_is_pending_and_nothing_is_written(ctx):
    for outcomes in ({}, {A: DONE_A}, {A: Pending(), B: DONE_B}):
        assert not report(ctx, outcomes).ready


def test_when_every_service_is_programmed_each_parent_names_its_domains(ctx):
    made = report(ctx, {A: DONE_A, B: DONE_B})
    assert made.ready
    assert accepted(made) == [
        ("True", "Accepted", "DNS Name: a.on.aws"),
        ("True", "Accepted", "DNS Name: b.on.aws"),
    ]
    assert made.annotations == {
        PREFIX + "lattice-assigned-domain-name": "a.on.aws",
        PREFIX + "lattice-service-arn": "arn:a",
    }


def test_a_failure_is_written_at_once_at_the_parents_it_concerns(ctx):
    made = report(ctx, {B: Failed(reason="Conflicted", message="The name is taken.", transient=False)})
    assert made.ready
    assert accepted(made) == [
        ("True", "Accepted", "Route is accepted."),
        ("False", "Conflicted", "The name is taken."),
    ]
    assert made.annotations == {}


def test_what_is_tried_again_leaves_acceptance_open(ctx):
    made = report(ctx, {A: Failed(reason="Throttled", message="Too many calls.", transient=True), B: DONE_B})
    assert accepted(made)[0] == ("Unknown", "Pending", "Too many calls.")


def test_a_route_without_services_is_told_at_once_and_loses_its_annotations(ctx):
    made = report(ctx, {}, parents=[{"name": "gone", "namespace": "infra", "sectionName": "x", "port": 1}])
    assert made.ready
    assert accepted(made)[0][:2] == ("False", "NoMatchingParent")
    assert set(made.annotations.values()) == {None}
    assert made.parents[0]["parentRef"] == {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": "infra",
        "name": "gone",
        "sectionName": "x",
        "port": 1,
    }
    assert made.parents[0]["controllerName"] == CONTROLLER


def test_the_parent_ref_is_returned_as_it_was_written(ctx):
    made = report(ctx, {A: DONE_A, B: DONE_B})
    assert made.parents[0]["parentRef"] == {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": "my-hotel",
    }
