"""Everything that the suite runs against: a real Kubernetes API, the emulated VPC Lattice, and the controller.

The parts are the same as in production but for AWS and for the nodes. The controller is the command
`lattice-controller run` in a process of its own, with the rights of `deploy/`. Of AWS there is the emulated API, the
data plane on ports of its own, and the VPC's resolver; of nodes, the sandbox's workloads, in which the suite's backends
are the suite's own program. Service networks are somebody else's to make, so one is made for each Gateway of the
suite's manifests, by its name, as the README tells a user to do.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import yaml

from sandbox.dataplane import DataPlane, HealthChecker
from sandbox.demo.process import Controller, controller
from sandbox.kube.bodies import load_yaml
from sandbox.lattice import LatticeServer, Quotas
from sandbox.lattice.networks import create_service_network
from sandbox.lattice.state import Call
from sandbox.network import Network
from sandbox.workloads import Workloads
from sandbox.workloads.programs import Programs
from tests.conformance import names, ports
from tests.conformance.build import ECHO
from tests.real.rights import PATHS, grant, token
from tests.support.kube_apiserver import KubeApiserver

CLASS = "amazon-vpc-lattice"

CLUSTER, VPC = "conformance", "vpc-0123456789abcdef0"

DATA_PLANE = "127.171.0.1"
"""Where the data plane listens, on the ports that listeners have: on AWS it is in 169.254.171.0/24."""

ECHO_IMAGE = "gateway-api/echo-basic"

QUOTAS = Quotas(service_networks=200, listeners_per_service=5)
"""The defaults, but for two that AWS adjusts on request and of which the suite needs more: it has some ninety Gateways,
and routes on listeners of three ports.
"""

HEALTH_SPEED = 30.0
"""Health checks of 30 s are made each second, since nobody waits for minutes."""

_PATIENCE = 120.0
"""Seconds for the controller to accept its GatewayClass, or for namespaces to be gone; a few are usual."""

_NAMESPACES = "gateway-conformance-"
"""How the names of the suite's namespaces begin."""

DEPLOY = Path(__file__).parents[2] / "deploy"

DEFINITIONS = DEPLOY / "crds"

CERTIFICATES = DEPLOY / "kustomize" / "import-certificates" / "rbac.yaml"


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack."""

    kubeconfig: Path
    """Of an administrator."""
    resolver: str
    """The address of the VPC's resolver, over UDP."""
    controller: Controller
    log: Path
    """The controller's."""
    lattice: LatticeServer
    dataplane: DataPlane


@dataclass(frozen=True, slots=True)
class Gateways:
    """What the suite's Gateways are called, and the ports of their listeners."""

    names: frozenset[str]
    ports: frozenset[int]


def gateways_of(folder: Path) -> Gateways:
    """Those of all manifests below a folder."""
    names, found = set(), set()
    for file in folder.rglob("*.yaml"):
        for doc in yaml.safe_load_all(file.read_text()):
            if doc and doc.get("kind") == "Gateway":
                names.add(doc["metadata"]["name"])
                found |= {int(listener["port"]) for listener in doc["spec"]["listeners"]}
    return Gateways(frozenset(names), frozenset(found))


def install(kube: KubeApiserver) -> str:
    """Install our definitions, the GatewayClass and the rights of `deploy/`, with that to read the certificates of
    Secrets; the token of the controller's account.
    """
    kube.install_crds(DEFINITIONS)
    kube.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": "application-networking.k8s.aws/gateway-api-controller"},
        },
        path="/apis/gateway.networking.k8s.io/v1/gatewayclasses",
    )
    grant(kube)
    for obj in load_yaml(CERTIFICATES.read_bytes()):
        kube.apply(obj, path=PATHS[obj["kind"]])
    return token(kube)


