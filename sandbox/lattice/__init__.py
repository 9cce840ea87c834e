"""An emulated AWS account with VPC Lattice in it, on real sockets: a control plane to test and to demonstrate against.

`LatticeServer` is the whole of it: requests and answers by the service model that botocore ships, asynchronous states,
conflicts, quotas, throttling, faults on demand and a log of all calls. What the documentation does not say that the
real service can do is refused; `docs/sandbox-lattice.md` cites the page for each thing that is allowed.

Layers, each importing only those before it: `errors`, `model`, `calls`, `timings`, `latency`, `transitions`, `quotas`,
`recording`, `resources` (records), `visibility`, `credentials`, `state` (indexes, identities, time); the resource
families; `protocols`, `signatures`, `metadata`, `ec2`, `faults`, `throttle`; `dispatch` (a request to its reply,
synchronously); `control`, `routing` and `server` (sockets).
"""

from sandbox.lattice.calls import CallLog, CallRecord, is_write
from sandbox.lattice.faults import Delay, Fail, Fault, Faults, Hang, Partial, Refuse, Reset, Throttle
from sandbox.lattice.latency import Constant, LogNormal, Uniform
from sandbox.lattice.quotas import Quotas
from sandbox.lattice.recording import Recording
from sandbox.lattice.recording import load as load_recording
from sandbox.lattice.server import LatticeServer
from sandbox.lattice.throttle import Rate
from sandbox.lattice.timings import Timings

__all__ = [
    "CallLog",
    "CallRecord",
    "Constant",
    "Delay",
    "Fail",
    "Fault",
    "Faults",
    "Hang",
    "LatticeServer",
    "LogNormal",
    "Partial",
    "Quotas",
    "Rate",
    "Recording",
    "Refuse",
    "Reset",
    "Throttle",
    "Timings",
    "Uniform",
    "is_write",
    "load_recording",
]
