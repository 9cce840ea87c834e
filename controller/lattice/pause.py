"""Waiting on a given clock, so that a test that owns the clock owns the wait."""

import asyncio

from workqueue import Clock


async def pause(clock: Clock, seconds: float, until: asyncio.Event | None = None) -> None:
    """Wait for `seconds` to pass on `clock`, or for `until` to be set, whichever is first."""
    over = until or asyncio.Event()
    timer = clock.call_at(clock.time() + seconds, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()
