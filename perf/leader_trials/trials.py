"""The trials of one world: a leader is stopped, the other takes over, the first is woken; then all writes are judged.

A trial tells what its stopped leader wrote; the judgement of the world is about every write that arrived, those of
successors, those between trials, and those around changes of the leader that no trial caused.
"""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from perf.leader_trials.judgement import Write, closest, late_writes
from perf.leader_trials.options import SIGNALS, Moment, Options
from perf.leader_trials.world import World, until, world


@dataclass
class Trial:
    """What became of one."""

    moment: Moment
    first: str
    taken_over: float
    """Seconds from the stop until the other led."""
    stopped: float
    """Seconds."""
    exit_code: int
    others: int
    """Writes of the successor until the first was woken."""
    late: list[Write] = field(default_factory=list)
    """Of the first."""


@dataclass
class Outcome:
    """Of all trials of one world."""

    trials: list[Trial]
    writes: int
    late: list[Write]
    """Of all writes, whoever sent them and whenever they arrived."""
    closest: float
    """The least time, in seconds, that was left of a lease when a write under it arrived."""
    repeated: int
    """Trials that began anew because the leader changed by itself before the stop."""
    tls: bool = False


async def run(options: Options, tell: Callable[[Trial], None] = lambda _: None) -> Outcome:
    """All trials, in one world."""
    trials: list[Trial] = []
    repeated = 0
    async with world(options) as made:
        for moment in options.trials:
            while (trial := await _trial(made, moment)) is None:
                repeated += 1
            trials.append(trial)
            tell(trial)
        await made.whole()
        writes = made.writes()
        # The Lease is followed in order: once it was renewed after the last write, all that is needed is known.
        await until(lambda: not writes or made.renewals[-1].at > writes[-1].at)
        late = late_writes(writes, made.renewals, options.duration)
        nearest = closest([write for write in writes if write not in set(late)], made.renewals, options.duration)
    return Outcome(trials, len(writes), late, nearest, repeated, options.tls)


async def _trial(made: World, moment: Moment) -> Trial | None:
    """Stop the leader, see the other take over, wake the first; None if the leader changed by itself before."""
    await made.whole()
    await anyio.sleep(made.random.uniform(0.1, 0.1 + 2 * made.options.period))
    first = next((one for one in made.replicas if one.name == made.leader), None)
    if first is None or first.has_ended():
        return None
    mark = made.mark()
    first.send(SIGNALS[moment])
    with suppress(FileNotFoundError):
        await until(lambda: first.is_stopped)
    stopped = time.time()
    if first.has_ended():
        return None
    await until(lambda: made.leader != first.name)
    taken_over = time.time() - stopped
    made.start()  # In place of the first, which is going to end.
    await until(lambda: any(write.by != first.name for write in made.writes(mark)))
    await anyio.sleep(made.random.uniform(0, 0.5))
    others = sum(write.by != first.name for write in made.writes(mark))
    if not first.has_ended():
        first.send(signal.SIGCONT)
    woken = time.time()
    await until(first.has_ended)
    await anyio.sleep(0.1)
    late = late_writes(made.writes(mark), made.renewals, made.options.duration)
    return Trial(
        moment=moment,
        first=first.name,
        taken_over=taken_over,
        stopped=woken - stopped,
        exit_code=first.process.exitcode or 0,
        others=others,
        late=[write for write in late if write.by == first.name],
    )
