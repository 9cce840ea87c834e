"""What tests look at besides answers: what an observer is told, and the tokens that were sent."""

from controller.lattice.limits import Lane
from sandbox.lattice import LatticeServer

SERVICE = "svc-0123456789abcdef0"
"""The id of no service."""


class Seen:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, Lane]] = []
        self.requests: list[tuple[str, str, int, str]] = []
        self.calls: list[tuple[str, str, int, str, int]] = []

    def waited(self, service: str, operation: str, lane: Lane, seconds: float) -> None:
        self.waits.append((operation, lane))

    def request(self, service: str, operation: str, status: int, code: str, seconds: float) -> None:
        self.requests.append((service, operation, status, code))

    def call(self, service: str, operation: str, status: int, code: str, seconds: float, retries: int) -> None:
        self.calls.append((service, operation, status, code, retries))


def tokens(lattice: LatticeServer, operation: str) -> list[str]:
    return [record.parameters["clientToken"] for record in lattice.calls.of(operation)]
