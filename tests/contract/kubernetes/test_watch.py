"""Watches: what they tell, from when on, and how they end."""

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def event(paths):
    """Makes Events of the core group."""

    def make(name):
        about = {"kind": "Pod", "name": "p", "namespace": paths.namespace}
        return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "involvedObject": about}

    return make


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
    """A server sends them once a minute, and two seconds before it ends the watch, if there is something to tell."""
    path = paths.core("configmaps")
    elsewhere = "/api/v1/namespaces/default/configmaps"
    query = {"resourceVersion": await version(cluster, path), "allowWatchBookmarks": "true", "timeoutSeconds": "4"}
    async with cluster.watch(path, **query) as stream:
        start = (await cluster.post(elsewhere, new.config_map(f"elsewhere-{paths.namespace}"))).version
        event = await stream.next()
        while int(event["object"]["metadata"]["resourceVersion"]) < int(start):
            event = await stream.next()
    assert (event["type"], event["object"]["kind"], event["object"]["apiVersion"]) == ("BOOKMARK", "ConfigMap", "v1")
    assert set(event["object"]["metadata"]) == {"resourceVersion"}


async def test_no_bookmarks_come_to_those_who_do_not_allow_them(cluster, paths, new):
    path = paths.core("configmaps")
    await cluster.post(path, new.config_map("a"))
    async with cluster.watch(path, timeoutSeconds="1") as stream:
        assert {event["type"] for event in await stream.all()} == {"ADDED"}


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


async def test_a_streamed_list_without_bookmarks_says_not_where_it_ends(cluster, paths, new):
    path = paths.core("configmaps")
    await cluster.post(path, new.config_map("a"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "timeoutSeconds": "1"}
    async with cluster.watch(path, **query) as stream:
        assert [event["type"] for event in await stream.all()] == ["ADDED"]


async def test_a_streamed_list_can_be_declined(cluster, paths, new):
    path = paths.core("configmaps")
    await cluster.post(path, new.config_map("a"))
    query = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}
    async with cluster.watch(path, **query) as stream:
        await cluster.post(path, new.config_map("b"))
        assert await stream.take(1) == [("ADDED", "b")]


async def test_a_streamed_list_goes_on_as_a_watch(cluster, paths, new):
    path = paths.core("configmaps")
    await cluster.post(path, new.config_map("a"))
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    async with cluster.watch(path, resourceVersion=await version(cluster, path), **query) as stream:
        assert (await stream.next())["type"] == "ADDED"
        while "annotations" not in (await stream.next())["object"]["metadata"]:
            pass
        await cluster.delete(f"{path}/a")
        event = await stream.next()
        while event["type"] == "BOOKMARK":
            event = await stream.next()
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "a")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"sendInitialEvents": "true"}, ["resourceVersionMatch"]),
        ({"sendInitialEvents": "true", "resourceVersionMatch": "Exact"}, ["resourceVersionMatch"] * 2),
        ({"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1"}, ["resourceVersionMatch"]),
        ({"continue": "x"}, ["resourceVersionMatch"]),
    ],
)
async def test_options_that_contradict_each_other_are_invalid(cluster, paths, query, fields):
    reply = await cluster.get(paths.core("configmaps"), watch="true", timeoutSeconds="1", **query)
    assert (reply.code, reply.reason, reply.body["details"]["kind"]) == (422, "Invalid", "ListOptions")
    assert [cause["field"] for cause in reply.causes] == fields


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersion": "new"}, 500),
        ({"timeoutSeconds": "long"}, 400),
        ({"labelSelector": "a in"}, 400),
        ({"fieldSelector": "data.k=v"}, 400),
    ],
)
async def test_options_that_cannot_be_read_are_refused(cluster, paths, query, code):
    reply = await cluster.get(paths.core("configmaps"), watch="true", **{"timeoutSeconds": "1", **query})
    assert (reply.code, reply.body["kind"]) == (code, "Status")


async def test_a_watch_from_before_a_compaction_ends_with_410(server, cluster, paths, event):
    """Events are watched in etcd itself, without a cache in the API server that remembers longer."""
    path = paths.core("events")
    old = (await cluster.post(path, event("a"))).version
    for count in (2, 3):
        await cluster.patch(f"{path}/a", {"count": count})
    server.compact()
    async with cluster.watch(path, resourceVersion=old) as stream:
        (told,) = await stream.all()
    assert (told["type"], told["object"]["code"], told["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert "too old" in told["object"]["message"]


async def test_a_running_watch_outlives_a_compaction(server, cluster, paths, event):
    path = paths.core("events")
    async with cluster.watch(path, resourceVersion=await version(cluster, path)) as stream:
        await cluster.post(path, event("a"))
        assert await stream.take(1) == [("ADDED", "a")]
        server.compact()
        await cluster.post(path, event("b"))
        assert await stream.take(1) == [("ADDED", "b")]


async def test_a_watch_of_one_object_is_by_field_and_not_by_path(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.get(paths.core("configmaps", "a"), watch="true")
    assert (reply.code, reply.body["kind"]) == (200, "ConfigMap")


async def test_a_watch_ends_after_its_time(cluster, paths):
    async with cluster.watch(paths.core("configmaps"), timeoutSeconds="1") as stream:
        with pytest.raises(EOFError):
            await stream.next()


async def test_a_watch_from_the_future_waits_for_it(cluster, paths, new):
    path = paths.core("configmaps")
    await cluster.post(path, new.config_map("a"))
    async with cluster.watch(path, resourceVersion="999999999999", timeoutSeconds="1") as stream:
        await cluster.patch(f"{path}/a", {"data": {"k": "v"}})
        assert await stream.all() == []


async def test_a_watch_of_custom_resources_hears_of_their_status(cluster, paths, new):
    path = paths.gateways()
    created = (await cluster.post(path, new.gateway("a"))).body
    async with cluster.watch(path, resourceVersion=created["metadata"]["resourceVersion"]) as stream:
        status = {"addresses": [{"type": "Hostname", "value": "x"}]}
        await cluster.patch(f"{path}/a/status", {"status": status})
        event = await stream.next()
    assert event["object"]["status"]["addresses"] == status["addresses"]
