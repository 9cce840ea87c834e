"""The Kubernetes API that the parts of a sandbox share: its own, in memory, or another one."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a Kubernetes API is, and how to be let in as an administrator.

    The sandbox runs all Deployments and pods that it finds there. So another's has to be an API server by itself, as
    tests start one, and never that of a cluster with nodes of its own, whose pods it would report as running.
    """

    url: str
    kubeconfig: Mapping[str, Any]
    """The same for kubectl and for the controller."""
    token: str | None = None
    """A bearer token."""
    tls: ssl.SSLContext | None = None
    """For an https URL whose authority is not among the system's."""
