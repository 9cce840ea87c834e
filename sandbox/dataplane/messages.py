"""A request and its answer, in whatever version of HTTP they come and go: what the parts of the data plane hand over.

The servers (`http1`, `http2server`) make requests of what callers send, `exchange` decides, the clients (`http1target`,
`http2target`) make answers of what targets send. Bodies are iterators that are read once, piece by piece; the trailers
beside them are complete when the body has come to its end.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

Fields = list[tuple[str, str]]
"""Header fields as received: order, repetition and case kept."""

Version = Literal["HTTP/1.1", "HTTP/2"]

FailureReason = Literal[
    "TargetConnectionError",
    "TargetProtocolError",
    "TargetDataTimeout",
    "TargetConnectionClosed",
    "ClientConnectionClosed",
    "ClientProtocolError",
    "InternalError",
]
"""Why a request failed, in the words of VPC Lattice (User Guide, "Access logs for Amazon VPC Lattice")."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end of a connection."""

    source: str
    """The caller's address in the sandbox's network, or its socket address if it is outside."""
    port: int | None = None
    """The listener's port that was dialled; None where one address stands for all ports, and requests say which."""
    server_name: str | None = None
    """The name that the TLS handshake asked for; None without TLS."""

    @property
    def scheme(self) -> Literal["http", "https"]:
        return "http" if self.server_name is None else "https"


@dataclass(slots=True)
class Request:
    """What a caller asks."""

    caller: Caller
    version: Version
    method: str
    authority: str
    """What names the service: Host, or the authority of an absolute request target or an HTTP/2 request."""
    target: str
    """Path and query as on the wire."""
    fields: Fields
    body: AsyncIterator[bytes] | None
    """None if the request has no body."""
    trailers: Fields = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def field(self, name: str) -> str | None:
        """The first value of a field, by its name in lower case."""
        return next((value for key, value in self.fields if key.lower() == name), None)


@dataclass(slots=True)
class Answer:
    """What the caller gets: a target's answer, or one of the data plane's own."""

    status: int
    fields: Fields
    body: AsyncIterator[bytes] | None = None
    """None if the answer has no body and no trailers."""
    trailers: Fields = field(default_factory=list)


class TargetError(Exception):
    """A target could not be asked, or broke off; the message says which way, in words for people."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """A body of these parts."""
    for part in parts:
        yield part
