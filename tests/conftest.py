"""What all tests share: asyncio is the one backend that the controller runs on."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
