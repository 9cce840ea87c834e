"""What runs in a pod: the HTTP server of the public VPC Lattice walk-through.

Whatever image a container names, it behaves as `public.ecr.aws/x2j8p8w7/http-server:latest` does: any request is
answered with the pod's name and the value of the environment variable `PodName`, in that image's own spelling. It
listens on the TCP ports that its container declares; where no container of a pod declares any, the first listens on
8090, as that image does anyway. There is no shell and no file system, so `kubectl exec`, `cp`, `attach` and
`port-forward` have nothing to talk to; `Workloads.request` makes a request from a pod.
"""

from typing import Self

import anyio
from aiohttp import web

from sandbox.serving import Server
from sandbox.workloads.objects import Json

_PORT_OF_THE_IMAGE = 8090


class PodServer:
    """The listening sockets of one pod; made by `start`."""

    def __init__(self) -> None:
        self._runners: list[web.ServerRunner] = []

    @classmethod
    async def start(cls, pod: Json, address: str) -> Self:
        """Listen for all containers of `pod` at a socket address. Raises OSError if a port is taken."""
        server = cls()
        with anyio.CancelScope(shield=True):  # asyncio leaks a socket whose start is cancelled
            try:
                for container, ports in listening(pod):
                    await server._serve(pod["metadata"]["name"], container, address, ports)
            except OSError:
                await server.stop()
                raise
        return server

    async def stop(self) -> None:
        """Close the sockets and break off what is under way."""
        with anyio.CancelScope(shield=True):
            for runner in self._runners:
                await runner.cleanup()
        self._runners.clear()

    async def _serve(self, pod: str, container: Json, address: str, ports: list[int]) -> None:
        text = answer(pod, container)

        async def handler(_: web.BaseRequest) -> web.Response:
            return web.Response(text=text)

        runner = web.ServerRunner(Server(handler, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        for port in ports:
            await web.TCPSite(runner, address, port).start()


def answer(pod: str, container: Json) -> str:
    """The body of every answer of a container, spelled as the image spells it."""
    name = next((env.get("value", "") for env in container.get("env") or () if env["name"] == "PodName"), "")
    return f"Requsting to Pod({pod}): {name}\n"


def listening(pod: Json) -> list[tuple[Json, list[int]]]:
    """The containers of a pod that listen, and where."""
    found = []
    for container in pod["spec"]["containers"]:
        ports = [p["containerPort"] for p in container.get("ports") or () if p.get("protocol", "TCP") == "TCP"]
        if ports:
            found.append((container, ports))
    return found or [(pod["spec"]["containers"][0], [_PORT_OF_THE_IMAGE])]
