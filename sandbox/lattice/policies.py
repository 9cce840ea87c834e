"""Auth policies, resource policies and access log subscriptions: what hangs on a service or a service network.

Sources: API reference `PutAuthPolicy` (JSON without newlines; active only where the auth type is AWS_IAM),
`PutResourcePolicy`, `CreateAccessLogSubscription` (CloudWatch log groups, Firehose delivery streams, S3 buckets);
`DeleteService` and `DeleteServiceNetwork` (these go with it); quotas for the size of an auth policy. Of a service
network that another account shares, all of them are its owner's business.
"""

import orjson

from sandbox.lattice.errors import ApiError, conflict, invalid, not_found
from sandbox.lattice.resources import AccessLogSubscription, Described, Service, ServiceNetwork
from sandbox.lattice.state import Call, Handler, State, own_network, page

Holder = Service | ServiceNetwork

DESTINATIONS = {"s3": "an S3 bucket", "logs": "a CloudWatch log group", "firehose": "a Firehose delivery stream"}
"""Service part of a destination's ARN → what it is."""


def _find_holder(state: State, identifier: str) -> Holder:
    """The service or network; raises `AccessDeniedException` for another account's."""
    if identifier.rpartition("/")[2].startswith("svc-"):
        return state.services.find(identifier)
    return own_network(state, identifier)


def forget_policies(state: State, holder: Holder) -> None:
    """Take away what hangs on a service or network that is deleted."""
    state.auth_policies.pop(holder.id, None)
    state.resource_policies.pop(holder.arn, None)
    for subscription in state.logs.pop(holder.id, {}).values():
        state.log_subscriptions.remove(subscription)
        state.unregister(subscription)


def _check_policy(policy: str) -> None:
    if "\n" in policy or "\r" in policy:
        raise invalid("policy", "must not contain newlines")
    try:
        document = orjson.loads(policy)
    except orjson.JSONDecodeError as error:
        raise invalid("policy", f"is not JSON: {error}") from error
    if not isinstance(document, dict) or "Statement" not in document:
        raise invalid("policy", "must be a JSON object with a Statement")


def _policy_state(holder: Holder) -> str:
    return "Active" if holder.auth_type == "AWS_IAM" else "Inactive"


def put_auth_policy(state: State, call: Call) -> Described:
    holder = _find_holder(state, call.params["resourceIdentifier"])
    policy = call.params["policy"]
    _check_policy(policy)
    if len(policy.encode()) > state.quotas.auth_policy_bytes:
        raise invalid("policy", f"is larger than {state.quotas.auth_policy_bytes} bytes")
    now = state.now()
    created = state.auth_policies.get(holder.id, {}).get("createdAt", now)
    state.auth_policies[holder.id] = {"policy": policy, "createdAt": created, "lastUpdatedAt": now}
    return {"policy": policy, "state": _policy_state(holder)}


def get_auth_policy(state: State, call: Call) -> Described:
    holder = _find_holder(state, call.params["resourceIdentifier"])
    policy = state.auth_policies.get(holder.id)
    if policy is None:
        raise not_found("AUTH_POLICY", holder.id)
    return policy | {"state": _policy_state(holder)}


def delete_auth_policy(state: State, call: Call) -> Described:
    holder = _find_holder(state, call.params["resourceIdentifier"])
    if state.auth_policies.pop(holder.id, None) is None:
        raise not_found("AUTH_POLICY", holder.id)
    return {}


def put_resource_policy(state: State, call: Call) -> Described:
    holder = _find_holder(state, call.params["resourceArn"])
    _check_policy(call.params["policy"])
    state.resource_policies[holder.arn] = call.params["policy"]
    return {}


def get_resource_policy(state: State, call: Call) -> Described:
    holder = _find_holder(state, call.params["resourceArn"])
    policy = state.resource_policies.get(holder.arn)
    if policy is None:
        raise not_found("RESOURCE_POLICY", holder.arn)
    return {"policy": policy}


