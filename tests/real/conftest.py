"""One real Kubernetes API for the whole runs of a process. They restart it, compact it and take its CRDs away, so it is
not the one that other tests share.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from tests.deploy.manifests import KUBECTL
from tests.real.audit import flags
from tests.real.rights import grant, token
from tests.support.checked import checked
from tests.support.farewell import farewells
from tests.support.kube_apiserver import KubeApiserver, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApiserver]:
    """With the Gateway API's CRDs, and an audit log of what service accounts do; skips, or fails where
    REQUIRE_KUBE_APISERVER=1 wants it, without its programs.
    """
    directory = tmp_path_factory.mktemp("real")
    with ExitStack() as stack:
        try:
            made = stack.enter_context(running(directory, flags(directory)))
        except LookupError as missing:
            if os.environ.get("REQUIRE_KUBE_APISERVER") == "1":
                pytest.fail(str(missing))
            pytest.skip(str(missing))
        yield made


@pytest.fixture(scope="session")
def account(server: KubeApiserver) -> str:
    """The token of the controller's service account, which has the rights of the base in `deploy/kustomize`."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    grant(server)
    return token(server)


@pytest.fixture(autouse=True)
async def farewell(anyio_backend: str) -> AsyncIterator[None]:
    """The loop of a test ends after its connections."""
    yield
    await farewells()


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest) -> None:
    """Each test here is a whole run, and is told by name at the end."""
    name = request.node.originalname.removeprefix("test_").replace("_", " ")
    checked(request, "Whole runs on a real kube-apiserver", row=name, column="green")
