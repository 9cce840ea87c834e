"""When a route counts as programmed: in Lattice, and in its own status."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from controller.lattice.aws import classify
from perf.loadtest.kubernetes import path_of, reported, speaks_of_throttles
from perf.loadtest.servers import serves
from perf.loadtest.shape import Expected
from sandbox.lattice import Quotas, Timings
from sandbox.lattice.associations import create_service_association
from sandbox.lattice.listeners import create_listener
from sandbox.lattice.networks import create_service_network
from sandbox.lattice.resources import Described
from sandbox.lattice.rules import create_rule
from sandbox.lattice.services import create_service
from sandbox.lattice.state import Call, Handler, State
from sandbox.lattice.target_groups import create_target_group
from sandbox.lattice.targets import OPERATIONS as TARGETS

EXPECTED = Expected("shop", "cart", "net", rules=1, groups=1, targets=2)


class Account:
    """An emulated account whose time the test owns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.state = State(
            account="123456789012",
            region="us-west-2",
            seed=1,
            timings=Timings(service_association_create=(5.0, 5.0), service_create=(0, 0), target_group_create=(0, 0)),
            quotas=Quotas.unlimited(),
            clock=lambda: self.now,
        )

    def call(self, handler: Handler, **parameters: Any) -> Described:
        self.state.transitions.run_due()
        answer = handler(self.state, Call(handler.__name__, parameters))
        self.state.transitions.run_due()
        return answer

    def served(self) -> bool:
        self.state.transitions.run_due()
        [service] = self.state.services
        return serves(service, EXPECTED)


def test_lattice_serves_a_route_once_the_last_piece_is_there() -> None:
    account = Account()
    account.call(create_service_network, name="net")
    service = account.call(create_service, name="cart-shop")["id"]
    group = account.call(
        create_target_group, name="group", type="IP", config={"port": 80, "protocol": "HTTP", "vpcIdentifier": "vpc-1"}
    )["id"]
    assert not account.served()
    network = next(iter(account.state.networks)).id
    account.call(create_service_association, serviceIdentifier=service, serviceNetworkIdentifier=network)
    listener = account.call(
        create_listener,
        serviceIdentifier=service,
        name="http",
        protocol="HTTP",
        defaultAction={"fixedResponse": {"statusCode": 404}},
    )["id"]
    account.call(
        create_rule,
        serviceIdentifier=service,
        listenerIdentifier=listener,
        name="rule",
        priority=1,
        match={"httpMatch": {"pathMatch": {"match": {"prefix": "/"}}}},
        action={"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}},
    )
    account.call(TARGETS["RegisterTargets"], targetGroupIdentifier=group, targets=[{"id": "10.0.0.1"}])
    account.now = 10.0
    assert not account.served()
    account.call(TARGETS["RegisterTargets"], targetGroupIdentifier=group, targets=[{"id": "10.0.0.2"}])
    assert account.served()


def a_route(
    status: str = "True", seen: int = 2, annotations: tuple[str, ...] = ("lattice-assigned-domain-name",)
) -> Any:
    conditions = [
        {"type": kind, "status": status, "observedGeneration": seen, "message": ""}
        for kind in ("Accepted", "ResolvedRefs")
    ]
    named = {f"application-networking.k8s.aws/{name}": "x" for name in annotations}
    return {"metadata": {"generation": 2, "annotations": named}, "status": {"parents": [{"conditions": conditions}]}}


def test_a_route_reports_that_it_is_programmed_by_status_and_annotation() -> None:
    assert reported(a_route())


@pytest.mark.parametrize(
    "route",
    [
        a_route(status="False"),
        a_route(seen=1),
        a_route(annotations=()),
        {"metadata": {"generation": 1}},
        {**a_route(), "status": {"parents": []}},
    ],
)
def test_a_route_that_is_on_its_way_reports_nothing(route: Any) -> None:
    assert not reported(route)


def test_throttling_is_found_in_status_and_in_events() -> None:
    route = a_route()
    assert not speaks_of_throttles(route)
    route["status"]["parents"][0]["conditions"][0]["message"] = "ThrottlingException: Rate exceeded"
    assert speaks_of_throttles(route)
    assert speaks_of_throttles({"note": "too many requests"})
    assert speaks_of_throttles({"message": "was throttled"})


def test_what_the_controller_says_of_a_throttle_would_be_found() -> None:
    refused = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "CreateService")
    assert speaks_of_throttles({"note": str(classify(refused, "CreateService"))})


def test_paths_are_the_api_servers() -> None:
    assert path_of("Service", "shop", "cart") == "/api/v1/namespaces/shop/services/cart"
    assert path_of("HTTPRoute") == "/apis/gateway.networking.k8s.io/v1/httproutes"
    assert path_of("GatewayClass", name="c") == "/apis/gateway.networking.k8s.io/v1/gatewayclasses/c"
