"""Which groups, versions and resources there are: the documents that clients read first.

Both forms are served: the older one, a document for each group and version, and the aggregated one
(`apidiscovery.k8s.io/v2`), which tells kubectl everything in two requests.
"""

import re

from sandbox.kube.errors import Json
from sandbox.kube.resource import Registry, Resource

VERSION: Json = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0-sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def wants_aggregated(accept: str) -> bool:
    """Whether the client's first choice, of what can be served, is the aggregated form."""
    for entry in accept.split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        if media_type not in {"application/json", "application/*", "*/*"}:
            continue
        values = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        if not values.get("as"):
            return False
        if values["as"] == "APIGroupDiscoveryList" and values.get("v") == "v2":
            return True
    return False


def _subresources(resource: Resource) -> list[tuple[str, str, str, str, tuple[str, ...]]]:
    """Name, group, version, kind and verbs of each."""
    found: list[tuple[str, str, str, str, tuple[str, ...]]] = []
    verbs = ("get", "patch", "update")
    if resource.scale is not None:
        found.append(("scale", "autoscaling", "v1", "Scale", verbs))
    if resource.status:
        found.append(("status", resource.group, resource.version, resource.kind, verbs))
    return found


def _version_order(version: str) -> tuple[int, int, int]:
    """Kubernetes' priority of versions: stable before beta before alpha, the greater number first."""
    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if found is None:
        return (3, 0, 0)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0))


def _grouped(registry: Registry) -> dict[str, dict[str, list[Resource]]]:
    groups: dict[str, dict[str, list[Resource]]] = {}
    for resource in registry:
        groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    return {
        group: dict(sorted(versions.items(), key=lambda entry: _version_order(entry[0])))
        for group, versions in groups.items()
    }


def api_versions(host: str) -> Json:
    """`/api`."""
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def _group(name: str, versions: list[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def group_list(registry: Registry) -> Json:
    """`/apis`."""
    groups = [_group(name, list(versions)) for name, versions in _grouped(registry).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Json | None:
    """`/apis/{group}`, or None where there is no such group."""
    versions = _grouped(registry).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, list(versions))} if versions else None


def resource_list(registry: Registry, group_name: str, version: str) -> Json | None:
    """`/api/v1` and `/apis/{group}/{version}`, or None where there is no such version."""
    found = _grouped(registry).get(group_name, {}).get(version)
    if found is None:
        return None
    resources: list[Json] = []
    for resource in found:
        entry: Json = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        resources.append(entry)
        for name, sub_group, sub_version, kind, verbs in _subresources(resource):
            sub: Json = {
                "name": f"{resource.plural}/{name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": kind,
                "verbs": list(verbs),
            }
            if (sub_group, sub_version) != (resource.group, resource.version):
                sub |= {"group": sub_group, "version": sub_version}
            resources.append(sub)
    api_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}


def aggregated(registry: Registry, *, core: bool) -> Json:
    """`/api` (`core`) and `/apis` in the aggregated form."""
    items: list[Json] = []
    for name, versions in _grouped(registry).items():
        if (name == "") is not core:
            continue
        listed = [
            {
                "version": version,
                "resources": [_aggregated_resource(resource) for resource in resources],
                "freshness": "Current",
            }
            for version, resources in versions.items()
        ]
        metadata: Json = {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}
        items.append({"metadata": metadata, "versions": listed})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_resource(resource: Resource) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = [
        {"subresource": name, "responseKind": {"group": group_, "version": version, "kind": kind}, "verbs": list(verbs)}
        for name, group_, version, kind, verbs in _subresources(resource)
    ]
    if subresources:
        entry["subresources"] = subresources
    return entry
