"""Which tests share a worker, and who begins: those of a file, and those that need the same costly thing.

A real kube-apiserver takes some ten seconds of a processor to start, and its share of it as long as it runs. If each
worker had two (the one of the contract, and the one that whole runs restart), they would take more time than the tests,
and whole runs would time out while five of them start at once. So what needs one goes to few workers, and goes first:
these rows of tests are the longest.
"""

from collections.abc import Mapping
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.scheduler.protocol import Scheduling

_SERVERS: Final[Mapping[str, int]] = {"tests/real/": 2, "tests/contract/kubernetes/": 2}
"""By folder, the workers that have an API server of it."""


class ByNeed(LoadFileScheduling):
    """`--dist loadfile`, but for tests that share a server: they are dealt out by file to as many workers."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self._rows: dict[str, str] = {}
        self._dealt: dict[str, int] = dict.fromkeys(_SERVERS, 0)

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder = _folder(file)
        if folder is None:
            return file
        if file not in self._rows:
            self._rows[file] = f"{folder}{self._dealt[folder] % _SERVERS[folder]}"
            self._dealt[folder] += 1
        return self._rows[file]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return ByNeed(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = [*_SERVERS, None]
    items.sort(key=lambda item: order.index(_folder(item.nodeid)))


def _folder(nodeid: str) -> str | None:
    return next((folder for folder in _SERVERS if nodeid.startswith(folder)), None)
