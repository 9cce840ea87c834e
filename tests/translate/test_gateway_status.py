"""Status of GatewayClasses and Gateways (Gateway API v1.6, `GatewayStatus`, `ListenerStatus`)."""

import msgspec
import pytest

from controller.api.gateway import GatewayAddress, GatewayInfrastructure, ParametersReference
from controller.translate.gateway import gateway_status
from controller.translate.outcomes import Ambiguous, Found, Missing, Unavailable
from tests.support.view import FakeView, accepted, gateway, gateway_class, listener, route

ARN = "arn:aws:vpc-lattice:us-west-2:123456789012:servicenetwork/sn-0123456789abcdef0"
FOUND = Found(id="sn-0123456789abcdef0", arn=ARN)
DOMAIN = "application-networking.k8s.aws/lattice-assigned-domain-name"


def status(ctx, *objects, of=None, network=FOUND):
    own = of or gateway(meta={"generation": 5})
    found = gateway_status(FakeView([gateway_class(), own, *objects]), own, network, ctx)
    assert found is not None
    return found


def brief(conditions) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in conditions}


def test_another_controllers_gateway_is_not_ours_to_answer(ctx):
    own = gateway()
    view = FakeView([gateway_class(controller="example.com/other"), own])
    assert gateway_status(view, own, FOUND, ctx) is None


def test_a_gateway_whose_network_is_found_is_programmed(ctx):
    found = status(ctx)
    assert brief(found.conditions) == {"Accepted": ("True", "Accepted"), "Programmed": ("True", "Programmed")}
    assert found.conditions[1]["message"] == f"aws-service-network-arn: {ARN}"
    assert {each["observedGeneration"] for each in found.conditions} == {5}
    (one,) = found.listeners
    assert brief(one["conditions"]) == {
        "Accepted": ("True", "Accepted"),
        "Programmed": ("True", "Programmed"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
        "Conflicted": ("False", "NoConflicts"),
    }
    assert one["supportedKinds"] == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}]


@pytest.mark.parametrize(
    ("network", "reason", "told"),
    [
        (Missing(), "Pending", "create one of this name"),
        (Ambiguous(ids=("sn-1", "sn-2")), "Invalid", "(sn-1, sn-2); use the id"),
        (Unavailable(message="AccessDenied"), "Pending", "AccessDenied"),
    ],
)
def test_a_gateway_without_its_network_is_accepted_but_not_programmed(ctx, network, reason, told):
    found = status(ctx, network=network)
    assert brief(found.conditions) == {"Accepted": ("True", "Accepted"), "Programmed": ("False", reason)}
    assert told in found.conditions[1]["message"]
    assert brief(found.listeners[0]["conditions"])["Programmed"] == ("False", reason)


def test_a_gateway_with_some_bad_listeners_is_accepted_without_them(ctx):
    found = status(ctx, of=gateway("g", "default", listener("good"), listener("bad", 81, "TCP")))
    assert brief(found.conditions)["Accepted"] == ("True", "ListenersNotValid")
    assert "Listener bad: Protocol TCP" in found.conditions[0]["message"]
    good, bad = found.listeners
    assert brief(good["conditions"])["Programmed"] == ("True", "Programmed")
    assert brief(bad["conditions"])["Accepted"] == ("False", "UnsupportedProtocol")
    assert brief(bad["conditions"])["Programmed"] == ("False", "Invalid")
    assert bad["supportedKinds"] == []


def test_a_gateway_without_a_good_listener_is_not_accepted(ctx):
    found = status(ctx, of=gateway("g", "default", listener("bad", 81, "TCP")))
    assert brief(found.conditions) == {"Accepted": ("False", "ListenersNotValid"), "Programmed": ("False", "Invalid")}


def test_attached_routes_are_counted(ctx):
    elsewhere = route("elsewhere", parents=[{"name": "other"}])
    found = status(ctx, *(accepted(each) for each in (route("one"), route("two"), elsewhere)), route("new"))
    assert found.listeners[0]["attachedRoutes"] == 2


def test_the_address_is_the_domain_of_the_oldest_route_that_has_one(ctx):
    found = status(
        ctx,
        route("oldest", created="2025-01-01T00:00:00Z"),
        route("young", created="2026-01-01T00:00:00Z", annotations={DOMAIN: "young.on.aws"}),
        route("older", created="2025-06-01T00:00:00Z", annotations={DOMAIN: "older.on.aws"}),
        route(
            "going",
            created="2025-02-01T00:00:00Z",
            annotations={DOMAIN: "going.on.aws"},
            meta={"deletionTimestamp": "2026-01-01T00:00:00Z"},
        ),
    )
    assert found.addresses == ({"type": "Hostname", "value": "older.on.aws"},)


def test_a_route_that_the_gateway_does_not_accept_gives_it_no_address(ctx):
    written = {DOMAIN: "evil.example.com"}
    found = status(
        ctx,
        route("no-listener", parents=[{"name": "my-hotel", "sectionName": "none"}], annotations=written),
        route("mesh", parents=[{"name": "my-hotel", "group": "", "kind": "Service"}], annotations=written),
        route("elsewhere", parents=[{"name": "my-hotel", "namespace": "other"}], annotations=written),
    )
    assert found.addresses == ()


def test_without_a_domain_there_is_no_address(ctx):
    assert status(ctx, route("one")).addresses == ()


def asking(*addresses, infrastructure=None):
    own = gateway()
    spec = msgspec.structs.replace(
        own.spec, addresses=tuple(GatewayAddress(**each) for each in addresses), infrastructure=infrastructure
    )
    return msgspec.structs.replace(own, spec=spec)


def test_addresses_of_a_type_that_lattice_has_not_are_refused(ctx):
    found = status(ctx, of=asking({"value": "10.0.0.1"}, {"type": "Hostname"}))
    assert brief(found.conditions) == {
        "Accepted": ("False", "UnsupportedAddress"),
        "Programmed": ("False", "Invalid"),
    }
    assert "IPAddress" in found.conditions[0]["message"]


def test_a_hostname_cannot_be_chosen(ctx):
    found = status(ctx, of=asking({"type": "Hostname", "value": "gateway.example.com"}))
    assert brief(found.conditions) == {
        "Accepted": ("True", "Accepted"),
        "Programmed": ("False", "AddressNotUsable"),
    }
    assert "gateway.example.com" in found.conditions[1]["message"]


def test_any_hostname_may_be_asked_for(ctx):
    found = status(ctx, of=asking({"type": "Hostname"}))
    assert brief(found.conditions) == {"Accepted": ("True", "Accepted"), "Programmed": ("True", "Programmed")}


def test_a_network_that_is_missing_is_told_before_an_address_that_cannot_be_chosen(ctx):
    found = status(ctx, of=asking({"type": "Hostname", "value": "gateway.example.com"}), network=Missing())
    assert brief(found.conditions)["Programmed"] == ("False", "Pending")


def test_parameters_of_a_gateway_are_refused(ctx):
    reference = ParametersReference(kind="ConfigMap", name="tuning")
    found = status(ctx, of=asking(infrastructure=GatewayInfrastructure(parameters_ref=reference)))
    assert brief(found.conditions)["Accepted"] == ("False", "InvalidParameters")
    assert "ConfigMap tuning" in found.conditions[0]["message"]
