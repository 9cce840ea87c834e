"""Who and where we are in the cluster, as a pod can know it."""

from collections.abc import Mapping
from pathlib import Path

SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DEFAULT_NAMESPACE = "aws-application-networking-system"


def own_namespace(environ: Mapping[str, str], file: Path = SERVICE_ACCOUNT_NAMESPACE) -> str:
    """The namespace we run in: `$POD_NAMESPACE`, the service account's, or, outside a cluster, the usual one."""
    named = environ.get("POD_NAMESPACE", "").strip()
    if named:
        return named
    try:
        return file.read_text(encoding="utf-8").strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE


def own_identity(environ: Mapping[str, str], hostname: str, unique: str) -> str:
    """An identity for leader election: the pod's name, made unique, since a name may be used again after a restart."""
    return f"{environ.get('POD_NAME', '').strip() or hostname}_{unique}"
