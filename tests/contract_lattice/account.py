"""An AWS account as the contract tests use it: they know an endpoint, a region and an account, and nothing else of it.

Everything is made through `Account`, which keeps three promises. What is made bears a name that begins with `fid-` and
the number of the run, and a tag that says so. There is never more of a kind than `BOUNDS` says, whatever a test does.
And what is seen, how long an answer and a change took and how something was refused, is noted down for the recording.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

from sandbox.lattice.recording import SeenError

PREFIX = "fid-"
TAG = "lattice-controller/fidelity"

BOUNDS = {
    "CreateServiceNetwork": 2,
    "CreateService": 9,
    "CreateListener": 3,
    "CreateRule": 6,
    "CreateTargetGroup": 3,
    "CreateServiceNetworkServiceAssociation": 4,
    "CreateServiceNetworkVpcAssociation": 2,
    "CreateAccessLogSubscription": 0,
    "RegisterTargets": 2,
}
"""Operation → how often a run may succeed with it."""

SERVICES = ("vpc-lattice", "resourcegroupstaggingapi", "sts", "service-quotas")


class BudgetError(Exception):
    """A test would make more than a run may."""


class Account:
    """The account, for one run. Raises what botocore raises; times are in seconds."""

    def __init__(
        self,
        session: Session,
        *,
        run: str,
        vpc: str,
        region: str,
        endpoint: str | None = None,
        poll: float = 0.5,
        patience: float = 600.0,
        associate_vpc: bool = False,
        target: str = "10.255.255.201",
    ) -> None:
        config = Config(retries={"mode": "standard", "total_max_attempts": 5})
        clients: dict[str, BaseClient] = {
            name: session.create_client(name, region_name=region, endpoint_url=endpoint, config=config)
            for name in SERVICES
        }
        self.lattice: Any = clients["vpc-lattice"]
        self.tagging: Any = clients["resourcegroupstaggingapi"]
        self.quotas: Any = clients["service-quotas"]
        self.id: str = clients["sts"].get_caller_identity()["Account"]
        self.region = region
        self.run = run
        self.vpc = vpc
        self.target = target
        self.associate_vpc = associate_vpc
        self.poll = poll
        self.patience = patience
        self.times: dict[str, list[float]] = {}
        """Change, as `Timings` names it → how long each took."""
        self.errors: dict[str, SeenError] = {}
        self.lags: list[float] = []
        """By how much lists lagged, at least and at most."""
        self.answers: dict[str, list[float]] = {}
        """Operation → how long each answer took."""
        self._sent = 0.0
        self.made: Counter[str] = Counter()
        self.lattice.meta.events.register("provide-client-params.vpc-lattice.*", self._tag)
        self.lattice.meta.events.register("before-call.vpc-lattice.*", self._spend)
        self.lattice.meta.events.register("after-call.vpc-lattice.*", self._refund)
        for service, client in (("vpc-lattice", self.lattice), ("resource-groups-tagging-api", self.tagging)):
            client.meta.events.register_last(f"before-send.{service}.*", self._begin)
            client.meta.events.register_first(f"response-received.{service}.*", self._end)

    def name(self, what: str) -> str:
        """The name of something that this run makes."""
        return f"{PREFIX}{self.run}-{what}"

    def _tag(self, params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
        if model.name.startswith("Create") and model.name in BOUNDS:
            return params | {"tags": params.get("tags", {}) | {TAG: self.run}}
        return params

    def _spend(self, model: Any, **_: Any) -> None:
        if model.name in BOUNDS and self.made[model.name] >= BOUNDS[model.name]:
            raise BudgetError(f"{model.name} may be used {BOUNDS[model.name]} times in a run, no more")
        self.made[model.name] += model.name in BOUNDS

    def _refund(self, http_response: Any, model: Any, **_: Any) -> None:
        """What was refused has made nothing; what has no known outcome counts."""
        if model.name in BOUNDS and 400 <= http_response.status_code < 500:
            self.made[model.name] -= 1

    def _begin(self, **_: Any) -> None:
        self._sent = time.monotonic()

    def _end(self, event_name: str, response_dict: dict[str, Any] | None, **_: Any) -> None:
        """An attempt has its answer; one that ended without is not one that was slow."""
        if response_dict is not None:
            operation = event_name.rpartition(".")[2]
            self.answers.setdefault(operation, []).append(time.monotonic() - self._sent)

    def refused(self, asked: str, call: Callable[..., Any], *codes: str, **params: Any) -> None:
        """Ask for what must be refused, with one of these codes, or with any of a client's mistakes if there are none.

        Raises `AssertionError` where it is done, or refused in another way.
        """
        try:
            call(**params)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            seen = SeenError(error.response["Error"]["Code"], status, error.response["Error"]["Message"])
            self.errors[asked] = seen
            assert 400 <= status < 500, f"{asked}: {seen}"
            assert not codes or seen.code in codes, f"{asked}: {seen}, not {' or '.join(codes)}"
        else:
            raise AssertionError(f"{asked}: was not refused")

    def until(self, change: str, look: Callable[[], bool], *, since: float | None = None) -> float:
        """Look until it is so, note how long that took since the answer that began it, and give it.

        Raises `AssertionError` when patience is at its end.
        """
        start = time.monotonic() if since is None else since
        while True:
            seen = look()
            took = time.monotonic() - start
            if seen:
                self.times.setdefault(change, []).append(took)
                return took
            assert took < self.patience, f"{change}: not done after {took:.0f} s"
            time.sleep(self.poll)

    def lag(self, of: str, shown: Callable[[], bool]) -> None:
        """Wait until a list knows of what was just answered, and note by how much it may have lagged.

        What the first look shows may not have lagged at all. Raises `AssertionError`.
        """
        looks = 0

        def look() -> bool:
            nonlocal looks
            looks += 1
            return shown()

        took = self.until(of, look)
        self.lags += (0.0, took) if looks == 1 else (took,)

    def settled(
        self, change: str, get: Callable[..., Any], *, since: float | None = None, **identifier: str
    ) -> dict[str, Any]:
        """Wait until what was made or updated is ACTIVE, and give it as it then is. Raises `AssertionError`."""
        found: dict[str, Any] = {}

        def look() -> bool:
            found.update(get(**identifier))
            assert not found["status"].endswith("_FAILED"), f"{change}: {found}"
            return bool(found["status"] == "ACTIVE")

        self.until(change, look, since=since)
        return found

    def gone(self, change: str, get: Callable[..., Any], **identifier: str) -> None:
        """Wait until what was deleted is not found any more. Raises `AssertionError`."""

        def look() -> bool:
            try:
                found = get(**identifier)
            except ClientError as error:
                return bool(error.response["Error"]["Code"] == "ResourceNotFoundException")
            assert not found["status"].endswith("_FAILED"), f"{change}: {found}"
            return False

        self.until(change, look)

    def pages(self, list_name: str, **params: Any) -> Iterator[dict[str, Any]]:
        """All items of a list."""
        for page in self.lattice.get_paginator(list_name).paginate(**params):
            yield from page["items"]


@contextmanager
def absent_is_fine() -> Iterator[None]:
    """What is to go may have gone already."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
