"""What the emulated VPC Lattice holds, in the terms of `reference`: read from its state, not through its API."""

from hashlib import sha256
from typing import Any

from sandbox.lattice import LatticeServer
from sandbox.lattice.resources import Listener, Rule, Service, TargetGroup
from tests.e2e.harness import PREFIX, Json
from tests.e2e.reference import Action, Match, Request, group_label, labelled

FURTHER = f"-{sha256(b'').hexdigest()[:7]}"
"""At the end of a name: the service is of no hostname, and the route's name was in use by a service of a hostname."""


def services(server: LatticeServer) -> dict[str, Json]:
    """All services by label; what is there twice has a label of its own, which nothing predicts."""
    server.state.transitions.run_due()
    return labelled((_label(service), _service(service)) for service in server.state.services)


def groups(server: LatticeServer) -> dict[str, Json]:
    """All target groups by label."""
    server.state.transitions.run_due()
    return labelled((_group_label(group), _group(group)) for group in server.state.target_groups)


def listeners(server: LatticeServer, label: str) -> dict[int, Listener]:
    """The listeners of a service by port."""
    service = next(service for service in server.state.services if _label(service) == label)
    return {listener.port: listener for listener in service.listeners.values()}


def answer(listener: Listener, request: Request) -> Action:
    """What a request meets: the action of the first rule by priority that fits; a prefix ends where an element does."""
    rules = sorted((rule for rule in listener.rules.values() if not rule.is_default), key=lambda rule: rule.priority)
    for rule in rules:
        method, operator, path, headers = _match(rule)
        if method not in {None, request.method}:
            continue
        below = operator == "prefix" and request.path.startswith(f"{path.rstrip('/')}/")
        if request.path != path and not below:
            continue
        if all(dict(request.headers).get(name) == value for name, value in headers):
            return _action(rule)
    return _action(listener.default_rule)


def _label(service: Service) -> str:
    namespace, name = (service.tags.get(f"{PREFIX}Route{part}", "?") for part in ("Namespace", "Name"))
    return f"{namespace}/{name}@{service.custom_domain or 'any'}"


def _service(service: Service) -> Json:
    assert service.status == "ACTIVE", service
    assert all(association.status == "ACTIVE" for association in service.associations.values()), service
    return {
        "domain": service.custom_domain,
        "name": None if service.custom_domain else service.name.removesuffix(FURTHER),
        "networks": sorted(association.network.name for association in service.associations.values()),
        "tags": dict(service.tags),
        "listeners": {
            listener.port: {
                "protocol": listener.protocol,
                "default": _action(listener.default_rule),
                "rules": sorted(
                    ((_match(rule), _action(rule)) for rule in listener.rules.values() if not rule.is_default),
                    key=str,
                ),
            }
            for listener in service.listeners.values()
        },
    }


def _group_label(group: TargetGroup) -> str:
    return group_label(group.tags, group.service and group.service.custom_domain, _targets(group))


def _targets(group: TargetGroup) -> list[tuple[str, int]]:
    return sorted((target.id, target.port or 0) for target in group.targets.values() if not target.draining)


def _group(group: TargetGroup) -> Json:
    """Without the tags by which the groups of a route's several hostnames and of a Service's several ports are told
    apart; that of the hostname has to be right."""
    assert group.status == "ACTIVE", group
    domain = group.service and group.service.custom_domain
    assert group.tags.get(f"{PREFIX}Hostname", domain) == domain, group
    config = group.config
    return {
        "service": None if group.service is None else _label(group.service),
        "tags": {
            name: value
            for name, value in group.tags.items()
            if name not in {f"{PREFIX}Hostname", f"{PREFIX}ServicePort"}
        },
        "config": (config["protocol"], config["protocolVersion"], config["port"], config["ipAddressType"]),
        "targets": _targets(group),
    }


def _match(rule: Rule) -> Match:
    http: dict[str, Any] = (rule.match or {})["httpMatch"]
    path = http.get("pathMatch", {"match": {"prefix": "/"}})["match"]
    operator = "exact" if "exact" in path else "prefix"
    headers = sorted((header["name"].lower(), header["match"]["exact"]) for header in http.get("headerMatches", []))
    return http.get("method"), operator, path[operator], tuple(headers)


def _action(rule: Rule) -> Action:
    if rule.action.fixed_response is not None:
        return rule.action.fixed_response
    weights: dict[str, int] = {}
    for group, weight in rule.action.forward:
        label = _group_label(group)
        weights[label] = weights.get(label, 0) + weight
    return tuple(sorted(weights.items()))
