"""The emulated VPC Lattice without sockets: a client that calls the emulation's handlers, so that properties are quick.

Calls that run at the same time get their turns in a random order, which the test chooses by a seed.
"""

import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import anyio.lowlevel

from controller.lattice.errors import RetryError, SuspectError, TerminalError
from controller.lattice.limits import Lane
from sandbox.lattice import Quotas, Timings
from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.errors import ApiError
from sandbox.lattice.state import Call, State
from sandbox.lattice.tagging import get_resources


class InProcess:
    """As `controller.lattice.client.LatticeClient`. `wrote` is called after each write.

    Without `timings` states have changed by the next call; `clock` tells the time, in seconds since the epoch.
    """

    def __init__(
        self,
        seed: int,
        *,
        timings: Timings | None = None,
        clock: Callable[[], float] = lambda: 1_800_000_000.0,
    ) -> None:
        self.state = State(
            account="123456789012",
            region="us-west-2",
            seed=0,
            timings=timings or Timings.instant(),
            quotas=Quotas.unlimited(),
            clock=clock,
        )
        self.log: list[str] = []
        self.hidden = ""
        """A list operation that shows nothing."""
        self.lost = ""
        """An operation that is done and not answered."""
        self.untagged = False
        """Whether the tagging API lags behind, and shows nothing."""
        self.wrote: Callable[[], None] = lambda: None
        self._random = random.Random(seed)

    @property
    def writes(self) -> list[str]:
        return [call for call in self.log if not call.startswith(("Get", "List"))]

    async def call(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = Lane.LIVE, token: str | None = None
    ) -> dict[str, Any]:
        for _ in range(self._random.randrange(4)):
            await anyio.lowlevel.checkpoint()
        answer = self._handle(operation, LATTICE_HANDLERS[operation], params)
        if operation == self.lost:
            raise RetryError(operation, "Timeout", "no answer")
        return answer

    def _handle(self, operation: str, handler: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        self.log.append(operation)
        self.state.transitions.run_due()
        try:
            answer: dict[str, Any] = handler(self.state, Call(operation, dict(params)))
        except ApiError as error:
            if error.status in {404, 409}:
                ident = error.members.get("resourceId")
                raise SuspectError(operation, error.code, error.message, resource_id=ident) from error
            quota = error.members.get("quotaCode")
            raise TerminalError(operation, error.code, error.message, quota_code=quota) from error
        if not operation.startswith(("Get", "List")):
            self.wrote()
        return answer

    async def pages(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = Lane.LIVE
    ) -> AsyncGenerator[dict[str, Any], None]:
        page = await self.call(operation, params, lane=lane)
        yield {**page, "items": [] if operation == self.hidden else [_parsed(item) for item in page["items"]]}

    async def tagged(
        self, tags: Mapping[str, str], resource_types: Sequence[str], *, lane: Lane = Lane.LIVE
    ) -> list[tuple[str, dict[str, str]]]:
        params = {
            "TagFilters": [{"Key": name, "Values": [value]} for name, value in tags.items()],
            "ResourceTypeFilters": list(resource_types),
        }
        answer = self._handle("GetResources", get_resources, params)
        return (
            []
            if self.untagged
            else [
                (item["ResourceARN"], {tag["Key"]: tag["Value"] for tag in item["Tags"]})
                for item in answer["ResourceTagMappingList"]
            ]
        )


def _parsed(item: dict[str, Any]) -> dict[str, Any]:
    """An item of a list with its time as botocore gives it."""
    return {**item, "createdAt": datetime.fromisoformat(item["createdAt"])} if "createdAt" in item else item
