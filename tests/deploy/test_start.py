"""What probes and metrics tell of a start that hangs, which is when alerts and `kubectl describe` are looked at."""

import os
from argparse import Namespace
from pathlib import Path
from unittest import mock

import aiohttp
import anyio
import pytest

from controller import manager, settings
from controller.kube.config import DEFAULT_NAMESPACE
from sandbox.lattice import Refuse
from tests.deploy.ports import free_port
from tests.e2e.harness import environment, world
from tests.e2e.objects import namespace

pytestmark = pytest.mark.anyio

PATIENCE = 30.0


async def get(http: aiohttp.ClientSession, url: str) -> str:
    """The body, once there is somebody who answers."""
    while True:
        try:
            async with http.get(url) as response:
                return await response.text()
        except aiohttp.ClientConnectionError:
            await anyio.sleep(0.05)


async def test_a_start_that_waits_for_sts_is_not_ready_says_so_and_shows_that_nobody_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "IDENTITY_RETRY", 0.05)
    metrics, probes = free_port(), free_port()
    flags = Namespace(
        leader_elect=True,
        kubeconfig=str(tmp_path / "kubeconfig"),
        metrics_bind_address=f"127.0.0.1:{metrics}",
        health_probe_bind_address=f"127.0.0.1:{probes}",
    )
    async with world(tmp_path) as one:
        await one.apply(namespace(DEFAULT_NAMESPACE))
        outage = one.lattice.faults.add("GetCallerIdentity", Refuse("InternalFailure", 500))
        variables = {name: value for name, value in environment(one.lattice).items() if name != "AWS_ACCOUNT_ID"}
        with mock.patch.dict(os.environ, variables), anyio.fail_after(PATIENCE):
            running = manager.Manager(settings.load(variables, flags), variables)
            async with aiohttp.ClientSession() as http, anyio.create_task_group() as tasks:
                tasks.start_soon(running.run)
                told = await get(http, f"http://127.0.0.1:{probes}/readyz")
                assert "account: not known yet: AWS_ACCOUNT_ID is not set" in told
                nobody = f'leader_election_master_status{{name="{manager.LEASE}"}} 0.0'
                assert nobody in await get(http, f"http://127.0.0.1:{metrics}/metrics")

                one.lattice.faults.remove(outage)
                while "leader election: leads" not in told:
                    told = await get(http, f"http://127.0.0.1:{probes}/readyz")
                assert told.startswith("ok\n")
                assert "account" not in told
                shown = await get(http, f"http://127.0.0.1:{metrics}/metrics")
                assert 'lattice_controller_kind_state{kind="HTTPRoute",state="synced"} 1.0' in shown
                assert 'lattice_controller_undecodable_objects{kind="HTTPRoute"} 0.0' in shown
                tasks.cancel_scope.cancel()
