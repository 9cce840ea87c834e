"""VPC Lattice's data plane: real HTTP requests, routed by the programmed rules, to real sockets.

Deciding is apart from moving bytes: `routing` (which rule), `balancing` (which target), `headers` and `health` are
pure; `server` and `checker` do the I/O around them. A further protocol is a further server around the same decisions.
"""

from sandbox.dataplane.checker import HealthChecker
from sandbox.dataplane.log import Access, AccessLog
from sandbox.dataplane.server import DataPlane

__all__ = ["Access", "AccessLog", "DataPlane", "HealthChecker"]
