"""How objects go: at once, after finalizers, with their owners, with their namespace."""

import pytest

pytestmark = pytest.mark.anyio


async def gone(cluster, path):
    return (await cluster.get(path)).code == 404


def owned(new, name, owner, **more):
    meta = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return new.config_map(name, metadata={"ownerReferences": [{**reference, **more}]})


async def test_a_deletion_answers_with_success(cluster, paths, new):
    created = (await cluster.post(paths.core("configmaps"), new.config_map("a"))).body
    reply = await cluster.delete(paths.core("configmaps", "a"))
    assert (reply.code, reply.body["status"]) == (200, "Success")
    assert reply.body["details"] == {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}
    assert await gone(cluster, paths.core("configmaps", "a"))


async def test_an_object_with_finalizers_waits_for_them(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"finalizers": ["x.io/a", "x.io/b"]}))
    marked = (await cluster.delete(path)).body
    assert marked["metadata"]["deletionTimestamp"]
    again = (await cluster.delete(path)).body
    assert again["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
    await cluster.patch(path, {"metadata": {"finalizers": ["x.io/b"]}})
    assert not await gone(cluster, path)
    await cluster.patch(path, {"metadata": {"finalizers": None}})
    assert await gone(cluster, path)


async def test_an_object_that_is_going_takes_no_new_finalizers(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"finalizers": ["x.io/a"]}))
    await cluster.delete(path)
    reply = await cluster.patch(path, {"metadata": {"finalizers": ["x.io/a", "x.io/b"]}})
    assert (reply.code, reply.fields) == (422, {"metadata.finalizers"})


async def test_a_deletion_mark_cannot_be_taken_back(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"finalizers": ["x.io/a"]}))
    await cluster.delete(path)
    body = (await cluster.patch(path, {"metadata": {"deletionTimestamp": None}})).body
    assert body["metadata"]["deletionTimestamp"]


async def test_the_end_of_a_finalizer_is_a_deletion_for_watches(cluster, paths, new):
    path = paths.core("configmaps")
    created = (await cluster.post(path, new.config_map("a", metadata={"finalizers": ["x.io/a"]}))).body
    async with cluster.watch(path, resourceVersion=created["metadata"]["resourceVersion"]) as stream:
        await cluster.delete(f"{path}/a")
        await cluster.patch(f"{path}/a", {"metadata": {"finalizers": []}})
        assert await stream.take(2) == [("MODIFIED", "a"), ("DELETED", "a")]


async def test_a_deletion_can_be_of_one_incarnation_only(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    options = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    reply = await cluster.delete(paths.core("configmaps", "a"), options)
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert reply.body["details"] == {"name": "a", "kind": "ConfigMap"}
    assert "the UID in the precondition (00000000-0000-0000-0000-000000000000) does not match" in reply.message
    assert not await gone(cluster, paths.core("configmaps", "a"))


async def test_a_deletion_can_be_of_one_version_only(cluster, paths, new):
    created = (await cluster.post(paths.core("configmaps"), new.config_map("a"))).body
    await cluster.patch(paths.core("configmaps", "a"), {"data": {"k": "v"}})
    options = {"preconditions": {"resourceVersion": created["metadata"]["resourceVersion"]}}
    reply = await cluster.delete(paths.core("configmaps", "a"), options)
    assert reply.code == 409
    assert "the ResourceVersion in the precondition" in reply.message
    current = (await cluster.get(paths.core("configmaps", "a"))).version
    options = {"preconditions": {"resourceVersion": current, "uid": created["metadata"]["uid"]}}
    assert (await cluster.delete(paths.core("configmaps", "a"), options)).code == 200


async def test_a_condition_holds_for_the_second_deletion_too(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"finalizers": ["x.io/a"]}))
    await cluster.delete(paths.core("configmaps", "a"))
    assert (await cluster.delete(paths.core("configmaps", "a"), {"preconditions": {"uid": "other"}})).code == 409


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"propagationPolicy": "Sideways"}, "propagationPolicy"),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, "propagationPolicy"),
        ({"dryRun": ["Some"]}, "dryRun"),
    ],
)
async def test_options_that_make_no_sense_are_invalid_and_delete_nothing(cluster, paths, new, options, field):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.delete(paths.core("configmaps", "a"), options)
    assert (reply.code, reply.body["details"]["kind"], reply.fields) == (422, "DeleteOptions", {field})
    assert not await gone(cluster, paths.core("configmaps", "a"))


