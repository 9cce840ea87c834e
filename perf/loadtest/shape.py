"""What the load test creates: any number of routes of any shape, as Kubernetes objects. Pure.

No route has hostnames, so each becomes one Lattice service. Each backend of each rule is a Service of its
own without pods; its EndpointSlices say what its endpoints are. Gateways and namespaces are taken in turn.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any, Final

import msgspec

Json = dict[str, Any]

PREFIX: Final = "application-networking.k8s.aws/"
GATEWAY_API: Final = "gateway.networking.k8s.io/v1"
CLASS: Final = "amazon-vpc-lattice"
GATEWAY_NAMESPACE: Final = "perf-gateways"
TARGET_PORT: Final = 8090

SLICE_SIZE: Final = 100
"""Endpoints in an EndpointSlice, as Kubernetes' own controller fills them by default."""

_FIRST: Final = int(IPv4Address("10.0.0.0"))
_LATE: Final = int(IPv4Address("10.240.0.0"))
"""From here on addresses are for endpoints that are added later."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each. Raises ValueError for numbers that no cluster could have."""

    routes: int = 100
    rules: int = 1
    """Per route."""
    backends: int = 1
    """Per rule, all of the same weight."""
    endpoints: int = 2
    """Per Service."""
    gateways: int = 1
    namespaces: int = 1

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.services * self.endpoints >= _LATE - _FIRST:
            raise ValueError("so many endpoints do not fit into 10.0.0.0/8")
        if self.routes > 20_000 or self.services > 100_000:
            raise ValueError("at most 20,000 routes and 100,000 Services")

    @property
    def services(self) -> int:
        """How many Services there are in all."""
        return self.routes * self.rules * self.backends


class Expected(msgspec.Struct, frozen=True):
    """What one route is to become in Lattice, by which it is judged to be programmed."""

    namespace: str
    name: str
    network: str
    rules: int
    groups: int
    targets: int
    """In each group, at the least."""


def gateway_name(index: int) -> str:
    """Also the name of the service network."""
    return f"perf-{index}"


def namespace_name(index: int) -> str:
    return f"perf-routes-{index}"


def namespaces(shape: Shape) -> Iterator[Json]:
    for name in (GATEWAY_NAMESPACE, *(namespace_name(index) for index in range(shape.namespaces))):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def gateways(shape: Shape, controller: str) -> Iterator[Json]:
    """The GatewayClass of the controller of this name, and the Gateways."""
    yield {
        "apiVersion": GATEWAY_API,
        "kind": "GatewayClass",
        "metadata": {"name": CLASS},
        "spec": {"controllerName": controller},
    }
    for index in range(shape.gateways):
        listener = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
        yield {
            "apiVersion": GATEWAY_API,
            "kind": "Gateway",
            "metadata": {"name": gateway_name(index), "namespace": GATEWAY_NAMESPACE},
            "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
        }


class Route:
    """One route of the shape by its number, and the objects it needs."""

    def __init__(self, shape: Shape, number: int) -> None:
        self.shape = shape
        self.number = number
        self.namespace = namespace_name(number % shape.namespaces)
        self.name = f"route-{number}"
        self.gateway = gateway_name(number % shape.gateways)

    @property
    def expected(self) -> Expected:
        shape = self.shape
        return Expected(
            self.namespace, self.name, self.gateway, shape.rules, shape.rules * shape.backends, shape.endpoints
        )

    def backends(self) -> Iterator[Json]:
        """The Services, each followed by its EndpointSlices."""
        for index in range(self.shape.rules * self.shape.backends):
            name = self._service(index)
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": TARGET_PORT}]},
            }
            addresses = self._addresses(index)
            for piece, start in enumerate(range(0, len(addresses), SLICE_SIZE)):
                yield self._slice(name, piece, addresses[start : start + SLICE_SIZE])

    def object(self) -> Json:
        """The HTTPRoute."""
        per_rule = self.shape.backends
        return {
            "apiVersion": GATEWAY_API,
            "kind": "HTTPRoute",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "parentRefs": [{"name": self.gateway, "namespace": GATEWAY_NAMESPACE}],
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": f"/rule-{rule}"}}],
                        "backendRefs": [
                            {"name": self._service(rule * per_rule + index), "port": 80} for index in range(per_rule)
                        ],
                    }
                    for rule in range(self.shape.rules)
                ],
            },
        }

    def grown(self, address: str) -> Json:
        """The first EndpointSlice of the first Service, with one endpoint more."""
        return self._slice(self._service(0), 0, [*self._addresses(0)[:SLICE_SIZE], address])

    def _service(self, index: int) -> str:
        return f"{self.name}-{index}"

    def _addresses(self, index: int) -> list[str]:
        shape = self.shape
        first = _FIRST + 1 + (self.number * shape.rules * shape.backends + index) * shape.endpoints
        return [str(IPv4Address(first + offset)) for offset in range(shape.endpoints)]

    def _slice(self, service: str, piece: int, addresses: list[str]) -> Json:
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{service}-{piece}",
                "namespace": self.namespace,
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "ports": [{"port": TARGET_PORT, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        }


def late_address(number: int) -> str:
    """The address of an endpoint that is added later; no other has it."""
    return str(IPv4Address(_LATE + 1 + number))
