"""TLS passed through: the caller's bytes go to a target as they are, and the target's bytes back.

The service is found by the server name, the listener has its default rule only, and the target is one of a TCP group
(User Guide, "TLS listeners"). Each side may end its half while the other goes on. A connection on which nothing moves
either way for the service's idle timeout is closed (User Guide, "Quotas", connection idle time).
"""

import anyio
from anyio.abc import SocketStream

from sandbox.dataplane.balancing import Balancer
from sandbox.dataplane.entry import PassThrough
from sandbox.dataplane.failures import describe
from sandbox.dataplane.http1target import CONNECT_SECONDS
from sandbox.dataplane.log import Access
from sandbox.dataplane.messages import FailureReason, TargetError
from sandbox.dataplane.targets import Targets
from sandbox.lattice.directory import Directory, FixedResponse, Target

_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class Passage:
    """Passes connections through, each for as long as it lasts."""

    def __init__(self, directory: Directory, *, targets: Targets, balancer: Balancer) -> None:
        self._directory = directory
        self._targets = targets
        self._balancer = balancer

    async def serve(self, caller: SocketStream, way: PassThrough, access: Access) -> None:
        """Connect a caller to a target, until both have ended. Fills the log's entry in; never raises for either."""
        access.service, access.listener = way.service.name, way.listener.port
        try:
            target = self._target(way, access)
            with anyio.fail_after(CONNECT_SECONDS):
                stream = await anyio.connect_tcp(self._targets.address(target), target.port)
        except TargetError as error:
            access.reason, access.failure = error.reason, str(error)
        except (OSError, TimeoutError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            access.reason, access.failure = "TargetConnectionError", f"target {access.target}: {describe(cause)}"
        else:
            async with stream:
                await _Pipe(caller, stream, way.service.idle_timeout, access).run()

    def _target(self, way: PassThrough, access: Access) -> Target:
        action = way.listener.default_action
        if isinstance(action, FixedResponse):
            raise TargetError("InternalError", "a TLS listener has no fixed response to give")
        if not way.service.networks:
            raise TargetError(
                "InternalError", f"service {way.service.name} has no active association with a service network"
            )
        access.group = self._balancer.group(action)
        group = None if access.group is None else self._directory.target_group(access.group)
        if group is None:
            raise TargetError("TargetConnectionError", "there is no target group with a weight above 0")
        if group.protocol != "TCP":
            raise TargetError("InternalError", f"target group {group.group_id} is not of TCP")
        target = self._balancer.target(group)
        if target is None:
            raise TargetError("TargetConnectionError", f"target group {group.group_id} has no target to connect to")
        access.target = f"{target.ip}:{target.port}"
        return target


class _Pipe:
    """Two streams joined, in both directions."""

    def __init__(self, caller: SocketStream, target: SocketStream, idle: float, access: Access) -> None:
        self._caller = caller
        self._target = target
        self._idle = idle
        self._access = access
        self._moved = 0

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, tasks.cancel_scope)
            async with anyio.create_task_group() as both:
                both.start_soon(self._pump, self._caller, self._target, "ClientConnectionClosed", both.cancel_scope)
                both.start_soon(self._pump, self._target, self._caller, "TargetConnectionClosed", both.cancel_scope)
            tasks.cancel_scope.cancel()

    async def _pump(
        self, source: SocketStream, sink: SocketStream, broken: FailureReason, scope: anyio.CancelScope
    ) -> None:
        try:
            async for data in source:
                self._moved += 1
                await sink.send(data)
            await sink.send_eof()
        except _BROKEN as error:
            self._access.reason, self._access.failure = broken, describe(error)
            scope.cancel()

    async def _watch(self, scope: anyio.CancelScope) -> None:
        while True:
            moved = self._moved
            await anyio.sleep(self._idle)
            if self._moved == moved:
                self._access.reason, self._access.failure = "TargetDataTimeout", f"idle for {self._idle:g} s"
                scope.cancel()
