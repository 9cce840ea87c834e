"""What a service account was refused, from the API server's own audit log."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.support.kube_apiserver import KubeApiserver

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
}


class Done(NamedTuple):
    """A request of a service account."""

    verb: str
    resource: str
    """With its subresource: `httproutes/status`."""
    code: int


def flags(directory: Path) -> Mapping[str, str]:
    """What makes an API server in this directory keep the log."""
    policy = directory / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(POLICY))
    return {
        "audit-policy-file": str(policy),
        "audit-log-path": str(directory / "audit.log"),
        "audit-log-mode": "blocking-strict",
    }


def done(server: KubeApiserver, since: int = 0) -> list[Done]:
    """All requests of service accounts to resources, from a position in the log on."""
    text = _log(server).read_bytes()[since:].decode()
    found = []
    for line in text.splitlines():
        entry = json.loads(line)
        if about := entry.get("objectRef"):
            parts = (about["resource"], about.get("subresource"))
            code = entry.get("responseStatus", {}).get("code", 0)
            found.append(Done(entry["verb"], "/".join(filter(None, parts)), code))
    return found


def mark(server: KubeApiserver) -> int:
    """A position for `done`: all up to now lies before it."""
    return _log(server).stat().st_size


def _log(server: KubeApiserver) -> Path:
    log = server.certificate.parent / "audit.log"
    log.touch()
    return log
