"""The AWS Gateway API Controller as far as this controller meets it: by what it has left in Kubernetes and Lattice.

It does not run here; its work is done once for a route, by calls of the API, in its way where that is not ours. It asks
for no ReferenceGrant and does not look at a listener's hostname. Of several hostnames it serves the first. It writes a
rule for each match, in the order in which they are written, and has header values compared without regard to case. Its
target groups have random names and are known by their tags. On the route it leaves its finalizer, annotations and
status, and in the Lease its name.

Source: the AWS Gateway API Controller, v2.1.3, as seen in the resources that it makes.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from random import Random
from string import ascii_lowercase
from typing import Any

from sandbox.demo.clients import Aws
from sandbox.sandbox import ACCOUNT, CLUSTER, VPC
from tests.e2e.harness import CONTROLLER, PREFIX
from tests.support.target_groups import HTTP1_CONFIG
from tests.traffic.stage import Json, Stage

OWNER = f"{ACCOUNT}/{CLUSTER}/{VPC}"
FINALIZER = "httproute.k8s.aws/resources"
LEASE = "amazon-vpc-lattice.io"
HOLDER = "gateway-api-controller-6f9bdc7c5-x2x8p_0b8e6a1c-3d0e-4b5e-9f53-8c2c0f4f7f3a"
TIME = "2026-01-02T03:04:05.000006Z"
CREATED = 1767323045
"""Unix time of the routes' creation, as in the names of rules."""


class Predecessor:
    """`serve` does for a route what the controller that was before has done."""

    def __init__(self, one: Stage, aws: Aws) -> None:
        self._one = one
        self._aws = aws
        self._random = Random(7)

    async def serve(self, route: Json) -> str:
        """Apply an HTTPRoute and make of it what it was served by; returns the service's generated domain."""
        await self._one.apply(route)
        name, namespace = route["metadata"]["name"], route["metadata"]["namespace"]
        tags = {f"{PREFIX}ManagedBy": OWNER}
        made = await self._aws(
            "create_service",
            name=f"{name[:20].strip('-')}-{namespace[:18].strip('-')}",
            tags={
                **tags,
                f"{PREFIX}RouteName": name,
                f"{PREFIX}RouteNamespace": namespace,
                f"{PREFIX}RouteType": "http",
            },
            **({"customDomainName": route["spec"]["hostnames"][0]} if "hostnames" in route["spec"] else {}),
        )
        (network,) = (await self._aws("list_service_networks"))["items"]
        await self._aws(
            "create_service_network_service_association",
            serviceNetworkIdentifier=network["id"],
            serviceIdentifier=made["id"],
            tags=tags,
        )
        groups = {backend: await self._group(route, *backend) for backend in backends(route)}
        for listener in await self._listeners(route):
            await self._listen(route, made, listener["port"], groups, tags)
        await self._sign(route, made)
        return str(made["dnsEntry"]["domainName"])

    async def hold_the_lease(self) -> None:
        """As client-go writes it, and as it stays when the process ends."""
        spec = {
            "holderIdentity": HOLDER,
            "leaseDurationSeconds": 15,
            "leaseTransitions": 4,
            "acquireTime": TIME,
            "renewTime": TIME,
        }
        metadata = {"name": LEASE, "namespace": "default"}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        await self._one.apply(lease)

    async def _listeners(self, route: Json) -> list[Json]:
        """Those of the first parent alone, whatever hostnames they have."""
        parent = route["spec"]["parentRefs"][0]
        gateway = await self._one.get("Gateway", parent["name"])
        wanted = parent.get("sectionName")
        return [listener for listener in gateway["spec"]["listeners"] if wanted in {None, listener["name"]}]

    async def _listen(
        self, route: Json, service: Json, port: int, groups: dict[tuple[str, str, int], str], tags: dict[str, str]
    ) -> None:
        name, namespace = route["metadata"]["name"], route["metadata"]["namespace"]
        listening = await self._aws(
            "create_listener",
            serviceIdentifier=service["id"],
            name=f"{name[:20].strip('-')}-{namespace[:18].strip('-')}-{port}-http",
            protocol="HTTP",
            port=port,
            defaultAction={"fixedResponse": {"statusCode": 404}},
            tags=tags,
        )
        for priority, (match, rule) in enumerate(matches(route), start=1):
            await self._aws(
                "create_rule",
                serviceIdentifier=service["id"],
                listenerIdentifier=listening["id"],
                name=f"k8s-{CREATED}-rule-{priority}",
                priority=priority,
                match={"httpMatch": match},
                action={
                    "forward": {
                        "targetGroups": [
                            {
                                "targetGroupIdentifier": groups[identity(route, backend)],
                                "weight": backend["weight"],
                            }
                            for backend in rule["backendRefs"]
                        ]
                    }
                },
                tags=tags,
            )

    async def _group(self, route: Json, namespace: str, service: str, port: int) -> str:
        letters = "".join(self._random.choice(ascii_lowercase) for _ in range(10))
        made = await self._aws(
            "create_target_group",
            name=f"k8s-{namespace[:55].strip('-')}-{service[:55].strip('-')}-{letters}",
            type="IP",
            config={**HTTP1_CONFIG, "vpcIdentifier": VPC},
            tags={
                f"{PREFIX}ManagedBy": OWNER,
                f"{PREFIX}ClusterName": CLUSTER,
                f"{PREFIX}ServiceName": service,
                f"{PREFIX}ServiceNamespace": namespace,
                f"{PREFIX}SourceTypeKey": "HTTPRoute",
                f"{PREFIX}ProtocolVersion": "HTTP1",
                f"{PREFIX}RouteName": route["metadata"]["name"],
                f"{PREFIX}RouteNamespace": route["metadata"]["namespace"],
            },
        )
        targets = [{"id": ip, "port": number} for ip, number in await self._one.endpoints(service, port, namespace)]
        await self._aws("register_targets", targetGroupIdentifier=made["id"], targets=targets)
        return str(made["id"])

    async def _sign(self, route: Json, service: Json) -> None:
        name, namespace = route["metadata"]["name"], route["metadata"]["namespace"]
        metadata = {
            "finalizers": [FINALIZER],
            "annotations": {
                f"{PREFIX}lattice-assigned-domain-name": service["dnsEntry"]["domainName"],
                f"{PREFIX}lattice-service-arn": service["arn"],
            },
        }
        await self._one.patch("HTTPRoute", name, {"metadata": metadata}, namespace=namespace)
        conditions = [
            {"type": type_, "reason": type_, "status": "True", "observedGeneration": 1, "message": message}
            | {"lastTransitionTime": "2026-01-02T03:04:05Z"}
            for type_, message in (
                ("Accepted", f"DNS Name: {service['dnsEntry']['domainName']}"),
                ("ResolvedRefs", ""),
            )
        ]
        parents = [
            {"parentRef": parent, "controllerName": CONTROLLER, "conditions": conditions}
            for parent in route["spec"]["parentRefs"]
        ]
        status = {"status": {"parents": parents}}
        await self._one.patch("HTTPRoute", name, status, namespace=namespace, subresource="status")


