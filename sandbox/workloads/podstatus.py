"""The status of a pod as its kubelet reports it: pure.

Conditions follow the Kubernetes documentation ("Pod Lifecycle": pod conditions, pod readiness): a pod is Ready when its
containers are and every condition that its readiness gates name is True; the gates' own conditions belong to others and
are left as they are. Probes are not run: the server that answers here is well as soon as it listens.
"""

from datetime import datetime

from sandbox.workloads.objects import Json, is_true, timestamp, uid_of, with_condition
from sandbox.workloads.world import NODE_ADDRESS

_OURS = ("PodScheduled", "Initialized", "ContainersReady", "Ready")


def running_status(pod: Json, address: str, *, problem: str | None, now: datetime) -> Json:
    """The status of a pod that has an address and listens, or does not because of `problem`."""
    before = pod.get("status") or {}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    closed = [gate for gate in gates if not is_true(pod, gate)]
    listens = problem is None

    def condition(kind: str, *, true: bool, reason: str = "", message: str = "") -> Json:
        return with_condition(pod, kind, true=true, now=now, reason=reason, message=message)

    if not listens:
        ready = condition("Ready", true=False, reason="ContainersNotReady", message=problem or "")
    elif closed:
        message = f"the status of pod readiness gates is not True: {', '.join(closed)}"
        ready = condition("Ready", true=False, reason="ReadinessGatesNotReady", message=message)
    else:
        ready = condition("Ready", true=True)
    reason = "" if listens else "ContainersNotReady"
    others = [one for one in before.get("conditions") or () if one["type"] not in _OURS]
    started = before.get("startTime") or timestamp(now)
    return {
        **before,
        "phase": "Running" if listens else "Pending",
        "conditions": [
            condition("PodScheduled", true=True),
            condition("Initialized", true=True),
            condition("ContainersReady", true=listens, reason=reason, message=problem or ""),
            ready,
            *others,
        ],
        "hostIP": NODE_ADDRESS,
        "hostIPs": [{"ip": NODE_ADDRESS}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": started,
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container.get("image", ""),
                "imageID": container.get("image", ""),
                "containerID": f"sandbox://{uid_of(pod)}/{container['name']}",
                "ready": listens,
                "started": listens,
                "restartCount": 0,
                "state": {"running": {"startedAt": started}}
                if listens
                else {"waiting": {"reason": "CreateContainerError", "message": problem}},
            }
            for container in pod["spec"]["containers"]
        ],
    }
