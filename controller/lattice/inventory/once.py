"""One flight for many passengers: work that several callers want at the same time is done once.

The first caller does it, in its own task, so the work has an owner. The others wait for its outcome, and share the
error if there is one. A caller who is cancelled takes the work down with it but not the others: one of them starts
anew.
"""

from collections.abc import Awaitable, Callable

import anyio

from controller.lattice.errors import LatticeError


class Once:
    def __init__(self) -> None:
        self._flight: _Flight | None = None

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work, or wait for whoever is doing it. Raises LatticeError, what the work raised."""
        while True:
            flight = self._flight
            if flight is None:
                await self._fly(work)
                return
            await flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if flight.whole:
                return

    async def _fly(self, work: Callable[[], Awaitable[None]]) -> None:
        flight = self._flight = _Flight()
        try:
            await work()
            flight.whole = True
        except LatticeError as error:
            flight.error = error
            raise
        finally:
            self._flight = None
            flight.landed.set()


class _Flight:
    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.error: LatticeError | None = None
        self.whole = False
