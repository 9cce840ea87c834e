"""Answers of the VPC Lattice API as observed structs: every shape is read here and nowhere else.

Lenient: what Lattice leaves out is as if it had its default, and a rule or action that the model cannot express is kept
as such, so that it equals nothing that is desired.
"""

from collections.abc import Mapping
from typing import Any

from controller.lattice.model import Forward, HealthCheck
from controller.lattice.observed import (
    ObservedAssociation,
    ObservedListener,
    ObservedNetwork,
    ObservedRule,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.plan.wire import action_of, match_of

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
        default_action=action_of(answer.get("defaultAction")),
        rules=rules,
    )


def rule(answer: Answer) -> ObservedRule:
    """API: `GetRuleResponse`, `CreateRuleResponse`."""
    return ObservedRule(
        id=answer["id"],
        arn=answer["arn"],
        name=answer["name"],
        priority=answer["priority"],
        match=match_of(answer.get("match")),
        action=action_of(answer.get("action")) or _UNKNOWN_ACTION,
    )


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
