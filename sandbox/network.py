"""The sandbox's network: where an address that Kubernetes and VPC Lattice see really is on this machine.

Pods need addresses of their own. Kubernetes refuses loopback addresses in EndpointSlices and Lattice refuses them as
targets, so the objects say 10.a.b.c; but a laptop has no such interface, and making one needs root. Linux lets any
process bind any address of 127.0.0.0/8, so the socket of 10.a.b.c is at 127.a.b.c. This module is the only place that
knows of it: whoever opens or dials a socket asks `Network.socket_address`, and whoever sees a peer asks
`Network.address`.

127.0.0.0/16 belongs to the laptop itself (127.0.0.1, and the resolver on 127.0.0.53), so 10.0.0.0/16 is not part of the
network: no target that somebody registers can reach the laptop's own servers through the data plane.
"""

import ipaddress
import socket

OUTSIDE = ipaddress.IPv4Network("10.0.0.0/8")
LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
_LAPTOP = ipaddress.IPv4Network("127.0.0.0/16")
_SHIFT = int(LOOPBACK.network_address) - int(OUTSIDE.network_address)


class NetworkUnavailableError(RuntimeError):
    """This machine cannot carry the sandbox's network; the message says why and what would."""


class AddressesExhaustedError(RuntimeError):
    """Every pod address is taken."""


class Network:
    """Pod addresses, and the loopback address behind each of them.

    Addresses are given out round robin, so that one that was just given back rests before its next owner has it: a
    client that still holds it meets a refused connection rather than a stranger, as with Kubernetes' own allocators.
    """

    def __init__(self, pods: str = "10.244.0.0/16") -> None:
        """`pods` is the range of pod addresses, a part of 10.0.0.0/8 outside 10.0.0.0/16.

        Raises ValueError for another range.
        """
        self.pods = ipaddress.IPv4Network(pods)
        if not self.pods.subnet_of(OUTSIDE) or self._shift(self.pods.network_address, _SHIFT) in _LAPTOP:
            raise ValueError(f"{pods} is not part of 10.0.0.0/8 outside 10.0.0.0/16")
        self._taken: set[int] = set()
        self._last = int(self.pods.network_address)

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
        first, size = int(self.pods.network_address), self.pods.num_addresses
        for step in range(1, size + 1):
            candidate = first + (self._last - first + step) % size
            if self._assignable(candidate) and candidate not in self._taken:
                self._taken.add(candidate)
                self._last = candidate
                return str(ipaddress.IPv4Address(candidate))
        raise AddressesExhaustedError(f"all pod addresses of {self.pods} are taken")

    def claim(self, address: str) -> bool:
        """Take this very address, which a pod had before; False if it is taken or not a pod's."""
        number = int(ipaddress.IPv4Address(address))
        if number in self._taken or ipaddress.IPv4Address(number) not in self.pods or not self._assignable(number):
            return False
        self._taken.add(number)
        return True

    def release(self, address: str) -> None:
        """Give an address back; of no effect for one that was not taken."""
        self._taken.discard(int(ipaddress.IPv4Address(address)))

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

    @staticmethod
    def _assignable(number: int) -> bool:
        """Not the first or last of a /24: networks and broadcasts are those to anybody who reads them."""
        return number & 0xFF not in (0x00, 0xFF)

    @staticmethod
    def _shift(address: ipaddress.IPv4Address, by: int) -> ipaddress.IPv4Address:
        return ipaddress.IPv4Address(int(address) + by)