async def test_a_deletion_takes_options_and_nothing_else(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.delete(paths.core("configmaps", "a"), new.config_map("a"))
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert not await gone(cluster, paths.core("configmaps", "a"))


async def test_being_marked_for_deletion_is_a_change_of_a_custom_resource(cluster, paths, new):
    body = new.gateway("a")
    body["metadata"]["finalizers"] = ["x.io/a"]
    await cluster.post(paths.gateways(), body)
    marked = (await cluster.delete(paths.gateways("a"))).body["metadata"]
    assert (marked["generation"], marked["deletionGracePeriodSeconds"]) == (2, 0)


async def test_what_is_going_can_still_be_written(cluster, paths, new):
    body = new.gateway("a")
    body["metadata"]["finalizers"] = ["x.io/a"]
    await cluster.post(paths.gateways(), body)
    await cluster.delete(paths.gateways("a"))
    status = {"addresses": [{"type": "Hostname", "value": "x"}]}
    assert (await cluster.patch(paths.gateways("a") + "/status", {"status": status})).code == 200
    assert (await cluster.patch(paths.gateways("a"), {"spec": {"gatewayClassName": "other"}})).code == 200


async def test_the_last_finalizer_can_go_with_another_change(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"finalizers": ["x.io/a"]}))
    await cluster.delete(path)
    reply = await cluster.patch(path, {"metadata": {"finalizers": []}, "data": {"k": "v"}})
    assert (reply.code, reply.body["data"]) == (200, {"k": "v"})
    assert await gone(cluster, path)


async def test_a_finalizer_has_a_domain(cluster, paths, new):
    for name, field in (("plain", "metadata.finalizers[0]"), ("x.io/a b", "metadata.finalizers")):
        reply = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"finalizers": [name]}))
        assert (reply.code, reply.fields) == (422, {field})


async def test_a_finalizer_of_a_custom_resource_should_have_a_domain(cluster, paths, new):
    body = new.gateway("a")
    body["metadata"]["finalizers"] = ["plain"]
    reply = await cluster.post(paths.gateways(), body)
    assert reply.code == 201
    assert "prefer a domain-qualified finalizer name" in reply.headers["Warning"]


async def test_a_new_object_is_not_going_yet(cluster, paths, new):
    meta = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 1}
    created = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata=meta))
    assert {"deletionTimestamp", "deletionGracePeriodSeconds"}.isdisjoint(created.body["metadata"])


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
async def test_a_deletion_by_policy_is_held_until_it_is_done(cluster, paths, new, eventually, policy, finalizer):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    marked = await cluster.delete(paths.core("configmaps", "a"), {"propagationPolicy": policy})
    assert (marked.body["kind"], marked.body["metadata"]["finalizers"]) == ("ConfigMap", [finalizer])
    await eventually(lambda: gone(cluster, paths.core("configmaps", "a")))


async def test_an_event_owns_nothing(cluster, paths, new):
    owner = {"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "1"}
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"ownerReferences": [owner]}))
    assert (reply.code, reply.fields) == (422, {"metadata.ownerReferences"})


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_some_namespaces_stay(cluster, name):
    reply = await cluster.delete(f"/api/v1/namespaces/{name}")
    assert (reply.code, reply.reason) == (403, "Forbidden")
    assert reply.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


