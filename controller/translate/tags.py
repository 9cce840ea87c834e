"""Tags of Lattice resources: those by which ours are found again, and the user's.

Source: VPC Lattice API reference, `TagResource`; the contract's names and tags.
"""

import re
from collections.abc import Mapping
from typing import Final

from controller.api.keys import RouteKind, RouteRef, TargetGroupKey
from controller.lattice.model import TAG_PREFIX, Identity

ROUTE_NAME: Final = TAG_PREFIX + "RouteName"
ROUTE_NAMESPACE: Final = TAG_PREFIX + "RouteNamespace"
ROUTE_TYPE: Final = TAG_PREFIX + "RouteType"
CLUSTER_NAME: Final = TAG_PREFIX + "ClusterName"
SERVICE_NAME: Final = TAG_PREFIX + "ServiceName"
SERVICE_NAMESPACE: Final = TAG_PREFIX + "ServiceNamespace"
SOURCE_TYPE: Final = TAG_PREFIX + "SourceTypeKey"
PROTOCOL_VERSION: Final = TAG_PREFIX + "ProtocolVersion"
SERVICE_PORT: Final = TAG_PREFIX + "ServicePort"
"""Set on the group of a further port of a Service that one Lattice service uses by several ports."""
HOSTNAME: Final = TAG_PREFIX + "Hostname"
"""Set on the groups of the service of a further hostname of a route."""

ROUTE_TYPES: Final[Mapping[RouteKind, str]] = {"HTTPRoute": "http", "GRPCRoute": "grpc", "TLSRoute": "tls"}

MAX_USER_TAGS: Final = 40
"""Lattice takes 50 tags a resource, and a target group has up to ten of ours (quota: tags per resource)."""
MAX_PAIRS: Final = 1000
_MAX_KEY = 128
_MAX_VALUE = 256
_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")


def user_tags(annotation: str | None) -> dict[str, str]:
    """The tags of a `tags` annotation (`key=value` pairs with commas between them): the first 40 that Lattice takes.

    Of the pairs that an annotation of its greatest size, 256 KiB, has room for, only the first thousand are looked at.
    """
    tags: dict[str, str] = {}
    for pair in (annotation or "").split(",", MAX_PAIRS)[:MAX_PAIRS]:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not key or len(key) > _MAX_KEY or len(value) > _MAX_VALUE:
            continue
        if key.lower().startswith("aws:") or key.startswith(TAG_PREFIX):
            continue
        if not _ALLOWED.fullmatch(key) or not _ALLOWED.fullmatch(value):
            continue
        if key in tags or len(tags) < MAX_USER_TAGS:
            tags[key] = value
    return tags


def service_tags(route: RouteRef) -> dict[str, str]:
    """Which route a service belongs to."""
    return {ROUTE_NAME: route.name, ROUTE_NAMESPACE: route.namespace, ROUTE_TYPE: ROUTE_TYPES[route.kind]}


def target_group_tags(
    key: TargetGroupKey, route: RouteRef, identity: Identity, *, further_port: bool, further_hostname: bool
) -> dict[str, str]:
    """By which the group of a route's backend is found.

    `further_port` and `further_hostname` tell groups apart that would else have the same tags: see `SERVICE_PORT`,
    `HOSTNAME`.
    """
    tags = {
        CLUSTER_NAME: identity.cluster,
        SERVICE_NAME: key.service,
        SERVICE_NAMESPACE: key.namespace,
        SOURCE_TYPE: route.kind,
        PROTOCOL_VERSION: key.protocol_version,
        ROUTE_NAME: route.name,
        ROUTE_NAMESPACE: route.namespace,
    }
    if further_port:
        tags[SERVICE_PORT] = "" if key.port is None else str(key.port)
    if further_hostname:
        tags[HOSTNAME] = key.owner.hostname
    return tags