def identity(route: Json, backend: Json) -> tuple[str, str, int]:
    """Namespace, name and port of a backend."""
    return backend.get("namespace", route["metadata"]["namespace"]), backend["name"], backend["port"]


def backends(route: Json) -> list[tuple[str, str, int]]:
    """Those of all rules, each once."""
    found = [identity(route, backend) for rule in route["spec"]["rules"] for backend in rule["backendRefs"]]
    return list(dict.fromkeys(found))


def matches(route: Json) -> Iterator[tuple[dict[str, Any], Json]]:
    """As they go over the wire, in the order written, with their rules."""
    for rule in route["spec"]["rules"]:
        for match in rule["matches"]:
            path = match.get("path", {"type": "PathPrefix", "value": "/"})
            kind = "exact" if path["type"] == "Exact" else "prefix"
            wire: dict[str, Any] = {"pathMatch": {"match": {kind: path["value"]}, "caseSensitive": True}}
            if "headers" in match:
                wire["headerMatches"] = [
                    {"name": header["name"], "match": {"exact": header["value"]}} for header in match["headers"]
                ]
            yield wire, rule


@asynccontextmanager
async def predecessor(one: Stage) -> AsyncGenerator[Predecessor]:
    """It has held the Lease."""
    aws = Aws(one.sandbox.lattice.url, one.sandbox.environment["REGION"], Counter())
    try:
        made = Predecessor(one, aws)
        await made.hold_the_lease()
        yield made
    finally:
        aws.close()
