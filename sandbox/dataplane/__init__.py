"""VPC Lattice's data plane: real requests, routed by the programmed rules, to real sockets.

HTTP/1.1 and HTTP/2, in clear and over TLS, gRPC, and TLS that is passed through. Deciding is apart from moving bytes:
`routing` (which rule), `balancing` (which target), `versions` (which target group can serve it), `entry` (what becomes
of a TLS connection), `headers`, `hello` and `health`. Around them, from the caller to the target: `door` (what a
connection is), `http1`, `http2server` and `passthrough` (who serves it), `exchange` (what becomes of a request), and
`targets` with `http1target` and `http2target` (who asks the target). `http2` is a connection for either side,
`authority` makes certificates, `checker` checks health. `docs/sandbox-dataplane.md` cites the page for each behaviour.
"""

from sandbox.dataplane.authority import Authority
from sandbox.dataplane.checker import HealthChecker
from sandbox.dataplane.log import Access, AccessLog
from sandbox.dataplane.server import DataPlane

__all__ = ["Access", "AccessLog", "Authority", "DataPlane", "HealthChecker"]
