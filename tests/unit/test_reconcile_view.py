"""The view on the stores: what it finds, and that it never takes unknown for absent."""

from collections.abc import Callable
from functools import partial

import pytest

from controller.api import resources
from controller.api.external_dns import DNSEndpoint
from controller.api.keys import RouteRef
from controller.api.meta import Object, ObjectMeta, Undecodable
from controller.gateway.view import UnknownError
from controller.kube.store import Store
from controller.reconcile.view import INDEXERS, SECRET_INDEXERS, Collection, StoreView, view_of
from tests.support.view import (
    backend,
    endpoints,
    gateway,
    gateway_class,
    grant,
    grpc_route,
    listener,
    make,
    namespace,
    route,
    rule,
    secret,
    service,
    tls_route,
)

RATES = route("rates", rule(backend("parking"), backend("review", namespace="shop")), hostnames=["rates.example.com"])
CALLS = grpc_route("calls", rule(backend("parking")), hostnames=["calls.example.com"])
SEALED = tls_route("sealed", backend("parking"), hostnames=["sealed.example.com"])
TLS = {"certificateRefs": [{"name": "rates"}, {"name": "other", "namespace": "shop"}]}
GATEWAY = gateway(
    "my-hotel",
    "default",
    listener(hostname="rates.example.com"),
    listener("https", 443, "HTTPS", tls=TLS),
)
RECORDS = make(DNSEndpoint, "rates-dns", spec={"endpoints": [{"dnsName": "rates.example.com"}, {}]})
WATCHED = {**INDEXERS, **SECRET_INDEXERS}
WHOLE = view_of(
    {
        resources.NAMESPACES: [namespace("default")],
        resources.SERVICES: [service("parking")],
        resources.ENDPOINT_SLICES: [endpoints("parking", "10.0.0.1")],
        resources.GATEWAY_CLASSES: [gateway_class()],
        resources.GATEWAYS: [GATEWAY],
        resources.HTTP_ROUTES: [RATES],
        resources.GRPC_ROUTES: [CALLS],
        resources.TLS_ROUTES: [SEALED],
        resources.REFERENCE_GRANTS: [grant("shop", "default")],
        resources.SECRETS: [secret("rates", b"", b"")],
        resources.DNS_ENDPOINTS: [RECORDS],
    }
)

Question = Callable[[StoreView], object]

ROUTES = {"HTTPRoute", "GRPCRoute", "TLSRoute"}

QUESTIONS: dict[str, tuple[Question, set[str], int]] = {
    "a class": (lambda view: [view.gateway_class("amazon-vpc-lattice")], {"GatewayClass"}, 1),
    "a Gateway": (lambda view: [view.gateway("default", "my-hotel")], {"Gateway"}, 1),
    "Gateways of a class": (lambda view: view.gateways_of_class("amazon-vpc-lattice"), {"Gateway"}, 1),
    "Gateways of a hostname": (lambda view: view.gateways_of_listener_hostname("rates.example.com"), {"Gateway"}, 1),
    "Gateways of another hostname": (lambda view: view.gateways_of_listener_hostname("example.com"), {"Gateway"}, 0),
    "Gateways of a Secret": (lambda view: view.gateways_of_secret("default", "rates"), {"Gateway"}, 1),
    "Gateways of any Secret of a namespace": (lambda view: view.gateways_of_secret("shop", ""), {"Gateway"}, 1),
    "Gateways of another namespace's Secret": (lambda view: view.gateways_of_secret("shop", "rates"), {"Gateway"}, 0),
    "a Secret": (lambda view: [view.secret("default", "rates")], {"Secret"}, 1),
    "a namespace": (lambda view: [view.namespace("default")], {"Namespace"}, 1),
    "a route": (lambda view: [view.route(RouteRef("HTTPRoute", "default", "rates"))], {"HTTPRoute"}, 1),
    "a gRPC route": (lambda view: [view.route(RouteRef("GRPCRoute", "default", "calls"))], {"GRPCRoute"}, 1),
    "a TLS route": (lambda view: [view.route(RouteRef("TLSRoute", "default", "sealed"))], {"TLSRoute"}, 1),
    "routes of a Gateway": (lambda view: view.routes_of_gateway("default", "my-hotel"), ROUTES, 3),
    "routes of another Gateway": (lambda view: view.routes_of_gateway("shop", "my-hotel"), ROUTES, 0),
    "routes of a namespace": (lambda view: view.routes_of_namespace("default"), ROUTES, 3),
    "routes of a hostname": (lambda view: view.routes_of_hostname("rates.example.com"), ROUTES, 1),
    "routes of a backend": (lambda view: view.routes_of_backend("default", "parking"), ROUTES, 3),
    "routes of another namespace's backend": (lambda view: view.routes_of_backend("shop", "review"), ROUTES, 1),
    "routes of nobody's backend": (lambda view: view.routes_of_backend("default", "review"), ROUTES, 0),
    "a Service": (lambda view: [view.service("default", "parking")], {"Service"}, 1),
    "slices of a Service": (lambda view: view.endpoint_slices("default", "parking"), {"EndpointSlice"}, 1),
    "slices of another Service": (lambda view: view.endpoint_slices("shop", "parking"), {"EndpointSlice"}, 0),
    "grants of a namespace": (lambda view: view.reference_grants("shop"), {"ReferenceGrant"}, 1),
    "grants of another namespace": (lambda view: view.reference_grants("default"), {"ReferenceGrant"}, 0),
    "whether there is external-dns": (lambda view: [view.has_external_dns()], {"DNSEndpoint"}, 1),
    "records": (lambda view: [view.dns_endpoint("default", "rates-dns")], {"DNSEndpoint"}, 1),
    "records of a hostname": (lambda view: view.dns_endpoints_of("rates.example.com"), {"DNSEndpoint"}, 1),
    "records of another hostname": (lambda view: view.dns_endpoints_of("example.com"), {"DNSEndpoint"}, 0),
}

