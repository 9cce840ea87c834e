"""Leader election: one writer among the replicas, by a coordination.k8s.io/v1 Lease, as client-go does it.

Whoever's identity stands in the Lease leads, and renews it every few seconds. Others watch the record change; only when
it has not changed for its whole duration, measured by their own clock, do they take it. Nobody believes anybody else's
clock.

What makes it safe is the fence: `valid_for` is asked synchronously before each write to Lattice, and answers from the
moment *before* the last successful renewal was sent, on a clock that goes on while the machine sleeps. A leader that
was paused, or cannot reach the API server, stops writing by itself before anybody else may start.

Source: client-go `tools/leaderelection`.
"""

from collections.abc import Awaitable, Callable

from controller.kube.client import KubeClient


class LeaderElector:
    """One candidate. `run` is the whole life; `acquire`, `hold` and `release` are its parts."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        identity: str,
        *,
        lease_duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry_period: float = 2.0,
    ) -> None:
        """All times in seconds; `lease_duration` > `renew_deadline` > `retry_period`, else ValueError."""
        raise NotImplementedError

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last seen, perhaps us; empty if nobody, or not seen yet."""
        raise NotImplementedError

    @property
    def previous_holder(self) -> str:
        """Who held it before we took it; empty if it was new or had been given back."""
        raise NotImplementedError

    @property
    def transitions(self) -> int:
        """How often the Lease has changed hands, as last seen."""
        raise NotImplementedError

    def valid_for(self, seconds: float) -> bool:
        """Whether we lead, and will for more than this many seconds even if no renewal succeeds again."""
        raise NotImplementedError

    async def run(self, on_started: Callable[[], Awaitable[None]], on_stopped: Callable[[], None]) -> None:
        """Wait for the Lease, then run `on_started` until it returns or the Lease is lost, which cancels it.

        `on_stopped` is called when it has ended, then the Lease is given back if it is still ours. Returns afterwards;
        does not try again.
        """
        raise NotImplementedError

    async def acquire(self) -> None:
        """Return when we hold the Lease."""
        raise NotImplementedError

    async def hold(self) -> None:
        """Renew the Lease; return when it is lost: taken by another, or not renewed for `renew_deadline`."""
        raise NotImplementedError

    async def release(self) -> None:
        """Give the Lease back, if it is ours, so that another replica need not wait for it to expire."""
        raise NotImplementedError
