"""What all tests share: asyncio is the one backend that the controller runs on, and one real Kubernetes API."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from tests.support.checked import pytest_terminal_summary
from tests.support.kube_apiserver import KubeApiserver, running
from tests.support.workers import pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = ["pytest_collection_modifyitems", "pytest_terminal_summary", "pytest_xdist_make_scheduler"]

settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")
"""How long an example takes says more of the machine than of the code."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def kube_apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApiserver]:
    """One for all tests of the process that ask for it, with the Gateway API's CRDs: they must not change each other's
    objects. Without its programs they are skipped, or fail where REQUIRE_KUBE_APISERVER=1 wants them.
    """
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running(tmp_path_factory.mktemp("kube-apiserver")))
        except LookupError as missing:
            if os.environ.get("REQUIRE_KUBE_APISERVER") == "1":
                pytest.fail(str(missing))
            pytest.skip(str(missing))
        yield server
