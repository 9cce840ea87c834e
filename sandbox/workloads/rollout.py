"""How a Deployment's ReplicaSets are to change next: pure.

The rules are those of the Deployment documentation ("Rolling Update Deployment"): never more pods than the desired
number and `maxSurge`, never fewer available ones than the desired number less `maxUnavailable`. Old pods that are not
available go first, as they serve nobody. Each call plans one step from what is observed; the steps follow each other
as pods become ready. A paused Deployment keeps its ReplicaSets as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.workloads.names import template_hash
from sandbox.workloads.objects import Json, labels_of

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_HISTORY = 10


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now; empty where nothing is left to do."""

    create: int | None = None
    """Make the ReplicaSet of the current template, with this many replicas."""
    scale: dict[str, int] = field(default_factory=dict)
    """Name of a ReplicaSet → replicas; only those that change."""
    remove: tuple[str, ...] = ()
    """Old, empty ReplicaSets beyond `revisionHistoryLimit`."""


def next_step(deployment: Json, replica_sets: Sequence[Json]) -> Step:
    """The next step from the ReplicaSets that the Deployment controls."""
    spec = deployment["spec"]
    if spec.get("paused"):
        return Step()
    current = current_replica_set(deployment, replica_sets)
    old = sorted((one for one in replica_sets if one is not current), key=revision_of)
    if (spec.get("strategy") or {}).get("type") == "Recreate":
        wanted = _recreate(deployment, old)
    else:
        wanted = _rolling(deployment, current, old)
    first = wanted.pop("", None)
    if current is not None and first is not None:
        wanted[current["metadata"]["name"]] = first
    now = {one["metadata"]["name"]: replicas_of(one) for one in replica_sets}
    return Step(
        create=first if current is None else None,
        scale={name: replicas for name, replicas in wanted.items() if now[name] != replicas},
        remove=_beyond_history(spec.get("revisionHistoryLimit"), old),
    )


def current_replica_set(deployment: Json, replica_sets: Sequence[Json]) -> Json | None:
    """The ReplicaSet of the Deployment's present template."""
    wanted = template_hash(deployment["spec"]["template"])
    return next((one for one in replica_sets if labels_of(one).get(HASH_LABEL) == wanted), None)


def replicas_of(obj: Json) -> int:
    """The desired number; 1 where none is said."""
    replicas: int = obj["spec"].get("replicas", 1)
    return replicas


def revision_of(replica_set: Json) -> int:
    """The revision of the Deployment that a ReplicaSet belongs to; the highest is the newest."""
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def bounds(deployment: Json) -> tuple[int, int]:
    """`maxSurge` and `maxUnavailable` in pods: percentages round up and down; never both 0, or nothing could move."""
    desired = replicas_of(deployment)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = _amount(rolling.get("maxSurge", "25%"), desired, up=True)
    unavailable = _amount(rolling.get("maxUnavailable", "25%"), desired, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, desired)


def _recreate(deployment: Json, old: Sequence[Json]) -> dict[str, int]:
    wanted = {one["metadata"]["name"]: 0 for one in old}
    if not any(replicas_of(one) or _status(one, "replicas") for one in old):
        wanted[""] = replicas_of(deployment)
    return wanted


def _rolling(deployment: Json, current: Json | None, old: Sequence[Json]) -> dict[str, int]:
    """Name → replicas; the current ReplicaSet, which may not exist yet, is named ''."""
    desired = replicas_of(deployment)
    surge, unavailable = bounds(deployment)
    new = 0 if current is None else replicas_of(current)
    new_available = 0 if current is None else _available(current)
    olds = {one["metadata"]["name"]: replicas_of(one) for one in old}
    total = new + sum(olds.values())
    if not any(olds.values()):
        return {"": desired}
    room = max(desired + surge - total, 0)
    wanted = {"": min(desired, new + room)}

    least = desired - unavailable
    spare = total - least - (new - new_available)
    for one in old:
        name = one["metadata"]["name"]
        idle = min(olds[name] - _available(one), max(spare, 0))
        olds[name] -= idle
        spare -= idle
    spare = min(spare, new_available + sum(_available(one) for one in old) - least)
    for name, replicas in olds.items():
        cut = min(replicas, max(spare, 0))
        olds[name] = replicas - cut
        spare -= cut
    return wanted | olds


def _beyond_history(limit: int | None, old: Sequence[Json]) -> tuple[str, ...]:
    empty = [one["metadata"]["name"] for one in old if not replicas_of(one) and not _status(one, "replicas")]
    return tuple(empty[: max(len(empty) - (_HISTORY if limit is None else limit), 0)])


def _available(replica_set: Json) -> int:
    """Available pods that stay: a status may lag behind a scaling down."""
    return min(_status(replica_set, "availableReplicas"), replicas_of(replica_set))


def _status(obj: Json, name: str) -> int:
    value: int = (obj.get("status") or {}).get(name, 0)
    return value


def _amount(value: int | str, desired: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    percent = int(value.removesuffix("%")) * desired
    return -(-percent // 100) if up else percent // 100
