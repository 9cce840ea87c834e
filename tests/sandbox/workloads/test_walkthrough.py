"""The walk-through's manifests on the sandbox's own API server."""

from pathlib import Path

import aiohttp
import anyio
import pytest
import yaml

from sandbox.kube import KubeServer
from sandbox.network import Network
from sandbox.workloads.objects import is_true

from .conftest import running

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[3] / "deploy" / "examples"
PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "Service": "/api/v1/namespaces/default/services",
    "ReplicaSet": "/apis/apps/v1/namespaces/default/replicasets",
    "Pod": "/api/v1/namespaces/default/pods",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
    "GatewayClass": "/apis/gateway.networking.k8s.io/v1/gatewayclasses",
    "Gateway": "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes",
}


class Cluster:
    def __init__(self, url, session):
        self.url = url
        self.session = session

    async def call(self, method, path, **kwargs):
        async with self.session.request(method, self.url + path, **kwargs) as answer:
            body = await answer.json()
            assert answer.status < 300, body
            return body

    async def apply(self, name):
        for manifest in yaml.safe_load_all((EXAMPLES / name).read_text()):
            path = f"{PATHS[manifest['kind']]}/{manifest['metadata']['name']}"
            headers = {"Content-Type": "application/apply-patch+yaml"}
            await self.call("PATCH", f"{path}?fieldManager=test", data=yaml.safe_dump(manifest), headers=headers)

    async def patch(self, kind, name, body):
        headers = {"Content-Type": "application/merge-patch+json"}
        await self.call("PATCH", f"{PATHS[kind]}/{name}", json=body, headers=headers)

    async def items(self, kind):
        return (await self.call("GET", PATHS[kind]))["items"]

    async def until(self, kind, condition):
        """Watch a kind until a condition on its objects holds; gives them."""
        with anyio.fail_after(60):
            async with self.session.get(f"{self.url}{PATHS[kind]}?watch=true") as watch:
                while not condition(found := await self.items(kind)):
                    await watch.content.readline()
        return found


@pytest.fixture
async def cluster(network, anyio_backend):
    async with (
        KubeServer(seed=1) as kube,
        running(kube.url, network) as workloads,
        aiohttp.ClientSession(read_bufsize=2**24) as session,
    ):
        cluster = Cluster(kube.url, session)
        cluster.workloads = workloads
        yield cluster


def rolled_out(name, replicas):
    def condition(deployments):
        for one in deployments:
            status = one.get("status", {})
            if one["metadata"]["name"] == name and status.get("observedGeneration") == one["metadata"]["generation"]:
                counts = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
                return counts == [replicas] * 3
        return False

    return condition


async def text(network, pod):
    url = f"http://{network.socket_address(pod['status']['podIP'])}:8090/parking"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


async def test_every_manifest_is_accepted(cluster):
    for path in sorted(EXAMPLES.glob("*.yaml")):
        await cluster.apply(path.name)
    assert {one["metadata"]["name"] for one in await cluster.items("HTTPRoute")} == {"rates", "inventory"}


async def test_parking_comes_changes_and_goes(cluster, network):
    await cluster.apply("parking.yaml")
    await cluster.until("Deployment", rolled_out("parking", 2))
    pods = await cluster.items("Pod")
    assert len(pods) == 2
    for pod in pods:
        assert is_true(pod, "Ready")
        assert await text(network, pod) == f"Requsting to Pod({pod['metadata']['name']}): parking handler pod\n"
    addresses = {pod["status"]["podIP"] for pod in pods}
    await cluster.until("EndpointSlice", lambda slices: reached(slices) == addresses)

    change = {"replicas": 3, "template": {"metadata": {"annotations": {"restarted": "yes"}}}}
    await cluster.patch("Deployment", "parking", {"spec": change})
    await cluster.until("Deployment", rolled_out("parking", 3))
    after = await cluster.until("Pod", lambda pods: len(pods) == 3)
    assert not addresses & {pod["status"]["podIP"] for pod in after}
    await cluster.until("EndpointSlice", lambda slices: len(reached(slices)) == 3)

    victim = after[0]["metadata"]["name"]
    await cluster.workloads.kill("default", victim)
    replaced = await cluster.until("Pod", lambda pods: len(pods) == 3 and victim not in names(pods))
    assert victim not in names(replaced)

    for kind in ("Deployment", "Service"):
        await cluster.call("DELETE", f"{PATHS[kind]}/parking")
    for kind in ("ReplicaSet", "Pod", "EndpointSlice"):
        await cluster.until(kind, lambda left: [one for one in left if "parking" in one["metadata"]["name"]] == [])


async def test_a_second_start_takes_up_where_the_first_ended(anyio_backend):
    async with KubeServer(seed=1) as kube, aiohttp.ClientSession(read_bufsize=2**24) as session:
        cluster = Cluster(kube.url, session)
        with Network() as network:
            async with running(kube.url, network):
                await cluster.apply("parking.yaml")
                await cluster.until("Deployment", rolled_out("parking", 2))
                before = names(await cluster.items("Pod"))
        with Network() as network:
            async with running(kube.url, network, seed=2):
                await cluster.patch("Deployment", "parking", {"spec": {"replicas": 3}})
                await cluster.until("Deployment", rolled_out("parking", 3))
                assert before < names(await cluster.items("Pod"))


def reached(slices):
    return {
        address
        for one in slices
        for endpoint in one["endpoints"] or ()
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
    }


def names(objects):
    return {one["metadata"]["name"] for one in objects}
