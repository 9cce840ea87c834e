"""The commands side by side with clients that are not ours: kubectl, the AWS CLI, curl.

The sandbox and the controller are processes, started as the README says.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
DOMAIN = r"application-networking\.k8s\.aws/lattice-assigned-domain-name"
PATIENCE = 60.0

MISSING = [client for client in ("kubectl", "aws", "curl") if shutil.which(client) is None]


@pytest.fixture(autouse=True)
def clients() -> None:
    """The clients, without which there is nothing to test; where REQUIRE_CLIENTS=1 says so, that is a failure."""
    if MISSING:
        told = pytest.fail if os.environ.get("REQUIRE_CLIENTS") == "1" else pytest.skip
        told(f"not installed: {', '.join(MISSING)}")


class Terminal:
    """A shell of a user who has sourced the sandbox's environment file."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = {**os.environ, **environment, "AWS_PAGER": ""}

    def run(self, *command: str, code: int | None = 0, stderr: bool = False) -> str:
        """What the command prints; `stderr` as well, or only on standard output."""
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if code is not None:
            assert done.returncode == code, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr if stderr else done.stdout

    def controller(self, *arguments: str, code: int | None = 0, stderr: bool = False) -> str:
        return self.run(sys.executable, "-m", "controller", *arguments, code=code, stderr=stderr)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command of ours that runs until SIGTERM, which it has to obey with exit code 0."""
        process = subprocess.Popen(
            [sys.executable, "-m", "controller", *arguments],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=PATIENCE) == 0


def eventually(what: Callable[[], str]) -> str:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, f"still nothing after {PATIENCE} s"
        time.sleep(0.25)
    return found


def environment_of(file: Path) -> dict[str, str]:
    """What a shell has after sourcing the file, beside what it had before."""
    done = subprocess.run(["sh", "-c", '. "$0"; env -0', file], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


@pytest.fixture
def terminal(clients: None, tmp_path: Path) -> Iterator[Terminal]:
    with Terminal({}).running("sandbox", "--free-ports", "--directory", str(tmp_path)):
        eventually(lambda: "started" if (tmp_path / "env").exists() else "")
        yield Terminal(environment_of(tmp_path / "env"))


def test_the_readmes_session(terminal: Terminal) -> None:
    network = json.loads(terminal.run("aws", "vpc-lattice", "create-service-network", "--name", "my-hotel"))
    assert network["id"].startswith("sn-")

    files = [str(EXAMPLES / name) for name in ("gatewayclass.yaml", "my-hotel-gateway.yaml")]
    terminal.run("kubectl", "apply", *(word for file in files for word in ("-f", file)))
    files = [str(EXAMPLES / name) for name in ("parking.yaml", "review.yaml", "rate-route-path.yaml")]
    terminal.run("kubectl", "apply", *(word for file in files for word in ("-f", file)))

    planned = terminal.controller("plan", code=2)
    assert "CreateService" in planned
    assert terminal.run("aws", "vpc-lattice", "list-services", "--query", "items").strip() == "[]"

    with terminal.running("run", "--metrics-bind-address", "0", "--health-probe-bind-address", "0"):
        terminal.run("kubectl", "wait", "gateway/my-hotel", "--for=condition=Programmed", "--timeout=60s")
        domain = eventually(
            lambda: terminal.run(
                "kubectl", "get", "httproute", "rates", "-o", f"jsonpath={{.metadata.annotations.{DOMAIN}}}"
            )
        )

        objects = terminal.run("kubectl", "get", "gatewayclass,gateway,httproute", "-A")
        assert "gateway.networking.k8s.io/my-hotel" in objects
        described = eventually(
            lambda: (
                text if "DeploySucceed" in (text := terminal.run("kubectl", "describe", "httproute", "rates")) else ""
            )
        )
        assert "Accepted" in described
        assert "ResolvedRefs" in described

        services = json.loads(terminal.run("aws", "vpc-lattice", "list-services"))["items"]
        assert [(service["name"], service["dnsEntry"]["domainName"]) for service in services] == [
            ("rates-default", domain)
        ]

        proxy = terminal._environment["DATA_PLANE"]
        for path, handler in (("parking", "parking handler pod"), ("review", "review handler pod")):
            eventually(
                lambda url=f"http://{domain}/{path}", handler=handler: (
                    "yes" if handler in terminal.run("curl", "-s", "--proxy", proxy, url) else ""
                )
            )
        status = terminal.run(
            "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--proxy", proxy, f"http://{domain}/"
        )
        assert status == "404"

        assert "Nothing to do" in terminal.controller("plan", code=0)
        changed = json.loads(
            terminal.controller("plan", "-f", str(EXAMPLES / "inventory-route.yaml"), "-o", "json", code=2)
        )
        assert {operation["route"] for operation in changed["operations"]} == {"HTTPRoute/default/inventory"}

        terminal.run("kubectl", "delete", "httproute", "rates", "--timeout=60s")
        terminal.run("kubectl", "delete", *(word for file in files[:2] for word in ("-f", file)))
        terminal.run("kubectl", "delete", "gateway/my-hotel", "gatewayclass/amazon-vpc-lattice", "--timeout=60s")
        for listing in ("list-services", "list-target-groups"):
            assert terminal.run("aws", "vpc-lattice", listing, "--query", "items").strip() == "[]"


def test_a_plan_that_cannot_be_made_says_why(terminal: Terminal, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: HTTPRoute\nspec: {}\n")
    dead = tmp_path / "dead"
    dead.write_text(re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:1", (tmp_path / "kubeconfig").read_text()))
    for arguments, said in (
        (("-f", str(tmp_path / "nothing-here.yaml")), "nothing-here.yaml: there is no such file"),
        (("-f", str(broken)), "broken.yaml: a document has no apiVersion and kind"),
        (("--kubeconfig", str(tmp_path / "no-kubeconfig")), "no-kubeconfig"),
        (("--kubeconfig", str(dead)), "the Kubernetes API at http://127.0.0.1:1 cannot be reached"),
    ):
        printed = terminal.controller("plan", *arguments, code=1, stderr=True)
        assert printed.startswith("lattice-controller: ")
        assert said in printed
        assert len(printed.splitlines()) == 1
        assert "Traceback" not in printed
