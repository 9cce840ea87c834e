"""A mirror of our corner of VPC Lattice: found by the owner tag, read when first needed, kept by write-through.

- `inventory`  what reconcilers, `apply` and the poller use
- `mirror`     what is known, with indexes and claims; no I/O
- `states`     reads what is ours and its states into the mirror
- `children`   reads what hangs below it
- `groups`     which target group is the one that a key wants
- `needs`      whether what an operation needs holds, and what its references stand for
- `missed`     finds what may exist though nothing has shown it
- `record`     writes the answers to our own writes into the mirror
- `decode`     shapes of the API as observed structs
- `turns`      keeps the passes of two keys apart that want the same resource
- `once`       one read for all that want it at the same time
"""

from controller.lattice.inventory.inventory import Inventory
from controller.lattice.inventory.needs import Unmet
from controller.lattice.inventory.states import Client
from controller.lattice.inventory.turns import TakenError

__all__ = ["Client", "Inventory", "TakenError", "Unmet"]
