"""`make fidelity`: the contracts of VPC Lattice in your own AWS account, and what was seen there in a file.

    python -m tests.contract_lattice.fidelity --region us-west-2 --vpc vpc-0123456789abcdef0 --yes

Credentials are found as by any SDK. Before anything is made it says in which account, how many of what at most, and
what that costs, and ends there unless `--yes` is given. Everything it makes is named `fid-…` and tagged, and is taken
away at the end, however that comes: Ctrl-C and SIGTERM end the tests, not the cleaning up, which only two more of them
end. `--clean-up` takes away what an earlier run has left. The file can be loaded by the sandbox
(`sandbox.lattice.load_recording`). At last the same contracts run in a sandbox, and each difference is told.

Exit codes: 0 all contracts were kept, 1 some were not, 2 nothing was done, 3 something is left in the account,
130 it was interrupted, and nothing is left.
"""

import argparse
import json
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from sandbox.lattice import Timings
from tests.contract_lattice.account import BOUNDS, PREFIX, TAG, Account
from tests.contract_lattice.contracts import CONTRACTS, Contract
from tests.contract_lattice.leftovers import clean_up
from tests.contract_lattice.run import Outcome, quotas, recording, run
from tests.contract_lattice.sandboxed import serving, session

PRICING = "https://aws.amazon.com/vpc/lattice/pricing/"

KEPT, BROKEN, NOTHING_DONE, LEFT, INTERRUPTED = 0, 1, 2, 3, 130


class Interruptions:
    """Ctrl-C, SIGTERM and a closed terminal: the first ends the tests, two more the cleaning up."""

    def __init__(self) -> None:
        self.cleaning = False
        self._again = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: Any) -> None:
        if self.cleaning and not self._again:
            self._again = True
            say("cleaning up; once more, and the rest is left to --clean-up")
            return
        self.cleaning = True
        raise KeyboardInterrupt


def say(text: str) -> None:
    print(text, flush=True)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fidelity", description=__doc__.split("\n")[0])
    parser.add_argument("--region", required=True)
    parser.add_argument("--vpc", required=True, help="the VPC of the target groups; nothing in it is changed")
    parser.add_argument("--account", help="go on only if the credentials are of this account")
    parser.add_argument(
        "--associate-vpc", action="store_true", help="also associate the VPC, which has no association yet"
    )
    parser.add_argument("--target", default="10.255.255.201", help="address to register as a target (%(default)s)")
    parser.add_argument("--record", type=Path, default=Path("lattice-recording.json"), help="the file (%(default)s)")
    parser.add_argument("--endpoint-url", help="for something that is not AWS")
    parser.add_argument("--poll", type=float, default=0.5, help="seconds between two looks (%(default)s)")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between rounds of cleaning up (%(default)s)")
    parser.add_argument("--deadline", type=float, default=1200.0, help="seconds for cleaning up (%(default)s)")
    parser.add_argument("--only", help="only contracts with this in their names")
    parser.add_argument("--clean-up", action="store_true", help="only take away what earlier runs have left")
    parser.add_argument("--yes", action="store_true", help="do it")
    return parser.parse_args(words)


def plan(account: Account, *, cleaning: bool) -> None:
    say(f"account {account.id}, region {account.region}, VPC {account.vpc}")
    if cleaning:
        say(f"deletes what is named {PREFIX}… and has the tag {TAG}, of any run")
        return
    bounds = ", ".join(f"{name} {most}" for name, most in BOUNDS.items() if most)
    say(
        f"{len(CONTRACTS)} contracts; what is made is named {PREFIX}{account.run}-… and has the tag {TAG}={account.run}"
    )
    say(f"successful calls at most: {bounds}")
    say(f"a service costs by the hour, some cents in all for this run: {PRICING}")


