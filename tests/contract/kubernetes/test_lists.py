"""Lists: order, selectors, pages and resource versions."""

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def three(cluster, paths, new):
    for name, labels in (("c", {"tier": "back"}), ("a", {"tier": "front", "n": "5"}), ("b", {})):
        await cluster.post(paths.core("configmaps"), new.config_map(name, metadata={"labels": labels}))


@pytest.fixture
async def cached(cluster, paths, three, eventually):
    """The three, in the cache too, from which a list is answered that may be of any version."""
    version = (await cluster.get(paths.core("configmaps"))).version

    async def follows() -> bool:
        return (await cluster.get(paths.core("configmaps"), resourceVersion=version)).code == 200

    await eventually(follows)


async def test_a_list_is_sorted_by_name(cluster, paths, three):
    reply = await cluster.get(paths.core("configmaps"))
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("ConfigMapList", "v1")
    assert reply.names == ["a", "b", "c"]
    assert int(reply.body["metadata"]["resourceVersion"]) > 0


async def test_a_list_of_all_namespaces_has_all(cluster, paths, three):
    reply = await cluster.get("/api/v1/configmaps")
    found = [
        item["metadata"]["name"] for item in reply.body["items"] if item["metadata"]["namespace"] == paths.namespace
    ]
    assert found == ["a", "b", "c"]


async def test_a_list_of_a_namespace_that_is_not_there_is_empty(cluster):
    assert (await cluster.get("/api/v1/namespaces/nowhere/configmaps")).names == []


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=front", "a"),
        ("tier==front", "a"),
        ("tier!=front", "bc"),
        ("tier", "ac"),
        ("!tier", "b"),
        ("tier in (front,back)", "ac"),
        ("tier notin (front)", "bc"),
        ("tier in (front, other),n", "a"),
        ("tier,!n", "c"),
        ("n>4", "a"),
        ("n<5", ""),
        ("", "abc"),
    ],
)
async def test_labels_select(cluster, paths, three, selector, expected):
    assert (await cluster.get(paths.core("configmaps"), labelSelector=selector)).names == list(expected)


@pytest.mark.parametrize("selector", ["a=b=c", "a in", "a in (b", ",", "a,,b", "=b", "a=b c", "a>x", "!", "a b"])
async def test_a_malformed_label_selector_is_refused(cluster, paths, selector):
    reply = await cluster.get(paths.core("configmaps"), labelSelector=selector)
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_a_field_that_a_custom_resource_does_not_support_is_refused(cluster, paths):
    reply = await cluster.get(paths.gateways(), fieldSelector="spec.x=v")
    assert (reply.code, reply.message) == (400, "field label not supported: spec.x")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name!=a", "bc"),
        ("metadata.name=a,metadata.name!=a", ""),
        ("metadata.name==b", "b"),
    ],
)
async def test_fields_select(cluster, paths, three, selector, expected):
    assert (await cluster.get(paths.core("configmaps"), fieldSelector=selector)).names == list(expected)


async def test_a_field_that_a_kind_does_not_support_is_refused(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), fieldSelector="data.k=v")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert reply.message == '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'


async def test_events_are_selected_by_what_they_are_about(cluster, paths):
    for name in ("x", "y"):
        involved = {"kind": "Pod", "name": name, "namespace": paths.namespace}
        body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "involvedObject": involved}
        await cluster.post(paths.core("events"), body)
    found = await cluster.get(paths.core("events"), fieldSelector="involvedObject.kind=Pod,involvedObject.name=y")
    assert found.names == ["y"]


async def test_pods_are_selected_by_node_and_phase(cluster, paths):
    spec = {"containers": [{"name": "c", "image": "i"}]}
    for name, node in (("x", "one"), ("y", "two")):
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {**spec, "nodeName": node}}
        await cluster.post(paths.core("pods"), body)
    await cluster.patch(paths.core("pods", "y") + "/status", {"status": {"phase": "Running"}})
    assert (await cluster.get(paths.core("pods"), fieldSelector="spec.nodeName=one")).names == ["x"]
    assert (await cluster.get(paths.core("pods"), fieldSelector="status.phase=Running")).names == ["y"]