async def claimed_features(kube: KubeApiserver) -> frozenset[str] | None:
    """The features in the GatewayClass's status once it is accepted; None if it names none.

    Raises TimeoutError if it is not accepted.
    """
    path = f"/apis/gateway.networking.k8s.io/v1/gatewayclasses/{CLASS}"
    with anyio.fail_after(_PATIENCE):
        while True:
            status = (await anyio.to_thread.run_sync(kube.request, "GET", path)).get("status", {})
            if any(each["type"] == "Accepted" and each["status"] == "True" for each in status.get("conditions", ())):
                return frozenset(each["name"] for each in status.get("supportedFeatures") or ()) or None
            await anyio.sleep(0.1)


async def emptied(kube: KubeApiserver) -> None:
    """Return when the suite's namespaces are gone: all that was in them had to be let go. Raises TimeoutError."""
    with anyio.fail_after(_PATIENCE):
        while True:
            listed = await anyio.to_thread.run_sync(kube.request, "GET", "/api/v1/namespaces")
            if not any(each["metadata"]["name"].startswith(_NAMESPACES) for each in listed["items"]):
                return
            await anyio.sleep(0.1)


@asynccontextmanager
async def running(kube: KubeApiserver, built: Path, directory: Path) -> AsyncGenerator[Stack]:
    """The stack around a Kubernetes API that has the Gateway API's definitions.

    `built` is the folder of the suite's programs and manifests; `directory` receives logs and files. Raises PortError
    where the ports of Gateways cannot be listened on.
    """
    gateways = gateways_of(built)
    account_token = install(kube)
    async with AsyncExitStack() as stack:
        network = stack.enter_context(Network())
        lattice = await stack.enter_async_context(LatticeServer(quotas=QUOTAS, validate_answers=True))
        for name in gateways.names:
            create_service_network(lattice.state, Call("CreateServiceNetwork", {"name": name}))
        choices = Random(0)
        dataplane = DataPlane(lattice.directory, network=network, random=choices)
        await stack.enter_async_context(dataplane.serving())
        door = urlsplit(dataplane.url).netloc
        await stack.enter_async_context(ports.forwarded(DATA_PLANE, gateways.ports, door, lambda: _any_name(lattice)))
        resolver = await stack.enter_async_context(names.serving(DATA_PLANE, lambda name: _is_generated(lattice, name)))
        programs = Programs({ECHO_IMAGE: built / ECHO}, directory / "pods")
        workloads = Workloads(kube.url, token=kube.token, ssl=kube.tls, network=network, programs=programs)
        checker = HealthChecker(lattice.directory, network=network, speed=HEALTH_SPEED)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        await tasks.start(workloads.run)
        await tasks.start(checker.run)
        log = directory / "controller.log"
        kubeconfig = kube.kubeconfig(directory / "controller.kubeconfig", token=account_token)
        process = await stack.enter_async_context(controller(_environment(lattice, kubeconfig), log))
        yield Stack(kube.kubeconfig(directory / "kubeconfig"), resolver, process, log, lattice, dataplane)


def _any_name(lattice: LatticeServer) -> str | None:
    """The domain name of some service that answers; None while there is none."""
    known = (service.domain for service in lattice.state.services)
    return next((name for name in known if _is_generated(lattice, name)), None)


def _is_generated(lattice: LatticeServer, name: str) -> bool:
    service = lattice.directory.service_by_domain(name)
    return service is not None and service.domain == name.lower()


def _environment(lattice: LatticeServer, kubeconfig: Path) -> dict[str, str]:
    return {
        "KUBECONFIG": str(kubeconfig),
        "AWS_ENDPOINT_URL": lattice.url,
        "AWS_ACCESS_KEY_ID": "conformance",
        "AWS_SECRET_ACCESS_KEY": "conformance",
        "AWS_EC2_METADATA_DISABLED": "true",
        "REGION": lattice.region,
        "AWS_ACCOUNT_ID": lattice.account,
        "CLUSTER_NAME": CLUSTER,
        "CLUSTER_VPC_ID": VPC,
        "IMPORT_CERTIFICATES": "true",
        "LOG_LEVEL": "debug",
    }
