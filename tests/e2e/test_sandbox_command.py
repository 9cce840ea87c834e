"""`lattice-controller sandbox` as a process: how it starts, what stands in its way, how it is stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from sandbox.sandbox import FIXED_PORTS

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0
"""Seconds until a test gives up; a slow machine needs some of them, a failure none."""


@contextmanager
def started(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """One of our commands, killed at the end if it still runs then, and at the latest when patience is at its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "controller", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def printed_until(process: subprocess.Popen[str], pattern: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if re.search(pattern, line):
            return seen
    pytest.fail(f"{pattern!r} was never printed:\n{seen}")


def ended(process: subprocess.Popen[str], signals: Sequence[signal.Signals] = ()) -> tuple[int, str]:
    for each in signals:
        os.killpg(process.pid, each)  # as a terminal does: to everything in the foreground
    printed, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, printed


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_sandbox_says_where_it_is_and_stops_when_told(tmp_path, how):
    with started("sandbox", "--free-ports", folder=tmp_path) as process:
        usage = printed_until(process, "every AWS call so far")
        assert f"source {tmp_path / '.sandbox' / 'env'}" in usage
        assert (tmp_path / ".sandbox" / "env").exists()
        code, printed = ended(process, [how])
    assert (code, printed.strip()) == (0, "the sandbox has stopped")
    assert not (tmp_path / ".sandbox" / "env").exists()
    assert not (tmp_path / ".sandbox" / "kubeconfig").exists()


def test_the_usage_asks_for_the_domain_name_as_the_readme_does(tmp_path):
    readme = (ROOT / "README.md").read_text()
    with started("sandbox", "--free-ports", folder=tmp_path) as process:
        usage = printed_until(process, "every AWS call so far")
    asked = re.findall(r"^ *(domain=.*|curl --proxy.*)$", usage, re.MULTILINE)
    assert len(asked) == 2
    for line in asked:
        assert line in readme


def test_a_sandbox_whose_ports_are_taken_says_so(tmp_path):
    with ExitStack() as taken:
        for port in (FIXED_PORTS.kubernetes, FIXED_PORTS.lattice, FIXED_PORTS.dataplane):
            with suppress(OSError):  # by somebody else, then
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
        with started("sandbox", folder=tmp_path) as process:
            code, printed = ended(process)
    assert code == 1
    assert re.search(r"the sandbox cannot start: .*74[48]\d.*--free-ports", printed)
    assert "Traceback" not in printed


def test_a_sandbox_whose_directory_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").touch()
    with started("sandbox", "--free-ports", "--directory", "file/below", folder=tmp_path) as process:
        code, printed = ended(process)
    assert code == 1
    assert f"the sandbox cannot start: the directory {tmp_path / 'file' / 'below'} cannot be used" in printed
    assert "Traceback" not in printed


def test_a_second_sandbox_does_not_take_the_clients_of_the_first(tmp_path):
    with started("sandbox", "--free-ports", folder=tmp_path) as first:
        printed_until(first, "every AWS call so far")
        written = (tmp_path / ".sandbox" / "env").read_text()
        with started("sandbox", "--free-ports", folder=tmp_path) as second:
            code, printed = ended(second)
        assert code == 1
        assert f"{tmp_path / '.sandbox'} is in use by another sandbox" in printed
        assert "--directory" in printed
        assert (tmp_path / ".sandbox" / "env").read_text() == written


def test_a_killed_sandbox_leaves_nothing_that_stands_in_the_way(tmp_path):
    with started("sandbox", "--free-ports", folder=tmp_path) as killed:
        printed_until(killed, "every AWS call so far")
    assert (tmp_path / ".sandbox" / "env").exists()
    with started("sandbox", "--free-ports", folder=tmp_path) as process:
        printed_until(process, "every AWS call so far")


def test_a_demo_that_is_interrupted_ends_with_a_word(tmp_path):
    with started("demo", folder=tmp_path) as process:
        printed_until(process, "A Gateway for it")
        code, printed = ended(process, [signal.SIGINT])
    assert code == 130
    assert printed.endswith("lattice-controller: interrupted\n")
    assert "Traceback" not in printed


def test_a_plan_that_is_interrupted_ends_with_a_word(tmp_path):
    aws = {
        "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "REGION": "us-west-2",
        "AWS_ACCOUNT_ID": "123456789012", "CLUSTER_NAME": "any", "CLUSTER_VPC_ID": "vpc-0a1b2c3d4e5f67890",
    }  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeconfig = tmp_path / "kubeconfig"
        port = silent.getsockname()[1]
        kubeconfig.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
            f"clusters: [{{name: x, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n"
            "users: [{name: x, user: {}}]\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
        )
        with started("plan", "--kubeconfig", str(kubeconfig), folder=tmp_path, environment=aws) as process:
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            with connection:
                code, printed = ended(process, [signal.SIGINT])
    assert code == 130
    assert printed.endswith("lattice-controller: interrupted\n")
    assert "Traceback" not in printed
