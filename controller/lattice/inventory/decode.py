"""Answers of the VPC Lattice API as observed structs: every shape is read here and nowhere else.

Lenient: what Lattice leaves out is as if it had its default, and a rule or action that the model cannot express is kept
as such, so that it equals nothing that is desired.
"""

from collections.abc import Mapping
from typing import Any

from controller.lattice.model import Action, FixedResponse, Forward, HeaderMatch, HealthCheck, Match
from controller.lattice.observed import (
    ObservedAssociation,
    ObservedListener,
    ObservedNetwork,
    ObservedRule,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.plan.wire import short_id

Answer = Mapping[str, Any]

_UNKNOWN_ACTION = Forward(weights=())


def network(answer: Answer) -> ObservedNetwork:
    """API: `ServiceNetworkSummary`."""
    return ObservedNetwork(id=answer["id"], arn=answer["arn"], name=answer["name"])


def associated_network(answer: Answer) -> ObservedNetwork:
    """The network in a `ServiceNetworkVpcAssociationSummary`."""
    return ObservedNetwork(
        id=answer["serviceNetworkId"], arn=answer["serviceNetworkArn"], name=answer["serviceNetworkName"]
    )


def service(answer: Answer, tags: Mapping[str, str]) -> ObservedService:
    """API: `GetServiceResponse`, `ServiceSummary`, `CreateServiceResponse`."""
    return ObservedService(
        id=answer["id"],
        arn=answer["arn"],
        name=answer["name"],
        status=answer["status"],
        domain=answer.get("dnsEntry", {}).get("domainName"),
        custom_domain=answer.get("customDomainName"),
        certificate_arn=answer.get("certificateArn"),
        auth_type=answer.get("authType", "NONE"),
        tags=dict(tags),
        failure=answer.get("failureMessage", ""),
    )


def association(answer: Answer) -> ObservedAssociation:
    """API: `ServiceNetworkServiceAssociationSummary`, `GetServiceNetworkServiceAssociationResponse`."""
    return ObservedAssociation(
        id=answer["id"],
        arn=answer["arn"],
        status=answer["status"],
        network_id=answer["serviceNetworkId"],
        network_name=answer.get("serviceNetworkName", ""),
        failure=answer.get("failureMessage", ""),
    )


def listener(answer: Answer, rules: Mapping[str, ObservedRule]) -> ObservedListener:
    """API: `GetListenerResponse`, `CreateListenerResponse`."""
    return ObservedListener(
        id=answer["id"],
        arn=answer["arn"],
        name=answer["name"],
        port=answer["port"],
        protocol=answer["protocol"],
        default_action=action(answer.get("defaultAction")),
        rules=rules,
    )


def rule(answer: Answer) -> ObservedRule:
    """API: `GetRuleResponse`, `CreateRuleResponse`."""
    return ObservedRule(
        id=answer["id"],
        arn=answer["arn"],
        name=answer["name"],
        priority=answer["priority"],
        match=match(answer.get("match")),
        action=action(answer.get("action")) or _UNKNOWN_ACTION,
    )


def match(shape: Answer | None) -> Match | None:
    """API: `RuleMatch`; None for what the model cannot express."""
    http = (shape or {}).get("httpMatch", {})
    path = http.get("pathMatch")
    operators: Answer = {} if path is None else path["match"]
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


def _header(shape: Answer) -> HeaderMatch | None:
    exact = shape["match"].get("exact")
    if exact is None or not shape.get("caseSensitive", False):
        return None
    return HeaderMatch(name=shape["name"].lower(), value=exact)


def action(shape: Answer | None) -> Action | None:
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


def target_group(answer: Answer, tags: Mapping[str, str], protocol_version: str = "") -> ObservedTargetGroup:
    """API: `GetTargetGroupResponse`, `CreateTargetGroupResponse`, `TargetGroupSummary`.

    A summary has neither health check nor protocol version, which then is the one given.
    """
    config: Answer = answer.get("config", answer)
    return ObservedTargetGroup(
        id=answer["id"],
        arn=answer["arn"],
        name=answer["name"],
        status=answer["status"],
        port=config.get("port", 0),
        protocol=config.get("protocol", ""),
        protocol_version=config.get("protocolVersion", protocol_version),
        ip_address_type=config.get("ipAddressType", "IPV4"),
        vpc=config.get("vpcIdentifier", ""),
        tags=dict(tags),
        health_check=health_check(config["healthCheck"]) if "healthCheck" in config else None,
        service_arns=tuple(answer.get("serviceArns", ())),
        failure=answer.get("failureMessage", ""),
    )


def health_check(shape: Answer) -> HealthCheck:
    """API: `HealthCheckConfig`."""
    default = HealthCheck()
    return HealthCheck(
        enabled=shape.get("enabled", default.enabled),
        protocol=shape.get("protocol", default.protocol),
        protocol_version=shape.get("protocolVersion", default.protocol_version),
        path=shape.get("path", default.path),
        port=shape.get("port"),
        interval=shape.get("healthCheckIntervalSeconds", default.interval),
        timeout=shape.get("healthCheckTimeoutSeconds", default.timeout),
        healthy_threshold=shape.get("healthyThresholdCount", default.healthy_threshold),
        unhealthy_threshold=shape.get("unhealthyThresholdCount", default.unhealthy_threshold),
        matcher=shape.get("matcher", {}).get("httpCode", default.matcher),
    )
