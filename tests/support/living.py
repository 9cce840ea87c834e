"""How a world of tests ends, whatever it is made of: its tasks are cancelled, then it is closed.

What fails in a test is raised as it is, and not in a group with what its world's tasks raise, so that pytest shows the
assertion, and so that tests can expect one.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup


class Closable(Protocol):
    async def close(self) -> None: ...


W = TypeVar("W", bound=Closable)


@asynccontextmanager
async def living(make: Callable[[TaskGroup], W]) -> AsyncGenerator[W]:
    """What `make` makes of the task group that its tasks are to run in.

    Raises what the body raises; an ExceptionGroup where a task fails.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        made = make(tasks)
        try:
            yield made
        except Exception as error:  # noqa: BLE001 - raised below, where no task group wraps it
            failure = error
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await made.close()
    if failure is not None:
        raise failure
