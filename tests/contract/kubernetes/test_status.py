"""Status and generation: what a controller writes and counts by, apart from what users do."""

import pytest

pytestmark = pytest.mark.anyio

STATUS = {"addresses": [{"type": "Hostname", "value": "example.com"}]}


async def test_the_generation_counts_changes_of_the_spec(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    await cluster.patch(paths.gateways("a"), {"metadata": {"labels": {"a": "b"}}})
    assert (await cluster.get(paths.gateways("a"))).body["metadata"]["generation"] == 1
    await cluster.patch(paths.gateways("a"), {"spec": {"gatewayClassName": "other"}})
    assert (await cluster.get(paths.gateways("a"))).body["metadata"]["generation"] == 2


async def test_the_status_is_written_through_its_subresource_only(cluster, paths, new):
    created = (
        await cluster.post(paths.gateways(), {**new.gateway("a"), "status": {"addresses": [{"value": "x"}]}})
    ).body
    assert "addresses" not in created["status"]
    status = {"addresses": [{"type": "Hostname", "value": "example.com"}]}
    await cluster.patch(paths.gateways("a"), {"status": status})
    assert "addresses" not in (await cluster.get(paths.gateways("a"))).body["status"]
    changed = (await cluster.patch(paths.gateways("a") + "/status", {"status": status})).body
    assert changed["status"]["addresses"] == status["addresses"]
    assert changed["metadata"]["generation"] == 1


async def test_the_status_subresource_writes_nothing_else(cluster, paths, new):
    created = (await cluster.post(paths.gateways(), new.gateway("a"))).body
    created["spec"]["gatewayClassName"] = "other"
    created["metadata"]["labels"] = {"a": "b"}
    created["status"]["addresses"] = [{"type": "Hostname", "value": "x"}]
    changed = (await cluster.put(paths.gateways("a") + "/status", created)).body
    assert changed["spec"]["gatewayClassName"] == "amazon-vpc-lattice"
    assert "labels" not in changed["metadata"]
    assert changed["status"]["addresses"]


async def test_the_generation_begins_with_1_whatever_is_asked_for(cluster, paths, new):
    body = new.gateway("a")
    body["metadata"]["generation"] = 7
    created = await cluster.post(paths.gateways(), body)
    assert created.body["metadata"]["generation"] == 1


@pytest.mark.parametrize("change", [{"metadata": {"annotations": {"a": "b"}}}, {"metadata": {"generation": 9}}, {}])
async def test_what_is_no_change_of_the_spec_is_no_generation(cluster, paths, new, change):
    await cluster.post(paths.gateways(), new.gateway("a"))
    assert (await cluster.patch(paths.gateways("a"), change)).body["metadata"]["generation"] == 1


async def test_every_change_of_a_deployments_spec_is_a_generation(cluster, paths, new):
    await cluster.post(paths.deployments(), new.deployment("a"))
    await cluster.patch(paths.deployments("a") + "/status", {"status": {"observedGeneration": 1, "replicas": 1}})
    assert (await cluster.get(paths.deployments("a"))).body["metadata"]["generation"] == 1
    changed = await cluster.patch(paths.deployments("a"), {"spec": {"replicas": 3}})
    assert (changed.body["metadata"]["generation"], changed.body["status"]["observedGeneration"]) == (2, 1)


async def test_a_config_map_has_no_generation(cluster, paths, new):
    created = await cluster.post(paths.core("configmaps"), new.config_map("a"))
    assert "generation" not in created.body["metadata"]


async def test_a_status_has_the_optimistic_lock_of_its_object(cluster, paths, new):
    created = (await cluster.post(paths.gateways(), new.gateway("a"))).body
    await cluster.patch(paths.gateways("a"), {"metadata": {"labels": {"a": "b"}}})
    reply = await cluster.put(paths.gateways("a") + "/status", {**created, "status": STATUS})
    assert (reply.code, reply.reason) == (409, "Conflict")
    patch = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}, "status": STATUS}
    assert (await cluster.patch(paths.gateways("a") + "/status", patch)).code == 409


async def test_a_status_that_changes_nothing_is_no_new_version(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    first = await cluster.patch(paths.gateways("a") + "/status", {"status": STATUS})
    again = await cluster.patch(paths.gateways("a") + "/status", {"status": STATUS})
    assert again.version == first.version


async def test_a_status_adds_no_finalizer_and_takes_none(cluster, paths, new):
    body = new.gateway("a")
    body["metadata"]["finalizers"] = ["x.io/a"]
    await cluster.post(paths.gateways(), body)
    for finalizers in (["x.io/a", "x.io/b"], []):
        patch = {"metadata": {"finalizers": finalizers}, "status": STATUS}
        changed = await cluster.patch(paths.gateways("a") + "/status", patch)
        assert changed.body["metadata"]["finalizers"] == ["x.io/a"]


async def test_the_status_can_be_read_by_itself(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    whole = await cluster.get(paths.gateways("a"))
    assert (await cluster.get(paths.gateways("a") + "/status")).body == whole.body


async def test_a_status_of_nobody_is_not_found(cluster, paths, new):
    assert (await cluster.patch(paths.gateways("a") + "/status", {"status": STATUS})).code == 404
    assert (await cluster.put(paths.gateways("a") + "/status", new.gateway("a"))).code == 404


async def test_an_address_in_a_status_is_of_its_type(cluster, paths, new):
    """Without a type it is an IP address, which a name is not."""
    await cluster.post(paths.gateways(), new.gateway("a"))
    status = {"addresses": [{"value": "example.com"}]}
    reply = await cluster.patch(paths.gateways("a") + "/status", {"status": status})
    assert (reply.code, reply.reason) == (422, "Invalid")
    status = {"addresses": [{"value": "10.0.0.1"}]}
    assert (await cluster.patch(paths.gateways("a") + "/status", {"status": status})).code == 200
