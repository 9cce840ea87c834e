"""The VPC's resolver: a DNS server that knows the domain names that VPC Lattice gives to services.

A generated name resolves, in a VPC, to the data plane's link-local address, for as long as the service exists (VPC
Lattice User Guide, "Services in VPC Lattice", "Associate a custom domain name"). Custom domain names are their owner's
matter and not known here. The messages are those of RFC 1035, section 4, with what a stub resolver needs of them.
"""

import ipaddress
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.abc

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!HHHLH")

_A = 1
_INTERNET = 1
_ANSWER = 0x8180
"""A standard answer to a query that asked for recursion, which is available (section 4.1.1)."""

_NAME_ERROR = 3
_TO_THE_QUESTION = 0xC00C
"""A pointer to the name right after the header (section 4.1.4)."""

_SECONDS = 1
"""How long an answer may be kept; names come and go with the tests."""


def answer(query: bytes, address: str, known: Callable[[str], bool]) -> bytes:
    """The answer to a query of one question: the address for a known name, no record for a type other than A.

    Raises ValueError, IndexError or struct.error for what is no query.
    """
    number, flags, questions, *_ = _HEADER.unpack_from(query)
    if questions != 1 or flags & 0x8000:
        raise ValueError("not a query of one question")
    labels, at = [], _HEADER.size
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    kind, internet = _QUESTION.unpack_from(query, at + 1)
    question = query[_HEADER.size : at + 1 + _QUESTION.size]
    exists = known(".".join(labels))
    found = exists and (kind, internet) == (_A, _INTERNET)
    head = _HEADER.pack(number, _ANSWER | (0 if exists else _NAME_ERROR), 1, int(found), 0, 0)
    packed = ipaddress.IPv4Address(address).packed
    record = _RECORD.pack(_TO_THE_QUESTION, _A, _INTERNET, _SECONDS, len(packed)) + packed if found else b""
    return head + question + record


@asynccontextmanager
async def serving(address: str, known: Callable[[str], bool]) -> AsyncGenerator[str]:
    """A server that resolves the names that are `known` to an address; gives its own, `127.0.0.1:PORT`, over UDP."""
    async with (
        await anyio.create_udp_socket(family=socket.AF_INET, local_host="127.0.0.1") as server,
        anyio.create_task_group() as tasks,
    ):

        async def serve() -> None:
            async for query, asker in server:
                with suppress(ValueError, IndexError, struct.error):
                    await server.sendto(answer(query, address, known), *asker)

        tasks.start_soon(serve)
        yield f"127.0.0.1:{server.extra(anyio.abc.SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()
