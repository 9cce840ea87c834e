"""Fields in the shapes of the VPC Lattice API (`RuleMatch`, `RuleAction`, `HealthCheckConfig`, …), and rules back.

Reading is lenient: what Lattice leaves out is as if it had its default, and a match or an action that the model cannot
express is None, which equals nothing that is desired.
"""

from collections.abc import Mapping
from typing import Any

from controller.api.keys import TargetGroupKey
from controller.lattice.model import Action, FixedResponse, Forward, HeaderMatch, HealthCheck, Match, Target
from controller.lattice.plan.context import PlanContext
from controller.lattice.plan.operations import Reference


def short_id(identifier: str) -> str:
    """The id in an ARN, or the id itself."""
    return identifier.rsplit("/", 1)[-1]


def match_shape(match: Match) -> dict[str, Any]:
    """API: `RuleMatch`. Any path is the prefix `/`; header values are compared as written."""
    if match.path_exact is not None:
        path: dict[str, Any] = {"exact": match.path_exact}
    else:
        path = {"prefix": match.path_prefix or "/"}
    http: dict[str, Any] = {"pathMatch": {"match": path, "caseSensitive": True}}
    if match.method is not None:
        http["method"] = match.method
    if match.headers:
        http["headerMatches"] = [
            {"name": header.name, "match": {"exact": header.value}, "caseSensitive": True} for header in match.headers
        ]
    return {"httpMatch": http}


def match_of(shape: Mapping[str, Any] | None) -> Match | None:
    """API: `RuleMatch`; None for what the model cannot express."""
    http = (shape or {}).get("httpMatch", {})
    path = http.get("pathMatch")
    operators: Mapping[str, Any] = {} if path is None else path["match"]
    headers = [_header(one) for one in http.get("headerMatches", ())]
    known = [header for header in headers if header is not None]
    if len(known) < len(headers) or (path is not None and not path.get("caseSensitive", False)):
        return None
    exact = operators.get("exact")
    return Match(
        method=http.get("method"),
        path_exact=exact,
        path_prefix=operators.get("prefix", "/") if exact is None else None,
        headers=tuple(sorted(known)),
    )


def _header(shape: Mapping[str, Any]) -> HeaderMatch | None:
    exact = shape["match"].get("exact")
    if exact is None or not shape.get("caseSensitive", False):
        return None
    return HeaderMatch(name=shape["name"].lower(), value=exact)


def action_shape(action: Action, context: PlanContext) -> dict[str, Any]:
    """API: `RuleAction`. A group that does not exist yet is a reference."""
    match action:
        case FixedResponse(status_code=code):
            return {"fixedResponse": {"statusCode": code}}
        case Forward(weights=weights):
            return {
                "forward": {
                    "targetGroups": [
                        {"targetGroupIdentifier": group_identifier(group, context), "weight": weight}
                        for group, weight in weights
                    ]
                }
            }


def action_of(shape: Mapping[str, Any] | None) -> Action | None:
    """API: `RuleAction`; None for what the model cannot express."""
    if shape is None:
        return None
    if "fixedResponse" in shape:
        return FixedResponse(status_code=shape["fixedResponse"]["statusCode"])
    if "forward" in shape:
        groups = shape["forward"].get("targetGroups", ())
        weights = [(short_id(group["targetGroupIdentifier"]), group.get("weight", 100)) for group in groups]
        return Forward(weights=tuple(sorted(weights)))
    return None


def group_identifier(group: TargetGroupKey | str, context: PlanContext) -> str | Reference:
    if isinstance(group, str):
        return group
    observed = context.target_group(group)
    return Reference(to=group) if observed is None else observed.id


def resolved(action: Action | None, context: PlanContext) -> Action | None:
    """The action with ids for keys, in a fixed order; None if a group does not exist yet, so that it equals nothing."""
    if not isinstance(action, Forward):
        return action
    weights: list[tuple[TargetGroupKey | str, int]] = []
    for group, weight in action.weights:
        identifier = group_identifier(group, context)
        if isinstance(identifier, Reference):
            return None
        weights.append((short_id(identifier), weight))
    return Forward(weights=tuple(sorted(weights, key=lambda pair: str(pair[0]))))


def health_check_shape(check: HealthCheck) -> dict[str, Any]:
    """API: `HealthCheckConfig`. Of a disabled check nothing else is said, because it has no effect."""
    if not check.enabled:
        return {"enabled": False}
    shape: dict[str, Any] = {
        "enabled": True,
        "protocol": check.protocol,
        "protocolVersion": check.protocol_version,
        "path": check.path,
        "healthCheckIntervalSeconds": check.interval,
        "healthCheckTimeoutSeconds": check.timeout,
        "healthyThresholdCount": check.healthy_threshold,
        "unhealthyThresholdCount": check.unhealthy_threshold,
        "matcher": {"httpCode": check.matcher},
    }
    if check.port is not None:
        shape["port"] = check.port
    return shape


def target_shape(target: Target) -> dict[str, Any]:
    return {"id": target.ip, "port": target.port}
