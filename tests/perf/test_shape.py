"""What the load test creates."""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.loadtest.shape import SLICE_SIZE, Route, Shape, gateways, late_address, namespaces
from sandbox.kube import KubeServer

small = st.integers(1, 4)
shapes = st.builds(
    Shape,
    routes=small,
    rules=small,
    backends=small,
    endpoints=st.integers(1, 2 * SLICE_SIZE + 1),
    gateways=small,
    namespaces=small,
)


def routes(shape: Shape) -> list[Route]:
    return [Route(shape, number) for number in range(shape.routes)]


@settings(max_examples=30)
@given(shapes)
def test_there_are_as_many_of_each_as_were_asked_for(shape: Shape) -> None:
    backends = list(chain.from_iterable(route.backends() for route in routes(shape)))
    services = [obj for obj in backends if obj["kind"] == "Service"]
    pieces = [obj for obj in backends if obj["kind"] == "EndpointSlice"]
    addresses = [endpoint["addresses"][0] for piece in pieces for endpoint in piece["endpoints"]]
    assert len(services) == shape.services
    assert len(addresses) == len(set(addresses)) == shape.services * shape.endpoints
    assert all(1 <= len(piece["endpoints"]) <= SLICE_SIZE for piece in pieces)
    for route in routes(shape):
        rules = route.object()["spec"]["rules"]
        assert [len(rule["backendRefs"]) for rule in rules] == [shape.backends] * shape.rules
        assert len({rule["matches"][0]["path"]["value"] for rule in rules}) == shape.rules


@settings(max_examples=30)
@given(shapes)
def test_every_backend_is_there_and_has_endpoints(shape: Shape) -> None:
    for route in routes(shape):
        backends = list(route.backends())
        services = {obj["metadata"]["name"] for obj in backends if obj["kind"] == "Service"}
        served = {
            obj["metadata"]["labels"]["kubernetes.io/service-name"]
            for obj in backends
            if obj["kind"] == "EndpointSlice"
        }
        wanted = {ref["name"] for rule in route.object()["spec"]["rules"] for ref in rule["backendRefs"]}
        assert services == served == wanted


@settings(max_examples=30)
@given(shapes)
def test_what_is_expected_of_a_route_is_what_it_asks_for(shape: Shape) -> None:
    for route in routes(shape):
        expected = route.expected
        assert expected.network == route.object()["spec"]["parentRefs"][0]["name"]
        assert (expected.rules, expected.groups) == (shape.rules, shape.rules * shape.backends)
        assert expected.targets == shape.endpoints


def test_a_slice_that_grows_keeps_its_name_and_what_it_had() -> None:
    route = Route(Shape(endpoints=3), 7)
    _, before = route.backends()
    after = route.grown(late_address(0))
    assert after["metadata"] == before["metadata"]
    assert after["endpoints"][:-1] == before["endpoints"]
    assert after["endpoints"][-1]["addresses"] == [late_address(0)]


def test_an_endpoint_added_later_has_an_address_of_its_own() -> None:
    most = Shape(routes=20_000, endpoints=700)
    _, *pieces = Route(most, most.routes - 1).backends()
    last = pieces[-1]["endpoints"][-1]["addresses"][0]
    assert last.startswith("10.")
    assert int(last.split(".")[1]) < int(late_address(0).split(".")[1])


@pytest.mark.parametrize(
    "numbers", [{"routes": 0}, {"rules": 0}, {"routes": 20_001}, {"routes": 20_000, "rules": 6}, {"endpoints": 200_000}]
)
def test_shapes_that_no_cluster_could_have_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"at least|at most|do not fit"):
        Shape(**numbers)


def test_an_api_server_takes_all_of_it() -> None:
    shape = Shape(routes=2, rules=2, backends=2, gateways=2, namespaces=2)
    server = KubeServer(seed=1)
    server.apply(*namespaces(shape), *gateways(shape, "example.com/controller"))
    for route in routes(shape):
        server.apply(*route.backends(), route.object())
