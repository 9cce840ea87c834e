"""Service networks, own and shared by other accounts.

Sources: API reference `CreateServiceNetwork` (a name unique to the account), `DeleteServiceNetwork` (not while anything
is associated), `ListServiceNetworks` (owned by or shared with this account).
"""

from sandbox.lattice.errors import conflict, invalid
from sandbox.lattice.policies import forget_policies
from sandbox.lattice.resources import Described, ServiceNetwork
from sandbox.lattice.state import Call, Handler, State, own_network, page


def network_to_associate(state: State, identifier: str) -> ServiceNetwork:
    """The network for a new association; another account's must be given by its ARN (`ValidationException`)."""
    network = state.networks.find(identifier)
    if network.account != state.account and identifier != network.arn:
        raise invalid("serviceNetworkIdentifier", f"must be an ARN: the network belongs to account {network.account}")
    return network


def create_service_network(state: State, call: Call) -> Described:
    params = call.params
    name = params["name"]
    if existing := state.network_names.get(name):
        raise conflict(ServiceNetwork.kind, existing.id, f"a service network of the name {name} exists")
    state.quotas.check("service_networks", len(state.network_names) + 1, ServiceNetwork.kind)
    network = ServiceNetwork(
        name=name,
        account=state.account,
        auth_type=params.get("authType", "NONE"),
        sharing_config=params.get("sharingConfig"),
        **state.identity("sn", "servicenetwork", params.get("tags")),
    )
    state.networks.add(network)
    state.network_names[name] = network
    state.register(network)
    return network.describe()


def get_service_network(state: State, call: Call) -> Described:
    return state.networks.find(call.params["serviceNetworkIdentifier"]).describe()


def list_service_networks(state: State, call: Call) -> Described:
    listed = (network for network in state.networks if network.listed)
    found = state.visibility.shown(listed, ServiceNetwork, lambda network: network.listed)
    return page(call, found, ServiceNetwork.describe)


def update_service_network(state: State, call: Call) -> Described:
    network = own_network(state, call.params["serviceNetworkIdentifier"])
    network.auth_type = call.params["authType"]
    network.updated_at = state.now()
    return network.describe()


def delete_service_network(state: State, call: Call) -> Described:
    network = own_network(state, call.params["serviceNetworkIdentifier"])
    for association in (*network.services.values(), *network.vpcs.values()):
        raise conflict(association.kind, association.id, f"service network {network.id} has associations")
    forget_policies(state, network)
    state.unregister(network)
    state.networks.remove(network)
    del state.network_names[network.name]
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateServiceNetwork": create_service_network,
    "GetServiceNetwork": get_service_network,
    "ListServiceNetworks": list_service_networks,
    "UpdateServiceNetwork": update_service_network,
    "DeleteServiceNetwork": delete_service_network,
}
