"""Thousands of worlds one after the other: what each would wait for, or load again, and what that changes.

Nothing here decides what the controller does. Waits are shortened; what every start reads anew and finds the same, the
service models of AWS and the machine's certificates, is read once by a process.
"""

import gc
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from aiobotocore.session import AioSession, get_session

from controller import work
from controller.kube import reflector
from controller.kube.backoff import Backoff
from controller.kube.client import KubeClient
from controller.kube.informer import Informer
from controller.kube.reflector import Timing
from controller.lattice import client as lattice_client
from controller.lattice.retry import Policy
from controller.reconcile import gateway, pass_on
from tests.e2e.bad_input_time import LOOKS, RETRIES, Times, shortened

TIMEOUT = 0.8
"""Seconds of one attempt at an AWS call, and of a request to Kubernetes; a call that is answered takes milliseconds."""

BOOKMARKS = 0.15
"""Seconds between two bookmarks of a watch, which else would be taken for a dead one."""

TIMING = Timing(stall=TIMEOUT, first_events=TIMEOUT, request=TIMEOUT)
"""How long a watch may be silent."""

PAGE_SIZE = 1
"""Objects in a page of a list, where lists come in pages."""

CLIENT: dict[str, Any] = {"timeout": TIMEOUT, "policy": Policy(first_wait=0.02, longest_wait=0.1)}
"""What `LatticeClient` is given."""

SOON: Times = (
    (gateway, "STATUS_INTERVAL", 0.0),
    (pass_on, "HELD", 0.3),
    (work, "RETRY_FIRST", 0.02),
    (reflector, "PAGE_SIZE", PAGE_SIZE),
)
"""How long is waited after a failure."""


@cache
def _session() -> AioSession:
    return get_session()


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextmanager
def hurried() -> Iterator[None]:
    """No real waiting, and nothing read twice, for as long as this is entered."""
    context = _context()
    session = _session()
    with shortened(LOOKS, RETRIES, SOON), pytest.MonkeyPatch.context() as patch:
        patch.setitem(KubeClient.request.__kwdefaults__, "timeout", TIMEOUT)
        patch.setitem(Informer.__init__.__kwdefaults__, "timing", TIMING)
        patch.setitem(Backoff.__init__.__kwdefaults__, "base", 0.02)
        patch.setattr(lattice_client, "get_session", lambda: session)
        patch.setattr(ssl, "create_default_context", lambda *_, **__: context)
        yield


def settle_memory() -> None:
    """What is loaded by now stays: the collector need not look at it again for each world."""
    gc.collect()
    gc.freeze()
