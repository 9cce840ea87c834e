"""Associations of a service network with services and with VPCs.

Sources: API reference `CreateServiceNetworkServiceAssociation` (not if they are associated already, or while a
disassociation or deletion is in progress), `CreateServiceNetworkVpcAssociation` and
`UpdateServiceNetworkVpcAssociation` (security groups can be changed, the last one not removed), the lists (which must
be asked by one of the two sides, a filter: they have no error for a side that is not there); user guide "Configure a
custom domain name" (unique in a network) and "VPC associations" (a VPC has one association).
"""

from collections.abc import Iterable

from sandbox.lattice.errors import conflict, invalid
from sandbox.lattice.networks import network_to_associate
from sandbox.lattice.resources import Described, Evolving, Service, ServiceAssociation, ServiceNetwork, VpcAssociation
from sandbox.lattice.state import Call, Handler, State, page, require_active

SPECIFIED_DOMAINS = ("VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS", "SPECIFIED_DOMAINS_ONLY")


def _refuse_if_in_progress(association: Evolving) -> None:
    if association.status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:
        raise conflict(
            association.kind, association.id, f"association {association.id} is in status {association.status}"
        )


def create_service_association(state: State, call: Call) -> Described:
    params = call.params
    network = network_to_associate(state, params["serviceNetworkIdentifier"])
    service = state.services.find(params["serviceIdentifier"])
    require_active(service)
    if existing := network.services.get(service.id):
        raise conflict(existing.kind, existing.id, f"they are associated, in status {existing.status}")
    _refuse_second_domain(state, network, service)
    state.quotas.check("services_per_network", len(network.services) + 1, ServiceAssociation.kind, network.id)
    association = ServiceAssociation(
        service=service,
        network=network,
        created_by=state.account,
        **state.identity("snsa", "servicenetworkserviceassociation", params.get("tags")),
    )
    network.services[service.id] = service.associations[network.id] = association
    state.service_associations.add(association)
    state.register(association)

    def done() -> None:
        association.status = "ACTIVE"

    span = state.timings.service_association_create
    state.evolve(association, "CREATE_IN_PROGRESS", span, done, call.failure)
    return association.describe()


def _refuse_second_domain(state: State, network: ServiceNetwork, service: Service) -> None:
    if service.custom_domain is None:
        return
    for other in state.custom_domains[service.custom_domain.lower()].values():
        if other is not service and (existing := network.services.get(other.id)):
            raise conflict(
                existing.kind,
                existing.id,
                f"the domain name {service.custom_domain} is in use in service network {network.id} by {other.id}",
            )


def get_service_association(state: State, call: Call) -> Described:
    return state.service_associations.find(call.params["serviceNetworkServiceAssociationIdentifier"]).describe()


def list_service_associations(state: State, call: Call) -> Described:
    network_id = call.params.get("serviceNetworkIdentifier")
    service_id = call.params.get("serviceIdentifier")
    if service_id is None and network_id is None:
        raise invalid("serviceNetworkIdentifier", "this or serviceIdentifier is required")
    service = None if service_id is None else state.services.get(service_id)
    network = None if network_id is None else state.networks.get(network_id)

    def fits(association: ServiceAssociation) -> bool:
        return service in {None, association.service} and network in {None, association.network}

    there: Iterable[ServiceAssociation] = ()
    if (service_id is not None and service is None) or (network_id is not None and network is None):
        return page(call, there, ServiceAssociation.describe)
    if service is not None:
        there = filter(fits, service.associations.values())
    elif network is not None:
        there = network.services.values()
    found = state.visibility.shown(there, ServiceAssociation, fits)
    return page(call, found, state.visibility.listed(ServiceAssociation.describe))


def delete_service_association(state: State, call: Call) -> Described:
    association = state.service_associations.find(call.params["serviceNetworkServiceAssociationIdentifier"])
    if association.status == "DELETE_IN_PROGRESS":
        return association.describe()
    _refuse_if_in_progress(association)

    def done() -> None:
        del association.network.services[association.service.id]
        del association.service.associations[association.network.id]
        state.service_associations.remove(association)
        state.unregister(association)

    span = state.timings.service_association_delete
    state.evolve(association, "DELETE_IN_PROGRESS", span, done, call.failure)
    return association.describe()


def _check_dns_options(private_dns: bool | None, options: Described | None) -> None:
    """API `DnsOptions`: only with private DNS, and domains only with a preference for specified domains."""
    if options is None:
        return
    if not private_dns:
        raise invalid("dnsOptions", "is supported only where private DNS is enabled")
    if ("privateDnsSpecifiedDomains" in options) != (options.get("privateDnsPreference") in SPECIFIED_DOMAINS):
        raise invalid("dnsOptions.privateDnsSpecifiedDomains", "goes with a preference for specified domains")


