"""The first verdict on a target that nobody checks.

VPC Lattice checks the targets of groups that a service uses: a new one is INITIAL until it has passed one check. The
data plane's health checker makes such checks. Where none is at work, as in an account that is a control plane only,
targets are taken to be well, and pass their first check after a time; only somebody else's verdict makes them worse.
"""

from sandbox.lattice.resources import TargetGroup
from sandbox.lattice.state import State


def begin_checks(state: State, group: TargetGroup) -> None:
    """Note that targets of the group may be waiting for their first check now: they are new, or it is in use again."""
    if group.service is None or not group.checks_health:
        return
    service = group.service
    waiting = [target for target in group.targets.values() if target.healthy is None and not target.draining]

    def passed() -> None:
        if state.health_checked or group.service is not service or not group.checks_health:
            return
        for target in waiting:
            if target.healthy is None and group.targets.get((target.id, target.port)) is target:
                target.healthy = True
        state.rerouted(group)

    if waiting:
        state.transitions.after(state.random.uniform(*state.timings.first_health_check), passed)