async def test_a_dry_run_deletes_nothing(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    assert (await cluster.delete(paths.core("configmaps", "a"), dryRun="All")).code == 200
    assert not await gone(cluster, paths.core("configmaps", "a"))


async def test_a_collection_is_deleted_by_selector(cluster, paths, new):
    for name, labels in (("a", {"x": "y"}), ("b", {"x": "y"}), ("c", {})):
        await cluster.post(paths.core("configmaps"), new.config_map(name, metadata={"labels": labels}))
    reply = await cluster.delete(paths.core("configmaps"), labelSelector="x=y")
    assert reply.code == 200
    left = (await cluster.get(paths.core("configmaps"))).body["items"]
    assert [item["metadata"]["name"] for item in left] == ["c"]


async def test_what_an_object_owned_goes_after_it(cluster, paths, new, eventually):
    owner = (await cluster.post(paths.core("configmaps"), new.config_map("owner"))).body
    child = (await cluster.post(paths.core("configmaps"), owned(new, "child", owner))).body
    await cluster.post(paths.core("configmaps"), owned(new, "grandchild", child))
    await cluster.delete(paths.core("configmaps", "owner"))
    await eventually(lambda: gone(cluster, paths.core("configmaps", "grandchild")))
    assert await gone(cluster, paths.core("configmaps", "child"))


async def test_what_has_another_owner_stays(cluster, paths, new, eventually):
    one = (await cluster.post(paths.core("configmaps"), new.config_map("one"))).body
    two = (await cluster.post(paths.core("configmaps"), new.config_map("two"))).body
    child = owned(new, "child", one)
    child["metadata"]["ownerReferences"] += owned(new, "child", two)["metadata"]["ownerReferences"]
    await cluster.post(paths.core("configmaps"), child)
    await cluster.delete(paths.core("configmaps", "one"))

    async def released():
        owners = (await cluster.get(paths.core("configmaps", "child"))).body["metadata"]["ownerReferences"]
        return [owner["name"] for owner in owners] == ["two"]

    await eventually(released)


async def test_dependents_can_be_orphaned(cluster, paths, new, eventually):
    owner = (await cluster.post(paths.core("configmaps"), new.config_map("owner"))).body
    await cluster.post(paths.core("configmaps"), owned(new, "child", owner))
    await cluster.delete(paths.core("configmaps", "owner"), {"propagationPolicy": "Orphan"})

    async def orphaned():
        child = await cluster.get(paths.core("configmaps", "child"))
        return child.code == 200 and "ownerReferences" not in child.body["metadata"]

    await eventually(lambda: gone(cluster, paths.core("configmaps", "owner")))
    await eventually(orphaned)


async def test_in_the_foreground_the_owner_goes_last(cluster, paths, new, eventually):
    owner = (await cluster.post(paths.core("configmaps"), new.config_map("owner"))).body
    child = owned(new, "child", owner, blockOwnerDeletion=True)
    child["metadata"]["finalizers"] = ["x.io/a"]
    await cluster.post(paths.core("configmaps"), child)
    marked = (await cluster.delete(paths.core("configmaps", "owner"), {"propagationPolicy": "Foreground"})).body
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]

    async def child_is_going():
        return "deletionTimestamp" in (await cluster.get(paths.core("configmaps", "child"))).body["metadata"]

    await eventually(child_is_going)
    assert not await gone(cluster, paths.core("configmaps", "owner"))
    await cluster.patch(paths.core("configmaps", "child"), {"metadata": {"finalizers": None}})
    await eventually(lambda: gone(cluster, paths.core("configmaps", "owner")))


async def test_a_namespace_goes_after_its_content(cluster, paths, new, eventually):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    await cluster.post(paths.gateways(), new.gateway("b"))
    space = f"/api/v1/namespaces/{paths.namespace}"
    reply = await cluster.delete(space)
    assert (reply.code, reply.body["status"]["phase"]) == (200, "Terminating")
    await eventually(lambda: gone(cluster, space))
    assert await gone(cluster, paths.core("configmaps", "a"))
    assert await gone(cluster, paths.gateways("b"))


async def test_a_namespace_waits_for_the_finalizers_of_its_content(cluster, paths, new, eventually):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    await cluster.post(paths.core("configmaps"), new.config_map("b", metadata={"finalizers": ["x.io/a"]}))
    space = f"/api/v1/namespaces/{paths.namespace}"
    await cluster.delete(space)
    await eventually(lambda: gone(cluster, paths.core("configmaps", "a")))
    assert not await gone(cluster, space)
    await cluster.patch(paths.core("configmaps", "b"), {"metadata": {"finalizers": None}})
    assert await gone(cluster, paths.core("configmaps", "b"))


async def test_a_namespace_that_is_going_takes_nothing_new(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"finalizers": ["x.io/a"]}))
    await cluster.delete(f"/api/v1/namespaces/{paths.namespace}")
    refused = await cluster.post(paths.core("configmaps"), new.config_map("c"))
    assert (refused.code, refused.reason) == (403, "Forbidden")
    assert refused.causes[0]["reason"] == "NamespaceTerminating"
    assert (await cluster.patch(paths.core("configmaps", "a"), {"data": {"k": "v"}})).code == 200
