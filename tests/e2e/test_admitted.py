"""Routes of all kinds, as the definitions admit them, in a running world: it comes to rest, and nothing stays."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.api.resources import ROUTES
from tests.e2e.bad_input_seen import rests
from tests.e2e.harness import CONTROLLER, Json, World, eventually, world
from tests.e2e.objects import endpoints, gateway, gateway_class, listener, namespace, service
from tests.e2e.test_lifecycle import nothing_in_lattice
from tests.support.admitted_routes import admitted

pytestmark = pytest.mark.anyio

PASSTHROUGH = {"mode": "Passthrough"}
GATEWAYS = (
    gateway(
        "my-hotel",
        listener("http", 80, allowedRoutes={"namespaces": {"from": "All"}}),
        listener("https", 443, "HTTPS"),
        listener("tls", 8443, "TLS", tls=PASSTHROUGH),
    ),
    gateway("other", listener("tls", 443, "TLS", hostname="*.example.com", tls=PASSTHROUGH)),
)


def told(one: World, written: Json) -> None:
    """The route says what became of it with each of our Gateways: for its present generation, and finally."""
    meta = written["metadata"]
    found = one.get(written["kind"], meta["name"], namespace=meta["namespace"])
    assert found is not None
    refs = [ref["name"] for ref in found["spec"]["parentRefs"]]
    entries = found["status"]["parents"]
    assert [entry["parentRef"]["name"] for entry in entries] == refs
    for entry in entries:
        assert entry["controllerName"] == CONTROLLER
        accepted = next(each for each in entry["conditions"] if each["type"] == "Accepted")
        assert accepted["status"] in {"True", "False"}, accepted
        assert accepted["observedGeneration"] == found["metadata"]["generation"]


@given(
    st.lists(
        admitted(),
        min_size=4,
        max_size=10,
        unique_by=lambda obj: (obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]),
    )
)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_a_world_of_admitted_routes_comes_to_rest_and_goes_without_a_trace(written: list[Json]) -> None:
    with TemporaryDirectory() as directory:
        async with world(Path(directory)) as one:
            for name in ("my-hotel", "other"):
                one.make_network(name)
            await one.start()
            await one.apply(gateway_class(), *GATEWAYS, namespace("elsewhere"))
            for name in ("rates", "parking"):
                for where in ("default", "elsewhere"):
                    await one.apply(service(name, namespace=where), endpoints(name, ["10.0.0.1"], namespace=where))
            await one.apply(*written)
            await eventually(lambda: [told(one, each) for each in written])
            await rests(one)
            for each in written:
                meta = each["metadata"]
                await one.delete(each["kind"], meta["name"], namespace=meta["namespace"])
            await eventually(lambda: gone(one))


def gone(one: World) -> None:
    assert {kind: one.all(kind) for kind in ROUTES} == {kind: [] for kind in ROUTES}
    nothing_in_lattice(one)
