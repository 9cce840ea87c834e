"""The same parts against an API server that behaves, and misbehaves on demand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import orjson
import pytest

from controller.api.core import Secret
from controller.api.gateway import HTTPRoute
from controller.api.resources import HTTP_ROUTES, NAMESPACES, SECRETS, Resource
from controller.kube.client import KubeClient
from controller.kube.decode import Decoder, Failed
from controller.kube.errors import Gone, Unauthorized
from controller.kube.events import EventRecorder, ObjectRef
from controller.kube.informer import Informer
from controller.kube.informers import InformerSet
from controller.kube.store import Store
from sandbox.kube import KubeServer
from tests.kube.scripted import until

pytestmark = pytest.mark.anyio

COLLECTION = HTTP_ROUTES.path("shop")


def a_route(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": HTTP_ROUTES.api_version,
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"parentRefs": [{"name": "gw"}]},
    } | fields


class Mirror:
    def __init__(self, client: KubeClient, resource: Resource[HTTPRoute] = HTTP_ROUTES) -> None:
        self.changes = 0
        self.pauses: list[float] = []
        self.store: Store[HTTPRoute] = Store({"parent": lambda obj: [ref.name for ref in obj.spec.parent_refs or ()]})
        self.informer = Informer(
            client, resource, self.store, handlers=[self._handle], random=Random(1), sleep=self._sleep
        )

    def _handle(self, old: HTTPRoute | None, new: HTTPRoute | None) -> None:
        self.changes += 1

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await anyio.sleep(0.001)

    @property
    def names(self) -> list[str]:
        return sorted(obj.name for obj in self.store.list())

    async def holds(self, *names: str) -> None:
        await until(lambda: self.names == sorted(names))


@asynccontextmanager
async def mirrored(client: KubeClient) -> AsyncIterator[Mirror]:
    mirror = Mirror(client)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mirror.informer.run)
        with anyio.fail_after(60):
            await mirror.informer.wait_settled()
        yield mirror
        tasks.cancel_scope.cancel()


async def test_a_store_follows_what_is_created_changed_and_deleted(kube: KubeServer, kube_client: KubeClient) -> None:
    kube.apply(a_route("before"))
    async with mirrored(kube_client) as mirror:
        assert mirror.names == ["before"]
        kube.apply(a_route("after"))
        await mirror.holds("before", "after")
        kube.apply(a_route("after", spec={"parentRefs": [{"name": "other"}]}))
        await kube_client.request("DELETE", f"{COLLECTION}/before")
        await mirror.holds("after")
        assert [obj.name for obj in mirror.store.by_index("parent", "other")] == ["after"]
        assert mirror.store.by_index("parent", "gw") == ()


async def test_a_fleet_larger_than_a_page_is_listed_whole(kube: KubeServer, kube_client: KubeClient) -> None:
    kube.apply(*(a_route(f"r{n}") for n in range(600)))
    kube.faults.fail(422, verb="watch", message="no streamed lists here")
    async with mirrored(kube_client) as mirror:
        assert len(mirror.store) == 600
    assert kube.counts["list", "httproutes.gateway.networking.k8s.io", 200] == 2


async def test_after_a_cut_the_watch_goes_on_without_a_list(kube: KubeServer, kube_client: KubeClient) -> None:
    async with mirrored(kube_client) as mirror:
        kube.apply(a_route("a"))
        await mirror.holds("a")
        kube.faults.cut_watches()
        kube.apply(a_route("b"))
        await mirror.holds("a", "b")
        assert mirror.changes == 2
    assert kube.counts["list", "httproutes.gateway.networking.k8s.io", 200] == 0


async def test_an_expired_version_is_made_good_by_a_list(kube: KubeServer, kube_client: KubeClient) -> None:
    kube.apply(a_route("same"), a_route("gone"))
    async with mirrored(kube_client) as mirror:
        kube.faults.expire_watch()
        kube.faults.cut_watches()
        kube.apply(a_route("new"))
        await kube_client.request("DELETE", f"{COLLECTION}/gone")
        await mirror.holds("same", "new")
        assert mirror.changes == 4


async def test_a_token_that_expires_makes_the_kind_unknown_until_it_is_renewed(
    kube: KubeServer, kube_client: KubeClient
) -> None:
    kube.apply(a_route("a"))
    async with mirrored(kube_client) as mirror:
        kube.faults.token_expired = True
        with pytest.raises(Unauthorized):
            await kube_client.request("GET", COLLECTION)
        kube.faults.cut_watches()
        await until(lambda: mirror.informer.state.phase == "unknown")
        assert "401" in mirror.informer.state.reason
        assert mirror.names == ["a"]
        kube.faults.token_expired = False
        with anyio.fail_after(60):
            await mirror.informer.wait_settled()
        assert mirror.changes == 1


async def test_random_changes_under_faults_end_in_exactly_what_the_server_has(
    kube: KubeServer, kube_client: KubeClient
) -> None:
    random = Random(7)
    there: set[str] = set()
    async with mirrored(kube_client) as mirror:
        for n in range(150):
            name = f"r{random.randrange(12)}"
            if random.random() < 0.3 and name in there:
                await kube_client.request("DELETE", f"{COLLECTION}/{name}")
                there.remove(name)
            else:
                there.add(name)
                kube.apply(a_route(name, spec={"parentRefs": [{"name": f"gw{n}"}]}))
            if random.random() < 0.1:
                kube.faults.cut_watches()
            if random.random() < 0.05:
                kube.faults.expire_watch()
            await anyio.lowlevel.checkpoint()
        kube.apply(a_route("last"))
        await until(lambda: mirror.store.get("shop", "last") is not None)
        listed = orjson.loads(await kube_client.request("GET", COLLECTION))["items"]
        expected = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in listed}
        assert {obj.name: obj.metadata.resource_version for obj in mirror.store.list()} == expected
        for item in listed:
            (parent,) = item["spec"]["parentRefs"]
            assert item["metadata"]["name"] in {obj.name for obj in mirror.store.by_index("parent", parent["name"])}


async def test_several_kinds_are_mirrored_together(kube: KubeServer, kube_client: KubeClient) -> None:
    namespaces = Informer(kube_client, NAMESPACES, Store())
    informers = InformerSet([namespaces, Mirror(kube_client).informer])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(informers.run)
        with anyio.fail_after(60):
            await informers.wait_synced()
        assert namespaces.store.get("", "shop") is not None
        tasks.cancel_scope.cancel()


async def test_events_are_there_to_be_described(kube: KubeServer, kube_client: KubeClient) -> None:
    (stored,) = kube.apply(a_route("rates"))
    about = ObjectRef(HTTP_ROUTES.api_version, "HTTPRoute", "shop", "rates", stored["metadata"]["uid"])
    recorder = EventRecorder(kube_client, "lattice-controller")
    for _ in range(2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recorder.run)
            recorder.record(about, "Warning", "FailedDeployModel", "quota")
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    selector = f"involvedObject.name=rates,involvedObject.uid={about.uid}"
    answered = await kube_client.request("GET", "/api/v1/namespaces/shop/events", query={"fieldSelector": selector})
    (event,) = orjson.loads(answered)["items"]
    assert (event["reason"], event["type"], event["count"]) == ("FailedDeployModel", "Warning", 2)
    assert recorder.dropped == 0


async def test_a_version_the_server_no_longer_keeps_is_gone(kube: KubeServer, kube_client: KubeClient) -> None:
    (first,) = kube.apply(a_route("a"))
    for n in range(60):
        kube.apply(a_route("a", spec={"parentRefs": [{"name": f"gw{n}"}]}))
    version = first["metadata"]["resourceVersion"]
    with pytest.raises(Gone):
        await first_event(kube_client, version)


async def first_event(client: KubeClient, version: str) -> None:
    async with client.stream(HTTP_ROUTES.path(), {"watch": "true", "resourceVersion": version}, stall=1) as lines:
        event = Decoder(HTTP_ROUTES).event(await anext(lines))
        if isinstance(event, Failed):
            raise event.error


@pytest.mark.parametrize("streams", [True, False])
async def test_of_secrets_only_those_with_certificates_are_read(
    kube: KubeServer, kube_client: KubeClient, streams: bool
) -> None:
    def a_secret(name: str, type_: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": "shop"}
        data = {"tls.crt": "Y3J0", "tls.key": "a2V5"}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": data}

    if not streams:
        kube.faults.fail(422, verb="watch", message="no streamed lists here")
    kube.apply(a_secret("one", "kubernetes.io/tls"), a_secret("token", "Opaque"))
    store: Store[Secret] = Store({})
    informer = Informer(kube_client, SECRETS, store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(informer.run)
        await informer.wait_settled()
        kube.apply(a_secret("other", "Opaque"), a_secret("two", "kubernetes.io/tls"))
        await until(lambda: len(store) == 2)
        tasks.cancel_scope.cancel()
    one, two = sorted(store.list(), key=lambda secret: secret.name)
    assert (one.name, two.name) == ("one", "two")
    assert (one.data.certificate, one.data.private_key) == (b"crt", b"key")
    assert "key" not in repr(one)