async def test_a_long_list_comes_in_pages_of_one_moment(cluster, paths, three, new):
    first = await cluster.get(paths.core("configmaps"), limit=2)
    assert first.names == ["a", "b"]
    assert first.body["metadata"]["remainingItemCount"] == 1
    await cluster.post(paths.core("configmaps"), new.config_map("d"))
    await cluster.delete(paths.core("configmaps", "c"))
    second = await cluster.get(paths.core("configmaps"), limit=2, **{"continue": first.body["metadata"]["continue"]})
    assert second.names == ["c"]
    assert second.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]
    assert "continue" not in second.body["metadata"]


async def test_a_made_up_page_is_refused(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), limit=2, **{"continue": "bm9uc2Vuc2U="})
    assert (reply.code, reply.reason) == (400, "BadRequest")


@pytest.mark.parametrize("query", [{"resourceVersion": "7"}, {"resourceVersion": "7", "labelSelector": "a"}])
async def test_a_page_has_the_version_of_its_list(cluster, paths, three, query):
    first = await cluster.get(paths.core("configmaps"), limit=2)
    reply = await cluster.get(
        paths.core("configmaps"), limit=2, **{"continue": first.body["metadata"]["continue"]}, **query
    )
    assert (reply.code, reply.message) == (400, "specifying resource version is not allowed when using continue")


async def test_what_remains_is_counted_unless_a_selector_selects(cluster, paths, three):
    for query, expected in (({}, 1), ({"labelSelector": "!x"}, None), ({"fieldSelector": "metadata.name!=x"}, None)):
        meta = (await cluster.get(paths.core("configmaps"), limit=2, **query)).body["metadata"]
        assert ("continue" in meta, meta.get("remainingItemCount")) == (True, expected)


async def test_pages_can_grow_and_shrink(cluster, paths, three):
    token = (await cluster.get(paths.core("configmaps"), limit=1)).body["metadata"]["continue"]
    assert (await cluster.get(paths.core("configmaps"), **{"continue": token})).names == ["b", "c"]
    assert (await cluster.get(paths.core("configmaps"), limit=-1)).names == ["a", "b", "c"]


@pytest.fixture
async def compacted(server, cluster, paths):
    """The first page of a list of Events whose version etcd has forgotten; they are listed without a cache."""
    path = paths.core("events")
    about = {"kind": "Pod", "name": "p", "namespace": paths.namespace}
    for name in "abcd":
        body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "involvedObject": about}
        await cluster.post(path, body)
    first = await cluster.get(path, limit=2)
    await cluster.delete(f"{path}/c")
    server.compact()
    return first


async def test_a_page_whose_version_is_compacted_is_expired(cluster, paths, compacted):
    token = compacted.body["metadata"]["continue"]
    reply = await cluster.get(paths.core("events"), limit=2, **{"continue": token})
    assert (reply.code, reply.reason) == (410, "Expired")
    assert reply.message.startswith("The provided continue parameter is too old to display a consistent list result.")


async def test_an_expired_page_gives_a_token_to_go_on_inconsistently(cluster, paths, compacted):
    expired = await cluster.get(paths.core("events"), limit=2, **{"continue": compacted.body["metadata"]["continue"]})
    rest = await cluster.get(paths.core("events"), limit=2, **{"continue": expired.body["metadata"]["continue"]})
    assert rest.names == ["d"]
    assert int(rest.version) > int(compacted.version)


