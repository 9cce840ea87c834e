"""The health checker: asks the targets of used groups whether they are well, and tells the control plane.

One task a target, so that a slow one delays no other. A target's verdict is what the directory says, so there is one
truth: a target that is registered anew starts at INITIAL again without being told. Checked are the targets of groups
that a service uses and whose health check is enabled, unless they are draining.

The checks are those of `HealthCheckConfig`: GET on the path, on the check's port or the target's, over a connection
that is closed after it (User Guide, "Health checks for your target groups"). On a laptop nobody waits for minutes, so
`speed` shortens the interval, but never the time-out: a slow target stays a slow target.
"""

import aiohttp
import anyio
from anyio.abc import TaskStatus
from yarl import URL

from sandbox.dataplane.failures import describe
from sandbox.dataplane.health import Health, matches_code
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
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session, anyio.create_task_group() as tasks:
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
                    tasks.start_soon(self._watch, session, key, self._watched[key])
                await anyio.sleep(self._poll)

    async def _watch(self, session: aiohttp.ClientSession, key: _Key, scope: anyio.CancelScope) -> None:
        with scope:
            await self._watch_until_gone(session, key)
        if self._watched.get(key) is scope:
            del self._watched[key]

    async def _watch_until_gone(self, session: aiohttp.ClientSession, key: _Key) -> None:
        against = 0
        while (found := self._find(key)) is not None:
            group, target = found
            failure = await self._check(session, group.health_check, target)
            if (found := self._find(key)) is None:
                return
            group, target = found
            before = Health(target.status if target.status in ("HEALTHY", "UNHEALTHY") else "INITIAL", against)
            after = before.after(success=failure is None, check=group.health_check)
            against = after.against
            if after.verdict != before.verdict:
                self._directory.report_health(*key, healthy=after.verdict == "HEALTHY", reason=failure or "")
            await anyio.sleep(group.health_check.interval / self._speed)

    def _find(self, key: _Key) -> tuple[TargetGroup, Target] | None:
        """The target and its group as they are now; None if the target is no longer checked."""
        group = self._directory.target_group(key[0])
        if group is not None:
            for target in group.targets:
                if (target.ip, target.port) == key[1:] and _checked(group, target):
                    return group, target
        return None

    async def _check(self, session: aiohttp.ClientSession, check: HealthCheck, target: Target) -> str | None:
        """Why the target fails its check; None if it passes."""
        if check.protocol != "HTTP" or check.protocol_version != "HTTP1":
            return f"the sandbox's pods do not speak {check.protocol} {check.protocol_version}"
        try:
            address = self._network.socket_address(target.ip)
            url = URL(f"http://{address}:{check.port or target.port}{check.path}", encoded=True)
            timeout = aiohttp.ClientTimeout(total=check.timeout)
            async with session.get(url, timeout=timeout, allow_redirects=False) as answer:
                if matches_code(check.matcher, answer.status):
                    return None
                return f"status {answer.status} is not of {check.matcher}"
        except TimeoutError:
            return f"no answer in {check.timeout} s"
        except (aiohttp.ClientError, ValueError) as error:
            return describe(error)


def _checked(group: TargetGroup, target: Target) -> bool:
    return group.used and group.health_check.enabled and target.status != "DRAINING"
