"""Workloads: Deployments become pods on loopback addresses that answer.

Small controllers over the Kubernetes API, and nothing but that API, so that the sandbox's own server and a real one
serve alike. Deciding is pure (`rollout`, `endpoints`, `podstatus`, `names`); the controllers around it (`deployments`,
`replicasets`, `kubelet`, `slices`, `collector`) are level-triggered loops over shared caches.
"""

from sandbox.workloads.client import KubeError
from sandbox.workloads.workloads import Answer, Workloads

__all__ = ["Answer", "KubeError", "Workloads"]
