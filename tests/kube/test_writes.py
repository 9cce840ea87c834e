"""Writes: only our fields, only on the version they were decided on, and only when something changes."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from controller.api.external_dns import DNSEndpoint, DNSEndpointSpec, Endpoint
from controller.api.gateway import HTTPRoute
from controller.api.meta import ObjectMeta
from controller.api.resources import DNS_ENDPOINTS, HTTP_ROUTES
from controller.kube.client import MERGE_PATCH, KubeClient
from controller.kube.decode import Decoder
from controller.kube.errors import Conflict, Forbidden
from controller.kube.route_status import merge_route_parents
from controller.kube.writes import (
    ATTEMPTS,
    create_object,
    delete_object,
    patch_annotations,
    patch_spec,
    patch_status,
    update_finalizers,
)
from sandbox.kube import KubeServer
from tests.kube.scripted import ScriptedServer, answer, failure, route
from tests.kube.test_conditions import NOW, condition

pytestmark = pytest.mark.anyio

FINALIZER = "httproute.k8s.aws/resources"
CONTROLLER = "application-networking.k8s.aws/gateway-api-controller"
PATH = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/a"


def decoded(obj: dict[str, Any] | bytes) -> HTTPRoute:
    result = Decoder(HTTP_ROUTES).object(obj if isinstance(obj, bytes) else orjson.dumps(obj))
    assert isinstance(result, HTTPRoute)
    return result


def with_finalizers(version: int, *names: str, **metadata: Any) -> dict[str, Any]:
    return route("a", version, metadata={"finalizers": list(names)} | metadata)


async def test_a_finalizer_is_added_behind_those_of_others(client: KubeClient, server: ScriptedServer) -> None:
    server.on("patch", answer(b"answer"))
    obj = decoded(with_finalizers(3, "others"))
    assert await update_finalizers(client, HTTP_ROUTES, obj, add=[FINALIZER]) == b"answer"
    (asked,) = server.requests
    assert (asked.path, asked.headers["Content-Type"]) == (PATH, MERGE_PATCH)
    assert asked.body == {
        "metadata": {"finalizers": ["others", FINALIZER], "resourceVersion": "3", "uid": "uid-a"},
    }


async def test_what_is_so_already_is_not_written(client: KubeClient, server: ScriptedServer) -> None:
    obj = decoded(with_finalizers(3, FINALIZER, annotations={"a": "1"}))
    assert await update_finalizers(client, HTTP_ROUTES, obj, add=[FINALIZER], remove=["gone"]) is None
    assert await patch_annotations(client, HTTP_ROUTES, obj, {"a": "1", "b": None}) is None
    assert await patch_status(client, HTTP_ROUTES, obj, lambda _: None) is None
    assert server.requests == []


async def test_nothing_is_added_to_an_object_that_is_being_deleted(client: KubeClient, server: ScriptedServer) -> None:
    obj = decoded(with_finalizers(3, deletionTimestamp="2026-01-01T00:00:00Z"))
    assert await update_finalizers(client, HTTP_ROUTES, obj, add=[FINALIZER]) is None
    assert server.requests == []


async def test_removing_from_an_object_that_is_gone_is_success(client: KubeClient, server: ScriptedServer) -> None:
    server.on("patch", failure(404))
    assert (
        await update_finalizers(client, HTTP_ROUTES, decoded(with_finalizers(3, FINALIZER)), remove=[FINALIZER]) is None
    )


async def test_after_a_conflict_the_decision_is_made_again_on_what_is_there(
    client: KubeClient, server: ScriptedServer
) -> None:
    server.on("patch", failure(409, "Conflict"), answer(b"answer"))
    server.on("get", answer(with_finalizers(9, "new-one", FINALIZER)))
    obj = decoded(with_finalizers(3, FINALIZER))
    assert await update_finalizers(client, HTTP_ROUTES, obj, remove=[FINALIZER]) == b"answer"
    second = server.asked("patch")[1]
    assert second.body["metadata"] == {"finalizers": ["new-one"], "resourceVersion": "9", "uid": "uid-a"}


@pytest.mark.parametrize(
    "found",
    [
        failure(404),
        answer(with_finalizers(9)),
        answer(with_finalizers(9, FINALIZER, uid="another object of that name")),
    ],
)
async def test_a_conflict_may_show_that_there_is_nothing_left_to_do(
    client: KubeClient, server: ScriptedServer, found: Callable[..., Any]
) -> None:
    server.on("patch", failure(409, "Conflict"))
    server.on("get", found)
    obj = decoded(with_finalizers(3, FINALIZER))
    assert await update_finalizers(client, HTTP_ROUTES, obj, remove=[FINALIZER]) is None
    assert len(server.asked("patch")) == 1


async def test_an_object_that_keeps_changing_is_a_conflict_in_the_end(
    client: KubeClient, server: ScriptedServer
) -> None:
    server.on("patch", failure(409, "Conflict"))
    server.on("get", answer(with_finalizers(9, FINALIZER)))
    obj = decoded(with_finalizers(3, FINALIZER))
    with pytest.raises(Conflict):
        await update_finalizers(client, HTTP_ROUTES, obj, remove=[FINALIZER])
    assert len(server.asked("patch")) == ATTEMPTS


async def test_an_object_that_became_undecodable_is_left_alone(client: KubeClient, server: ScriptedServer) -> None:
    server.on("patch", failure(409, "Conflict"))
    server.on("get", answer(route("a", 9, spec="odd")))
    with pytest.raises(Conflict):
        await patch_annotations(client, HTTP_ROUTES, decoded(route("a", 3)), {"a": "1"})
    assert len(server.asked("patch")) == 1


async def test_other_errors_pass(client: KubeClient, server: ScriptedServer) -> None:
    server.on("patch", failure(403, "Forbidden", "no patching"))
    with pytest.raises(Forbidden, match=r"patch httproutes shop/a .* no patching"):
        await patch_annotations(client, HTTP_ROUTES, decoded(route("a", 3)), {"a": "1"})


async def test_only_annotations_that_differ_are_sent(client: KubeClient, server: ScriptedServer) -> None:
    server.on("patch", answer(b"{}"))
    obj = decoded(route("a", 3, metadata={"annotations": {"same": "1", "old": "1", "gone": "1"}}))
    await patch_annotations(client, HTTP_ROUTES, obj, {"same": "1", "old": "2", "gone": None, "never": None})
    assert server.requests[0].body["metadata"]["annotations"] == {"old": "2", "gone": None}


async def test_a_status_is_built_from_what_is_there_and_goes_to_the_subresource(
    client: KubeClient, server: ScriptedServer
) -> None:
    server.on("patch", failure(409, "Conflict"), answer(b"{}"))
    server.on("get", answer(route("a", 9, status={"seen": 2})))
    given: list[bytes] = []

    def build(status: bytes) -> bytes:
        given.append(status)
        return b'{"parents":[ 1.50 ]}'

    await patch_status(client, HTTP_ROUTES, decoded(route("a", 3)), build)
    assert given == [b"", b'{"seen":2}']
    second = server.asked("patch")[1]
    assert second.path == f"{PATH}/status"
    assert second.body == {"status": {"parents": [1.5]}, "metadata": {"resourceVersion": "9", "uid": "uid-a"}}


def stored(kube: KubeServer, **fields: Any) -> HTTPRoute:
    obj = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"parentRefs": [{"name": "gw"}]},
    }
    (made,) = kube.apply(obj | fields)
    return decoded(dict(made))


def parent(controller: str, status: str = "True") -> dict[str, Any]:
    return {
        "parentRef": {"name": "gw"},
        "controllerName": controller,
        "conditions": [condition("Accepted", status, since="2026-01-01T00:00:00Z")],
    }


async def test_against_an_api_server_our_part_of_the_status_changes_and_the_rest_does_not(
    kube: KubeServer, kube_client: KubeClient
) -> None:
    obj = stored(kube, status={"parents": [parent("example.com/other"), parent(CONTROLLER)]})

    def build(status: bytes) -> bytes | None:
        return merge_route_parents(status, CONTROLLER, [parent(CONTROLLER, "False")], now=NOW)

    answered = await patch_status(kube_client, HTTP_ROUTES, obj, build)
    assert answered is not None
    parents = orjson.loads(answered)["status"]["parents"]
    assert [entry["controllerName"] for entry in parents] == ["example.com/other", CONTROLLER]
    assert parents[0]["conditions"] == parent("example.com/other")["conditions"]
    assert parents[1]["conditions"] == [condition("Accepted", "False", since=NOW)]
    assert await patch_status(kube_client, HTTP_ROUTES, decoded(answered), build) is None


async def test_against_an_api_server_a_stale_decision_is_made_again(kube: KubeServer, kube_client: KubeClient) -> None:
    obj = stored(kube)
    await patch_annotations(kube_client, HTTP_ROUTES, obj, {"a": "1"})
    answered = await update_finalizers(kube_client, HTTP_ROUTES, obj, add=[FINALIZER])
    assert answered is not None
    metadata = decoded(answered).metadata
    assert metadata.finalizers == (FINALIZER,)
    assert metadata.annotations == {"a": "1"}


async def test_against_an_api_server_the_last_finalizer_lets_an_object_go(
    kube: KubeServer, kube_client: KubeClient
) -> None:
    obj = stored(kube)
    answered = await update_finalizers(kube_client, HTTP_ROUTES, obj, add=[FINALIZER])
    await kube_client.request("DELETE", PATH)
    deleting = decoded(await kube_client.request("GET", PATH))
    assert deleting.deleting
    assert await update_finalizers(kube_client, HTTP_ROUTES, deleting, remove=[FINALIZER]) is not None
    assert answered is not None
    assert await update_finalizers(kube_client, HTTP_ROUTES, decoded(answered), remove=[FINALIZER]) is None


# Objects of our own

RECORDS = DNSEndpoint(
    metadata=ObjectMeta(name="a-dns", namespace="shop", uid="uid-a-dns", resource_version="3"),
    spec=DNSEndpointSpec(endpoints=(Endpoint(dns_name="a.example.com", record_ttl=300),)),
)
AT = "/apis/externaldns.k8s.io/v1alpha1/namespaces/shop/dnsendpoints"


async def test_an_object_is_created_with_what_it_says_and_its_kind(client: KubeClient, server: ScriptedServer) -> None:
    server.on("post", answer(b"answer"))
    new = DNSEndpoint(metadata=ObjectMeta(name="a-dns", namespace="shop"), spec=RECORDS.spec)
    assert await create_object(client, DNS_ENDPOINTS, new) == b"answer"
    (asked,) = server.requests
    assert asked.path == AT
    assert asked.body == {
        "apiVersion": "externaldns.k8s.io/v1alpha1",
        "kind": "DNSEndpoint",
        "metadata": {"name": "a-dns", "namespace": "shop"},
        "spec": {"endpoints": [{"dnsName": "a.example.com", "recordTTL": 300}]},
    }


async def test_a_spec_is_patched_and_decided_on_again_after_a_conflict(
    client: KubeClient, server: ScriptedServer
) -> None:
    meta = {"name": "a-dns", "namespace": "shop", "uid": "uid-a-dns", "resourceVersion": "9"}
    server.on("patch", failure(409, "Conflict"))
    server.on("get", answer({"metadata": meta, "spec": {}}))
    seen: list[str] = []

    def build(current: DNSEndpoint) -> DNSEndpointSpec | None:
        seen.append(current.metadata.resource_version)
        return RECORDS.spec if current.spec == RECORDS.spec else None

    assert await patch_spec(client, DNS_ENDPOINTS, RECORDS, build) is None
    assert seen == ["3", "9"]
    (asked,) = server.asked("patch")
    assert asked.body == {
        "metadata": {"resourceVersion": "3", "uid": "uid-a-dns"},
        "spec": {"endpoints": [{"dnsName": "a.example.com", "recordTTL": 300}]},
    }


async def test_what_is_deleted_is_the_object_that_was_decided_on(client: KubeClient, server: ScriptedServer) -> None:
    server.on("delete", answer(b"{}"), failure(404), failure(409, "Conflict"))
    await delete_object(client, DNS_ENDPOINTS, RECORDS)
    await delete_object(client, DNS_ENDPOINTS, RECORDS)
    with pytest.raises(Conflict):
        await delete_object(client, DNS_ENDPOINTS, RECORDS)
    asked = server.asked("delete")[0]
    assert (asked.path, asked.body) == (
        f"{AT}/a-dns",
        {"preconditions": {"uid": "uid-a-dns", "resourceVersion": "3"}},
    )