async def test_an_inconsistent_list_is_consistent_from_there_on(cluster, paths, compacted):
    path = paths.core("events")
    expired = await cluster.get(path, limit=2, **{"continue": compacted.body["metadata"]["continue"]})
    about = {"kind": "Pod", "name": "p", "namespace": paths.namespace}
    await cluster.post(path, {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": about})
    page = await cluster.get(path, limit=1, **{"continue": expired.body["metadata"]["continue"]})
    await cluster.delete(f"{path}/e")
    last = await cluster.get(path, limit=1, **{"continue": page.body["metadata"]["continue"]})
    assert (page.names, page.body["metadata"]["remainingItemCount"], last.names) == (["d"], 1, ["e"])


async def test_an_exact_version_is_given_as_it_was(cluster, paths, three, new):
    then = (await cluster.get(paths.core("configmaps"))).version
    await cluster.delete(paths.core("configmaps", "a"))
    await cluster.patch(paths.core("configmaps", "b"), {"data": {"k": "v"}})
    await cluster.post(paths.core("configmaps"), new.config_map("d"))
    reply = await cluster.get(paths.core("configmaps"), resourceVersion=then, resourceVersionMatch="Exact")
    assert (reply.names, reply.version) == (["a", "b", "c"], then)
    assert "data" not in reply.body["items"][1]
    assert (await cluster.get(paths.core("configmaps"), resourceVersion=then, limit=1)).names == ["a"]


async def test_an_exact_version_that_is_compacted_is_expired(cluster, paths, compacted):
    query = {"resourceVersion": compacted.version, "resourceVersionMatch": "Exact"}
    reply = await cluster.get(paths.core("events"), **query)
    assert (reply.code, reply.reason) == (410, "Expired")
    assert reply.message == "The resourceVersion for the provided list is too old."


@pytest.mark.parametrize(
    ("query", "causes"),
    [
        ({"resourceVersionMatch": "Exact"}, [("resourceVersionMatch", "FieldValueForbidden")]),
        (
            {"resourceVersionMatch": "Some", "resourceVersion": "1"},
            [("resourceVersionMatch", "FieldValueNotSupported")],
        ),
        (
            {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
            [("resourceVersionMatch", "FieldValueForbidden")],
        ),
        ({"resourceVersionMatch": "Exact", "continue": "x"}, [("resourceVersionMatch", "FieldValueForbidden")] * 2),
        ({"sendInitialEvents": "true"}, [("sendInitialEvents", "FieldValueForbidden")]),
    ],
)
async def test_options_that_contradict_each_other_are_invalid(cluster, paths, query, causes):
    reply = await cluster.get(paths.core("configmaps"), **query)
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert reply.message.startswith('ListOptions.meta.k8s.io "" is invalid: ')
    assert [(cause["field"], cause["reason"]) for cause in reply.causes] == causes


async def test_a_limit_is_a_number(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), limit="few")
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_a_version_of_the_future_times_out(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), resourceVersion="999999999999")
    assert (reply.code, reply.reason) == (504, "Timeout")
    assert reply.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_any_version_that_was_is_fresh_enough(cluster, paths, cached):
    assert (await cluster.get(paths.core("configmaps"), resourceVersion="0")).names == ["a", "b", "c"]
    reply = await cluster.get(paths.core("configmaps"), resourceVersion="1", resourceVersionMatch="NotOlderThan")
    assert reply.names == ["a", "b", "c"]


async def test_a_list_of_any_version_comes_without_pages(cluster, paths, cached):
    assert (await cluster.get(paths.core("configmaps"), resourceVersion="0", limit=1)).names == ["a", "b", "c"]


async def test_a_version_has_to_be_a_number(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), resourceVersion="new")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert reply.message.endswith('Invalid value: "new": strconv.ParseUint: parsing "new": invalid syntax')


async def test_metadata_alone_can_be_asked_for(cluster, paths, three):
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    reply = await cluster.get(paths.core("configmaps"), accept=accept)
    assert reply.body["kind"] == "PartialObjectMetadataList"
    assert set(reply.body["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_what_cannot_be_sent_is_not_acceptable(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), accept="application/x-unknown")
    assert (reply.code, reply.reason) == (406, "NotAcceptable")
