"""Wrong settings end the process at once: exit code 2, and a line for each that says what is expected."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from runpy import run_module

import pytest

from tests.e2e.harness import CLUSTER, VPC

ENOUGH = {"CLUSTER_NAME": CLUSTER, "CLUSTER_VPC_ID": VPC}

WRONG = [
    ({"CLUSTER_NAME": ""}, (), "CLUSTER_NAME is not set: set it to the name of this cluster"),
    ({"CLUSTER_NAME": "a/b"}, (), "CLUSTER_NAME is 'a/b': expected the name of this cluster"),
    ({"CLUSTER_VPC_ID": ""}, (), "CLUSTER_VPC_ID is not set: set it to the id of the cluster's VPC"),
    ({"CLUSTER_VPC_ID": "my-vpc"}, (), "CLUSTER_VPC_ID is 'my-vpc': expected the id of the cluster's VPC"),
    ({"AWS_ACCOUNT_ID": "12"}, (), "AWS_ACCOUNT_ID is '12': expected 12 digits"),
    ({"REGION": "oregon"}, (), "REGION is 'oregon': expected an AWS region, such as us-west-2"),
    ({"AWS_REGION": "us west 2"}, (), "AWS_REGION is 'us west 2': expected an AWS region"),
    ({"LATTICE_ENDPOINT": "localhost"}, (), "LATTICE_ENDPOINT is 'localhost': expected a URL"),
    ({"LATTICE_API_RATES": "fast"}, (), "LATTICE_API_RATES is 'fast': expected [operation=]calls a second"),
    ({"LATTICE_API_RATES": "CreateService=0"}, (), "LATTICE_API_RATES is 'CreateService=0': expected"),
    ({"LOG_LEVEL": "loud"}, (), "LOG_LEVEL is 'loud': expected debug, info or error"),
    ({"LOG_FORMAT": "xml"}, (), "LOG_FORMAT is 'xml': expected json or console"),
    ({"ROUTE_MAX_CONCURRENT_RECONCILES": "0"}, (), "ROUTE_MAX_CONCURRENT_RECONCILES is '0': expected a whole number"),
    ({"ROUTE_MAX_CONCURRENT_RECONCILES": "x"}, (), "ROUTE_MAX_CONCURRENT_RECONCILES is 'x': expected a whole number"),
    ({"RECONCILE_DEFAULT_RESYNC_SECONDS": "5"}, (), "RECONCILE_DEFAULT_RESYNC_SECONDS is '5': expected 0 for never"),
    (
        {"DISABLE_TAGGING_SERVICE_API": "perhaps"},
        (),
        "DISABLE_TAGGING_SERVICE_API is 'perhaps': expected true",
    ),
    (
        {"ENABLE_SERVICE_NETWORK_OVERRIDE": "true"},
        (),
        "ENABLE_SERVICE_NETWORK_OVERRIDE is 'true': expected false or nothing: this version cannot put all routes",
    ),
    ({}, ("--metrics-bind-address=80a",), "--metrics-bind-address is '80a': expected host:port"),
    ({}, ("--health-probe-bind-address=:99999",), "--health-probe-bind-address is ':99999': expected host:port"),
    ({}, ("--health-probe-bind-address=:8080",), "--health-probe-bind-address is ':8080': another address than"),
]


def controller(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the controller in a process of its own, with no more of this one's environment than it needs to start."""
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "controller", "run", *arguments],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_here(
    environ: Mapping[str, str], arguments: Sequence[str], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """`python -m controller run` in this process: its exit code and what it says."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "REGION", "LATTICE_"))]:
        patch.delenv(name)
    for name, value in environ.items():
        patch.setenv(name, value)
    patch.setattr(sys, "argv", ["controller", "run", *arguments])
    with pytest.raises(SystemExit) as ended:
        run_module("controller", run_name="__main__", alter_sys=False)
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(("environ", "arguments", "told"), WRONG, ids=[told.split(":")[0] for _, _, told in WRONG])
def test_a_wrong_setting(
    environ: Mapping[str, str],
    arguments: Sequence[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said = run_here({**ENOUGH, **environ}, arguments, monkeypatch, capsys)
    assert code == 2
    assert told in said
    assert "Traceback" not in said


def test_all_that_is_wrong_is_told_at_once() -> None:
    ended = controller({"CLUSTER_VPC_ID": "my-vpc", "LOG_LEVEL": "loud"}, "--metrics-bind-address=80a")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[0] == "lattice-controller: wrong settings:"
    assert [line.split()[0] for line in ended.stderr.splitlines()[1:]] == [
        "CLUSTER_NAME",
        "CLUSTER_VPC_ID",
        "LOG_LEVEL",
        "--metrics-bind-address",
    ]


def test_a_flag_that_does_not_exist_is_told_with_those_that_do() -> None:
    ended = controller(ENOUGH, "--leader-elekt")
    assert ended.returncode == 2
    assert "--leader-elekt" in ended.stderr
    assert "usage: " in ended.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file"),
        ("just words", "cannot be read"),
        ("apiVersion: v1\nkind: Config\ncurrent-context: nowhere\n", "nowhere"),
    ],
    ids=["missing", "no kubeconfig at all", "a context that it has not"],
)
def test_a_kubeconfig_that_cannot_be_used_ends_the_start(content: str | None, told: str, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    if content is not None:
        kubeconfig.write_text(content)
    environ = {**ENOUGH, "AWS_REGION": "us-west-2", "AWS_ACCOUNT_ID": "123456789012", "LOG_FORMAT": "console"}
    servers = ("--metrics-bind-address=0", "--health-probe-bind-address=0")
    ended = controller(environ, f"--kubeconfig={kubeconfig}", *servers)
    assert ended.returncode == 1
    said = ended.stdout + ended.stderr
    assert f"kubeconfig {kubeconfig}" in said
    assert told in said
    assert "Traceback" not in said
