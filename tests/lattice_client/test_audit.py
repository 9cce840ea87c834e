"""One line for each write that was sent, whatever became of it."""

import logging
from typing import Any

import anyio
import pytest

from controller import logs
from controller.lattice.client import LatticeClient
from controller.lattice.errors import FencedError, SuspectError
from sandbox.lattice import Hang, LatticeServer, Refuse
from tests.lattice_client.conftest import Connect
from tests.lattice_client.observing import SERVICE

pytestmark = pytest.mark.anyio


def audits(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == "controller.audit"]


async def test_a_write_leaves_one_audit_line_and_a_read_none(
    client: LatticeClient, lattice: LatticeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lattice.faults.add("CreateService", Refuse(), times=1)
    with logs.key("Service/x", object="HTTPRoute/shop/rates", generation=4):
        answer = await client.call("CreateService", {"name": "audited", "tags": {"secret": "value"}})
        await client.call("ListServices", {})
    (line,) = audits(caplog)
    assert line["operation"] == "CreateService"
    assert line["outcome"] == "ok"
    assert line["attempts"] == 2
    assert line["request_id"] == lattice.calls.of("CreateService")[-1].request_id
    assert (line["object"], line["generation"]) == ("HTTPRoute/shop/rates", 4)
    assert line["identifiers"]["id"] == answer["id"]
    assert "value" not in str(line["identifiers"])


async def test_a_failed_write_leaves_its_error_and_a_fenced_one_nothing(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    allowed = [True, False]
    async with connect(fence=lambda _: allowed.pop(0)) as client:
        for error in (SuspectError, FencedError):
            with pytest.raises(error):
                await client.call("DeleteService", {"serviceIdentifier": SERVICE})
    assert [line["outcome"] for line in audits(caplog)] == ["ResourceNotFoundException"]


async def test_a_write_that_is_cancelled_under_way_leaves_that_its_outcome_is_unknown(
    connect: Connect, lattice: LatticeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    arrived = anyio.Event()

    def arrives(_: object) -> bool:
        arrived.set()
        return True

    lattice.faults.add("CreateService", Hang(after=True), when=arrives)
    async with connect() as client, anyio.create_task_group() as group:
        group.start_soon(client.call, "CreateService", {"name": "cut-off"})
        await arrived.wait()
        group.cancel_scope.cancel()
    (line,) = audits(caplog)
    assert (line["outcome"], line["request_id"]) == ("unknown", None)
    assert line["identifiers"] == {"name": "cut-off"}
