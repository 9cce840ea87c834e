"""Leaving an answer before its end: a watch that nobody reads any more, a body whose receiver is gone.

Closing a connection is polite where there is TLS: we say farewell and keep the socket until the peer has said it too,
for half a minute where the peer is gone or frozen. The session that made the connection has let go of it by then, so
its end is nobody's: neither closing the session nor ending the event loop waits for it, and the socket leaks. Whoever
leaves in the middle has nothing to be polite about, and hangs up.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp


@asynccontextmanager
async def hanging_up(
    request: AbstractAsyncContextManager[aiohttp.ClientResponse],
) -> AsyncGenerator[aiohttp.ClientResponse]:
    """The request's answer, whose connection is dropped at the end of the block unless the answer has ended.

    The connection of an answer that has ended is back with the session, which aborts what it has when it is closed.
    """
    async with request as answer:
        try:
            yield answer
        finally:
            if answer.connection is not None and answer.connection.transport is not None:
                answer.connection.transport.abort()
