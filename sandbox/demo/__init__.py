"""The walk-through of VPC Lattice with Gateway API, played on a sandbox, from a service network to answers and back.

- `story`    what happens, step by step, and what has to hold at each
- `stage`    the screen: headings, waiting, tables, the calls that each step cost
- `clients`  Kubernetes and AWS as a user has them
- `process`  the controller, as a process of its own
"""

from sandbox.demo.story import play

__all__ = ["play"]