def delete_resource_policy(state: State, call: Call) -> Described:
    holder = _find_holder(state, call.params["resourceArn"])
    if state.resource_policies.pop(holder.arn, None) is None:
        raise not_found("RESOURCE_POLICY", holder.arn)
    return {}


def _destination_type(arn: str) -> str:
    service = arn.split(":")[2]
    if service not in DESTINATIONS:
        raise invalid("destinationArn", f"must be {', '.join(DESTINATIONS.values())}")
    return service


def _refuse_second_of_type(
    state: State, holder: Holder, arn: str, log_type: str | None, but: AccessLogSubscription | None
) -> None:
    wanted = _destination_type(arn)
    for other in state.logs.get(holder.id, {}).values():
        if other is not but and other.log_type == log_type and _destination_type(other.destination_arn) == wanted:
            raise conflict(other.kind, other.id, f"{holder.id} sends its access logs to {DESTINATIONS[wanted]} already")


def create_access_log_subscription(state: State, call: Call) -> Described:
    params = call.params
    holder = _find_holder(state, params["resourceIdentifier"])
    log_type = params.get("serviceNetworkLogType")
    if log_type is not None and isinstance(holder, Service):
        raise invalid("serviceNetworkLogType", "is for service networks only")
    if isinstance(holder, ServiceNetwork):
        log_type = log_type or "SERVICE"
    _refuse_second_of_type(state, holder, params["destinationArn"], log_type, None)
    subscription = AccessLogSubscription(
        source=holder,
        destination_arn=params["destinationArn"],
        log_type=log_type,
        **state.identity("als", "accesslogsubscription", params.get("tags")),
    )
    state.log_subscriptions.add(subscription)
    state.logs.setdefault(holder.id, {})[subscription.id] = subscription
    state.register(subscription)
    return subscription.describe()


def get_access_log_subscription(state: State, call: Call) -> Described:
    return state.log_subscriptions.find(call.params["accessLogSubscriptionIdentifier"]).describe()


def list_access_log_subscriptions(state: State, call: Call) -> Described:
    """The resource is a filter: the operation has no error for one that is not there (API: Errors)."""
    try:
        holder = _find_holder(state, call.params["resourceIdentifier"])
    except ApiError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return page(call, (), AccessLogSubscription.describe)
    there = state.logs.get(holder.id, {}).values()
    found = state.visibility.shown(there, AccessLogSubscription, lambda subscription: subscription.source is holder)
    return page(call, found, AccessLogSubscription.describe)


def update_access_log_subscription(state: State, call: Call) -> Described:
    subscription = state.log_subscriptions.find(call.params["accessLogSubscriptionIdentifier"])
    arn = call.params["destinationArn"]
    _refuse_second_of_type(state, subscription.source, arn, subscription.log_type, subscription)
    subscription.destination_arn = arn
    subscription.updated_at = state.now()
    return subscription.describe()


def delete_access_log_subscription(state: State, call: Call) -> Described:
    subscription = state.log_subscriptions.find(call.params["accessLogSubscriptionIdentifier"])
    state.log_subscriptions.remove(subscription)
    del state.logs[subscription.source.id][subscription.id]
    state.unregister(subscription)
    return {}


OPERATIONS: dict[str, Handler] = {
    "PutAuthPolicy": put_auth_policy,
    "GetAuthPolicy": get_auth_policy,
    "DeleteAuthPolicy": delete_auth_policy,
    "PutResourcePolicy": put_resource_policy,
    "GetResourcePolicy": get_resource_policy,
    "DeleteResourcePolicy": delete_resource_policy,
    "CreateAccessLogSubscription": create_access_log_subscription,
    "GetAccessLogSubscription": get_access_log_subscription,
    "ListAccessLogSubscriptions": list_access_log_subscriptions,
    "UpdateAccessLogSubscription": update_access_log_subscription,
    "DeleteAccessLogSubscription": delete_access_log_subscription,
}
