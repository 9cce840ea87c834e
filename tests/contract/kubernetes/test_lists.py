"""Lists: order, selectors, pages and resource versions."""

import pytest

pytestmark = pytest.mark.anyio


def names(reply):
    return [item["metadata"]["name"] for item in reply.body["items"]]


@pytest.fixture
async def three(cluster, paths, new):
    for name, labels in (("c", {"tier": "back"}), ("a", {"tier": "front", "n": "5"}), ("b", {})):
        await cluster.post(paths.core("configmaps"), new.config_map(name, metadata={"labels": labels}))


async def test_a_list_is_sorted_by_name(cluster, paths, three):
    reply = await cluster.get(paths.core("configmaps"))
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("ConfigMapList", "v1")
    assert names(reply) == ["a", "b", "c"]
    assert int(reply.body["metadata"]["resourceVersion"]) > 0


async def test_a_list_of_all_namespaces_has_all(cluster, paths, three):
    reply = await cluster.get("/api/v1/configmaps")
    found = [
        item["metadata"]["name"] for item in reply.body["items"] if item["metadata"]["namespace"] == paths.namespace
    ]
    assert found == ["a", "b", "c"]


async def test_a_list_of_a_namespace_that_is_not_there_is_empty(cluster):
    assert names(await cluster.get("/api/v1/namespaces/nowhere/configmaps")) == []


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
    assert names(await cluster.get(paths.core("configmaps"), labelSelector=selector)) == list(expected)


@pytest.mark.parametrize("selector", ["a=b=c", "a in", "a in (b", ",", "a,,b", "=b", "a=b c", "a>x", "!", "a b"])
async def test_a_malformed_label_selector_is_refused(cluster, paths, selector):
    reply = await cluster.get(paths.core("configmaps"), labelSelector=selector)
    assert (reply.code, reply.reason) == (400, "BadRequest")


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
    assert names(await cluster.get(paths.core("configmaps"), fieldSelector=selector)) == list(expected)


async def test_a_field_that_a_kind_does_not_support_is_refused(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), fieldSelector="data.k=v")
    assert (reply.code, reply.body["message"]) == (400, 'field label not supported: "data.k"')


async def test_events_are_selected_by_what_they_are_about(cluster, paths):
    for name in ("x", "y"):
        involved = {"kind": "Pod", "name": name, "namespace": paths.namespace}
        body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "involvedObject": involved}
        await cluster.post(paths.core("events"), body)
    found = await cluster.get(paths.core("events"), fieldSelector="involvedObject.kind=Pod,involvedObject.name=y")
    assert names(found) == ["y"]


async def test_pods_are_selected_by_node_and_phase(cluster, paths):
    spec = {"containers": [{"name": "c", "image": "i"}]}
    for name, node in (("x", "one"), ("y", "two")):
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {**spec, "nodeName": node}}
        await cluster.post(paths.core("pods"), body)
    await cluster.patch(paths.core("pods", "y") + "/status", {"status": {"phase": "Running"}})
    assert names(await cluster.get(paths.core("pods"), fieldSelector="spec.nodeName=one")) == ["x"]
    assert names(await cluster.get(paths.core("pods"), fieldSelector="status.phase=Running")) == ["y"]


async def test_a_long_list_comes_in_pages_of_one_moment(cluster, paths, three, new):
    first = await cluster.get(paths.core("configmaps"), limit=2)
    assert names(first) == ["a", "b"]
    assert first.body["metadata"]["remainingItemCount"] == 1
    await cluster.post(paths.core("configmaps"), new.config_map("d"))
    await cluster.delete(paths.core("configmaps", "c"))
    second = await cluster.get(paths.core("configmaps"), limit=2, **{"continue": first.body["metadata"]["continue"]})
    assert names(second) == ["c"]
    assert second.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]
    assert "continue" not in second.body["metadata"]


async def test_a_made_up_page_is_refused(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), limit=2, **{"continue": "bm9uc2Vuc2U="})
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_a_version_of_the_future_times_out(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), resourceVersion="999999999999")
    assert (reply.code, reply.reason) == (504, "Timeout")
    assert reply.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_any_version_that_was_is_fresh_enough(cluster, paths, three):
    assert names(await cluster.get(paths.core("configmaps"), resourceVersion="0")) == ["a", "b", "c"]
    reply = await cluster.get(paths.core("configmaps"), resourceVersion="1", resourceVersionMatch="NotOlderThan")
    assert names(reply) == ["a", "b", "c"]


async def test_a_list_of_any_version_comes_without_pages(cluster, paths, three):
    assert names(await cluster.get(paths.core("configmaps"), resourceVersion="0", limit=1)) == ["a", "b", "c"]


async def test_a_version_has_to_be_a_number(cluster, paths):
    assert (await cluster.get(paths.core("configmaps"), resourceVersion="new")).code == 400


async def test_metadata_alone_can_be_asked_for(cluster, paths, three):
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    reply = await cluster.get(paths.core("configmaps"), accept=accept)
    assert reply.body["kind"] == "PartialObjectMetadataList"
    assert set(reply.body["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_what_cannot_be_sent_is_not_acceptable(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), accept="application/vnd.kubernetes.protobuf")
    assert (reply.code, reply.reason) == (406, "NotAcceptable")
