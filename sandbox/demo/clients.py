"""Kubernetes and AWS as the person in front of the demo would use them: manifests, tables, API calls."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.to_thread
import botocore.session
import orjson
import yaml
from botocore.config import Config

from sandbox.cluster import Cluster

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Kubectl:
    """The few things that kubectl does in the walk-through, by the same requests."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._collections: dict[tuple[str, str], tuple[str, bool]] = {}

    async def apply(self, file: Path) -> list[str]:
        """Server-side apply of every object in a file; returns kind/name of each. Raises aiohttp.ClientError."""
        applied: list[str] = []
        for manifest in yaml.safe_load_all(await anyio.Path(file).read_text()):
            path = await self._path(manifest)
            query = {"fieldManager": "demo", "force": "true"}
            headers = {"Content-Type": "application/apply-patch+yaml"}
            async with self._session.patch(path, params=query, data=orjson.dumps(manifest), headers=headers) as answer:
                answer.raise_for_status()
            applied.append(f"{manifest['kind'].lower()}/{manifest['metadata']['name']}")
        return applied

    async def delete(self, file: Path) -> list[str]:
        """Delete every object in a file; returns kind/name of each."""
        deleted: list[str] = []
        for manifest in yaml.safe_load_all(await anyio.Path(file).read_text()):
            async with self._session.delete(await self._path(manifest)) as answer:
                answer.raise_for_status()
            deleted.append(f"{manifest['kind'].lower()}/{manifest['metadata']['name']}")
        return deleted

    async def patch(self, path: str, operations: list[dict[str, Any]]) -> None:
        """`kubectl patch --type=json`."""
        headers = {"Content-Type": "application/json-patch+json"}
        async with self._session.patch(path, data=orjson.dumps(operations), headers=headers) as answer:
            answer.raise_for_status()

    async def delete_now(self, path: str) -> None:
        """`kubectl delete --now`: a second of grace."""
        async with self._session.delete(
            path, json={"gracePeriodSeconds": 1, "propagationPolicy": "Background"}
        ) as answer:
            answer.raise_for_status()

    async def get(self, path: str) -> dict[str, Any] | None:
        """An object or a list by its path; None if there is no such object."""
        async with self._session.get(path) as answer:
            if answer.status == 404:
                return None
            answer.raise_for_status()
            found: dict[str, Any] = orjson.loads(await answer.read())
            return found

    async def table(self, path: str) -> tuple[list[str], list[list[str]]]:
        """What `kubectl get` prints: the API server's own columns and rows."""
        async with self._session.get(path, headers={"Accept": _TABLE}) as answer:
            answer.raise_for_status()
            table = orjson.loads(await answer.read())
        shown = [index for index, column in enumerate(table["columnDefinitions"]) if column.get("priority", 0) == 0]
        names = [str(table["columnDefinitions"][index]["name"]).upper() for index in shown]
        rows = [
            ["" if row["cells"][index] is None else str(row["cells"][index]) for index in shown]
            for row in table["rows"]
        ]
        return names, rows

    async def _path(self, manifest: dict[str, Any]) -> str:
        version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
        if (version, kind) not in self._collections:
            root = f"/apis/{version}" if "/" in version else f"/api/{version}"
            async with self._session.get(root) as answer:
                answer.raise_for_status()
                for resource in orjson.loads(await answer.read())["resources"]:
                    if "/" not in resource["name"]:
                        self._collections[version, resource["kind"]] = (
                            f"{root}|{resource['name']}",
                            resource["namespaced"],
                        )
        place, namespaced = self._collections[version, kind]
        root, plural = place.split("|")
        namespace = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{namespace}/{plural}/{metadata['name']}"


@asynccontextmanager
async def kubectl(cluster: Cluster) -> AsyncGenerator[Kubectl]:
    """A `Kubectl` for that cluster."""
    headers = {} if cluster.token is None else {"Authorization": f"Bearer {cluster.token}"}
    connector = aiohttp.TCPConnector(ssl=True if cluster.tls is None else cluster.tls)
    async with aiohttp.ClientSession(base_url=cluster.url, headers=headers, connector=connector) as session:
        yield Kubectl(session)


class Aws:
    """VPC Lattice through botocore, in a thread: `await aws("create_service_network", name="my-hotel")`."""

    def __init__(self, url: str, region: str, made: Counter[str]) -> None:
        """`made` counts the calls, by the API's name of the operation."""
        self._made = made
        session = botocore.session.Session()
        session.set_credentials("sandbox", "sandbox")
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        self._client = session.create_client("vpc-lattice", region_name=region, endpoint_url=url, config=config)

    async def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation by botocore's name for it. Raises botocore's ClientError."""
        call = partial(getattr(self._client, operation), **parameters)
        self._made[self._client.meta.method_to_api_mapping[operation]] += 1
        answer: dict[str, Any] = await anyio.to_thread.run_sync(call)
        return answer

    def close(self) -> None:
        self._client.close()