each = pytest.mark.parametrize(("question", "kinds", "count"), QUESTIONS.values(), ids=QUESTIONS.keys())


def in_doubt(kind: str) -> StoreView:
    """A view without objects, of which one kind is not known."""

    def reason(of: str) -> str | None:
        return "its list is forbidden" if of == kind else None

    return StoreView(
        {
            resource: Collection(resource, Store(indexers), partial(reason, resource.kind))
            for resource, indexers in WATCHED.items()
        }
    )


def with_unreadable(kind: str, name: str, namespace: str, **labels: str) -> StoreView:
    """A view of one object, which cannot be decoded."""
    metadata = ObjectMeta(name=name, namespace=namespace, labels=labels)
    broken: Object = Undecodable(metadata=metadata, error="Expected `object`")
    resource = next(resource for resource in WATCHED if resource.kind == kind)
    return view_of({resource: [broken]})


def test_all_kinds_are_asked_for() -> None:
    assert {kind for _, kinds, _ in QUESTIONS.values() for kind in kinds} == {resource.kind for resource in WATCHED}


@each
def test_answers(question: Question, kinds: set[str], count: int) -> None:
    answer = question(WHOLE)
    assert isinstance(answer, list | tuple)
    assert len(answer) == count
    assert None not in answer


@each
def test_a_kind_in_doubt_answers_nothing(question: Question, kinds: set[str], count: int) -> None:
    for kind in kinds:
        with pytest.raises(UnknownError, match="its list is forbidden") as raised:
            question(in_doubt(kind))
        assert raised.value.kind == kind


@each
def test_a_kind_in_doubt_does_not_cast_doubt_on_others(question: Question, kinds: set[str], count: int) -> None:
    for other in {resource.kind for resource in WATCHED} - kinds:
        question(in_doubt(other))


@pytest.mark.parametrize(
    ("view", "question"),
    [
        (with_unreadable("GatewayClass", "amazon-vpc-lattice", ""), "a class"),
        (with_unreadable("Gateway", "my-hotel", "default"), "a Gateway"),
        (with_unreadable("Namespace", "default", ""), "a namespace"),
        (with_unreadable("HTTPRoute", "rates", "default"), "a route"),
        (with_unreadable("Service", "parking", "default"), "a Service"),
        (
            with_unreadable("EndpointSlice", "one", "default", **{"kubernetes.io/service-name": "parking"}),
            "slices of a Service",
        ),
        (with_unreadable("ReferenceGrant", "grant", "shop"), "grants of a namespace"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_object_that_cannot_be_decoded_is_not_absent(view: StoreView, question: str) -> None:
    with pytest.raises(UnknownError, match="cannot be decoded: Expected `object`"):
        QUESTIONS[question][0](view)


@pytest.mark.parametrize(
    ("view", "question"),
    [
        (with_unreadable("HTTPRoute", "rates", "default"), "routes of a Gateway"),
        (
            with_unreadable("EndpointSlice", "one", "default", **{"kubernetes.io/service-name": "other"}),
            "slices of a Service",
        ),
        (with_unreadable("ReferenceGrant", "grant", "elsewhere"), "grants of a namespace"),
    ],
    ids=["a route beside", "a slice of another Service", "a grant of another namespace"],
)
def test_it_casts_no_doubt_on_what_does_not_depend_on_it(view: StoreView, question: str) -> None:
    assert list(QUESTIONS[question][0](view)) == []


def test_where_no_secrets_are_read_they_are_not_known() -> None:
    collections = {
        resource: Collection(resource, Store(indexers), lambda: None) for resource, indexers in INDEXERS.items()
    }
    with pytest.raises(UnknownError, match="not read"):
        StoreView(collections).secret("default", "rates")