def create_vpc_association(state: State, call: Call) -> Described:
    params = call.params
    network = network_to_associate(state, params["serviceNetworkIdentifier"])
    vpc_id = params["vpcIdentifier"]
    if existing := state.vpcs.get(vpc_id):
        raise conflict(existing.kind, existing.id, f"{vpc_id} is associated with service network {existing.network.id}")
    _check_dns_options(params.get("privateDnsEnabled"), params.get("dnsOptions"))
    state.quotas.check("vpcs_per_network", len(network.vpcs) + 1, VpcAssociation.kind, network.id)
    association = VpcAssociation(
        vpc_id=vpc_id,
        network=network,
        created_by=state.account,
        security_groups=params.get("securityGroupIds", []),
        private_dns=params.get("privateDnsEnabled"),
        dns_options=params.get("dnsOptions"),
        **state.identity("snva", "servicenetworkvpcassociation", params.get("tags")),
    )
    network.vpcs[vpc_id] = state.vpcs[vpc_id] = association
    state.vpc_associations.add(association)
    state.register(association)

    def done() -> None:
        association.status = "ACTIVE"

    state.evolve(association, "CREATE_IN_PROGRESS", state.timings.vpc_association_create, done, call.failure)
    return association.describe()


def get_vpc_association(state: State, call: Call) -> Described:
    return state.vpc_associations.find(call.params["serviceNetworkVpcAssociationIdentifier"]).describe()


def list_vpc_associations(state: State, call: Call) -> Described:
    network_id, vpc_id = call.params.get("serviceNetworkIdentifier"), call.params.get("vpcIdentifier")
    if vpc_id is None and network_id is None:
        raise invalid("serviceNetworkIdentifier", "this or vpcIdentifier is required")
    network = None if network_id is None else state.networks.get(network_id)

    def fits(association: VpcAssociation) -> bool:
        return vpc_id in {None, association.vpc_id} and network in {None, association.network}

    there: Iterable[VpcAssociation] = ()
    if network_id is not None and network is None:
        return page(call, there, VpcAssociation.describe)
    if vpc_id is not None:
        there = filter(fits, [state.vpcs[vpc_id]] if vpc_id in state.vpcs else [])
    elif network is not None:
        there = network.vpcs.values()
    found = state.visibility.shown(there, VpcAssociation, fits)
    return page(call, found, state.visibility.listed(VpcAssociation.describe))


def update_vpc_association(state: State, call: Call) -> Described:
    params = call.params
    association = state.vpc_associations.find(params["serviceNetworkVpcAssociationIdentifier"])
    require_active(association)
    private_dns = params.get("privateDnsEnabled", association.private_dns)
    dns_options = params.get("dnsOptions", association.dns_options)
    _check_dns_options(private_dns, dns_options)
    association.security_groups = params.get("securityGroupIds", association.security_groups)
    association.private_dns, association.dns_options = private_dns, dns_options

    def done() -> None:
        association.status = "ACTIVE"

    state.evolve(association, "UPDATE_IN_PROGRESS", state.timings.vpc_association_update, done, call.failure)
    return association.describe()


def delete_vpc_association(state: State, call: Call) -> Described:
    association = state.vpc_associations.find(call.params["serviceNetworkVpcAssociationIdentifier"])
    if association.status == "DELETE_IN_PROGRESS":
        return association.describe()
    _refuse_if_in_progress(association)

    def done() -> None:
        del association.network.vpcs[association.vpc_id]
        del state.vpcs[association.vpc_id]
        state.vpc_associations.remove(association)
        state.unregister(association)

    state.evolve(association, "DELETE_IN_PROGRESS", state.timings.vpc_association_delete, done, call.failure)
    return association.describe()


OPERATIONS: dict[str, Handler] = {
    "CreateServiceNetworkServiceAssociation": create_service_association,
    "GetServiceNetworkServiceAssociation": get_service_association,
    "ListServiceNetworkServiceAssociations": list_service_associations,
    "DeleteServiceNetworkServiceAssociation": delete_service_association,
    "CreateServiceNetworkVpcAssociation": create_vpc_association,
    "GetServiceNetworkVpcAssociation": get_vpc_association,
    "ListServiceNetworkVpcAssociations": list_vpc_associations,
    "UpdateServiceNetworkVpcAssociation": update_vpc_association,
    "DeleteServiceNetworkVpcAssociation": delete_vpc_association,
}
