"""Deployments that become pods that answer, on an API server with bad days."""

import re
from datetime import UTC, datetime, timedelta

import aiohttp
import anyio
import pytest
from aiohttp import test_utils, web

from sandbox.network import Network
from sandbox.workloads import KubeError
from sandbox.workloads.objects import is_true, labels_of, selects

from .apiserver import ApiServer
from .builders import deployment, service
from .conftest import running

pytestmark = pytest.mark.anyio


def fresh(obj):
    """The object as a client would send it."""
    meta = {key: obj["metadata"][key] for key in ("name", "namespace", "labels") if key in obj["metadata"]}
    return {**obj, "metadata": meta}


def ready(api):
    return [pod for pod in api.find("pods") if is_true(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]]


def ready_of(api, version):
    return [p for p in ready(api) if p["spec"]["containers"][0]["env"][0]["value"] == f"parking {version}"]


def endpoints(api):
    found = [end for one in api.find("endpointslices") for end in one["endpoints"] if end["conditions"]["ready"]]
    return sorted(end["targetRef"]["name"] for end in found)


def settled(api, name):
    status = api.find("deployments", name).get("status", {})
    return status.get("availableReplicas") == api.find("deployments", name)["spec"]["replicas"]


def names(objects):
    return sorted(obj["metadata"]["name"] for obj in objects)


async def get(network, pod, port=8090):
    url = f"http://{network.socket_address(pod['status']['podIP'])}:{port}/any/path"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


async def get_patiently(network, pod):
    """Ask until the pod listens; nothing tells when it does so again after a restart."""
    with anyio.fail_after(60):
        while True:
            try:
                return await get(network, pod)
            except aiohttp.ClientConnectorError:
                await anyio.sleep(0.005)


