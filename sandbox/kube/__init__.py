"""A Kubernetes API in memory, good enough for kubectl and for controllers.

`KubeServer` serves it on a real socket. Objects are validated, defaulted, pruned, versioned, listed, watched,
patched and deleted as the API server does; `faults` makes it misbehave on demand, and `counts` says what it was
asked. Nothing runs the workloads, there is no authorisation but on demand, and admission webhooks and CEL rules
(`x-kubernetes-validations`) are stored and not called.
"""

from sandbox.kube.bundled import bundled_crds
from sandbox.kube.errors import ApiError
from sandbox.kube.faults import Fault, Faults, Request
from sandbox.kube.server import KubeServer, Served

__all__ = ["ApiError", "Fault", "Faults", "KubeServer", "Request", "Served", "bundled_crds"]
