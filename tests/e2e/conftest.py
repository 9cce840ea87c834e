"""What several modules of end-to-end tests share beside the worlds: controllers of little patience."""

from collections.abc import Iterator

import pytest

from tests.e2e.bad_input_time import LOOKS, RETRIES, shortened


@pytest.fixture(scope="module")
def shorter_patience() -> Iterator[None]:
    """For a whole module, because some of its worlds are."""
    with shortened(LOOKS, RETRIES):
        yield
