"""Listeners of a service, each with its default rule.

Sources: API reference `CreateListener` (a name unique within the service, default ports), user guide "TLS listeners for
VPC Lattice services" (a custom domain name, the default rule only, forwarding to a TCP target group).
"""

from sandbox.lattice.actions import remove_listener, replace, resolve_action, retain
from sandbox.lattice.errors import conflict, invalid, not_found
from sandbox.lattice.resources import Described, Listener, Rule, Service
from sandbox.lattice.state import Call, Handler, State, page, require_active

DEFAULT_PORTS = {"HTTP": 80, "HTTPS": 443}
DEFAULT_RULE_NAME = "default"


def find_listener(service: Service, identifier: str) -> Listener:
    """The service's listener with this id or ARN; raises `ResourceNotFoundException`."""
    listener = service.listeners.get(identifier.rpartition("/")[2])
    if listener is None or identifier not in {listener.id, listener.arn}:
        raise not_found(Listener.kind, identifier)
    return listener


def create_listener(state: State, call: Call) -> Described:
    params = call.params
    service = state.services.find(params["serviceIdentifier"])
    require_active(service)
    protocol = params["protocol"]
    port = params.get("port", DEFAULT_PORTS.get(protocol))
    if port is None:
        raise invalid("port", f"is required for {protocol}, which has no default port")
    if protocol == "TLS_PASSTHROUGH" and service.custom_domain is None:
        raise invalid("protocol", "a TLS_PASSTHROUGH listener needs a service with a custom domain name")
    for listener in service.listeners.values():
        if listener.name == params["name"]:
            raise conflict(listener.kind, listener.id, f"the service has a listener of the name {listener.name}")
        if listener.port == port:
            raise conflict(listener.kind, listener.id, f"the service has a listener on port {port}")
    state.quotas.check("listeners_per_service", len(service.listeners) + 1, Listener.kind, service.id)
    action = resolve_action(state, service, protocol, params["defaultAction"], "defaultAction")
    members = state.identity("listener", f"service/{service.id}/listener", params.get("tags"))
    rule_path = f"service/{service.id}/listener/{members['id']}/rule"
    default_rule = Rule(name=DEFAULT_RULE_NAME, action=action, **state.identity("rule", rule_path))
    listener = Listener(
        name=params["name"], service=service, protocol=protocol, port=port, default_rule=default_rule, **members
    )
    listener.rules[default_rule.id] = listener.names[default_rule.name] = default_rule
    retain(state, service, action)
    service.listeners[listener.id] = listener
    state.register(listener)
    return listener.describe()


def get_listener(state: State, call: Call) -> Described:
    service = state.services.find(call.params["serviceIdentifier"])
    return find_listener(service, call.params["listenerIdentifier"]).describe()


def list_listeners(state: State, call: Call) -> Described:
    service = state.services.find(call.params["serviceIdentifier"])
    found = state.visibility.shown(service.listeners.values(), Listener, lambda listener: listener.service is service)
    return page(call, found, Listener.describe)


def update_listener(state: State, call: Call) -> Described:
    service = state.services.find(call.params["serviceIdentifier"])
    listener = find_listener(service, call.params["listenerIdentifier"])
    require_active(service)
    rule = listener.default_rule
    document = call.params["defaultAction"]
    action = resolve_action(state, service, listener.protocol, document, "defaultAction", replacing=rule.action)
    replace(state, service, rule, action)
    rule.updated_at = listener.updated_at = state.now()
    return listener.describe()


def delete_listener(state: State, call: Call) -> Described:
    service = state.services.find(call.params["serviceIdentifier"])
    listener = find_listener(service, call.params["listenerIdentifier"])
    require_active(service)
    remove_listener(state, listener)
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateListener": create_listener,
    "GetListener": get_listener,
    "ListListeners": list_listeners,
    "UpdateListener": update_listener,
    "DeleteListener": delete_listener,
}
