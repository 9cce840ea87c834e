"""Keeps the known quotas up to date, by one call an hour to Service Quotas.

Nothing depends on it: where the call is not permitted, or there is no way to Service Quotas, the quotas stay unknown,
which is told once.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import anyio

from controller.lattice.client import SERVICE_QUOTAS
from controller.lattice.errors import LatticeError
from controller.lattice.limits import Lane
from controller.lattice.quotas import SERVICE_CODE, KnownQuotas

INTERVAL: Final = 3600.0
"""Seconds between two looks: quotas are raised a few times in an account's life."""

log = logging.getLogger("controller.lattice")


class Calls(Protocol):
    """`LatticeClient`, as far as it is used here."""

    async def call(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = ..., service: str = ...
    ) -> dict[str, Any]: ...


class QuotaReader:
    """`changed` is called when quotas are others than they were."""

    def __init__(self, calls: Calls, known: KnownQuotas, changed: Callable[[], None]) -> None:
        self._calls = calls
        self._known = known
        self._changed = changed
        self._told = False
        self.looked = anyio.Event()
        """Set after the first look, whatever came of it."""

    async def run(self) -> None:
        """Look now and every hour, until cancelled."""
        while True:
            await self._look()
            self.looked.set()
            await anyio.sleep(INTERVAL)

    async def _look(self) -> None:
        listed: list[Mapping[str, Any]] = []
        more: dict[str, Any] = {}
        try:
            while True:
                params = {"ServiceCode": SERVICE_CODE, "MaxResults": 100, **more}
                page = await self._calls.call("ListServiceQuotas", params, service=SERVICE_QUOTAS)
                listed += page.get("Quotas", ())
                if not page.get("NextToken"):
                    break
                more = {"NextToken": page["NextToken"]}
        except LatticeError as error:
            if not self._told:
                log.warning("quotas of VPC Lattice are not known, and found by trying", extra={"error": str(error)})
            self._told = True
            return
        if self._known.learn(listed):
            self._changed()
