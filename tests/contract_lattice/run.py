"""Running the contracts in an account, and writing down what was seen."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.lattice.latency import LogNormal, distribution_to_json
from sandbox.lattice.quotas import CODES
from sandbox.lattice.recording import FORMAT
from sandbox.lattice.timings import Timings
from tests.contract_lattice.account import Account, BudgetError
from tests.contract_lattice.contracts import CONTRACTS, Contract, World


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a contract fared; `problem` is None where it was kept."""

    contract: Contract
    problem: str | None


def run(
    account: Account, told: Callable[[Outcome], None], contracts: Iterable[Contract] = tuple(CONTRACTS)
) -> list[Outcome]:
    """Run the contracts, all of them by default, one after the other; a broken one does not stop the others."""
    world = World(account)
    outcomes = []
    for contract in contracts:
        try:
            contract.check(world)
        except (AssertionError, ClientError, BotoCoreError, BudgetError, KeyError) as error:
            outcome = Outcome(contract, f"{type(error).__name__}: {error}")
        else:
            outcome = Outcome(contract, None)
        outcomes.append(outcome)
        told(outcome)
    return outcomes


def quotas(account: Account) -> dict[str, int]:
    """The quotas in force, as Service Quotas tells them, by the sandbox's names; empty if it may not be asked."""
    names = {code: name for name, code in CODES.items()}
    try:
        pages = account.quotas.get_paginator("list_service_quotas").paginate(ServiceCode="vpc-lattice")
        found = [quota for page in pages for quota in page["Quotas"]]
    except ClientError:
        return {}
    return {names[quota["QuotaCode"]]: int(quota["Value"]) for quota in found if quota["QuotaCode"] in names}


def recording(account: Account, limits: Mapping[str, int], now: str) -> dict[str, Any]:
    """What was seen, for `sandbox.lattice.recording`; `observed` has every single time, in seconds."""
    known = Timings.__dataclass_fields__.keys() & account.times.keys()
    return {
        "format": FORMAT,
        "region": account.region,
        "recorded": now,
        "timings": {name: _span(account.times[name]) for name in sorted(known)},
        "quotas": dict(limits),
        "consistency": _span(account.lags) if account.lags else None,
        "latencies": _latencies(account.answers),
        "errors": {asked: asdict(seen) for asked, seen in sorted(account.errors.items())},
        "observed": {name: [round(took, 3) for took in times] for name, times in sorted(account.times.items())},
    }


OFTEN = 10
"""Answers of an operation from which on they count as a distribution of its own."""


LEAST = 1e-6
"""Seconds; no answer takes none."""


def _latencies(answers: Mapping[str, list[float]]) -> dict[str, Any]:
    """By operation, as far as there are enough answers, and of all others."""
    seen = {name: took for name, took in sorted(answers.items()) if len(took) >= OFTEN}
    if rest := [one for name, took in answers.items() if name not in seen for one in took]:
        seen["*"] = rest
    return {name: distribution_to_json(_distribution(took)) for name, took in seen.items()}


def _distribution(took: list[float]) -> LogNormal:
    """The one with the median of these times, and with the 99th percentile that they come nearest to."""
    ordered = [max(LEAST, round(one, 6)) for one in sorted(took)]
    return LogNormal(statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1) + 0.5)])


def _span(times: list[float]) -> list[float]:
    return [round(min(times), 3), round(max(times), 3)]
