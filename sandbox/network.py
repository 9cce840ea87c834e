"""The sandbox's network: where an address that Kubernetes and VPC Lattice see really is on this machine.

Pods need addresses of their own. Kubernetes refuses loopback addresses in EndpointSlices and Lattice refuses them as
targets, so the objects say 10.a.b.c; but a laptop has no such interface, and making one needs root. Linux lets any
process bind any address of 127.0.0.0/8, so the socket of 10.a.b.c is at 127.a.b.c. This module is the only place that
knows of it: whoever opens or dials a socket asks `Network.socket_address`, and whoever sees a peer asks
`Network.address`.

127.0.0.0/16 belongs to the laptop itself (127.0.0.1, and the resolver on 127.0.0.53), so 10.0.0.0/16 is not part of the
network: no target that somebody registers can reach the laptop's own servers through the data plane.

Several sandboxes, or tests, may run on one machine, and would fight over 127.244.0.1. So a network takes its addresses
in blocks of 256, and holds each block by a socket bound to its first address, which is no pod's. The kernel lets the
block go when the process ends, however it ends.
"""

import ipaddress
import socket
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

OUTSIDE = ipaddress.IPv4Network("10.0.0.0/8")
LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
_LAPTOP = ipaddress.IPv4Network("127.0.0.0/16")
_SHIFT = int(LOOPBACK.network_address) - int(OUTSIDE.network_address)
_BLOCK_PREFIX = 24
_LOCK_PORT = 10244


class NetworkUnavailableError(RuntimeError):
    """This machine cannot carry the sandbox's network; the message says why and what would."""


class AddressesExhaustedError(RuntimeError):
    """Every pod address is taken."""


class Held(Protocol):
    """A block that is held until it is closed."""

    def close(self) -> None: ...


def hold(address: str) -> Held | None:
    """Hold the block that starts at this socket address; None if another process, or network, has it."""
    lock = socket.socket()
    try:
        lock.bind((address, _LOCK_PORT))
    except OSError:
        lock.close()
        return None
    return lock


class Network:
    """Pod addresses, and the loopback address behind each of them; a context manager that gives all of them back.

    Addresses are given out round robin, so that one that was just given back rests before its next owner has it: a
    client that still holds it meets a refused connection rather than a stranger, as with Kubernetes' own allocators.
    """

    def __init__(self, pods: str = "10.244.0.0/16", *, hold: Callable[[str], Held | None] = hold) -> None:
        """`pods` is the range of pod addresses, a /24 or larger part of 10.0.0.0/8 outside 10.0.0.0/16.

        `hold` takes a block by the socket address at which it starts. Raises ValueError for another range.
        """
        self.pods = ipaddress.IPv4Network(pods)
        outside = not self.pods.subnet_of(OUTSIDE) or self._shift(self.pods.network_address, _SHIFT) in _LAPTOP
        if outside or self.pods.prefixlen > _BLOCK_PREFIX:
            raise ValueError(f"{pods} is not a /24 or larger part of 10.0.0.0/8 outside 10.0.0.0/16")
        self._hold = hold
        self._blocks: dict[ipaddress.IPv4Network, Held] = {}
        self._taken: set[ipaddress.IPv4Address] = set()
        self._order: list[ipaddress.IPv4Address] = []
        """Every address of the blocks held, the one to be given out next first."""
        self._finalizer = weakref.finalize(self, _close_all, self._blocks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let other networks of this machine have the addresses."""
        _close_all(self._blocks)
        self._order.clear()
        self._taken.clear()

    def check(self) -> None:
        """Raise NetworkUnavailableError unless a socket can be bound to a pod's loopback address."""
        address = self.socket_address(str(self.pods.network_address + 1))
        with socket.socket() as probe:
            try:
                probe.bind((address, 0))
            except OSError as error:
                raise NetworkUnavailableError(
                    f"cannot bind {address} ({error.strerror}): the sandbox's pods live on 127.0.0.0/8, all of which "
                    "is bindable on Linux but not on macOS or Windows; run the sandbox in a Linux container or machine"
                ) from error

    def allocate(self) -> str:
        """A free pod address. Raises AddressesExhaustedError when there is none."""
        free = self._next_free()
        if free is None and self._hold_another():
            free = self._next_free()
        if free is None:
            raise AddressesExhaustedError(f"all pod addresses of {self.pods} are taken, here or by other sandboxes")
        self._taken.add(free)
        return str(free)

    def claim(self, address: str) -> bool:
        """Take this very address, which a pod had before; False if it is taken, no pod's, or another sandbox's."""
        wanted = ipaddress.IPv4Address(address)
        block = ipaddress.IPv4Network((address, _BLOCK_PREFIX), strict=False)
        if wanted not in self.pods or wanted in self._taken:
            return False
        if block not in self._blocks and not self._hold_block(block):
            return False
        if wanted not in self._order:
            return False
        self._taken.add(wanted)
        return True

    def release(self, address: str) -> None:
        """Give an address back; of no effect for one that was not taken."""
        self._taken.discard(ipaddress.IPv4Address(address))

    def socket_address(self, address: str) -> str:
        """Where the sockets of this address are. Raises ValueError for an address outside the network."""
        found = ipaddress.IPv4Address(address)
        if found in OUTSIDE and (moved := self._shift(found, _SHIFT)) not in _LAPTOP:
            return str(moved)
        raise ValueError(f"{address} is not in the sandbox's network, 10.0.0.0/8 outside 10.0.0.0/16")

    def address(self, socket_address: str) -> str | None:
        """The address that a socket's peer has in the network; None for one that is outside, such as 127.0.0.1."""
        found = ipaddress.ip_address(socket_address)
        if not isinstance(found, ipaddress.IPv4Address) or found not in LOOPBACK or found in _LAPTOP:
            return None
        return str(self._shift(found, -_SHIFT))

    def _next_free(self) -> ipaddress.IPv4Address | None:
        for position, candidate in enumerate(self._order):
            if candidate not in self._taken:
                self._order = self._order[position + 1 :] + self._order[: position + 1]
                return candidate
        return None

    def _hold_another(self) -> bool:
        blocks = self.pods.subnets(new_prefix=_BLOCK_PREFIX)
        return any(self._hold_block(block) for block in blocks if block not in self._blocks)

    def _hold_block(self, block: ipaddress.IPv4Network) -> bool:
        held = self._hold(self.socket_address(str(block.network_address)))
        if held is None:
            return False
        self._blocks[block] = held
        self._order = [*block.hosts(), *self._order]
        return True

    @staticmethod
    def _shift(address: ipaddress.IPv4Address, by: int) -> ipaddress.IPv4Address:
        return ipaddress.IPv4Address(int(address) + by)


def _close_all(blocks: dict[ipaddress.IPv4Network, Held]) -> None:
    while blocks:
        blocks.popitem()[1].close()
