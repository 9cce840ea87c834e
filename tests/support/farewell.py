"""The end of connections with TLS: whoever closes one says farewell, and keeps the socket until the peer has too.

A request that is cancelled, as when a controller stops in the middle of one, closes its connection like that, and its
session knows nothing of it any more. A real server that is busy answers in its own time, so that the event loop of a
test may end first: the socket would then be told as a leak, by a later test.
"""

import asyncio
from asyncio.sslproto import SSLProtocol
from collections.abc import Mapping
from typing import Any, Final

import anyio

PATIENCE: Final = 10.0
"""Seconds; who has not answered then does not."""


async def farewells() -> None:
    """Return when all peers of this event loop have answered our farewells, or patience is at its end."""
    transports: Mapping[int, Any] = vars(asyncio.get_running_loop()).get("_transports", {})
    with anyio.move_on_after(PATIENCE):
        while any(_is_leaving(vars(each)) for each in list(transports.values())):  # noqa: ASYNC110 -- nobody tells
            await anyio.sleep(0.01)


def _is_leaving(transport: Mapping[str, Any]) -> bool:
    protocol = transport.get("_protocol")
    if transport.get("_sock") is None or not isinstance(protocol, SSLProtocol):
        return False
    return vars(protocol)["_state"].name in {"FLUSHING", "SHUTDOWN"}
