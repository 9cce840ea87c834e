"""The world of the end-to-end tests on a real Kubernetes API; what a run leaves in it is removed before the next."""

import http.client
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import anyio

from sandbox.lattice import LatticeServer, Quotas, Timings
from tests.e2e.harness import AnyWorld, Json, eventually, path_of
from tests.support.kube_apiserver import KubeApiserver
from tests.support.living import living

OUTAGE = 60.0
"""Seconds for which a person goes on asking an API server that does not answer."""

OURS = ("HTTPRoute", "GRPCRoute", "TLSRoute", "Gateway", "GatewayClass", "ReferenceGrant")
"""Kinds that may carry finalizers, or have no definition."""


class RealWorld(AnyWorld):
    """`kube` is the API server; `proxied` is where the controller finds it, if not directly."""

    def __init__(
        self,
        kube: KubeApiserver,
        lattice: LatticeServer,
        directory: Path,
        tasks: anyio.abc.TaskGroup,
        *,
        settings: Mapping[str, str],
        client: Mapping[str, Any],
        url: str | None,
        token: str | None,
    ) -> None:
        self.kube = kube
        self._token = {"Authorization": f"Bearer {kube.token}"}
        session = aiohttp.ClientSession(
            base_url=kube.url, headers=self._token, connector=aiohttp.TCPConnector(ssl=kube.tls)
        )
        kubeconfig = kube.kubeconfig(directory / "kubeconfig", url=url, token=token)
        super().__init__(kubeconfig, session, lattice, tasks, settings, client)
        self._tls = kube.tls
        self._looks: http.client.HTTPSConnection | None = None
        self._unanswered = 0

    async def close(self) -> None:
        if self._looks is not None:
            self._looks.close()
        await super().close()

    def get(self, kind: str, name: str, *, namespace: str = "default") -> Json | None:
        return self._look(path_of(kind, namespace, name))

    def all(self, kind: str) -> list[Json]:
        listed = self._look(path_of(kind, "", "")) or {"items": []}
        items: list[Json] = listed["items"]
        return [{"kind": kind, **item} for item in items if not _of_the_server(item)]

    def writes_so_far(self) -> int:
        try:
            listed = self._look(path_of("GatewayClass", "", ""))
        except AssertionError:
            # A server that does not answer yet is not at rest.
            self._unanswered -= 1
            return self._unanswered
        return 0 if listed is None else int(listed["metadata"]["resourceVersion"])

    def _look(self, path: str) -> Json | None:
        """Asks without awaiting, as checks that are no coroutines need it; that takes milliseconds."""
        for _ in range(2):
            if self._looks is None:
                self._looks = http.client.HTTPSConnection(self.kube.url.removeprefix("https://"), context=self._tls)
            try:
                self._looks.request("GET", path, headers=self._token)
                with self._looks.getresponse() as answer:
                    content = answer.read()
                    status = answer.status
                break
            except (http.client.HTTPException, OSError):
                self._looks.close()
                self._looks = None
        else:
            raise AssertionError(f"GET {path}: no answer")
        if status == 404:
            return None
        assert status == 200, f"GET {path}: {status} {content.decode()}"
        found: Json = json.loads(content)
        return found

    async def _send(
        self, method: str, path: str, body: Any, media_type: str, query: Mapping[str, str] | None = None
    ) -> None:
        """Repeated for as long as nobody answers, and while a server that has just started is not whole yet."""
        with anyio.fail_after(OUTAGE):
            while True:
                try:
                    return await super()._send(method, path, body, media_type, query)
                except aiohttp.ClientConnectionError:
                    await anyio.sleep(0.1)
                except AssertionError as refused:
                    # A delete may have been done by the attempt that got no answer.
                    if method == "DELETE" and ": 404 " in str(refused):
                        return None
                    if not any(f": {code} " in str(refused) for code in (403, 429, 503)):
                        raise
                    await anyio.sleep(0.1)

    async def empty(self) -> None:
        """Remove all objects of the tests, whatever their finalizers, once all kinds are served."""
        await eventually(lambda: [self.all(kind) for kind in (*OURS, "DNSEndpoint")])
        for kind in OURS:
            for obj in self.all(kind):
                name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace", "")
                if obj["metadata"].get("finalizers"):
                    await self.patch(kind, name, {"metadata": {"finalizers": None}}, namespace=namespace)
                if "deletionTimestamp" not in obj["metadata"]:
                    await self.delete(kind, name, namespace=namespace)
        for kind in ("EndpointSlice", "Service", "Lease", "Event", "DNSEndpoint"):
            for obj in self.all(kind):
                with suppress(AssertionError):
                    await self.delete(kind, obj["metadata"]["name"], namespace=obj["metadata"]["namespace"])


def _of_the_server(obj: Json) -> bool:
    """What an API server makes for itself: its own Service with endpoints, and its leases."""
    meta = obj["metadata"]
    return meta.get("namespace", "").startswith("kube-") or (meta.get("namespace"), meta["name"]) == (
        "default",
        "kubernetes",
    )


@asynccontextmanager
async def world(
    kube: KubeApiserver,
    directory: Path,
    *,
    url: str | None = None,
    token: str | None = None,
    timings: Timings | None = None,
    settings: Mapping[str, str] | None = None,
    client: Mapping[str, Any] | None = None,
) -> AsyncGenerator[RealWorld]:
    """A world without a controller yet, without objects, and with the networks that nobody has made.

    `url` is the API server's for the controller, such as a proxy's; `token` what it says who it is by, else an
    administrator's.
    """
    async with (
        LatticeServer(
            timings=timings or Timings.instant(), quotas=Quotas.unlimited(), validate_answers=True
        ) as lattice,
        living(
            lambda tasks: RealWorld(
                kube, lattice, directory, tasks, settings=settings or {}, client=client or {}, url=url, token=token
            )
        ) as made,
    ):
        await made.empty()
        yield made
