"""The health checker: asks the targets of used groups whether they are well, and tells the control plane.

One task a target, so that a slow one delays no other. A target's verdict is what the directory says, so there is one
truth: a target that is registered anew starts at INITIAL again without being told. Checked are the targets of groups
that a service uses and whose health check is enabled, unless they are draining.

The checks are those of `HealthCheckConfig`: GET on the path, on the check's port or the target's, over HTTP or HTTPS of
either version, in a connection that is closed after it. "The time that it takes for the target to respond does not
affect the interval for the next health check request" (User Guide, "Health checks for your target groups"). On a laptop
nobody waits for minutes, so `speed` shortens the interval, but never the time-out: a slow target stays a slow target,
and where its answer takes longer than the shortened interval, the next check follows at once.
"""

import aiohttp
import anyio
from anyio.abc import TaskStatus
from yarl import URL

from sandbox.dataplane.failures import describe
from sandbox.dataplane.health import Health, matches_code
from sandbox.dataplane.http1target import unverified
from sandbox.dataplane.http2target import Http2Targets
from sandbox.dataplane.messages import Caller, Request, TargetError
from sandbox.lattice.directory import Directory, HealthCheck, Target, TargetGroup
from sandbox.network import Network

_Key = tuple[str, str, int]


class HealthChecker:
    """Checks the targets of a `Directory` on a `Network`.

    `speed` divides the interval of every check; `poll` is how often, in seconds, the directory is asked for new
    targets.
    """

    def __init__(self, directory: Directory, *, network: Network, speed: float = 1.0, poll: float = 0.1) -> None:
        self._directory = directory
        self._network = network
        self._speed = speed
        self._poll = poll
        self._watched: dict[_Key, anyio.CancelScope] = {}

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Check until cancelled."""
        self._directory.health_is_checked()
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session, anyio.create_task_group() as tasks:
            probe = _Probe(session, Http2Targets(tasks), self._network)
            task_status.started()
            while True:
                wanted = {
                    (group.group_id, target.ip, target.port)
                    for group in self._directory.target_groups()
                    for target in group.targets
                    if _checked(group, target)
                }
                for key in self._watched.keys() - wanted:
                    self._watched.pop(key).cancel()
                for key in wanted - self._watched.keys():
                    self._watched[key] = anyio.CancelScope()
                    tasks.start_soon(self._watch, probe, key, self._watched[key])
                await anyio.sleep(self._poll)

    async def _watch(self, probe: "_Probe", key: _Key, scope: anyio.CancelScope) -> None:
        with scope:
            await self._watch_until_gone(probe, key)
        if self._watched.get(key) is scope:
            del self._watched[key]

    async def _watch_until_gone(self, probe: "_Probe", key: _Key) -> None:
        against, due = 0, anyio.current_time()
        while (found := self._find(key)) is not None:
            group, target = found
            failure = await probe.failure(group.health_check, target)
            if (found := self._find(key)) is None:
                return
            group, target = found
            before = Health(target.status if target.status in ("HEALTHY", "UNHEALTHY") else "INITIAL", against)
            after = before.after(success=failure is None, check=group.health_check)
            against = after.against
            if after.verdict != before.verdict:
                self._directory.report_health(*key, healthy=after.verdict == "HEALTHY", reason=failure or "")
            due = max(due + group.health_check.interval / self._speed, anyio.current_time())
            await anyio.sleep_until(due)

    def _find(self, key: _Key) -> tuple[TargetGroup, Target] | None:
        """The target and its group as they are now; None if the target is no longer checked."""
        group = self._directory.target_group(key[0])
        if group is not None:
            for target in group.targets:
                if (target.ip, target.port) == key[1:] and _checked(group, target):
                    return group, target
        return None


class _Probe:
    """Asks a target once."""

    def __init__(self, session: aiohttp.ClientSession, http2: Http2Targets, network: Network) -> None:
        self._session = session
        self._http2 = http2
        self._network = network
        self._tls = unverified("http/1.1")

    async def failure(self, check: HealthCheck, target: Target) -> str | None:
        """Why the target fails its check; None if it passes."""
        try:
            address = self._network.socket_address(target.ip)
            with anyio.fail_after(check.timeout):
                status = await self._status(check, address, f"{target.ip}:{check.port or target.port}")
        except TimeoutError:
            return f"no answer in {check.timeout} s"
        except (aiohttp.ClientError, TargetError, ValueError) as error:
            return describe(error)
        return None if matches_code(check.matcher, status) else f"status {status} is not of {check.matcher}"

    async def _status(self, check: HealthCheck, address: str, authority: str) -> int:
        port = int(authority.rpartition(":")[2])
        if check.protocol_version == "HTTP2":
            request = Request(Caller(address), "HTTP/2", "GET", authority, check.path, [], None)
            tls = check.protocol == "HTTPS"
            asked = self._http2.send(request, [], address=address, port=port, tls=tls, idle=check.timeout, hold=False)
            async with asked as answer:
                return answer.status
        url = URL(f"{check.protocol.lower()}://{address}:{port}{check.path}", encoded=True)
        async with self._session.get(url, headers={"Host": authority}, allow_redirects=False, ssl=self._tls) as got:
            return got.status


def _checked(group: TargetGroup, target: Target) -> bool:
    return group.used and group.health_check.enabled and target.status != "DRAINING"
