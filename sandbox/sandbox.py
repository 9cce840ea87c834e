"""The four parts as one: what a laptop needs instead of a cluster and an AWS account.

A sandbox is a Kubernetes API in memory, an emulated VPC Lattice, Lattice's data plane and the workloads that run
behind it, all on loopback sockets of one process. Clients are the usual ones: kubectl, the AWS CLI, curl, a
controller. What they need to find it is written into a directory: a kubeconfig, and a file of environment variables.

Everything that can fail because of this machine (the directory, the ports, the network) is taken before the first task
is started, so that the caller gets the error itself and not a group of one.
"""

import shlex
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import anyio
import yaml

from sandbox.cluster import Cluster
from sandbox.dataplane import DataPlane, HealthChecker
from sandbox.directory import Directory
from sandbox.kube import KubeServer
from sandbox.lattice import LatticeServer, Timings
from sandbox.network import Network
from sandbox.workloads import Workloads

ACCOUNT = "123456789012"
REGION = "us-west-2"
CLUSTER = "sandbox"
VPC = "vpc-0a1b2c3d4e5f67890"


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports on 127.0.0.1; 0 takes a free one."""

    kubernetes: int = 0
    lattice: int = 0
    dataplane: int = 0


FIXED_PORTS = Ports(kubernetes=7443, lattice=7444, dataplane=7480)
"""What `lattice-controller sandbox` listens on, so that commands can be written down."""


@dataclass(slots=True)
class Sandbox:
    """A running sandbox; see `start`."""

    cluster: Cluster
    kube: KubeServer | None
    """The API server of the cluster; None where that is not the sandbox's own."""
    lattice: LatticeServer
    dataplane: DataPlane
    workloads: Workloads
    kubeconfig: Path
    environment: dict[str, str]
    """What a client of this sandbox has in its environment."""
    environment_file: Path
    """The same, for a shell to read."""


_LOCAL = "127.0.0.1,localhost"


def _environment(kubeconfig: Path, authority: Path, lattice: LatticeServer, dataplane: DataPlane) -> dict[str, str]:
    return {
        "KUBECONFIG": str(kubeconfig),
        "AWS_ENDPOINT_URL": lattice.url,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": lattice.url,
        "LATTICE_ENDPOINT": lattice.url,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "REGION": REGION,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "CLUSTER_NAME": CLUSTER,
        "CLUSTER_VPC_ID": VPC,
        "POD_NAMESPACE": "default",
        "DATA_PLANE": dataplane.url,
        "DATA_PLANE_CA": str(authority),
    }


def _shell(environment: Mapping[str, str]) -> str:
    """The environment as lines of a POSIX shell.

    Clients behind a proxy would ask it for 127.0.0.1; what the shell already excepts from its proxy stays excepted.
    """
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines += [f'export {name}="{_LOCAL}${{{name}:+,${name}}}"' for name in ("NO_PROXY", "no_proxy")]
    return "\n".join(lines) + "\n"


@asynccontextmanager
async def start(
    directory: Path,
    *,
    ports: Ports = Ports(),
    timings: Timings | None = None,
    seed: int = 0,
    health_speed: float = 10.0,
    cluster: Cluster | None = None,
) -> AsyncGenerator[Sandbox]:
    """A sandbox that runs until the context is left.

    `directory` receives the clients' files, and is held against other sandboxes. `timings` are those of Lattice's
    asynchronous states, `health_speed` divides the intervals of health checks. The seed fixes every random choice. With
    a `cluster` given, there is no Kubernetes API in memory.

    Raises DirectoryError when the directory cannot be used or is in use, OSError when a port is taken, and
    NetworkUnavailableError where there can be no pods.
    """
    async with AsyncExitStack() as stack:
        files = stack.enter_context(Directory(directory))
        network = stack.enter_context(Network())
        network.check()
        kube = None
        if cluster is None:
            kube = await stack.enter_async_context(KubeServer(port=ports.kubernetes, seed=seed))
            cluster = Cluster(kube.url, kube.kubeconfig())
        lattice = await stack.enter_async_context(
            LatticeServer(
                port=ports.lattice,
                account=ACCOUNT,
                region=REGION,
                vpc=VPC,
                cluster=CLUSTER,
                seed=seed,
                timings=timings,
                validate_answers=True,
            )
        )
        choices = Random(seed)  # noqa: S311 -- spreads requests, guards nothing
        dataplane = DataPlane(lattice.directory, network=network, random=choices, port=ports.dataplane)
        stack.enter_context(dataplane.listening())
        workloads = Workloads(cluster.url, token=cluster.token, ssl=cluster.tls, network=network, seed=seed)
        checker = HealthChecker(lattice.directory, network=network, speed=health_speed)
        kubeconfig = files.write("kubeconfig", yaml.safe_dump(dict(cluster.kubeconfig)))
        authority = files.write("ca.pem", dataplane.authority.pem)
        environment = _environment(kubeconfig, authority, lattice, dataplane)
        environment_file = files.write("env", _shell(environment))
        sandbox = Sandbox(cluster, kube, lattice, dataplane, workloads, kubeconfig, environment, environment_file)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        try:
            await tasks.start(dataplane.run)
            await tasks.start(workloads.run)
            await tasks.start(checker.run)
            yield sandbox
        finally:
            tasks.cancel_scope.cancel()
