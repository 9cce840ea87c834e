"""The walk-through, step by step; each step says what has to hold, and fails the demo if it does not.

It is the one with which users of Gateway API on VPC Lattice usually begin: a service network `my-hotel`, a Gateway for
it, the routes `rates` and `inventory`, requests between pods; and then what makes people trust a controller: a second
version by weight, a pod that dies, and a clean end.
"""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import orjson
from botocore.exceptions import ClientError
from rich.console import Console
from rich.markup import escape

from sandbox.cluster import Cluster
from sandbox.demo.clients import Aws, Kubectl, kubectl
from sandbox.demo.process import Controller, controller
from sandbox.demo.stage import Stage, StepFailedError
from sandbox.lattice import Timings
from sandbox.network import NetworkUnavailableError
from sandbox.sandbox import Sandbox, start

EXAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "examples"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
DOMAIN = "application-networking.k8s.aws/lattice-assigned-domain-name"

SHARED_REQUESTS = 200
"""Requests by which weights are tried."""

TOLERANCE = 0.15
"""By how much the share of a version may differ from what its weight asks: more than four standard deviations."""


def play(*, seed: int, show_logs: bool) -> int:
    """Play it, and return the process's exit code: 0 only if every step held."""
    console = Console(highlight=False)
    if not EXAMPLES.is_dir():
        console.print(f"the demo plays the manifests of deploy/examples, which a checkout has; there is no {EXAMPLES}")
        return 1
    try:
        return asyncio.run(perform(console, seed=seed, show_logs=show_logs))
    except NetworkUnavailableError as error:
        console.print(f"[red]the demo cannot start:[/] {escape(str(error))}")
        return 1


async def perform(console: Console, *, seed: int, show_logs: bool, cluster: Cluster | None = None) -> int:
    """The same on a console of the caller's, and on another cluster than the sandbox's own where one is given.

    Raises NetworkUnavailableError where there can be no pods.
    """
    with tempfile.TemporaryDirectory(prefix="lattice-demo-") as folder:
        log = Path(folder, "controller.log")
        code = 0
        try:
            await _tell(console, Path(folder), log, seed, cluster)
        except* (StepFailedError, aiohttp.ClientError, ClientError) as failed:
            for error in failed.exceptions:
                console.print(f"[red]✗ {escape(str(error))}[/]")
            code = 1
        if show_logs or code:
            lines = (await anyio.Path(log).read_text()).splitlines()
            console.rule("the controller's log" if show_logs else "the end of the controller's log", align="left")
            console.print(escape("\n".join(lines if show_logs else lines[-20:])), soft_wrap=True)
    if code == 0:
        console.print("\n[bold green]every step held[/]")
    return code


async def _tell(console: Console, folder: Path, log: Path, seed: int, cluster: Cluster | None) -> None:
    # Short states, so that nobody waits for what only a real account has to wait for.
    timings = Timings(draining=(1.0, 1.0))
    async with (
        start(folder, timings=timings, seed=seed, health_speed=30.0, cluster=cluster) as sandbox,
        controller(sandbox.environment, log) as process,
        kubectl(sandbox.cluster) as client,
    ):
        stage = Stage(console, sandbox.lattice.calls, sandbox.kube)
        await Story(stage, sandbox, client, process).tell()


