"""The four parts as one: what a laptop needs instead of a cluster and an AWS account.

A sandbox is a Kubernetes API in memory, an emulated VPC Lattice, Lattice's data plane and the workloads that run
behind it, all on loopback sockets of one process. Clients are the usual ones: kubectl, the AWS CLI, curl, a
controller. What they need to find it is written into a directory: a kubeconfig, and a file of environment variables.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import anyio
import yaml

from sandbox.dataplane import DataPlane, HealthChecker
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

    kube: KubeServer
    lattice: LatticeServer
    dataplane: DataPlane
    workloads: Workloads
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    """What a client of this sandbox has in its environment."""

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def environment_file(self) -> Path:
        return self.directory / "env"


def _write_client_files(sandbox: Sandbox) -> None:
    sandbox.directory.mkdir(parents=True, exist_ok=True)
    sandbox.kubeconfig.write_text(yaml.safe_dump(sandbox.kube.kubeconfig()))
    sandbox.kubeconfig.chmod(0o600)
    sandbox.environment = {
        "KUBECONFIG": str(sandbox.kubeconfig),
        "AWS_ENDPOINT_URL": sandbox.lattice.url,
        "LATTICE_ENDPOINT": sandbox.lattice.url,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "REGION": REGION,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "CLUSTER_NAME": CLUSTER,
        "CLUSTER_VPC_ID": VPC,
        "DATA_PLANE": sandbox.dataplane.url,
    }
    lines = [f"export {name}='{value}'" for name, value in sandbox.environment.items()]
    sandbox.environment_file.write_text("\n".join(lines) + "\n")


@asynccontextmanager
async def start(
    directory: Path,
    *,
    ports: Ports = Ports(),
    timings: Timings | None = None,
    seed: int = 0,
    health_speed: float = 10.0,
) -> AsyncGenerator[Sandbox]:
    """A sandbox that runs until the context is left.

    `directory` receives the clients' files. `timings` are those of Lattice's asynchronous states, `health_speed`
    divides the intervals of health checks. The seed fixes every random choice. Raises OSError when a port is taken,
    and NetworkUnavailableError where there can be no pods.
    """
    async with AsyncExitStack() as stack:
        network = stack.enter_context(Network())
        network.check()
        kube = await stack.enter_async_context(KubeServer(port=ports.kubernetes, seed=seed))
        lattice = await stack.enter_async_context(
            LatticeServer(port=ports.lattice, account=ACCOUNT, region=REGION, seed=seed, timings=timings)
        )
        choices = Random(seed)  # noqa: S311 -- spreads requests, guards nothing
        dataplane = DataPlane(lattice.directory, network=network, random=choices, port=ports.dataplane)
        workloads = Workloads(kube.url, network=network, seed=seed)
        checker = HealthChecker(lattice.directory, network=network, speed=health_speed)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        try:
            await tasks.start(dataplane.run)
            await tasks.start(workloads.run)
            await tasks.start(checker.run)
            sandbox = Sandbox(kube, lattice, dataplane, workloads, directory)
            _write_client_files(sandbox)
            yield sandbox
        finally:
            tasks.cancel_scope.cancel()
