"""What makes two keys one."""

import pytest

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey

ROUTE = RouteRef("HTTPRoute", "default", "rates")


def hostname_key(namespace: str) -> ServiceKey:
    return ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("public",), namespace=namespace)


def group_key(namespace: str) -> TargetGroupKey:
    return TargetGroupKey(owner=hostname_key(namespace), namespace="default", service="parking", port=80)


@pytest.mark.parametrize("make", [hostname_key, group_key])
def test_keys_that_different_namespaces_made_are_one_key_by_every_operator(make: object) -> None:
    assert callable(make)
    one, other = make("default"), make("shop")
    assert one == other
    assert not one != other  # noqa: SIM202 - what is tested is the operator
    assert hash(one) == hash(other)
    assert {one: True}[other]


def test_keys_of_different_hostnames_or_networks_or_routes_differ_by_every_operator() -> None:
    keys = [
        hostname_key("default"),
        ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("private",)),
        ServiceKey(kind="HTTPRoute", hostname="rates.example.org", networks=("public",)),
        ServiceKey(kind="HTTPRoute", route=ROUTE),
    ]
    for one in keys:
        for other in keys:
            assert (one == other) is (one is other)
            assert (one != other) is (one is not other)