class Story:
    """The steps, and what they hand on to each other."""

    def __init__(self, stage: Stage, sandbox: Sandbox, client: Kubectl, process: Controller) -> None:
        self._stage = stage
        self._sandbox = sandbox
        self._kubectl = client
        self._controller = process
        self._aws = Aws(sandbox.lattice.url, sandbox.environment["REGION"], stage.own)
        self._network = ""
        self._vpc_association = ""

    async def tell(self) -> None:
        """All steps in order. Raises StepFailedError at the first that does not hold."""
        try:
            await self._service_network()
            await self._gateway()
            await self._routes()
            await self._requests()
            await self._second_version()
            await self._changed_weight()
            await self._dying_pod()
            await self._end()
        finally:
            self._aws.close()
        self._stage.summary()

    async def _service_network(self) -> None:
        told = "A service network is where services of Lattice find their clients. It is the administrator's to make."
        with self._stage.step("A service network, associated with the cluster's VPC", told=told, writes={}):
            vpc = self._sandbox.environment["CLUSTER_VPC_ID"]
            self._stage.command(
                "aws vpc-lattice create-service-network --name my-hotel",
                "aws vpc-lattice create-service-network-vpc-association "
                f"--service-network-identifier $MY_HOTEL_ID --vpc-identifier {vpc}",
            )
            network = await self._aws("create_service_network", name="my-hotel")
            self._network = network["id"]
            made = await self._aws(
                "create_service_network_vpc_association", serviceNetworkIdentifier=self._network, vpcIdentifier=vpc
            )
            self._vpc_association = made["id"]

            async def active() -> bool:
                found = await self._aws(
                    "get_service_network_vpc_association",
                    serviceNetworkVpcAssociationIdentifier=self._vpc_association,
                )
                return bool(found["status"] == "ACTIVE")

            await self._stage.until("the association becomes active", active)
            self._stage.good(f"service network my-hotel is {self._network}, associated with {vpc}")

    async def _gateway(self) -> None:
        with self._stage.step("A Gateway for it", writes={}):
            await self._apply("gatewayclass.yaml", "my-hotel-gateway.yaml")

            async def programmed() -> bool:
                gateway = await self._kubectl.get(f"{GATEWAYS}/my-hotel") or {}
                conditions = gateway.get("status", {}).get("conditions", [])
                return any(each["type"] == "Programmed" and each["status"] == "True" for each in conditions)

            await self._stage.until("the Gateway is programmed", programmed)
            await self._show(GATEWAYS, "kubectl get gateway")
            self._stage.good("the Gateway stands for the service network of its name")

    async def _routes(self) -> None:
        told = "Two routes over three Services; each route becomes a service of Lattice with a domain name of its own."
        writes = {
            "CreateTargetGroup": 3, "RegisterTargets": 3, "CreateService": 2, "CreateListener": 2, "CreateRule": 3,
            "CreateServiceNetworkServiceAssociation": 2,
        }  # fmt: skip
        with self._stage.step("Deployments, Services and two HTTPRoutes", told=told, writes=writes):
            await self._apply("parking.yaml", "review.yaml", "inventory-ver1.yaml")
            await self._ready("parking", "review", "inventory-ver1")
            await self._apply("rate-route-path.yaml", "inventory-route.yaml")
            for route in ("rates", "inventory"):

                async def named(name: str = route) -> bool:
                    return await self._domain(name) is not None and await self._accepted(name)

                await self._stage.until(f"the route {route} has a domain name", named)
            await self._show(ROUTES, "kubectl get httproute")

            async def addressed() -> bool:
                gateway = await self._kubectl.get(f"{GATEWAYS}/my-hotel") or {}
                return bool(gateway.get("status", {}).get("addresses"))

            await self._stage.until("the Gateway has an address", addressed)
            await self._show(GATEWAYS, "kubectl get gateway")
            escaped = DOMAIN.replace(".", r"\.")
            for route in ("rates", "inventory"):
                self._stage.command(f"kubectl get httproute {route} -o jsonpath='{{.metadata.annotations.{escaped}}}'")
                self._stage.say(await self._domain(route) or "")
            self._stage.good("both routes are accepted and have a domain name")

    async def _ready(self, *services: str) -> None:
        """Wait until every pod that a Service is to have is an endpoint of it."""

        async def ready() -> bool:
            for service in services:
                deployment = await self._kubectl.get(f"{DEPLOYMENTS}/{service}") or {}
                slices = (
                    await self._kubectl.get(f"{SLICES}?labelSelector=kubernetes.io%2Fservice-name%3D{service}") or {}
                )
                endpoints = [each for one in slices["items"] for each in one["endpoints"] or ()]
                if sum(each["conditions"]["ready"] for each in endpoints) != deployment["spec"]["replicas"]:
                    return False
            return True

        await self._stage.until(f"the pods of {', '.join(services)} are ready", ready)

    async def _requests(self) -> None:
        told = (
            "From pod to pod by way of Lattice's data plane: real requests on real sockets, by the programmed rules. "
            "Each is made from a pod's address, as kubectl exec would make it; the sandbox's pods run no commands."
        )
        with self._stage.step("Requests between the services", told=told, writes={}, reads=0):
            rates, inventory = await self._domain("rates"), await self._domain("inventory")
            for caller, url, expected in (
                ("inventory-ver1", f"{rates}/parking", "parking handler pod"),
                ("inventory-ver1", f"{rates}/review", "review handler pod"),
                ("parking", f"{inventory}", "Inventory-ver1 handler pod"),
            ):
                await self._answered(caller, url, expected)

    async def _answered(self, caller: str, url: str, expected: str) -> None:
        async def answers() -> bool:
            return expected in await self._ask(caller, url)

        await self._stage.until(f"{url} answers", answers)
        shown = url.replace(await self._domain("rates") or "", "$ratesFQDN")
        shown = shown.replace(await self._domain("inventory") or "", "$inventoryFQDN")
        self._stage.command(f"curl --proxy $DATA_PLANE http://{shown}    # from a pod of {caller}")
        self._stage.say((await self._ask(caller, url)).strip())

    async def _second_version(self) -> None:
        told = (
            "A second backend of the route: a target group, its targets, and a rule that shares out the requests. "
            "The rule gets the group with the weight 0 first, because Lattice sends no request to targets that have "
            "not passed a health check, and checks only what is in use."
        )
        writes = {"CreateTargetGroup": 1, "RegisterTargets": 1, "UpdateRule": 2}
        with self._stage.step("A second version, by weight", told=told, writes=writes):
            await self._apply("inventory-ver2.yaml")
            await self._ready("inventory-ver2")
            await self._apply("inventory-route-bluegreen.yaml")
            url = await self._domain("inventory") or ""

            async def both() -> bool:
                return "ver2" in await self._ask("parking", url)

            await self._stage.until("the second version answers", both)
            await self._shared(url, asked=0.9)

    async def _changed_weight(self) -> None:
        told = "One changed weight is one write to Lattice; requests are shared anew from the moment it is made."
        with self._stage.step("Another weight", told=told, writes={"UpdateRule": 1}, reads=0):
            change = [{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 90}]
            self._stage.command(f"kubectl patch httproute inventory --type=json -p '{orjson.dumps(change).decode()}'")
            mark = self._sandbox.lattice.calls.mark()
            await self._kubectl.patch(f"{ROUTES}/inventory", change)

            async def written() -> bool:
                return "UpdateRule" in self._sandbox.lattice.calls.by_operation(mark)

            await self._stage.until("the rule is updated", written)
            await self._shared(await self._domain("inventory") or "", asked=0.5)

    async def _shared(self, url: str, *, asked: float) -> None:
        """Try the weights by requests from a pod; `asked` is the share of the second version."""
        answers = Counter([_version(await self._ask("parking", url)) for _ in range(SHARED_REQUESTS)])
        self._stage.shares(answers)
        second = answers["Inventory-ver2"] / SHARED_REQUESTS
        wanted = f"{asked:.0%} asked for"
        self._stage.require(answers["failed"] == 0, f"{answers['failed']} requests failed")
        self._stage.require(abs(second - asked) <= TOLERANCE, f"{second:.0%} went to the second version, {wanted}")
        self._stage.good(
            f"{second:.0%} of {SHARED_REQUESTS} requests went to the second version ({wanted}), none failed"
        )

    async def _dying_pod(self) -> None:
        told = "Its endpoint goes, so its target goes; the pod that replaces it is registered."
        writes = {"DeregisterTargets": 1, "RegisterTargets": 1}
        with self._stage.step("A pod dies", told=told, writes=writes, reads=0):
            pods = await self._pods("parking")
            name, address = pods[0]
            self._stage.command(f"kubectl delete pod {name} --now")
            await self._kubectl.delete_now(f"/api/v1/namespaces/default/pods/{name}")

            async def replaced() -> bool:
                serving = await self._serving("parking")
                return address not in serving and len(serving) == len(pods)

            await self._stage.until(f"{address} has left the target group, and another pod has come", replaced)
            url = f"{await self._domain('rates')}/parking"
            answers = Counter([_version(await self._ask("inventory-ver1", url)) for _ in range(20)])
            self._stage.require(answers["failed"] == 0, f"{answers['failed']} of 20 requests failed")
            self._stage.good(f"{name} has left the target group, its successor has come; 20 of 20 requests answered")

    async def _end(self) -> None:
        with self._stage.step("Everything is deleted", told="Routes first; what they made in Lattice goes with them."):
            await self._delete("rate-route-path.yaml", "inventory-route.yaml")

            async def routes_gone() -> bool:
                return not (await self._kubectl.get(ROUTES) or {})["items"]

            await self._stage.until("the routes are gone", routes_gone)
            await self._delete("parking.yaml", "review.yaml", "inventory-ver1.yaml", "inventory-ver2.yaml")
            await self._delete("my-hotel-gateway.yaml", "gatewayclass.yaml")

            async def gateway_gone() -> bool:
                return await self._kubectl.get(f"{GATEWAYS}/my-hotel") is None

            await self._stage.until("the Gateway is gone", gateway_gone)
            left = {
                "services": (await self._aws("list_services"))["items"],
                "target groups": (await self._aws("list_target_groups"))["items"],
                "service associations": (
                    await self._aws("list_service_network_service_associations", serviceNetworkIdentifier=self._network)
                )["items"],
            }
            self._stage.table(("IN LATTICE", "LEFT"), [(what, str(len(items))) for what, items in left.items()])
            self._stage.require(not any(left.values()), f"something is left in Lattice: {left}")
            await self._aws(
                "delete_service_network_vpc_association", serviceNetworkVpcAssociationIdentifier=self._vpc_association
            )
            code = await self._controller.stop()
            self._stage.require(code == 0, f"the controller ended with exit code {code}")
            self._stage.good("Lattice is empty, and the controller has stopped cleanly")

    async def _apply(self, *names: str) -> None:
        self._stage.command(*(f"kubectl apply -f deploy/examples/{name}" for name in names))
        for name in names:
            await self._kubectl.apply(EXAMPLES / name)

    async def _delete(self, *names: str) -> None:
        self._stage.command(*(f"kubectl delete -f deploy/examples/{name}" for name in names))
        for name in names:
            await self._kubectl.delete(EXAMPLES / name)

    async def _show(self, path: str, command: str) -> None:
        self._stage.command(command)
        self._stage.table(*await self._kubectl.table(path))

    async def _domain(self, route: str) -> str | None:
        found = await self._kubectl.get(f"{ROUTES}/{route}") or {}
        name: str | None = found.get("metadata", {}).get("annotations", {}).get(DOMAIN)
        return name

    async def _accepted(self, route: str) -> bool:
        found = await self._kubectl.get(f"{ROUTES}/{route}") or {}
        parents = found.get("status", {}).get("parents", [])
        return any(
            condition["type"] == "Accepted" and condition["status"] == "True"
            for parent in parents
            for condition in parent["conditions"]
        )

    async def _pods(self, deployment: str) -> list[tuple[str, str]]:
        """Name and address of each running pod."""
        found = await self._kubectl.get(f"/api/v1/namespaces/default/pods?labelSelector=app%3D{deployment}") or {}
        return [
            (pod["metadata"]["name"], pod["status"]["podIP"])
            for pod in found["items"]
            if pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]

    async def _ask(self, deployment: str, url: str) -> str:
        """What a pod of the deployment is answered; empty for a failed request."""
        pods = await self._pods(deployment)
        if not pods:
            return ""
        answer = await self._sandbox.workloads.request(
            "default", pods[0][0], f"http://{url}", via=self._sandbox.dataplane.url
        )
        return answer.text if answer.status == 200 else ""

    async def _serving(self, service: str) -> set[str]:
        """Addresses of the targets of a Service's groups that take requests."""
        groups: list[Any] = (await self._aws("list_target_groups"))["items"]
        serving: set[str] = set()
        for group in groups:
            if f"-{service}-" in group["name"]:
                targets = await self._aws("list_targets", targetGroupIdentifier=group["id"])
                serving |= {target["id"] for target in targets["items"] if target["status"] == "HEALTHY"}
        return serving


def _version(answer: str) -> str:
    """The first word of what the handler calls itself, such as `Inventory-ver2`."""
    _, _, handler = answer.strip().partition("): ")
    return handler.split(" ")[0] if handler else "failed"
