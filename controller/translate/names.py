"""What Lattice resources are called.

A service is found by its name, which therefore is exactly what the AWS Gateway API Controller makes of a route, and
a name that Lattice refuses is the author's to change. Listeners and target groups are found by port and by tags:
their names follow the same form, but are made acceptable where they are not.

Source: VPC Lattice API reference, `CreateService`, `CreateListener`, `CreateTargetGroup`.
"""

import re
from hashlib import sha256
from typing import Final

from controller.api.keys import RouteRef

_LABEL = re.compile(r"(?![-])(?!.*[-]$)(?!.*[-]{2})[a-z0-9-]+")
MIN_LENGTH: Final = 3
SERVICE_MAX: Final = 40


def truncate(text: str, length: int) -> str:
    """The first `length` characters, without hyphens at the ends."""
    return text[:length].strip("-")


def service_name(route: RouteRef) -> str:
    """The name of a route's service, or of that of its first hostname."""
    return f"{truncate(route.name, 20)}-{truncate(route.namespace, 18)}"


def further_service_name(route: RouteRef, hostname: str) -> str:
    """The name of the service of a further hostname of a route, always one that Lattice takes."""
    digest = sha256(hostname.encode()).hexdigest()[:7]
    return _acceptable(f"{truncate(route.name, 20)}-{truncate(route.namespace, 10)}-{digest}").removeprefix("svc-")


def service_name_problem(name: str) -> str | None:
    """What VPC Lattice has against this name of a service; None when it takes it."""
    if not MIN_LENGTH <= len(name) <= SERVICE_MAX:
        return f"it must have {MIN_LENGTH} to {SERVICE_MAX} characters"
    if name.startswith("svc-"):
        return "it must not begin with svc-"
    if not _LABEL.fullmatch(name):
        return "it may have only a-z, 0-9 and single hyphens, and must begin and end with a letter or digit"
    return None


def listener_name(route: RouteRef, port: int, protocol: str) -> str:
    """The name of a listener of a route's service."""
    name = _acceptable(f"{service_name(route)}-{port}-{protocol.lower()}")
    return f"k8s-{name}" if name.startswith("listener-") else name


def target_group_name(namespace: str, service: str, identity: str) -> str:
    """The name of a target group of a Service; ten letters of a hash of `identity` set it apart from all others."""
    number = int.from_bytes(sha256(identity.encode()).digest())
    letters = ""
    for _ in range(10):
        number, digit = divmod(number, 26)
        letters += chr(ord("a") + digit)
    return _acceptable(f"k8s-{truncate(namespace, 55)}-{truncate(service, 55)}-{letters}")


def _acceptable(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
