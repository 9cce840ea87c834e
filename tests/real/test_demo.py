"""The walk-through of `lattice-controller demo`, with a real Kubernetes API in the place of the sandbox's."""

import io
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from sandbox.cluster import Cluster
from sandbox.demo.story import perform
from tests.real.world import world
from tests.support.kube_apiserver import KubeApiserver

pytestmark = pytest.mark.anyio


async def test_demo(server: KubeApiserver, tmp_path: Path) -> None:
    async with world(server, tmp_path):
        pass  # Nothing is left of other runs.
    kubeconfig = yaml.safe_load(server.kubeconfig(tmp_path / "kubeconfig").read_text())
    told = io.StringIO()
    code = await perform(
        Console(file=told, highlight=False, width=200),
        seed=0,
        show_logs=False,
        cluster=Cluster(server.url, kubeconfig, server.token, server.tls),
    )
    assert code == 0, told.getvalue()
    assert "every step held" in told.getvalue()
