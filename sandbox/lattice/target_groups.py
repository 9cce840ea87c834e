"""Target groups: their configuration, with the defaults that the API documents, creation and deletion.

Sources: API reference `TargetGroupConfig` and `HealthCheckConfig` (defaults and ranges, which are narrower than the
shapes'), `DeleteTargetGroup`; user guide "Health checks for your VPC Lattice target groups" (on by default for HTTP1
only; where they are enabled for gRPC the version of the check must be given) and "Target groups in VPC Lattice".
"""

from typing import Any

from sandbox.lattice.errors import conflict, invalid
from sandbox.lattice.health import begin_checks
from sandbox.lattice.resources import Described, TargetGroup
from sandbox.lattice.state import Call, Handler, State, page, require_active

DEFAULT_PORTS = {"HTTP": 80, "HTTPS": 443}

_RANGES = {
    "healthCheckIntervalSeconds": (5, 300, 30),
    "healthCheckTimeoutSeconds": (1, 120, 5),
    "healthyThresholdCount": (2, 10, 5),
    "unhealthyThresholdCount": (2, 10, 2),
}
"""Member of `HealthCheckConfig` → least, greatest, default."""


def _config(kind: str, given: dict[str, Any] | None) -> Described:
    """The configuration with its defaults; raises `ValidationException` for what the type does not support."""
    if kind == "LAMBDA":
        return _lambda_config(given or {})
    if given is None:
        raise invalid("config", f"is required for the type {kind}")
    if "lambdaEventStructureVersion" in given:
        raise invalid("config.lambdaEventStructureVersion", "is supported only for the type LAMBDA")
    for name in ("protocol", "vpcIdentifier"):
        if name not in given:
            raise invalid(f"config.{name}", f"is required for the type {kind}")
    protocol = given["protocol"]
    config = {"protocol": protocol, "vpcIdentifier": given["vpcIdentifier"], "port": _port(protocol, given)}
    if protocol != "TCP":
        config["protocolVersion"] = given.get("protocolVersion", "HTTP1")
    elif "protocolVersion" in given:
        raise invalid("config.protocolVersion", "is not supported for TCP")
    if kind == "IP":
        config["ipAddressType"] = given.get("ipAddressType", "IPV4")
    elif "ipAddressType" in given:
        raise invalid("config.ipAddressType", "is supported only for the type IP")
    if kind != "ALB":
        config["healthCheck"] = _health_check(config, given.get("healthCheck", {}))
    elif "healthCheck" in given:
        raise invalid("config.healthCheck", "is not supported for the type ALB")
    return config


def _port(protocol: str, given: dict[str, Any]) -> int:
    port: int | None = given.get("port", DEFAULT_PORTS.get(protocol))
    if port is None:
        raise invalid("config.port", f"is required for {protocol}, which has no default port")
    return port


def _lambda_config(given: dict[str, Any]) -> Described:
    for name in given:
        if name != "lambdaEventStructureVersion":
            raise invalid(f"config.{name}", "is not supported for the type LAMBDA")
    return {"lambdaEventStructureVersion": given.get("lambdaEventStructureVersion", "V1")}


def _health_check(config: Described, given: dict[str, Any]) -> Described:
    """A health check with its defaults. An empty path or matcher, which the shapes allow, says the default.

    Protocol and version have defaults only where the group's own say what its targets speak; elsewhere they must be
    given for the check to be enabled.
    """
    version = config.get("protocolVersion")
    check: Described = {"enabled": given.get("enabled", version == "HTTP1")}
    defaults = {
        "protocol": None if config["protocol"] == "TCP" else "HTTP",
        "protocolVersion": "HTTP1" if version == "HTTP1" else None,
    }
    for name, fallback in defaults.items():
        value = given.get(name, fallback)
        if value is not None:
            check[name] = value
        elif check["enabled"]:
            raise invalid(f"healthCheck.{name}", f"is required to check targets of {version or config['protocol']}")
    if check.get("protocol") == "TCP":
        raise invalid("healthCheck.protocol", "must be HTTP or HTTPS")
    for name, (low, high, default) in _RANGES.items():
        check[name] = given.get(name, default)
        if not low <= check[name] <= high:
            raise invalid(f"healthCheck.{name}", f"must be from {low} to {high}")
    if given.get("port"):
        check["port"] = given["port"]
    check["path"] = given.get("path") or "/"
    check["matcher"] = {"httpCode": given.get("matcher", {}).get("httpCode") or "200"}
    return check


