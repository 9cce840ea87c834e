"""The access log: what became of the last requests, for tests and for people.

A ring, so that a long-lived sandbox stays small. Its fields are those of VPC Lattice's own access logs as far as the
sandbox knows them (User Guide, "Access logs for VPC Lattice"), and the rule that decided, which Lattice does not log. A
connection that is passed through, or that ends before it says what it wants, is an entry too.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sandbox.dataplane.messages import FailureReason


@dataclass(slots=True)
class Access:
    """One request, filled in as it makes its way."""

    source: str
    """The caller's address in the sandbox's network, or its socket address if it is outside."""
    method: str
    authority: str
    path: str
    protocol: Literal["HTTP/1.1", "HTTP/2", "TLS"] = "HTTP/1.1"
    """What the caller spoke; TLS where it was not ended here."""
    server_name: str | None = None
    """What the TLS handshake asked for."""
    request_id: str = ""
    service: str | None = None
    """The name of the service that answered to the authority, or the server name."""
    listener: int | None = None
    """The listener's port."""
    rule: str | None = None
    """The id of the rule that matched; None if the default action, or nothing, served the request."""
    group: str | None = None
    target: str | None = None
    """Address and port of the target, `10.244.0.1:8090`."""
    status: int = 0
    """The status answered; 0 where the answer broke off before its head was sent."""
    grpc_status: int | None = None
    reason: FailureReason | None = None
    """Why it failed, as VPC Lattice would name it."""
    failure: str | None = None
    """The same in words: why the data plane itself answered, or broke the answer off."""


class AccessLog:
    """The last requests, oldest first."""

    def __init__(self, size: int) -> None:
        self._ring: deque[Access] = deque(maxlen=size)

    def __iter__(self) -> Iterator[Access]:
        return iter(tuple(self._ring))

    def add(self, access: Access) -> None:
        self._ring.append(access)
