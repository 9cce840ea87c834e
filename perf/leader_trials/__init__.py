"""Leader election put to the test: `python -m perf.leader_trials`.

Two replicas, processes of their own, lead and wait for the lease at the sandbox's Kubernetes API, while endpoints keep
changing, so that the leader writes to the sandbox's VPC Lattice all the time. In each trial the leader is stopped
(SIGSTOP), the other takes over, and then the first is woken. It is stopped at a random moment, or, by hooks of
`perf.leader_replica`, within a write: when the write has its connection, or between the fence's last answer and the
bytes. A woken replica ends, and a fresh one takes its place.

What counts is what the servers saw, not what a replica says of itself. Replicas sign with keys of their own, so the
call log tells whose each write was; the history of the Lease tells who might write when. A write is *late* if, when it
arrived, the last renewal of its sender was longer ago than the lease's duration, or somebody else had taken the lease.
All writes of a world are judged, in trials and between them, by whomever. All clocks are this machine's.

`options` is what is asked for, `world` has the servers and the traffic, `replica` the processes; `trials` stops and
wakes them; `judgement` says which writes were late, and `report` prints it.
"""

from perf.leader_trials.judgement import Renewal, Write, closest, late_writes
from perf.leader_trials.options import MOMENTS, Moment, Options
from perf.leader_trials.replica import Replica
from perf.leader_trials.trials import Outcome, Trial, run
from perf.leader_trials.world import World, world

__all__ = [
    "MOMENTS",
    "Moment",
    "Options",
    "Outcome",
    "Renewal",
    "Replica",
    "Trial",
    "World",
    "Write",
    "closest",
    "late_writes",
    "run",
    "world",
]
