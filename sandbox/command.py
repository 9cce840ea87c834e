"""A sandbox for a person at a terminal: starts it, says how to use it, and waits for Ctrl-C."""

import asyncio
import signal
from pathlib import Path

import anyio
from rich.console import Console
from rich.markup import escape

from sandbox.directory import DirectoryError
from sandbox.network import NetworkUnavailableError
from sandbox.sandbox import FIXED_PORTS, Ports, Sandbox, start

USAGE = """\
[bold]The sandbox is up.[/]  Stop it with Ctrl-C; everything in it is then gone.

  Kubernetes API    {kubernetes}
  VPC Lattice API   {lattice}   (account {account}, region {region}, also the tagging API, STS and ACM)
  data plane        {dataplane}

[bold]In another terminal[/]

  source {environment}

  aws vpc-lattice create-service-network --name my-hotel --endpoint-url $AWS_ENDPOINT_URL
  kubectl apply -f deploy/examples/gatewayclass.yaml -f deploy/examples/my-hotel-gateway.yaml
  kubectl apply -f deploy/examples/parking.yaml -f deploy/examples/review.yaml -f deploy/examples/rate-route-path.yaml

  lattice-controller plan                what would be done
  lattice-controller run                 the controller, until Ctrl-C

  kubectl get gatewayclass,gateway,httproute -A
  kubectl describe httproute rates
  aws vpc-lattice list-services --endpoint-url $AWS_ENDPOINT_URL
  domain=$(kubectl get httproute rates -o jsonpath='{{.metadata.annotations.{annotation}}}')
  curl --proxy $DATA_PLANE http://$domain/parking

  curl {lattice}/_sandbox/calls          every AWS call so far
"""


DOMAIN = r"application-networking\.k8s\.aws/lattice-assigned-domain-name"
"""The annotation with a route's domain name, as a JSONPath of kubectl's has it."""


def serve(directory: Path, *, free_ports: bool, seed: int) -> int:
    """Run a sandbox until SIGINT or SIGTERM; returns the exit code, 1 where it cannot start, having said why."""
    console = Console(highlight=False)
    try:
        asyncio.run(_serve(console, directory.absolute(), Ports() if free_ports else FIXED_PORTS, seed))
    except (NetworkUnavailableError, DirectoryError) as error:
        return _refused(console, str(error))
    except OSError as error:
        return _refused(console, f"{error}; another one may be running, and --free-ports takes other ports")
    return 0


def _refused(console: Console, why: str) -> int:
    console.print(f"[red]the sandbox cannot start:[/] {escape(why)}", soft_wrap=True)
    return 1


async def _serve(console: Console, directory: Path, ports: Ports, seed: int) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with start(directory, ports=ports, seed=seed) as sandbox:
            console.print(_usage(sandbox), soft_wrap=True)
            async for _ in signals:
                break
        console.print("the sandbox has stopped")


def _usage(sandbox: Sandbox) -> str:
    return USAGE.format(
        kubernetes=sandbox.cluster.url,
        lattice=sandbox.lattice.url,
        dataplane=sandbox.dataplane.url,
        account=sandbox.environment["AWS_ACCOUNT_ID"],
        region=sandbox.environment["REGION"],
        environment=sandbox.environment_file,
        annotation=DOMAIN,
    )
