"""Watches: what they tell, from when on, and how they end."""

import pytest

pytestmark = pytest.mark.anyio


async def version(cluster, path):
    return (await cluster.get(path)).body["metadata"]["resourceVersion"]


async def test_a_watch_tells_every_change_after_its_version(cluster, paths, new):
    path = paths.core("configmaps")
    start = await version(cluster, path)
    await cluster.post(path, new.config_map("a"))
    async with cluster.watch(path, resourceVersion=start) as stream:
        await cluster.patch(f"{path}/a", {"data": {"k": "v"}})
        await cluster.delete(f"{path}/a")
        assert await stream.take(3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_each_event_has_the_version_to_go_on_from(cluster, paths, new):
    path = paths.core("configmaps")
    start = await version(cluster, path)
    for name in ("a", "b"):
        await cluster.post(path, new.config_map(name))
    async with cluster.watch(path, resourceVersion=start) as stream:
        first = (await stream.next())["object"]["metadata"]["resourceVersion"]
    async with cluster.watch(path, resourceVersion=first) as stream:
        assert await stream.take(1) == [("ADDED", "b")]


async def test_a_deletion_carries_the_last_state_and_a_version_of_its_own(cluster, paths, new):
    path = paths.core("configmaps")
    created = (await cluster.post(path, new.config_map("a", data={"k": "v"}))).body
    async with cluster.watch(path, resourceVersion=created["metadata"]["resourceVersion"]) as stream:
        await cluster.delete(f"{path}/a")
        event = await stream.next()
    assert event["object"]["data"] == {"k": "v"}
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])


async def test_an_update_that_changes_nothing_is_no_event(cluster, paths, new):
    path = paths.core("configmaps")
    created = (await cluster.post(path, new.config_map("a"))).body
    async with cluster.watch(path, resourceVersion=created["metadata"]["resourceVersion"]) as stream:
        await cluster.put(f"{path}/a", created)
        await cluster.post(path, new.config_map("b"))
        assert await stream.take(1) == [("ADDED", "b")]


async def test_a_watch_without_a_version_begins_with_what_is_there(cluster, paths, new):
    path = paths.core("configmaps")
    await cluster.post(path, new.config_map("a"))
    async with cluster.watch(path) as stream:
        assert await stream.take(1) == [("ADDED", "a")]


async def test_a_watch_of_a_namespace_hears_of_no_other(cluster, paths, new):
    path = paths.core("configmaps")
    async with cluster.watch(path, resourceVersion=await version(cluster, path)) as stream:
        elsewhere = await cluster.post(
            "/api/v1/namespaces/default/configmaps", new.config_map(f"other-{paths.namespace}")
        )
        assert elsewhere.code == 201
        await cluster.post(path, new.config_map("here"))
        assert await stream.take(1) == [("ADDED", "here")]


async def test_an_object_comes_and_goes_with_its_labels(cluster, paths, new):
    path = paths.core("configmaps")
    async with cluster.watch(path, resourceVersion=await version(cluster, path), labelSelector="in=yes") as stream:
        await cluster.post(path, new.config_map("a"))
        await cluster.patch(f"{path}/a", {"metadata": {"labels": {"in": "yes"}}})
        await cluster.patch(f"{path}/a", {"data": {"k": "v"}})
        await cluster.patch(f"{path}/a", {"metadata": {"labels": {"in": "no"}}})
        await cluster.delete(f"{path}/a")
        await cluster.post(path, new.config_map("b", metadata={"labels": {"in": "yes"}}))
        expected = [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")]
        assert await stream.take(4) == expected


async def test_a_field_selector_watches_one_object(cluster, paths, new):
    path = paths.core("configmaps")
    async with cluster.watch(
        path, resourceVersion=await version(cluster, path), fieldSelector="metadata.name=b"
    ) as stream:
        await cluster.post(path, new.config_map("a"))
        await cluster.post(path, new.config_map("b"))
        assert await stream.take(1) == [("ADDED", "b")]


async def test_bookmarks_come_to_those_who_allow_them(cluster, paths, new):
    path = paths.core("configmaps")
    start = await version(cluster, path)
    await cluster.post("/api/v1/namespaces/default/configmaps", new.config_map(f"elsewhere-{paths.namespace}"))
    async with cluster.watch(path, resourceVersion=start, allowWatchBookmarks="true") as stream:
        event = await stream.next()
    assert (event["type"], event["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(start)


async def test_a_streamed_list_ends_with_a_bookmark(cluster, paths, new):
    path = paths.core("configmaps")
    await cluster.post(path, new.config_map("a"))
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    async with cluster.watch(path, **query) as stream:
        assert await stream.take(1) == [("ADDED", "a")]
        bookmark = await stream.next()
        while "annotations" not in bookmark["object"]["metadata"]:
            bookmark = await stream.next()
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_streamed_list_needs_a_match(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), watch="true", sendInitialEvents="true")
    assert reply.code in {400, 422}


async def test_a_watch_ends_after_its_time(cluster, paths):
    async with cluster.watch(paths.core("configmaps"), timeoutSeconds="1") as stream:
        with pytest.raises(EOFError):
            await stream.next()


async def test_a_watch_from_the_future_is_refused(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), watch="true", resourceVersion="999999999999")
    assert reply.code == 504


async def test_a_watch_of_custom_resources_hears_of_their_status(cluster, paths, new):
    path = paths.gateways()
    created = (await cluster.post(path, new.gateway("a"))).body
    async with cluster.watch(path, resourceVersion=created["metadata"]["resourceVersion"]) as stream:
        status = {"addresses": [{"type": "Hostname", "value": "x"}]}
        await cluster.patch(f"{path}/a/status", {"status": status})
        event = await stream.next()
    assert event["object"]["status"]["addresses"] == status["addresses"]
