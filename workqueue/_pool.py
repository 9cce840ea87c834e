"""The workers: a bounded number of coroutines, each taking a key, reconciling it, and saying what became of it.

What happens with a key is decided here and nowhere else, as controller-runtime's controller does:

| reconcile | then |
|---|---|
| returns None or `Result()` | forget |
| returns `Result(requeue_after=s)` | forget, add after s seconds |
| returns `Result(requeue=True)` | add rate limited |
| raises | add rate limited, tell `on_error` |
| is cancelled | nothing; the cancellation goes on |

and `done` in each case, last, so that the key cannot be handed out before its outcome is recorded.

A live change must not wait until a re-sync of thousands of keys gives a worker back. So bulk keys hold at most half of
the workers. And an urgent one must not wait for other changes: beside the workers of the pool's size, which live and
bulk keys share, there are a few more that only what is urgent can have. The queue keeps these promises (`Queue.limit`),
since only it can tell a waiting worker that a key may now be handed out.

Between two keys a worker lets everybody else run, because a reconcile that finds nothing to do never suspends, and ten
thousand of them in a row would hold up the very events that are to go before them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio
import anyio.abc
from anyio.lowlevel import checkpoint

from workqueue._priority import BULK, URGENT, current_priority
from workqueue._queue import Queue, ShutDown
from workqueue._result import Result

K = TypeVar("K", bound=Hashable)


class WorkerPool(Generic[K]):
    """Runs `reconcile` on the keys of `queue`, `size` at a time, and `size` // 4 + 1 urgent ones more.

    A queue has one pool.

    `on_error` is told of every exception that a reconcile raised, after the key was added again; what it raises itself
    ends the pool. Raises ValueError when `size` is less than 1.
    """

    __slots__ = ("_busy", "_group", "_on_error", "_queue", "_reconcile", "_size", "_workers")

    def __init__(
        self,
        queue: Queue[K],
        reconcile: Callable[[K], Awaitable[Result | None]],
        *,
        size: int,
        on_error: Callable[[K, Exception], None],
    ) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._on_error = on_error
        self._group: anyio.abc.TaskGroup | None = None
        self._workers = 0
        self._busy = 0
        self._size = 0
        self.resize(size)

    @property
    def size(self) -> int:
        """How many keys are worked on at most at a time, but for a few urgent ones more."""
        return self._size

    @property
    def busy(self) -> int:
        """How many keys are being worked on."""
        return self._busy

    async def run(self) -> None:
        """Work until the queue is shut down and every key that still waited is done, or until cancelled.

        Raises RuntimeError when it is running already.
        """
        if self._group is not None:
            raise RuntimeError("the pool is already running")
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                self._hire(group)
        finally:
            self._group = None

    def resize(self, size: int) -> None:
        """Change the number of workers, at any time. No reconcile is interrupted: surplus workers finish their key.

        Raises ValueError when `size` is less than 1.
        """
        if size < 1:
            raise ValueError(f"a pool needs at least one worker, not {size}")
        self._size = size
        # Wakes all idle workers too, and each then sees whether it is one too many.
        self._queue.limit(BULK, max(1, size // 2))
        self._queue.limit(URGENT - 1, size)
        if self._group is not None:
            self._hire(self._group)

    @property
    def _most(self) -> int:
        """How many workers there are, with those for urgent keys."""
        return self._size + self._size // 4 + 1

    def _hire(self, group: anyio.abc.TaskGroup) -> None:
        while self._workers < self._most:
            self._workers += 1
            group.start_soon(self._work, name=f"{self._queue.name} worker")

    async def _work(self) -> None:
        try:
            while self._workers <= self._most:
                taken = self._queue.take_nowait()
                if taken is None:
                    await self._queue.wait()
                else:
                    await self._process(*taken)
                    await checkpoint()
        except ShutDown:
            return
        finally:
            self._workers -= 1

    async def _process(self, key: K, priority: int) -> None:
        self._busy += 1
        current_priority.set(priority)
        try:
            self._settle(key, priority, await self._reconcile(key))
        except asyncio.CancelledError as cancelled:
            if _is_meant_for_us():
                raise
            self._fail(key, priority, _stray(cancelled))
        except Exception as error:  # noqa: BLE001 - whatever a reconcile raises is its key's failure, not the pool's
            self._fail(key, priority, error)
        finally:
            self._busy -= 1
            self._queue.done(key)

    def _settle(self, key: K, priority: int, result: Result | None) -> None:
        if result is None:
            self._queue.forget(key)
        elif result.requeue_after is not None:
            self._queue.forget(key)
            self._queue.add_after(key, result.requeue_after, priority)
        elif result.requeue:
            self._queue.add_rate_limited(key, priority)
        else:
            self._queue.forget(key)

    def _fail(self, key: K, priority: int, error: Exception) -> None:
        self._queue.add_rate_limited(key, priority)
        self._on_error(key, error)


def _is_meant_for_us() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _stray(cancelled: asyncio.CancelledError) -> Exception:
    """A reconcile that awaits something which others cancelled sees a cancellation too; for its key it is a failure."""
    error = RuntimeError("what the reconcile was waiting for has been cancelled")
    error.__cause__ = cancelled
    return error
