"""Plans: from what was observed in VPC Lattice to what is desired, as operations that are only data.

Pure: no I/O, no clock but the time passed in. `plan_service` and `plan_target_group` are the entrances;
`controller.lattice.apply` runs what they return, and `lattice-controller plan` prints the same.

- `operations`  what a plan is made of
- `wire`        desired fields in the shapes of the API
- `services`    services, their associations and listeners
- `rules`       the rules of a listener, in steps after each of which every request gets the old or the new answer
- `warming`     groups that a service begins to use, and their first health check
- `priorities`  numbers for the rules that move the fewest
- `groups`      target groups and their targets
- `take_over`   what of a plan is held back where another controller was before
"""

from controller.lattice.plan.context import PlanContext
from controller.lattice.plan.groups import plan_target_group, plan_targets
from controller.lattice.plan.operations import (
    Active,
    AssociationOf,
    Gone,
    ListenerOf,
    Need,
    Operation,
    Plan,
    Problem,
    Reference,
    Registered,
    Resource,
    Settled,
    Unused,
    Warm,
)
from controller.lattice.plan.services import outlives, plan_service
from controller.lattice.plan.take_over import Held, hold_back

__all__ = [
    "Active",
    "AssociationOf",
    "Gone",
    "Held",
    "ListenerOf",
    "Need",
    "Operation",
    "Plan",
    "PlanContext",
    "Problem",
    "Reference",
    "Registered",
    "Resource",
    "Settled",
    "Unused",
    "Warm",
    "hold_back",
    "outlives",
    "plan_service",
    "plan_target_group",
    "plan_targets",
]
