"""DNS records on a real server: its validation of what is written, its preconditions, and its garbage collector."""

from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import pytest

from tests.e2e.bad_input_seen import is_gone, is_programmed
from tests.e2e.bad_input_time import LOOKS, RETRIES, shortened
from tests.e2e.harness import eventually
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service
from tests.real.definitions import install, remove
from tests.real.world import RealWorld, world
from tests.support.external_dns import DEFINITION, NAME
from tests.support.kube_apiserver import KubeApiserver

SHOP, WEB = "shop.example.com", "web.example.com"


@pytest.fixture
def without_external_dns(server: KubeApiserver) -> Iterator[None]:
    """It is not installed before, nor after."""
    remove(server, NAME)
    yield
    remove(server, NAME)


def published(one: RealWorld, *hostnames: str) -> str:
    """That these are all records; returns the version of their object."""
    made = one.get("DNSEndpoint", "rates-dns")
    assert made is not None
    domains = {each.custom_domain: each.domain for each in one.lattice.state.services}
    assert made["spec"]["endpoints"] == [
        {"dnsName": each, "recordType": "CNAME", "recordTTL": 300, "targets": [domains[each]]} for each in hostnames
    ]
    return str(made["metadata"]["resourceVersion"])


def is_absent(one: RealWorld) -> None:
    assert one.get("DNSEndpoint", "rates-dns") is None


@pytest.mark.anyio
async def test_records_from_the_definition_that_is_installed_later_to_the_deleted_route(
    server: KubeApiserver, without_external_dns: None, tmp_path: Path
) -> None:
    with shortened(LOOKS, RETRIES):
        async with world(server, tmp_path) as one:
            one.make_network("my-hotel")
            rates = route("rates", rule(backend("rates")), hostnames=[SHOP])
            await one.apply(gateway_class(), gateway(), service("rates"), endpoints("rates", ["10.0.0.1"]), rates)
            await one.start()
            await eventually(lambda: is_programmed(one, "rates"))
            await anyio.to_thread.run_sync(install, server, DEFINITION)
            await eventually(lambda: published(one, SHOP))
            await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": [WEB]}})
            await eventually(lambda: published(one, WEB))
            await one.quiet()
            version = published(one, WEB)
            await one.stop()
            await one.start()
            await one.quiet()
            assert published(one, WEB) == version, "a restart writes nothing"
            await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": None}})
            await eventually(lambda: is_absent(one))
            await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": [SHOP]}})
            await eventually(lambda: published(one, SHOP))
            await one.delete("HTTPRoute", "rates")
            await eventually(lambda: is_gone(one, "rates"))
            if server.has_controllers:
                await eventually(lambda: is_absent(one))
