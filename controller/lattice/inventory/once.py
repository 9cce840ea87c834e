"""One flight for many passengers: work that several callers want at the same time is done once.

The first caller does it, in its own task, so the work has an owner. The others wait for its outcome, and share the
error if there is one. A caller who is cancelled takes the work down with it but not the others: one of them starts
anew.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from controller.lattice.errors import LatticeError

T = TypeVar("T")


class Once(Generic[T]):
    def __init__(self) -> None:
        self._flight: _Flight[T] | None = None

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, or wait for whoever is doing it; all get the same. Raises LatticeError, what the work raised."""
        while True:
            flight = self._flight
            if flight is None:
                return await self._fly(work)
            await flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if flight.brought:
                return flight.brought[0]

    async def _fly(self, work: Callable[[], Awaitable[T]]) -> T:
        flight: _Flight[T] = _Flight()
        self._flight = flight
        try:
            flight.brought.append(await work())
        except LatticeError as error:
            flight.error = error
            raise
        finally:
            self._flight = None
            flight.landed.set()
        return flight.brought[0]


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.error: LatticeError | None = None
        self.brought: list[T] = []
