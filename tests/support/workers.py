"""Which tests share a worker: those of a file, and those that need the same costly thing.

The contract of the Kubernetes API is tested on a real kube-apiserver, which a worker starts once, and which takes its
share of the processors from then on. So that not every worker has one, these files go to two workers.
"""

import zlib

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.scheduler.protocol import Scheduling

_COSTLY = "tests/contract/kubernetes/"
_SERVERS = 2


class ByNeed(LoadFileScheduling):
    """`--dist loadfile`, but for tests that share a server."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return f"{_COSTLY}{zlib.crc32(file.encode()) % _SERVERS}" if file.startswith(_COSTLY) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return ByNeed(config, log) if config.getvalue("dist") == "loadfile" else None
