"""A pod asks another one, through the data plane."""

from random import Random

import pytest

from sandbox.dataplane import DataPlane
from sandbox.lattice.directory import Match
from tests.sandbox.dataplane.conftest import FQDN, InMemoryDirectory

from .builders import deployment
from .test_workloads import fresh, ready

pytestmark = pytest.mark.anyio


async def test_a_pod_asks_a_service_and_is_known_by_its_address(api, workloads, network):
    api.store("deployments", fresh(deployment(2)))
    one, other = await api.until(lambda: len(ready(api)) == 2 and ready(api))
    directory = InMemoryDirectory()
    directory.group("tg-1", (other["status"]["podIP"], 8090))
    directory.service([(Match(path_prefix="/parking"), "tg-1")])
    plane = DataPlane(directory, network=network, random=Random(1))
    async with plane.serving():
        name = one["metadata"]["name"]
        answer = await workloads.request("default", name, f"http://{FQDN}/parking", via=plane.url)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.text == f"Requsting to Pod({other['metadata']['name']}): parking 1\n"
        assert [access.source for access in plane.log] == [one["status"]["podIP"]]


async def test_nobody_asks_from_a_pod_that_is_not_there(workloads):
    with pytest.raises(LookupError, match="no running pod default/nobody"):
        await workloads.request("default", "nobody", f"http://{FQDN}/", via="http://127.0.0.1:1")