class TestDeployments:
    async def test_a_deployment_becomes_pods_that_answer(self, api, workloads, network):
        api.store("deployments", fresh(deployment(2)))
        pods = await api.until(lambda: len(ready(api)) == 2 and ready(api))
        (replica_set,) = api.find("replicasets")
        assert re.fullmatch(r"parking-[456789bcdf]{1,10}", replica_set["metadata"]["name"])
        for pod in pods:
            name = pod["metadata"]["name"]
            assert re.fullmatch(replica_set["metadata"]["name"] + "-[a-z0-9]{5}", name)
            assert selects(replica_set["spec"]["selector"]["matchLabels"], labels_of(pod))
            assert pod["status"]["podIP"].startswith("10.244.")
            assert await get(network, pod) == f"Requsting to Pod({name}): parking 1\n"

    async def test_its_status_tells_how_far_it_is(self, api, workloads):
        api.store("deployments", fresh(deployment(2)))
        done = await api.until(
            lambda: (
                (found := api.find("deployments", "parking")).get("status", {}).get("availableReplicas") == 2 and found
            )
        )
        assert is_true(done, "Available")
        assert done["status"]["updatedReplicas"] == done["status"]["readyReplicas"] == 2
        assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"

    async def test_scaling_adds_and_removes_pods(self, api, workloads):
        made = api.store("deployments", fresh(deployment(3)))
        await api.until(lambda: len(ready(api)) == 3)
        current = api.find("deployments", "parking")
        api.store("deployments", {**current, "spec": {**made["spec"], "replicas": 1}})
        await api.until(lambda: len(api.find("pods")) == 1)

    async def test_a_new_template_replaces_the_pods(self, api, workloads):
        api.store("deployments", fresh(deployment(2)))
        await api.until(lambda: len(ready(api)) == 2)
        current = api.find("deployments", "parking")
        api.store("deployments", {**current, "spec": deployment(2, version="2")["spec"]})
        await api.until(lambda: len(ready_of(api, 2)) == 2 and len(api.find("pods")) == 2)
        assert len(api.find("replicasets")) == 2

    async def test_a_readiness_gate_holds_a_rollout(self, api, workloads):
        api.store("deployments", fresh(deployment(1)))
        await api.until(lambda: len(ready(api)) == 1)
        current = api.find("deployments", "parking")
        spec = deployment(1, version="2")["spec"]
        spec["template"]["spec"]["readinessGates"] = [{"conditionType": "gate"}]
        api.store("deployments", {**current, "spec": spec})
        new = await api.until(
            lambda: next((p for p in api.find("pods") if "readinessGates" in p["spec"] and "status" in p), None)
        )
        assert len(ready_of(api, 1)) == 1
        opened = {"type": "gate", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        status = {**new["status"], "conditions": [*new["status"]["conditions"], opened]}
        api.store("pods", {**api.find("pods", new["metadata"]["name"]), "status": status})
        await api.until(lambda: ready_of(api, 2) and not ready_of(api, 1))

    async def test_a_pod_is_available_when_it_was_ready_for_long_enough(self, api, network):
        now = [datetime(2026, 1, 1, tzinfo=UTC)]
        async with running(api.url, network, clock=lambda: now[0]):
            api.store("deployments", fresh(deployment(1, minReadySeconds=3600)))
            waiting = await api.until(
                lambda: (status := api.find("deployments", "parking").get("status", {})).get("readyReplicas") and status
            )
            assert waiting["availableReplicas"] == 0
            now[0] += timedelta(hours=1)
            (pod,) = api.find("pods")
            api.store("pods", pod)
            await api.until(lambda: settled(api, "parking"))

    @pytest.mark.parametrize("finalizer", [None, "foregroundDeletion"])
    async def test_deleting_it_takes_all_that_it_made(self, api, workloads, network, finalizer):
        api.store("deployments", fresh(deployment(2)))
        pods = await api.until(lambda: len(ready(api)) == 2 and ready(api))
        api.delete("deployments", "parking", finalizer=finalizer)
        await api.until(lambda: not (api.find("pods") or api.find("replicasets") or api.find("deployments")))
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(network, pods[0])

    async def test_orphans_live_on(self, api, workloads):
        api.store("deployments", fresh(deployment(1)))
        await api.until(lambda: len(ready(api)) == 1)
        api.delete("deployments", "parking", finalizer="orphan")
        await api.until(lambda: not api.find("deployments"))
        assert api.find("replicasets")[0]["metadata"]["ownerReferences"] == []
        assert len(ready(api)) == 1

    async def test_an_owner_that_only_the_cache_lacks_costs_nothing(self, api, workloads):
        """The ReplicaSet's owner exists, but its watch has not told so yet."""
        api.store("deployments", fresh(deployment(1)))
        await api.until(lambda: len(ready(api)) == 1)
        workloads._world.deployments.drop(api.find("deployments", "parking"))
        await api.until(lambda: ("GET", "deployments", "parking") in api.calls)
        assert len(ready(api)) == 1


class TestPods:
    async def test_a_killed_pod_is_gone_at_once_and_replaced(self, api, workloads, network):
        api.store("deployments", fresh(deployment(2)))
        victim, other = await api.until(lambda: len(ready(api)) == 2 and ready(api))
        await workloads.kill("default", victim["metadata"]["name"])
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(network, victim)
        await api.until(lambda: len(ready(api)) == 2)
        assert victim["metadata"]["name"] not in names(ready(api))
        assert other["metadata"]["name"] in names(ready(api))

    async def test_a_pod_that_its_replica_set_is_made_to_leave_is_replaced_and_serves_on(self, api, workloads, network):
        api.store("deployments", fresh(deployment(1)))
        (pod,) = await api.until(lambda: len(ready(api)) == 1 and ready(api))
        meta = {key: value for key, value in pod["metadata"].items() if key != "ownerReferences"}
        api.store("pods", {**pod, "metadata": {**meta, "labels": {"app": "none"}}})
        await api.until(lambda: len(ready(api)) == 2)
        assert "parking" in await get(network, pod)

    async def test_nobody_can_be_killed_who_is_not_there(self, workloads):
        with pytest.raises(LookupError, match="no pod default/nobody"):
            await workloads.kill("default", "nobody")

    async def test_a_deleted_pod_serves_on_for_its_grace(self, api, network):
        async with running(api.url, network, grace=3600):
            api.store("deployments", fresh(deployment(1)))
            (pod,) = await api.until(lambda: ready(api))
            api.delete("pods", pod["metadata"]["name"])
            await api.until(lambda: len(api.find("pods")) == 2)
            assert "Requsting" in await get(network, pod)

    async def test_addresses_are_given_back(self, api):
        given_back = []

        class Watched(Network):
            def release(self, address):
                given_back.append(address)
                super().release(address)

        with Watched() as network:
            async with running(api.url, network):
                api.store("deployments", fresh(deployment(2)))
                gone, stays = await api.until(lambda: len(ready(api)) == 2 and ready(api))
                api.delete("pods", gone["metadata"]["name"])
                await api.until(lambda: len(ready(api)) == 2 and len(api.find("pods")) == 2 and given_back)
                assert given_back == [gone["status"]["podIP"]]
                assert stays["metadata"]["name"] in names(ready(api))

    async def test_a_restart_takes_up_the_pods_that_are_there(self, api):
        with Network() as network:
            async with running(api.url, network):
                api.store("deployments", fresh(deployment(2)))
                before = await api.until(lambda: len(ready(api)) == 2 and ready(api))
        with Network() as network:
            async with running(api.url, network, seed=1):
                for pod in before:
                    assert "Requsting" in await get_patiently(network, pod)
        assert {p["metadata"]["name"]: p["status"]["podIP"] for p in ready(api)} == {
            p["metadata"]["name"]: p["status"]["podIP"] for p in before
        }

    async def test_a_container_listens_on_each_of_its_ports_or_where_the_image_does(self, api, workloads, network):
        spec = deployment(1)["spec"]["template"]["spec"]
        ports = [{"containerPort": 9001}, {"containerPort": 9002}]
        api.store(
            "pods", {"metadata": {"name": "two"}, "spec": {"containers": [{**spec["containers"][0], "ports": ports}]}}
        )
        bare = {key: value for key, value in spec["containers"][0].items() if key != "ports"}
        api.store("pods", {"metadata": {"name": "bare"}, "spec": {"containers": [bare]}})
        await api.until(lambda: len(ready(api)) == 2)
        assert "Pod(two)" in await get(network, api.find("pods", "two"), 9001)
        assert "Pod(two)" in await get(network, api.find("pods", "two"), 9002)
        assert "Pod(bare)" in await get(network, api.find("pods", "bare"))

    async def test_containers_that_want_the_same_port_leave_the_pod_unready(self, api, workloads):
        container = deployment(1)["spec"]["template"]["spec"]["containers"][0]
        api.store("pods", {"metadata": {"name": "clash"}, "spec": {"containers": [container, container]}})
        pod = await api.until(lambda: (found := api.find("pods", "clash")).get("status") and found)
        assert "cannot listen" in pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
        assert not is_true(pod, "Ready")


class TestServices:
    async def test_endpoint_slices_follow_the_pods(self, api, workloads):
        api.store("services", fresh(service()))
        api.store("deployments", fresh(deployment(2)))
        await api.until(lambda: len(endpoints(api)) == 2 and endpoints(api) == names(ready(api)))
        victim = ready(api)[0]["metadata"]["name"]
        await workloads.kill("default", victim)
        await api.until(lambda: len(endpoints(api)) == 2 and victim not in endpoints(api))

    async def test_slices_go_with_their_service(self, api, workloads):
        api.store("services", fresh(service()))
        await api.until(lambda: api.find("endpointslices"))
        api.delete("services", "parking")
        await api.until(lambda: not api.find("endpointslices"))

    async def test_a_slice_that_somebody_deletes_comes_back(self, api, workloads):
        api.store("services", fresh(service()))
        (first,) = await api.until(lambda: api.find("endpointslices"))
        api.delete("endpointslices", first["metadata"]["name"])
        await api.until(lambda: api.find("endpointslices") and api.find("endpointslices")[0] is not first)


class TestBadDays:
    async def test_cut_watches_lose_nothing(self, api, workloads):
        api.store("deployments", fresh(deployment(1)))
        await api.until(lambda: len(ready(api)) == 1)
        api.cut_watches()
        current = api.find("deployments", "parking")
        api.store("deployments", {**current, "spec": deployment(3)["spec"]})
        await api.until(lambda: len(ready(api)) == 3)

    async def test_a_forgotten_version_is_listed_again(self, api, workloads):
        api.store("services", fresh(service()))
        api.store("deployments", fresh(deployment(2)))
        await api.until(lambda: len(endpoints(api)) == 2)
        gone = ready(api)[0]
        api.objects.pop(("pods", "default", gone["metadata"]["name"]))
        api.forget_history()
        api.cut_watches()
        await api.until(lambda: len(ready(api)) == 2 and endpoints(api) == names(ready(api)))

    async def test_lost_races_are_run_again(self, api, workloads):
        """Another writer gets in before each of the first status updates."""
        touched = []

        def meddle(method, plural, name):
            if method == "PUT" and plural == "pods" and len(touched) < 3:
                touched.append(name)
                api.store("pods", api.find("pods", name))

        api.before_write = meddle
        api.store("deployments", fresh(deployment(1)))
        await api.until(lambda: len(ready(api)) == 1)
        assert len(touched) == 3

    async def test_an_object_that_makes_no_sense_does_not_stop_the_others(self, api, workloads):
        broken = fresh(deployment(1, surge="many", unavailable="none"))
        broken["metadata"]["name"] = "broken"
        api.store("deployments", broken)
        api.store("deployments", fresh(deployment(1)))
        await api.until(lambda: any(name.startswith("parking-") for name in names(ready(api))))

    async def test_once_settled_nothing_is_written(self, api, workloads):
        """Every object is touched; when a second application that came after has settled, the first was left alone."""
        api.store("services", fresh(service()))
        api.store("deployments", fresh(deployment(2)))
        await api.until(lambda: len(endpoints(api)) == 2 and settled(api, "parking"))
        api.calls.clear()
        for plural in ("deployments", "replicasets", "pods", "services", "endpointslices"):
            for obj in api.find(plural):
                api.store(plural, obj)
        api.store("services", fresh(service("review", selector={"app": "review"})))
        second = fresh(deployment(1))
        second["metadata"]["name"] = "review"
        second["spec"]["template"]["metadata"]["labels"] = {"app": "review"}
        api.store("deployments", second)
        await api.until(lambda: settled(api, "review"))
        written = [call for call in api.calls if call[0] != "GET" and call[2].startswith("parking")]
        assert written == []

    async def test_a_server_that_refuses_is_an_error_not_a_wait(self, network):
        async with test_utils.TestServer(web.Application()) as server:
            with pytest.RaisesGroup(pytest.RaisesExc(KubeError, match="deployments: 404"), flatten_subgroups=True):
                async with running(str(server.make_url("")), network):
                    pass


async def test_the_same_seed_names_the_same(network):
    seen = []
    for _ in range(2):
        api = ApiServer()
        async with api.serve() as url, running(url, network, seed=5):
            api.store("deployments", fresh(deployment(2)))
            await api.until(lambda api=api: len(ready(api)) == 2)
            seen.append(names(ready(api)))
    assert seen[0] == seen[1]
