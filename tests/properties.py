"""The property tests as a table of counts: `python -m tests.properties [examples]`.

What the tests run by the dozen is run here by the thousand, and each criterion of precedence is broken once, to show
after how many examples the property finds that out. Plans get a tenth of the examples: one of theirs is a sequence of
changes with some hundred calls. Nonzero if a property fails, or a broken criterion is not found out.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import anyio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.lattice import moments
from tests.lattice.sites import BACKENDS, passthroughs, run, sites
from tests.translate import rules_property

EXAMPLES = 1000


def main(examples: int) -> int:
    print("Rules: the backend that they select is the one that the specification selects\n")
    print(f"{'routes of':40} {'examples':>9} {'requests':>11} {'of which precedence decides':>29}")
    for kind in ("HTTPRoute", "GRPCRoute"):
        seen = rules_property.Tally()
        _run(examples, rules_property.routes(kind), lambda wanted, seen=seen: rules_property.holds(wanted, seen))
        print(f"{kind:40} {seen.examples:>9} {seen.requests:>11,} {seen.contested:>29,}", flush=True)
    print("\nPlans: each request gets the old or the new answer after every call\n")
    print(f"{'changes of':40} {'examples':>9} {'changes':>9} {'moments':>9} {'answers':>11}")
    for title, strategy, restarts in _plans():
        done = moments.Tally()
        _run(
            examples // 10,
            st.tuples(st.lists(strategy, min_size=2, max_size=4), st.integers(0, 2**32)),
            lambda drawn, done=done, restarts=restarts: anyio.run(run, *drawn, done, restarts),
        )
        print(f"{title:40} {done.examples:>9} {done.changes:>9} {done.moments:>9,} {done.answers:>11,}", flush=True)
    print("\nA criterion of precedence broken on purpose is found out\n")
    found = [_found_out(mutation, max(examples, EXAMPLES)) for mutation in rules_property.MUTATIONS]
    return 0 if all(found) else 1


def _plans() -> Iterator[tuple[str, st.SearchStrategy[Any], bool]]:
    yield "an HTTPRoute", sites(), False
    yield "an HTTPRoute, the process ends meanwhile", sites(BACKENDS[:3]), True
    yield "a TLSRoute", passthroughs(), False


def _found_out(mutation: rules_property.Mutation, examples: int) -> bool:
    seen = rules_property.Tally()
    try:
        with mutation.applied():
            _run(examples, rules_property.routes(mutation.kind), lambda wanted: rules_property.holds(wanted, seen))
    except AssertionError as error:
        print(f"{mutation!s:56} example {seen.examples:>4}: {str(error).splitlines()[0][:120]}", flush=True)
        return True
    print(f"{mutation!s:56} NOT FOUND in {seen.examples} examples", flush=True)
    return False


def _run(examples: int, strategy: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def property_(drawn: Any) -> None:
        check(drawn)

    property_()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES))
