"""Services: names, domains, and their asynchronous creation and deletion.

Sources: API reference `CreateService`, `DeleteService`; user guide "Configure a custom domain name for your VPC Lattice
service" for the generated domain name and what a custom one may be.
"""

import re

from sandbox.lattice.actions import remove_listener
from sandbox.lattice.certificates import require_certificate
from sandbox.lattice.errors import conflict, invalid
from sandbox.lattice.policies import forget_policies
from sandbox.lattice.resources import Described, Service
from sandbox.lattice.state import Call, Handler, State, page, require_active

DOMAIN_PARTITION = "7d67968"
HOSTED_ZONE = "Z00000SANDBOXLATTICE"
DEFAULT_IDLE_TIMEOUT = 60

_DNS_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+", re.IGNORECASE)


def create_service(state: State, call: Call) -> Described:
    params = call.params
    name = params["name"]
    if existing := state.service_names.get(name):
        raise conflict(Service.kind, existing.id, f"a service of the name {name} exists")
    custom_domain = params.get("customDomainName")
    if custom_domain is not None and not _DNS_NAME.fullmatch(custom_domain):
        raise invalid("customDomainName", "must be a domain name")
    certificate = params.get("certificateArn") or None
    require_certificate(state, certificate)
    state.quotas.check("services", len(state.services) + 1, Service.kind)
    digits = state.hexadecimal()
    service = Service(
        name=name,
        domain=f"{name}-{digits}.{DOMAIN_PARTITION}.vpc-lattice-svcs.{state.region}.on.aws",
        hosted_zone_id=HOSTED_ZONE,
        custom_domain=custom_domain,
        certificate_arn=certificate,
        auth_type=params.get("authType", "NONE"),
        idle_timeout=params.get("idleTimeoutSeconds", DEFAULT_IDLE_TIMEOUT),
        **state.identity("svc", "service", params.get("tags"), hexadecimal=digits),
    )
    state.services.add(service)
    state.service_names[name] = service
    state.domains[service.domain] = service
    if custom_domain is not None:
        state.custom_domains.setdefault(custom_domain.lower(), {})[service.id] = service
    state.register(service)

    def done() -> None:
        service.status = "ACTIVE"

    state.evolve(service, "CREATE_IN_PROGRESS", state.timings.service_create, done, call.failure)
    return service.describe()


def get_service(state: State, call: Call) -> Described:
    return state.services.find(call.params["serviceIdentifier"]).describe()


def list_services(state: State, call: Call) -> Described:
    found = state.visibility.shown(state.services, Service, lambda _: True)
    return page(call, found, state.visibility.listed(Service.describe))


def update_service(state: State, call: Call) -> Described:
    params = call.params
    service = state.services.find(params["serviceIdentifier"])
    require_active(service)
    if (certificate := params.get("certificateArn")) is not None:
        require_certificate(state, certificate or None)
        service.certificate_arn = certificate or None
    service.auth_type = params.get("authType", service.auth_type)
    service.idle_timeout = params.get("idleTimeoutSeconds", service.idle_timeout)
    service.updated_at = state.now()
    state.rerouted(service)
    return service.describe()


def delete_service(state: State, call: Call) -> Described:
    service = state.services.find(call.params["serviceIdentifier"])
    if service.status == "DELETE_IN_PROGRESS":
        return service.describe()
    if service.status == "CREATE_IN_PROGRESS":
        raise conflict(service.kind, service.id, f"service {service.id} is in creation")
    if service.associations:
        association = next(iter(service.associations.values()))
        raise conflict(association.kind, association.id, f"service {service.id} is associated with a service network")

    def done() -> None:
        _remove(state, service)

    state.evolve(service, "DELETE_IN_PROGRESS", state.timings.service_delete, done, call.failure)
    return service.describe()


def _remove(state: State, service: Service) -> None:
    for listener in list(service.listeners.values()):
        remove_listener(state, listener)
    forget_policies(state, service)
    state.unregister(service)
    state.services.remove(service)
    del state.service_names[service.name]
    del state.domains[service.domain]
    if service.custom_domain is not None:
        holders = state.custom_domains[service.custom_domain.lower()]
        del holders[service.id]
        if not holders:
            del state.custom_domains[service.custom_domain.lower()]


OPERATIONS: dict[str, Handler] = {
    "CreateService": create_service,
    "GetService": get_service,
    "ListServices": list_services,
    "UpdateService": update_service,
    "DeleteService": delete_service,
}
