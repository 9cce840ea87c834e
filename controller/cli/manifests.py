"""Manifests from files, laid over what the cluster holds, as if they had been applied."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import yaml

from controller.api.meta import Object, Undecodable
from controller.api.resources import Resource
from controller.kube.times import rfc3339
from controller.reconcile.cluster import Cluster


class ManifestError(Exception):
    """A file that cannot be read as manifests; the message names it and says why."""


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files themselves: a directory stands for the YAML and JSON files in it. Raises ManifestError."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(one for one in path.iterdir() if one.suffix in {".yaml", ".yml", ".json"})
        elif path.exists():
            files.append(path)
        else:
            raise ManifestError(f"{path}: there is no such file")
    return files


def read(files: Iterable[Path]) -> list[tuple[Path, dict[str, Any]]]:
    """All objects of the files, each with its file; a List counts as its items. Raises ManifestError."""
    found: list[tuple[Path, dict[str, Any]]] = []
    for file in files:
        try:
            documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ManifestError(f"{file}: {error}") from error
        for document in documents:
            if document is None:
                continue
            if not isinstance(document, dict) or "kind" not in document or "apiVersion" not in document:
                raise ManifestError(f"{file}: a document has no apiVersion and kind")
            items = document.get("items", []) if document["kind"].endswith("List") else [document]
            found += [(file, item) for item in items]
    return found


def lay_over(
    cluster: Cluster,
    resources: Sequence[Resource[Any]],
    manifests: Iterable[tuple[Path, dict[str, Any]]],
    *,
    namespace: str,
) -> list[str]:
    """Put the objects into the stores; returns kind/name of those that do not matter to a plan.

    An object that exists keeps its identity and what the API server and controllers gave it. `namespace` is for objects
    that name none. Raises ManifestError for an object that cannot be decoded.
    """
    ignored: list[str] = []
    for file, manifest in manifests:
        resource = next(
            (one for one in resources if (one.api_version, one.kind) == (manifest["apiVersion"], manifest["kind"])),
            None,
        )
        metadata = dict(manifest.get("metadata") or {})
        if resource is None:
            ignored.append(f"{manifest['kind']}/{metadata.get('name', '')}")
            continue
        metadata["namespace"] = metadata.get("namespace", namespace) if resource.namespaced else ""
        store = cluster.informer(resource).store
        held = store.get(metadata["namespace"], str(metadata.get("name", "")))
        store.put(_decoded(file, resource, {**manifest, "metadata": {**metadata, **_kept(held, metadata)}}))
    return ignored


def _kept(held: Object | Undecodable | None, metadata: dict[str, Any]) -> dict[str, Any]:
    if held is None:
        return {"creationTimestamp": rfc3339(datetime.now(UTC)), "generation": 1}
    of = held.metadata
    return {
        "uid": of.uid,
        "creationTimestamp": of.creation_timestamp,
        "generation": of.generation + 1,
        "finalizers": list(of.finalizers),
        "annotations": {**(of.annotations or {}), **(metadata.get("annotations") or {})},
    }


def _decoded(file: Path, resource: Resource[Any], manifest: dict[str, Any]) -> Object:
    name = f"{resource.kind}/{manifest['metadata'].get('name', '')}"
    if not manifest["metadata"].get("name"):
        raise ManifestError(f"{file}: a {resource.kind} has no metadata.name")
    try:
        decoded: Object = msgspec.json.decode(orjson.dumps(manifest), type=resource.type)
    except (msgspec.DecodeError, TypeError) as error:
        raise ManifestError(f"{file}: {name}: {error}") from error
    return decoded
