"""The quotas of the account are read once at the start, then every hour, and are not needed (Service Quotas)."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from controller.lattice.client import LatticeClient
from controller.lattice.errors import RetryError, TerminalError
from controller.lattice.quota_reader import QuotaReader
from controller.lattice.quotas import KnownQuotas, Quotas
from sandbox.lattice import LatticeServer

pytestmark = pytest.mark.anyio


async def look(calls: Any, known: KnownQuotas) -> int:
    """One look; how often it was news."""
    news: list[None] = []
    reader = QuotaReader(calls, known, lambda: news.append(None))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader.run)
        await reader.looked.wait()
        tasks.cancel_scope.cancel()
    return len(news)


async def test_the_accounts_quotas_are_known_after_one_call(client: LatticeClient, lattice: LatticeServer) -> None:
    known = KnownQuotas({"target_groups_per_service": 7})
    mark = lattice.calls.mark()
    assert await look(client, known) == 1
    assert known.now == Quotas(listeners_per_service=2, rules_per_listener=10, target_groups_per_service=7)
    assert [record.operation for record in lattice.calls.since(mark)] == ["ListServiceQuotas"]
    assert await look(client, known) == 0


class Scripted:
    """Answers one call after the other, with pages or errors."""

    def __init__(self, *answers: Mapping[str, Any] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Mapping[str, Any]] = []

    async def call(self, operation: str, params: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        self.asked.append(params)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


async def test_all_pages_are_read() -> None:
    rules, listeners = ({"QuotaCode": code, "Value": 4.0} for code in ("L-CF78395E", "L-D64E952E"))
    scripted = Scripted({"Quotas": [rules], "NextToken": "2"}, {"Quotas": [listeners]})
    known = KnownQuotas()
    assert await look(scripted, known) == 1
    assert known.now == Quotas(rules_per_listener=4, listeners_per_service=4)
    assert scripted.asked[1]["NextToken"] == "2"


@pytest.mark.parametrize(
    "error",
    [
        TerminalError("ListServiceQuotas", "AccessDeniedException", "not allowed"),
        RetryError("ListServiceQuotas", "Unreachable", "cannot reach it"),
    ],
)
async def test_without_an_answer_they_stay_as_they_are(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    known = KnownQuotas({"rules_per_listener": 3})
    assert await look(Scripted(error), known) == 0
    assert known.now == Quotas(rules_per_listener=3)
    assert "found by trying" in caplog.text
