"""Answers to those who watch the process: `/metrics`, `/healthz`, `/readyz`, and `/plan` of one that only reads.

Liveness (`/healthz`) is answered by the event loop itself, so an answer proves that the loop turns; checks registered
for it catch what a restart would mend. Readiness (`/readyz`) is a list of named checks, and its body says which fail,
so that `kubectl describe pod` and a curl tell why a pod is not ready. Facts that make nobody ready or unready, such as
which replica leads, stand in its body too. A check is a plain function that looks at state and does no I/O: a probe
never waits.
"""

import os
from collections.abc import Awaitable, Callable

import anyio
from aiohttp import web
from anyio.abc import TaskStatus

from controller.metrics import CONTENT_TYPE, Metrics
from controller.settings import Bind

Check = Callable[[], str | None]
"""None when all is well, otherwise what is wrong."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FLAG = web.AppKey("flag", str)
"""The flag of the command line by which an application's address is given."""


class Checks:
    """Named checks, registered by the parts that they are about."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}
        self._facts: dict[str, Callable[[], str]] = {}

    def live(self, name: str, check: Check) -> None:
        """Add a check of liveness: failing it means that the process should be started anew."""
        self._live[name] = check

    def ready(self, name: str, check: Check) -> None:
        """Add a check of readiness: failing it means that the process cannot do its work yet."""
        self._ready[name] = check

    def tell(self, name: str, fact: Callable[[], str]) -> None:
        """Add a fact to the body of readiness, which decides nothing."""
        self._facts[name] = fact

    def facts(self) -> dict[str, str]:
        """What there is to tell, by its names; an empty fact is not told."""
        return {name: told for name, fact in self._facts.items() if (told := fact())}

    def not_live(self) -> dict[str, str]:
        """What is wrong by the checks of liveness, by their names."""
        return _failing(self._live)

    def not_ready(self) -> dict[str, str]:
        """What is wrong by the checks of readiness, by their names."""
        return _failing(self._ready)


def probes(checks: Checks) -> web.Application:
    """The application for the health probe's address."""
    application = web.Application()
    application[FLAG] = "--health-probe-bind-address"
    application.router.add_get("/healthz", _probe(checks.not_live, dict))
    application.router.add_get("/readyz", _probe(checks.not_ready, checks.facts))
    return application


def metrics(source: Metrics, plan: Callable[[], bytes | None] | None = None) -> web.Application:
    """The application for the metrics' address; of a run that only reads also `/plan`, as JSON, once there is one."""

    async def render(_: web.Request) -> web.Response:
        return web.Response(body=source.render(), headers={"Content-Type": CONTENT_TYPE})

    async def show(_: web.Request) -> web.Response:
        made = None if plan is None else plan()
        if made is None:
            return web.Response(status=503, text="no plan has been made yet\n")
        return web.Response(body=made, content_type="application/json")

    application = web.Application()
    application[FLAG] = "--metrics-bind-address"
    application.router.add_get("/metrics", render)
    if plan is not None:
        application.router.add_get("/plan", show)
    return application


async def serve(
    application: web.Application, bind: Bind, *, task_status: TaskStatus[Bind] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled; once listening, report the address, in which port 0 has become the one that was given.

    For `TaskGroup.start`. Raises OSError when it cannot be listened on; the message names the address, and the flag
    that changes it.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, bind.host or None, bind.port)
        try:
            await site.start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(f"cannot listen on {bind} ({why}); {application[FLAG]} changes the address") from error
        task_status.started(Bind(bind.host, runner.addresses[0][1]))
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


def _probe(failing: Callable[[], dict[str, str]], facts: Callable[[], dict[str, str]]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        wrong = failing()
        first = "" if wrong else "ok\n"
        lines = (f"{name}: {told}\n" for name, told in (wrong | facts()).items())
        return web.Response(status=503 if wrong else 200, text=first + "".join(lines))

    return answer


def _failing(checks: dict[str, Check]) -> dict[str, str]:
    return {name: wrong for name, check in checks.items() if (wrong := check()) is not None}