def create_target_group(state: State, call: Call) -> Described:
    params = call.params
    name = params["name"]
    if existing := state.group_names.get(name):
        raise conflict(TargetGroup.kind, existing.id, f"a target group of the name {name} exists")
    config = _config(params["type"], params.get("config"))
    state.quotas.check("target_groups", len(state.target_groups) + 1, TargetGroup.kind)
    group = TargetGroup(
        name=name, type=params["type"], config=config, **state.identity("tg", "targetgroup", params.get("tags"))
    )
    state.target_groups.add(group)
    state.group_names[name] = group
    state.register(group)

    def done() -> None:
        group.status = "ACTIVE"

    state.evolve(group, "CREATE_IN_PROGRESS", state.timings.target_group_create, done, call.failure)
    return group.describe()


def get_target_group(state: State, call: Call) -> Described:
    return state.target_groups.find(call.params["targetGroupIdentifier"]).describe()


def list_target_groups(state: State, call: Call) -> Described:
    kind, vpc = call.params.get("targetGroupType"), call.params.get("vpcIdentifier")

    def fits(group: TargetGroup) -> bool:
        return (kind is None or group.type == kind) and (vpc is None or group.config.get("vpcIdentifier") == vpc)

    found = state.visibility.shown(filter(fits, state.target_groups), TargetGroup, fits)
    return page(call, found, state.visibility.listed(TargetGroup.describe))


def update_target_group(state: State, call: Call) -> Described:
    """Only the health check can be updated; what the request leaves out stays as it is."""
    group = state.target_groups.find(call.params["targetGroupIdentifier"])
    require_active(group)
    if "healthCheck" not in group.config:
        raise invalid("healthCheck", f"is not supported for the type {group.type}")
    given = group.config["healthCheck"] | call.params["healthCheck"]
    if call.params["healthCheck"].get("port") == 0:
        del given["port"]
    group.config["healthCheck"] = _health_check(group.config, given)
    if not group.checks_health:
        for target in group.targets.values():
            target.healthy = target.reason = None
    begin_checks(state, group)
    group.updated_at = state.now()
    state.rerouted(group)
    return group.describe()


def delete_target_group(state: State, call: Call) -> Described:
    """Targets that are merely registered do not stand in the way; those that are draining do."""
    group = state.target_groups.find(call.params["targetGroupIdentifier"])
    if group.status == "DELETE_IN_PROGRESS":
        return group.describe()
    if group.status == "CREATE_IN_PROGRESS":
        raise conflict(group.kind, group.id, f"target group {group.id} is in creation")
    if group.service is not None:
        raise conflict(group.kind, group.id, f"target group {group.id} is used by service {group.service.id}")
    if any(target.draining for target in group.targets.values()):
        raise conflict(group.kind, group.id, f"target group {group.id} has targets that are draining")

    def done() -> None:
        state.unregister(group)
        state.target_groups.remove(group)
        del state.group_names[group.name]

    state.evolve(group, "DELETE_IN_PROGRESS", state.timings.target_group_delete, done, call.failure)
    return group.describe()


OPERATIONS: dict[str, Handler] = {
    "CreateTargetGroup": create_target_group,
    "GetTargetGroup": get_target_group,
    "ListTargetGroups": list_target_groups,
    "UpdateTargetGroup": update_target_group,
    "DeleteTargetGroup": delete_target_group,
}
