"""A client whose own cost hardly counts: requests are bytes made in advance, answers are at most collected.

Each connection has one request under way, as a real client's has; there are as many connections as requests that are
to be under way at once.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Final, cast

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END: Final = b"\r\n\r\n"


class RefusedError(Exception):
    """An answer was none of success; it begins with this."""


class Connection(asyncio.Protocol):
    """Sends what the iterator gives, one request after another's answer, until it has no more."""

    def __init__(self, requests: Iterator[bytes], bodies: list[bytes] | None) -> None:
        self._requests = requests
        self._bodies = bodies
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self.ended.set_result(None)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        answer = self._rest + data if self._rest else data
        head = answer.find(_END)
        if head < 0 or len(answer) < head + len(_END) + _length(answer, head):
            self._rest = answer
            return
        self._rest = b""
        if answer[9:10] != b"2":
            self._fail(RefusedError(answer[:2000].decode(errors="replace")))
        else:
            if self._bodies is not None:
                self._bodies.append(answer[head + len(_END) :])
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or EOFError("the server closed a connection"))

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)


def _length(answer: bytes, head: int) -> int:
    """Bytes of the body; an answer without a length has none."""
    told = _LENGTH.search(answer, 0, head + 2)
    return 0 if told is None else int(told[1])


async def send_all(
    host: str, port: int, requests: Iterator[bytes], connections: int, bodies: list[bytes] | None = None
) -> None:
    """Send every request; the bodies of the answers are appended where a list for them is given.

    Raises RefusedError for an answer that is no success, OSError where the server is gone.
    """
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Connection(requests, bodies), host, port) for _ in range(connections)]
    await asyncio.gather(*(protocol.ended for _, protocol in made))


def request(method: str, path: str, body: bytes, **headers: str) -> bytes:
    """The bytes of a request; `_` in a header's name stands for `-`."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + _END + body
