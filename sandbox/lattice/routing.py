"""The routing view of the state: what the data plane asks of the control plane (`sandbox.lattice.directory`).

Views are computed when they are first asked for and kept until something that they show changes; the state drops them
then. So routing a request costs two look-ups, however many services there are.
"""

from collections.abc import Iterable
from typing import Any

from sandbox.lattice import directory
from sandbox.lattice.resources import Action, Listener, Rule, Service, TargetGroup
from sandbox.lattice.state import State


class StateDirectory:
    """`directory.Directory` over a `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def service_by_domain(self, domain: str) -> directory.Service | None:
        """The ACTIVE service of this domain; of several with one custom domain (in several networks) the oldest."""
        self._state.transitions.run_due()
        name = domain.lower()
        if (service := self._state.domains.get(name)) is not None:
            return _service_view(service) if service.status == "ACTIVE" else None
        for service in self._state.custom_domains.get(name, {}).values():
            if service.status == "ACTIVE":
                return _service_view(service)
        return None

    def target_group(self, group_id: str) -> directory.TargetGroup | None:
        self._state.transitions.run_due()
        group = self._state.target_groups.get(group_id)
        return None if group is None else _group_view(group)

    def certificate(self, arn: str) -> directory.Certificate | None:
        certificate = self._state.certificates.get(arn)
        if certificate is None or certificate.status != "ISSUED":
            return None
        imported = None
        if certificate.body:
            chain = b"\n".join((certificate.body, certificate.chain))
            imported = directory.KeyPair(chain.decode(), certificate.private_key.decode())
        return directory.Certificate(arn, certificate.alternative_names, imported)

    def target_groups(self) -> Iterable[directory.TargetGroup]:
        self._state.transitions.run_due()
        return [_group_view(group) for group in self._state.target_groups]

    def health_is_checked(self) -> None:
        self._state.health_checked = True

    def report_health(self, group_id: str, ip: str, port: int, *, healthy: bool, reason: str) -> None:
        self._state.transitions.run_due()
        group = self._state.target_groups.get(group_id)
        if group is None or group.service is None or not group.checks_health:
            return
        target = group.targets.get((ip, port))
        if target is not None and not target.draining and target.healthy is not healthy:
            target.healthy, target.reason = healthy, reason or None
            group.routing = None


def _service_view(service: Service) -> directory.Service:
    if service.routing is None:
        service.routing = directory.Service(
            service_id=service.id,
            name=service.name,
            domain=service.domain,
            custom_domain=service.custom_domain,
            networks=frozenset(
                network_id for network_id, association in service.associations.items() if association.status == "ACTIVE"
            ),
            listeners={listener.port: _listener_view(listener) for listener in service.listeners.values()},
            certificate_arn=service.certificate_arn,
            idle_timeout=service.idle_timeout,
        )
    return service.routing


def _listener_view(listener: Listener) -> directory.Listener:
    rules = sorted((rule for rule in listener.rules.values() if rule.priority is not None), key=_priority)
    protocol: Any = listener.protocol
    return directory.Listener(
        listener_id=listener.id,
        port=listener.port,
        protocol=protocol,
        rules=tuple(_rule_view(rule) for rule in rules),
        default_action=_action_view(listener.default_rule.action),
    )


def _priority(rule: Rule) -> int:
    return rule.priority or 0


def _rule_view(rule: Rule) -> directory.Rule:
    return directory.Rule(
        rule_id=rule.id,
        priority=_priority(rule),
        match=_match_view((rule.match or {})["httpMatch"]),
        action=_action_view(rule.action),
    )


def _match_view(match: dict[str, Any]) -> directory.Match:
    path = match.get("pathMatch", {})
    operators = path.get("match", {})
    return directory.Match(
        method=match.get("method") or None,
        path_exact=operators.get("exact"),
        path_prefix=operators.get("prefix"),
        path_case_sensitive=path.get("caseSensitive", False),
        headers=tuple(
            directory.HeaderMatch(
                name=header["name"], case_sensitive=header.get("caseSensitive", False), **header["match"]
            )
            for header in match.get("headerMatches", ())
        ),
    )


def _action_view(action: Action) -> directory.Forward | directory.FixedResponse:
    if action.fixed_response is not None:
        return directory.FixedResponse(action.fixed_response)
    return directory.Forward({group.id: weight for group, weight in action.forward})


def _group_view(group: TargetGroup) -> directory.TargetGroup:
    if group.routing is None:
        check = group.config.get("healthCheck")
        group.routing = directory.TargetGroup(
            group_id=group.id,
            protocol=group.config.get("protocol", ""),
            protocol_version=group.config.get("protocolVersion"),
            health_check=directory.HealthCheck(enabled=False) if check is None else _health_check_view(check),
            used=group.service is not None,
            targets=tuple(
                directory.Target(target.id, target.port, target.status(group))
                for target in group.targets.values()
                if target.port is not None
            ),
        )
    return group.routing


def _health_check_view(check: dict[str, Any]) -> directory.HealthCheck:
    return directory.HealthCheck(
        enabled=check["enabled"],
        protocol=check.get("protocol", "HTTP"),
        protocol_version=check.get("protocolVersion", "HTTP1"),
        path=check["path"],
        port=check.get("port"),
        interval=check["healthCheckIntervalSeconds"],
        timeout=check["healthCheckTimeoutSeconds"],
        healthy_threshold=check["healthyThresholdCount"],
        unhealthy_threshold=check["unhealthyThresholdCount"],
        matcher=check["matcher"]["httpCode"],
    )
