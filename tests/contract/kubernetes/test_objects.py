"""Create, get and update: names, metadata, versions and the optimistic lock."""

import pytest

pytestmark = pytest.mark.anyio


async def test_a_created_object_has_what_the_server_gives(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v"}))
    meta = reply.body["metadata"]
    assert reply.code == 201
    assert meta["namespace"] == paths.namespace
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) > 0
    assert (await cluster.get(paths.core("configmaps", "a"))).body == reply.body


async def test_a_missing_object_is_not_found(cluster, paths):
    reply = await cluster.get(paths.core("pods", "nobody"))
    assert reply.code == 404
    assert reply.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'pods "nobody" not found',
        "reason": "NotFound",
        "details": {"name": "nobody", "kind": "pods"},
        "code": 404,
    }


async def test_a_status_names_the_group_of_the_resource(cluster, paths):
    reply = await cluster.get(paths.gateways("nobody"))
    assert reply.body["message"] == 'gateways.gateway.networking.k8s.io "nobody" not found'
    assert reply.body["details"]["group"] == "gateway.networking.k8s.io"


async def test_a_name_can_be_used_once(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a"))
    assert (reply.code, reply.reason) == (409, "AlreadyExists")


async def test_the_server_completes_generated_names(cluster, paths):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "some-"}}
    first = await cluster.post(paths.core("configmaps"), body)
    second = await cluster.post(paths.core("configmaps"), body)
    names = {reply.body["metadata"]["name"] for reply in (first, second)}
    assert len(names) == 2
    assert all(name.startswith("some-") and len(name) == 10 for name in names)


async def test_a_namespace_has_to_exist(cluster, new):
    reply = await cluster.post("/api/v1/namespaces/nowhere/configmaps", new.config_map("a"))
    assert (reply.code, reply.body["message"]) == (404, 'namespaces "nowhere" not found')


async def test_the_namespace_of_the_body_has_to_be_that_of_the_path(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"namespace": "default"}))
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_the_kind_of_the_body_has_to_be_that_of_the_path(cluster, paths, new):
    reply = await cluster.post(paths.core("pods"), new.config_map("a"))
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_a_new_object_brings_no_version(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"resourceVersion": "7"}))
    assert (reply.code, reply.reason) == (400, "BadRequest")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"'])
async def test_a_body_that_is_no_object_is_refused(cluster, paths, body):
    reply = await cluster.send("POST", paths.core("configmaps"), body)
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_yaml_is_accepted(cluster, paths):
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {day: 2020-01-01, yes: 'no'}\n"
    reply = await cluster.send(
        "POST", paths.core("configmaps"), body.replace(b"yes", b"'yes'"), media="application/yaml"
    )
    assert reply.body["data"] == {"day": "2020-01-01", "yes": "no"}


async def test_other_bodies_are_unsupported(cluster, paths):
    reply = await cluster.send("POST", paths.core("configmaps"), b"x", media="text/plain")
    assert (reply.code, reply.reason) == (415, "UnsupportedMediaType")


async def test_a_body_of_more_than_3_mib_is_too_large(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v" * (3 << 20)}))
    assert (reply.code, reply.reason) == (413, "RequestEntityTooLarge")


async def test_an_object_of_more_than_a_mebibyte_and_a_half_cannot_be_stored(cluster, paths, new):
    body = new.gateway("a")
    body["metadata"]["annotations"] = {"k": "v" * 1000}
    body["spec"]["listeners"] = [{"name": f"l{i}", "protocol": "HTTP", "port": 80 + i} for i in range(3)]
    assert (await cluster.post(paths.gateways(), body)).code == 201
    big = new.config_map("a", data={"k": "v" * (1600 << 10)})
    reply = await cluster.post(paths.core("configmaps"), big)
    assert reply.code >= 400
    assert "too large" in reply.body["message"].lower() or "too long" in reply.body["message"].lower()


async def test_an_update_changes_the_version_only_if_it_changes_the_object(cluster, paths, new):
    created = (await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "1"}))).body
    same = (await cluster.put(paths.core("configmaps", "a"), created)).body
    assert same["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    changed = (await cluster.put(paths.core("configmaps", "a"), {**created, "data": {"k": "2"}})).body
    assert int(changed["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])


async def test_an_update_of_an_old_version_conflicts(cluster, paths, new):
    created = (await cluster.post(paths.core("configmaps"), new.config_map("a"))).body
    await cluster.put(paths.core("configmaps", "a"), {**created, "data": {"k": "1"}})
    reply = await cluster.put(paths.core("configmaps", "a"), {**created, "data": {"k": "2"}})
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert "please apply your changes to the latest version" in reply.body["message"]


async def test_an_update_of_another_incarnation_conflicts(cluster, paths, new):
    created = (await cluster.post(paths.core("configmaps"), new.config_map("a"))).body
    created["metadata"] |= {"uid": "00000000-0000-0000-0000-000000000000"}
    reply = await cluster.put(paths.core("configmaps", "a"), created)
    assert (reply.code, reply.reason) == (409, "Conflict")


async def test_a_custom_resource_is_updated_with_its_version_only(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    reply = await cluster.put(paths.gateways("a"), new.gateway("a"))
    assert (reply.code, reply.fields) == (422, {"metadata.resourceVersion"})


async def test_a_built_in_kind_may_be_updated_without_a_version(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    assert (await cluster.put(paths.core("configmaps", "a"), new.config_map("a", data={"k": "v"}))).code == 200


async def test_what_the_server_gave_cannot_be_changed(cluster, paths, new):
    created = (await cluster.post(paths.gateways(), new.gateway("a"))).body
    changed = {
        **created,
        "metadata": {**created["metadata"], "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9},
    }
    meta = (await cluster.put(paths.gateways("a"), changed)).body["metadata"]
    assert meta["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    assert meta["generation"] == 1


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


async def test_a_dry_run_answers_and_stores_nothing(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a"), dryRun="All")
    assert reply.code == 201
    assert (await cluster.get(paths.core("configmaps", "a"))).code == 404


async def test_a_dry_run_of_an_update_changes_nothing(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.patch(paths.core("configmaps", "a"), {"data": {"k": "v"}}, dryRun="All")
    assert reply.body["data"] == {"k": "v"}
    assert "data" not in (await cluster.get(paths.core("configmaps", "a"))).body


async def test_an_event_is_the_same_in_both_groups(cluster, paths):
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": paths.namespace},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": paths.namespace},
        "reason": "Reconcile",
        "message": "done",
        "source": {"component": "tests"},
        "type": "Normal",
    }
    assert (await cluster.post(paths.core("events"), body)).code == 201
    found = (await cluster.get(paths.group("events.k8s.io/v1", "events", "e"))).body
    assert found["apiVersion"] == "events.k8s.io/v1"
    assert (found["note"], found["regarding"]["name"], found["reportingController"]) == ("done", "p", "tests")


async def test_an_unknown_path_is_not_found(cluster):
    assert (await cluster.get("/apis/example.com/v1/things")).code == 404


async def test_a_method_that_a_resource_does_not_know_is_not_allowed(cluster, paths):
    reply = await cluster.post(paths.core("configmaps", "a"), {})
    assert (reply.code, reply.reason) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
async def test_the_server_says_that_it_is_well(cluster, path):
    reply = await cluster.get(path)
    assert (reply.code, reply.body) == (200, "ok")
