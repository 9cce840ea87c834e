"""A sandbox's VPC Lattice beside code that blocks: the contracts use clients that wait, and the server needs a loop."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anyio.from_thread import start_blocking_portal
from botocore.session import Session

from sandbox.lattice import LatticeServer


@contextmanager
def serving(**options: Any) -> Iterator[LatticeServer]:
    """A `LatticeServer` of these options, serving in a thread of its own until the context is left."""
    server = LatticeServer(**options)
    with start_blocking_portal() as portal:
        portal.call(server.start)
        try:
            yield server
        finally:
            portal.call(server.stop)


def session() -> Session:
    """Credentials that a sandbox takes."""
    made = Session()
    made.set_credentials("AKIDEXAMPLE", "secret")
    return made
