"""The controller's patience, shortened: what only people can mend is tried again after minutes, tests have moments."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import pytest

from controller import work
from controller.kube import backoff
from controller.lattice import aws, waits
from controller.lattice.inventory import inventory
from controller.reconcile import gateway, pass_on, reconciler

Times = tuple[tuple[object, str, object], ...]

LOOKS: Times = (
    (waits, "FIRST_GUESS", 0.05),
    (waits, "SHORTEST", 0.05),
    (waits, "PURSE", 1000.0),
    (waits, "REFILL", 1000.0),
)
"""How soon and how often states in Lattice are looked at: modules, names, seconds or calls."""

RETRIES: Times = (
    (pass_on, "SLOWLY", 0.3),
    (reconciler, "SLOWLY", 0.3),
    (gateway, "MISSING_NETWORK", 0.3),
    (inventory, "_NETWORKS_AT_MOST_EVERY", 0.2),
    (aws, "CREDENTIALS_AFTER", 0.3),
    (work, "SYNC_PATIENCE", 0.5),
    (backoff, "jittered", lambda _, seconds: seconds / 100),
)
"""How long it is waited for people. Like the looks, none of them decides what is done, only when."""


@contextmanager
def shortened(*times: Times) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name, seconds in chain.from_iterable(times):
            patch.setattr(module, name, seconds)
        yield
