"""Who gets a hostname, when one that asks for it cannot be decoded, and how far the question is followed."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from controller.api import resources
from controller.api.gateway import Gateway, HTTPRoute
from controller.api.keys import ObjectKey, ServiceKey, TargetGroupKey, tenant
from controller.api.meta import Object, Undecodable
from controller.api.resources import Resource
from controller.gateway.memory import Memory
from controller.gateway.view import UnknownError
from controller.kube.decode import Decoder
from controller.kube.store import Store
from controller.reconcile.view import INDEXERS, Collection, StoreView, view_of
from controller.translate.annotations import ROUTE_FINALIZERS
from controller.translate.claims import claims_of, rival
from controller.translate.draft import draft_route
from controller.translate.triggers import keys_for_change
from tests.support.view import backend, gateway, gateway_class, listener, namespace, route, rule, service

KEY = ServiceKey("HTTPRoute", hostname="a.example.com", networks=("my-hotel",))
OLD, YOUNG = "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"


def asking(name: str, created: str, **fields: Any) -> HTTPRoute:
    return route(name, rule(backend("parking")), created=created, **{"hostnames": ["a.example.com"], **fields})


def unreadable(obj: Object, resource: Resource[Any]) -> Undecodable:
    """The object as it comes with a field that is not as it should be."""
    value = msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(obj, status=msgspec.Raw(b"{}"))))
    value["spec"]["rules" if resource is resources.HTTP_ROUTES else "addresses"] = 5
    made = Decoder(resource).object(msgspec.json.encode(value))
    assert isinstance(made, Undecodable)
    return made


def hotel(*objects: Object, at: Gateway | None = None, kind: Resource[Any] = resources.HTTP_ROUTES) -> StoreView:
    basis: dict[Resource[Any], Sequence[Object]] = {
        resources.GATEWAY_CLASSES: [gateway_class()],
        resources.GATEWAYS: [at or gateway()],
        resources.SERVICES: [service("parking")],
        resources.NAMESPACES: [namespace("default")],
    }
    return view_of({**basis, kind: [*basis.get(kind, ()), *objects]})


def test_an_older_route_that_cannot_be_decoded_leaves_its_hostname_in_doubt(ctx):
    young = asking("young", YOUNG)
    view = hotel(unreadable(asking("old", OLD), resources.HTTP_ROUTES), young)
    with pytest.raises(UnknownError, match="default/old cannot be decoded"):
        claims_of(view, KEY, ctx)
    with pytest.raises(UnknownError, match="default/old cannot be decoded"):
        rival(view, young, KEY, ctx)


def test_a_younger_one_takes_nothing_from_who_has_it(ctx):
    old = asking("old", OLD)
    view = hotel(unreadable(asking("young", YOUNG), resources.HTTP_ROUTES), old)
    (claim,) = claims_of(view, KEY, ctx)
    assert claim.draft.route is old
    assert rival(view, old, KEY, ctx) is None


def test_one_that_would_get_the_hostname_of_a_listener_counts_too(ctx):
    at = gateway("my-hotel", "default", listener(hostname="a.example.com"))
    young = asking("young", YOUNG, hostnames=())
    with pytest.raises(UnknownError, match="default/old cannot be decoded"):
        claims_of(hotel(unreadable(asking("old", OLD, hostnames=()), resources.HTTP_ROUTES), young, at=at), KEY, ctx)
    other = asking("old", OLD, hostnames=["b.example.com"])
    assert claims_of(hotel(unreadable(other, resources.HTTP_ROUTES), young, at=at), KEY, ctx)


def test_a_gateway_that_cannot_be_decoded_still_uses_its_class_and_names_its_hostnames(ctx):
    broken = unreadable(gateway("two", "default", listener(hostname="a.example.com")), resources.GATEWAYS)
    view = hotel(broken, kind=resources.GATEWAYS)
    with pytest.raises(UnknownError) as raised:
        view.gateways_of_class("amazon-vpc-lattice")
    assert raised.value.known == (gateway(),)
    assert view.gateways_of_class("another") == ()
    with pytest.raises(UnknownError):
        view.gateways_of_listener_hostname("a.example.com")
    # The Gateways that can be decoded have to hear of their class all the same.
    assert ObjectKey("Gateway", "default", "my-hotel") in keys_for_change(
        "GatewayClass", None, gateway_class(), view, ctx
    )


def test_a_mesh_route_with_the_gateways_name_does_not_hold_the_gateway():
    mesh = route("mesh", parents=[{"name": "my-hotel", "group": "", "kind": "Service"}])
    assert hotel(mesh).routes_of_gateway("default", "my-hotel") == ()


def test_claims_are_weighed_once_for_all_who_ask(ctx):
    routes = [asking(f"r{n:02d}", f"2026-01-01T00:00:{n:02d}Z") for n in range(20)]
    view = hotel(*routes)
    drafted: list[str] = []
    recall = ctx.drafts.recall
    ctx.drafts.recall = lambda obj, revision, make: drafted.append(obj.name) or recall(obj, revision, make)
    assert all(rival(view, one, KEY, ctx) is None for one in routes)
    assert [claim.draft.route for claim in claims_of(view, KEY, ctx)] == routes
    assert drafted == [one.name for one in routes]


def test_a_younger_one_that_shared_the_hostname_leaves_it_in_doubt(ctx):
    old, young = asking("old", OLD), asking("young", YOUNG, meta={"finalizers": [ROUTE_FINALIZERS["HTTPRoute"]]})
    view = hotel(unreadable(young, resources.HTTP_ROUTES), old)
    with pytest.raises(UnknownError, match="default/young cannot be decoded"):
        claims_of(view, KEY, ctx)
    assert rival(view, old, KEY, ctx) is None


def test_a_draft_is_made_once_for_a_version_and_again_when_something_it_reads_is_another(ctx):
    one = asking("one", OLD)
    view = hotel(one)
    first = draft_route(view, one, ctx)
    assert draft_route(view, one, ctx) is first
    assert draft_route(view, asking("one", OLD), ctx) is not first
    assert draft_route(hotel(one), one, ctx) is not first

    doubt: str | None = None
    stores: dict[Resource[Any], Collection[Any]] = {
        resource: Collection(resource, Store(indexers), lambda: doubt) for resource, indexers in INDEXERS.items()
    }
    stores[resources.GATEWAY_CLASSES].store.put(gateway_class())
    stores[resources.GATEWAYS].store.put(gateway())
    stores[resources.SERVICES].store.put(service("parking"))
    view = StoreView(stores)
    first = draft_route(view, one, ctx)
    stores[resources.ENDPOINT_SLICES].store.put(Undecodable())
    assert draft_route(view, one, ctx) is first
    stores[resources.SERVICES].store.delete("default", "parking")
    assert draft_route(view, one, ctx).compiled.unresolved
    doubt = "its list is forbidden"
    with pytest.raises(UnknownError):
        draft_route(view, one, ctx)


def test_a_memory_forgets_what_was_not_asked_for_the_longest():
    memory: Memory[int] = Memory(most=2)
    made: list[str] = []
    objects = {name: object() for name in "abc"}

    def ask(name: str, revision: int = 0) -> None:
        memory.recall(objects[name], revision, lambda: made.append(name) or 1)

    for name in "abacab":
        ask(name)
    assert made == ["a", "b", "c", "b"]
    ask("a", revision=1)
    assert made[-1] == "a"


def test_work_for_a_hostname_goes_on_the_account_of_the_namespace_that_asks_for_it(ctx):
    at = {"parents": [{"name": "my-hotel", "namespace": "default"}]}
    one, other = asking("one", OLD, namespace="shop", **at), asking("two", YOUNG, namespace="bank", **at)
    view = hotel(one, other)
    (first,), (second,) = (draft_route(view, obj, ctx).shares for obj in (one, other))
    assert first.key == second.key == KEY
    assert hash(first.key) == hash(second.key) == hash(KEY)
    assert (tenant(first.key), tenant(second.key)) == ("shop", "bank")
    assert TargetGroupKey(first.key, "x", "y", 1) == TargetGroupKey(second.key, "x", "y", 1)
    assert first.key != ServiceKey("HTTPRoute", hostname="b.example.com", networks=("my-hotel",), namespace="shop")
