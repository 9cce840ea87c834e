"""What an explanation says, and that it says what the translation does."""

import msgspec
import pytest

from controller.api.core import Service
from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import UnknownError
from controller.lattice.model import Forward, Match, Target
from controller.lattice.observed import (
    ObservedAssociation,
    ObservedListener,
    ObservedRule,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.plan import Operation, Plan, Problem
from controller.translate.annotations import PAUSED, ROUTE_FINALIZERS
from controller.translate.explain import explain_gateway, explain_route, explain_service
from controller.translate.facts import Fact, Left, LeftGroup, LeftService, Seen, SeenGroup, SeenService
from controller.translate.outcomes import Ambiguous, Found, Missing
from controller.translate.withheld import PAUSED_MESSAGE, PROTECTED_MESSAGE
from tests.support.view import (
    FakeView,
    accepted,
    backend,
    endpoints,
    gateway,
    gateway_class,
    listener,
    path,
    route,
    rule,
    service,
)

RATES = RouteRef("HTTPRoute", "default", "rates")
KEY = ServiceKey("HTTPRoute", route=RATES)
GROUP = TargetGroupKey(owner=KEY, namespace="default", service="parking", port=80)
NETWORK = Found(id="sn-1", arn="arn:aws:vpc-lattice:us-west-2:123456789012:servicenetwork/sn-1")
PARKING = rule(backend("parking"), matches=[path("/parking")])
FINALIZER = ROUTE_FINALIZERS["HTTPRoute"]
NOTHING_SEEN, NOTHING_TO_DO = Seen(), Plan()


def hotel(*objects) -> FakeView:
    return FakeView([gateway_class(), gateway(), service("parking"), service("review")]).having(*objects)


def group_seen(targets: dict[str, str | None], status: str = "ACTIVE", failure: str = "") -> SeenGroup:
    observed = ObservedTargetGroup(
        id="tg-1",
        arn="arn:tg-1",
        name="k8s-default-parking",
        status=status,
        port=80,
        protocol="HTTP",
        protocol_version="HTTP1",
        ip_address_type="IPV4",
        vpc="vpc-1",
        tags={},
        targets={Target(ip=ip, port=8080): state for ip, state in targets.items()},
        failure=failure,
    )
    return SeenGroup(observed=observed, plan=Plan())


def service_seen(*, weight: int = 1, association: str = "ACTIVE", plan: Plan = NOTHING_TO_DO) -> SeenService:
    rule_ = ObservedRule(
        id="rule-1",
        arn="arn:rule-1",
        name="r",
        priority=50,
        match=Match(path_prefix="/parking"),
        action=Forward(weights=(("tg-1", weight),)),
    )
    http = ObservedListener(
        id="listener-1", arn="arn", name="l", port=80, protocol="HTTP", default_action=None, rules={"rule-1": rule_}
    )
    joined = ObservedAssociation(
        id="snsa-1", arn="arn", status=association, network_id="sn-1", failure="No." if "FAILED" in association else ""
    )
    observed = ObservedService(
        id="svc-1",
        arn="arn:svc-1",
        name="rates-default",
        status="ACTIVE",
        domain="rates.example.on.aws",
        custom_domain=None,
        certificate_arn=None,
        auth_type="NONE",
        tags={},
        associations={"sn-1": joined},
        listeners={80: http},
    )
    return SeenService(observed=observed, plan=plan)


def seen(service_: SeenService, group: SeenGroup) -> Seen:
    return Seen(services={KEY: service_}, groups={GROUP: group}, networks={"my-hotel": NETWORK})


def rates(view: FakeView, ctx, sight: Seen = NOTHING_SEEN) -> Fact:
    found = view.route(RATES)
    assert found is not None
    return explain_route(view, found, ctx, sight)


def everything(fact: Fact) -> list[Fact]:
    return [fact, *(each for below in fact.below for each in everything(below))]


def of_kind(fact: Fact, kind: str) -> dict[str, tuple[bool | None, str]]:
    return {each.name: (each.well, each.told) for each in everything(fact) if each.kind == kind}


SERVED = hotel(route("rates", PARKING), endpoints("parking", "10.0.0.1"))


def test_a_route_that_lattice_has_as_desired_is_well(ctx):
    fact = rates(SERVED, ctx, seen(service_seen(), group_seen({"10.0.0.1": "HEALTHY"})))
    assert fact.all_well
    assert fact.told == "served by 1 Lattice service"
    assert of_kind(fact, "match") == {"prefix /parking": (True, "place 1 of 1; priority 50 on port 80")}
    assert of_kind(fact, "backend") == {"Service default/parking:80": (True, "weight 1 asked, 1 in VPC Lattice")}
    assert of_kind(fact, "Lattice service") == {"rates-default": (True, "ACTIVE at rates.example.on.aws")}
    assert of_kind(fact, "service network") == {"my-hotel": (True, "association ACTIVE")}
    assert of_kind(fact, "target group") == {
        "k8s-default-parking": (True, "for default/parking:80: ACTIVE, 1 target (1 HEALTHY)")
    }


def test_what_lattice_does_not_have_yet_is_amiss(ctx):
    fact = rates(SERVED, ctx)
    assert fact.well
    assert not fact.all_well
    assert of_kind(fact, "Lattice service") == {"rates-default": (False, "not in VPC Lattice yet")}
    assert of_kind(fact, "match")["prefix /parking"] == (False, "place 1 of 1; not in VPC Lattice yet on port 80")
    assert of_kind(fact, "target") == {"10.0.0.1:8080": (False, "not registered yet")}


@pytest.mark.parametrize(
    ("sight", "kind", "name", "told"),
    [
        pytest.param(
            seen(service_seen(weight=7), group_seen({"10.0.0.1": "HEALTHY"})),
            "backend",
            "Service default/parking:80",
            "weight 1 asked, 1 wanted, 7 in VPC Lattice",
            id="weight",
        ),
        pytest.param(
            seen(service_seen(association="CREATE_FAILED"), group_seen({"10.0.0.1": "HEALTHY"})),
            "service network",
            "my-hotel",
            "association CREATE_FAILED: No.",
            id="association",
        ),
        pytest.param(
            seen(service_seen(), group_seen({"10.0.0.1": "UNHEALTHY"})),
            "target",
            "10.0.0.1:8080",
            "UNHEALTHY",
            id="unhealthy-target",
        ),
        pytest.param(
            seen(service_seen(), group_seen({"10.0.0.1": "HEALTHY"}, "CREATE_FAILED", "Quota.")),
            "target group",
            "k8s-default-parking",
            "for default/parking:80: CREATE_FAILED, 1 target (1 HEALTHY): Quota.",
            id="group",
        ),
        pytest.param(
            seen(
                service_seen(plan=Plan(problems=(Problem(reason="Conflicted", message="Not ours."),))),
                group_seen({"10.0.0.1": "HEALTHY"}),
            ),
            "problem",
            "Conflicted",
            "Not ours.",
            id="problem-of-the-plan",
        ),
    ],
)
def test_what_lattice_has_otherwise_is_the_only_thing_amiss(ctx, sight, kind, name, told):
    fact = rates(SERVED, ctx, sight)
    assert [(each.kind, each.name, each.told) for each in everything(fact) if each.well is False] == [
        (kind, name, told)
    ]


def test_each_listener_says_why_it_refused(ctx):
    here = {"allowedRoutes": {"namespaces": {"from": "Same"}}}
    view = hotel(
        gateway(
            "my-hotel",
            "hotels",
            listener("closed", 80, **here),
            listener("other", 81, hostname="other.example.com"),
            listener("tcp", 82, "TCP"),
            listener("elsewhere", 83),
        ),
        route("rates", PARKING, parents=[{"name": "my-hotel", "namespace": "hotels"}], hostnames=["a.example.com"]),
    )
    found = {
        name: (well, told.partition(":")[0]) for name, (well, told) in of_kind(rates(view, ctx), "listener").items()
    }
    assert found == {
        "closed (HTTP 80)": (None, "NotAllowedByListeners"),
        "other (HTTP 81)": (None, "NoMatchingListenerHostname"),
        "tcp (TCP 82)": (None, "UnsupportedProtocol"),
        "elsewhere (HTTP 83)": (True, "matches a.example.com"),
    }


def test_a_refusal_of_all_listeners_is_amiss_and_says_which_were_not_meant(ctx):
    view = hotel(
        gateway("my-hotel", "default", listener("one", 80), listener("two", 81, hostname="other.example.com")),
        route("rates", PARKING, parents=[{"name": "my-hotel", "port": 81}], hostnames=["a.example.com"]),
    )
    fact = rates(view, ctx)
    assert (fact.well, fact.told) == (False, "not served: no parent accepts it")
    listeners = of_kind(fact, "listener")
    assert listeners["one (HTTP 80)"] == (None, "not meant by the parentRef's sectionName and port")
    assert listeners["two (HTTP 81)"][0] is False


def test_the_parents_of_other_controllers_are_left_to_them(ctx):
    view = hotel(route("rates", PARKING, parents=[{"kind": "Service", "group": "", "name": "mesh"}]))
    fact = rates(view, ctx)
    assert (fact.well, fact.told) == (False, "no parentRef means a Gateway of this controller")
    assert of_kind(fact, "parent") == {"Service default/mesh": (None, "answered for by another controller")}


def test_rules_and_backends_that_are_left_out_say_why(ctx):
    view = hotel(
        route(
            "rates",
            rule(backend("parking"), matches=[path("/b"), path("/a/longer"), path("/b")]),
            rule(backend("review"), matches=[path("/b")]),
            rule(backend("review"), matches=[path("/c", "RegularExpression")]),
            rule(backend("ghost"), matches=[path("/d")]),
            rule(backend("review", weight=0), backend("parking"), matches=[path("/e/f")]),
        )
    )
    first, second, third, fourth, fifth = (each for each in rates(view, ctx).below if each.kind == "rule")
    unreached = "left out: an earlier match takes the same requests"
    assert [each.told.partition(";")[0] for each in first.below if each.kind == "match"] == [
        "place 3 of 4",
        "place 1 of 4",
        unreached,
    ]
    assert of_kind(second, "match") == {"prefix /b": (None, unreached)}
    assert third.well is False
    assert third.told.startswith("left out: rules[2].matches[0].path.type: VPC Lattice cannot match paths by Regular")
    assert (fourth.well, fourth.told) == (False, "answers 500: no backend takes requests")
    assert of_kind(fourth, "backend")["Service default/ghost:80"][1].startswith("BackendNotFound: rules[3]")
    assert of_kind(fifth, "backend")["Service default/review:80"][1].startswith("weight 0 asked")


def test_endpoints_that_are_no_targets_say_why(ctx):
    named = service("parking", ports=[{"name": "web", "port": 80}])
    web = [{"name": "web", "port": 8080, "protocol": "TCP"}]
    view = hotel(
        route("rates", PARKING),
        named,
        endpoints("parking", "10.0.0.1", ports=web),
        endpoints("parking", "10.0.0.2", name="leaving", ports=web, terminating=True),
        endpoints("parking", "fd00::1", name="six", ports=web, family="IPv6"),
        endpoints("parking", "10.0.0.3", name="admin", ports=[{"name": "admin", "port": 9090, "protocol": "TCP"}]),
    )
    assert of_kind(rates(view, ctx), "endpoint") == {
        "10.0.0.2": (None, "no target: terminating"),
        "fd00::1": (None, "no target: IPv6 address, the group takes IPv4"),
        "10.0.0.3": (None, "no target: EndpointSlice admin has no TCP port named web"),
    }


def test_a_route_that_is_being_deleted_says_what_it_waits_for(ctx):
    fact = rates(deleted("a/b", FINALIZER), ctx)
    assert fact.told == f"is being deleted; waits for a/b, {FINALIZER}"
    assert of_kind(fact, "finalizer") == {
        "a/b": (None, "is not this controller's to remove"),
        FINALIZER: (
            None,
            "nothing in VPC Lattice bears the route's name: goes when the controller looks the next time",
        ),
    }
    assert fact.all_well


def deleted(*finalizers: str) -> FakeView:
    meta = {"deletionTimestamp": "2026-01-02T00:00:00Z", "finalizers": list(finalizers)}
    return hotel(route("rates", PARKING, meta=meta))


def left_seen(status: str = "ACTIVE", failure: str = "", group: str = "ACTIVE", **more) -> Seen:
    """A service and its group that are left of the route, in these states."""
    observed = service_seen(association=more.pop("association", "ACTIVE")).observed
    there = group_seen({"10.0.0.1": "DRAINING"}, group).observed
    assert observed is not None
    assert there is not None
    delete = Operation(call="DeleteService", arguments={}, resource="service rates-default", description="delete it")
    return Seen(
        left={
            RATES: Left(
                services=(
                    LeftService(
                        observed=msgspec.structs.replace(observed, status=status, failure=failure),
                        plan=Plan(operations=(delete,)),
                        heir=more.pop("heir", None),
                    ),
                ),
                groups=(LeftGroup(key=GROUP, observed=there, plan=Plan(), **more),),
            )
        }
    )


def test_a_deletion_lists_what_still_bears_the_routes_name_and_what_is_done_about_it(ctx):
    fact = rates(deleted(FINALIZER), ctx, left_seen("DELETE_IN_PROGRESS", users=("rates-default",)))
    assert fact.all_well
    assert of_kind(fact, "finalizer") == {FINALIZER: (None, "goes when nothing in VPC Lattice bears the route's name")}
    assert of_kind(fact, "Lattice service") == {"rates-default": (None, "DELETE_IN_PROGRESS at rates.example.on.aws")}
    assert of_kind(fact, "association") == {"sn-1": (None, "ACTIVE")}
    assert of_kind(fact, "target group") == {
        "k8s-default-parking": (None, "for default/parking:80: ACTIVE, 1 target (1 DRAINING)")
    }
    assert of_kind(fact, "used by") == {"rates-default": (None, "goes when this forwards to it no longer")}
    assert of_kind(fact, "to do") == {"DeleteService": (None, "service rates-default: delete it")}


@pytest.mark.parametrize(
    ("sight", "kind", "told"),
    [
        pytest.param(
            left_seen("DELETE_FAILED", "In use."),
            "Lattice service",
            "DELETE_FAILED at rates.example.on.aws: In use.",
            id="service",
        ),
        pytest.param(left_seen(association="DELETE_FAILED"), "association", "DELETE_FAILED: No.", id="association"),
        pytest.param(
            left_seen(group="DELETE_FAILED"),
            "target group",
            "for default/parking:80: DELETE_FAILED, 1 target (1 DRAINING)",
            id="group",
        ),
        pytest.param(
            left_seen(strangers=("arn:theirs",)),
            "used by",
            "not this controller's, and cannot go before that",
            id="used-by-another",
        ),
    ],
)
def test_a_deletion_that_cannot_go_on_by_itself_is_amiss_there_and_nowhere_else(ctx, sight, kind, told):
    fact = rates(deleted(FINALIZER), ctx, sight)
    assert [(each.kind, each.told) for each in everything(fact) if each.well is False] == [(kind, told)]


def test_a_deletion_that_is_kept_back_is_amiss_as_long_as_something_is_left(ctx):
    protecting = msgspec.structs.replace(ctx, protect_from_deletion=True)
    fact = rates(deleted(FINALIZER), protecting, left_seen())
    assert of_kind(fact, "withheld") == {"DeletionProtected": (False, PROTECTED_MESSAGE)}
    assert not of_kind(fact, "to do")
    assert rates(deleted(FINALIZER), protecting).all_well


def test_what_another_route_takes_over_is_not_waited_for_to_be_deleted(ctx):
    heir = RouteRef("HTTPRoute", "default", "heir")
    fact = rates(deleted(FINALIZER), ctx, left_seen(heir=heir))
    told = "ACTIVE at rates.example.on.aws; asked for by HTTPRoute/default/heir, which takes it over"
    assert of_kind(fact, "Lattice service") == {"rates-default": (None, told)}
    assert not of_kind(fact, "to do")


def test_what_is_left_over_of_a_route_that_stays_is_told_as_such(ctx):
    left = left_seen("DELETE_FAILED", "In use.").left
    whole = seen(service_seen(), group_seen({"10.0.0.1": "HEALTHY"}))
    fact = rates(SERVED, ctx, msgspec.structs.replace(whole, left=left))
    assert [(each.kind, each.told) for each in everything(fact) if each.well is False] == [
        (
            "Lattice service",
            "DELETE_FAILED at rates.example.on.aws: In use.; left over: the route does not ask for it",
        )
    ]


def test_a_route_for_which_nothing_is_written_says_why(ctx):
    paused = hotel(route("rates", PARKING, annotations={PAUSED: "true"}))
    assert of_kind(rates(paused, ctx), "withheld") == {"Paused": (None, PAUSED_MESSAGE)}
    gone = hotel(route("rates", PARKING, meta={"deletionTimestamp": "2026-01-02T00:00:00Z"}))
    protecting = msgspec.structs.replace(ctx, protect_from_deletion=True)
    assert [told for _, told in of_kind(rates(gone, protecting), "withheld").values()] == [PROTECTED_MESSAGE]
    assert not of_kind(rates(gone, ctx), "withheld")


def test_a_gateway_tells_its_network_its_listeners_and_its_routes(ctx):
    view = hotel(
        gateway("my-hotel", "default", listener(), listener("tcp", 90, "TCP")),
        accepted(route("rates", PARKING)),
        route("lost", PARKING, parents=[{"name": "my-hotel", "sectionName": "https"}]),
    )
    here = view.gateway("default", "my-hotel")
    fact = explain_gateway(view, here, ctx, Seen(networks={"my-hotel": NETWORK}))
    assert fact.well
    assert of_kind(fact, "service network") == {"my-hotel": (True, "is sn-1")}
    assert of_kind(fact, "listener")["http (HTTP 80, any hostname)"] == (True, "1 route attached; valid")
    assert of_kind(fact, "listener")["tcp (TCP 90, any hostname)"][0] is False
    routes = of_kind(fact, "HTTPRoute")
    assert routes["default/rates"] == (True, "Route is accepted.")
    assert routes["default/lost (https)"][1].startswith("NoMatchingParent: ")


@pytest.mark.parametrize(
    ("network", "part"), [(Missing(), "There is no VPC Lattice service network"), (Ambiguous(ids=("sn-1",)), "sn-1")]
)
def test_a_gateway_without_its_network_says_what_is_there_instead(ctx, network, part):
    view = hotel()
    fact = explain_gateway(view, view.gateway("default", "my-hotel"), ctx, Seen(networks={"my-hotel": network}))
    well, told = of_kind(fact, "service network")["my-hotel"]
    assert well is False
    assert part in told


def test_a_gateways_class_may_be_missing_or_of_another_controller(ctx):
    for view, well in ((hotel().without(gateway_class()), False), (hotel(gateway_class(controller="a/b")), None)):
        fact = explain_gateway(view, view.gateway("default", "my-hotel"), ctx, Seen())
        assert fact.well is well
        assert of_kind(fact, "class")["amazon-vpc-lattice"][0] is well


def explained_service(view: FakeView, ctx, sight: Seen = NOTHING_SEEN) -> Fact:
    found = view.one(Service, "default", "parking")
    assert found is not None
    return explain_service(view, found, ctx, sight)


def test_a_service_tells_the_routes_that_use_it_and_only_its_own_groups(ctx):
    view = hotel(
        route("rates", rule(backend("parking"), backend("review"), matches=[path("/parking")])),
        route("mesh", PARKING, parents=[{"kind": "Service", "group": "", "name": "mesh"}]),
        endpoints("parking", "10.0.0.1"),
    )
    fact = explained_service(view, ctx, seen(service_seen(), group_seen({"10.0.0.1": "HEALTHY"})))
    assert fact.all_well
    assert of_kind(fact, "HTTPRoute") == {
        "default/rates": (True, "accepted"),
        "default/mesh": (None, "not this controller's"),
    }
    assert set(of_kind(fact, "backend")) == {"Service default/parking:80"}
    assert set(of_kind(fact, "target group")) == {"k8s-default-parking"}


def test_a_service_that_no_route_refers_to_is_nothing_amiss(ctx):
    fact = explained_service(hotel(), ctx)
    assert (fact.all_well, fact.told) == (True, "no route refers to it")


def test_what_is_unknown_is_not_explained_away(ctx):
    view = FakeView(SERVED.objects, unknown=[Service])
    with pytest.raises(UnknownError):
        rates(view, ctx)


def test_json_has_all_that_the_tree_has(ctx):
    fact = rates(SERVED, ctx)
    again = msgspec.convert(fact.to_json(), Fact)
    assert again == fact