def main(words: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = arguments(words)
    chosen = [each for each in CONTRACTS if options.only is None or options.only in each.name]
    if not chosen or not options.record.absolute().parent.is_dir():
        say(f"{options.record} cannot be written" if chosen else f"no contract has {options.only!r} in its name")
        return NOTHING_DONE
    interruptions = Interruptions()
    try:
        account = Account(
            Session(),
            run=secrets.token_hex(4),
            vpc=options.vpc,
            region=options.region,
            endpoint=options.endpoint_url,
            poll=options.poll,
            associate_vpc=options.associate_vpc,
            target=options.target,
        )
    except (BotoCoreError, ClientError) as error:
        say(f"cannot reach the account: {error}")
        return NOTHING_DONE
    except KeyboardInterrupt:
        say("interrupted before anything was made")
        return INTERRUPTED
    if options.account not in {None, account.id}:
        say(f"these are credentials of account {account.id}, not of {options.account}")
        return NOTHING_DONE
    plan(account, cleaning=options.clean_up)
    if not options.yes:
        say("nothing was done; --yes does it")
        return NOTHING_DONE
    if options.clean_up:
        return _clean(account, None, options, interruptions) or KEPT
    return _run(account, chosen, options, interruptions)


def _run(
    account: Account, contracts: Sequence[Contract], options: argparse.Namespace, interruptions: Interruptions
) -> int:
    outcomes: list[Outcome] = []
    interrupted = False
    try:
        run(account, _note(outcomes), contracts)
        limits = quotas(account)
    except KeyboardInterrupt:
        interrupted, limits = True, {}
        say("interrupted")
    finally:
        interruptions.cleaning = True
        left = _clean(account, account.run, options, interruptions)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    options.record.write_text(json.dumps(recording(account, limits, now), indent=2) + "\n")
    say(f"what was seen is in {options.record}")
    if left or interrupted:
        return left or INTERRUPTED
    compare(account, outcomes)
    return BROKEN if any(outcome.problem for outcome in outcomes) else KEPT


def _note(outcomes: list[Outcome]) -> Callable[[Outcome], None]:
    def told(outcome: Outcome) -> None:
        outcomes.append(outcome)
        say(f"{'kept  ' if outcome.problem is None else 'BROKEN'} {outcome.contract.name}")
        if outcome.problem is not None:
            say(f"       {outcome.problem}\n       {outcome.contract.page}")

    return told


def _clean(account: Account, run_id: str | None, options: argparse.Namespace, interruptions: Interruptions) -> int:
    """Take away what there is of a run; LEFT, and how to go on, where something stays."""
    interruptions.cleaning = True
    again = f"--clean-up --region {options.region} --vpc {options.vpc} --yes takes it away"
    try:
        left = clean_up(account, run_id, pause=options.pause, deadline=options.deadline, say=say)
    except (KeyboardInterrupt, ClientError, BotoCoreError) as error:
        say(f"not everything is taken away ({type(error).__name__}: {error}); {again}")
        return LEFT
    if left:
        say("\n".join(("this is left:", *left, again)))
        return LEFT
    say("nothing is left in the account")
    return 0


def compare(account: Account, outcomes: Sequence[Outcome]) -> None:
    """Run the same contracts in a sandbox, and tell what is different there."""
    with serving(account=account.id, region=account.region, timings=Timings.instant()) as server:
        twin = Account(
            session(),
            run=account.run,
            vpc=account.vpc,
            region=account.region,
            endpoint=server.url,
            poll=0.0,
            associate_vpc=account.associate_vpc,
            target=account.target,
        )
        theirs = run(twin, lambda _: None, [outcome.contract for outcome in outcomes])
    differences = [
        f"{here.contract.name}: {here.problem or 'kept'}; in the sandbox {there.problem or 'kept'}"
        for here, there in zip(outcomes, theirs, strict=True)
        if (here.problem is None) != (there.problem is None)
    ]
    for asked in sorted(account.errors.keys() | twin.errors.keys()):
        here, there = account.errors.get(asked), twin.errors.get(asked)
        if (here and (here.code, here.status)) != (there and (there.code, there.status)):
            differences.append(f"{asked}: {here}; in the sandbox {there}")
    say("\n".join(("different from the sandbox:", *differences)) if differences else "the sandbox answers the same")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
