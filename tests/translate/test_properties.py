"""Whatever the objects say, translation ends in conditions that the API admits and a model that Lattice takes."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import botocore.session
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.api.gateway import Gateway, Route
from controller.api.keys import RouteRef, ServiceKey
from controller.api.meta import Object
from controller.gateway.attachment import is_ours
from controller.lattice.model import Action, DesiredService, DesiredTargetGroup, FixedResponse, Forward, Identity
from controller.translate.context import TranslateContext
from controller.translate.gateway import gateway_status
from controller.translate.outcomes import Failed, Found, Missing, Pending, Programmed, route_report
from controller.translate.route import translate_route
from controller.translate.service import translate_service
from controller.translate.target_group import translate_target_group
from controller.translate.triggers import keys_for_change
from tests.support.view import (
    CONTROLLER,
    FakeView,
    backend,
    gateway_class,
    grant,
    grpc_route,
    listener,
    make,
    namespace,
    path,
    route,
    rule,
    service,
    tls_route,
)

CTX = TranslateContext(
    controller_name=CONTROLLER,
    identity=Identity(account="123456789012", region="us-west-2", cluster="c", vpc="vpc-0123456789abcdef0"),
)
PREFIX = "application-networking.k8s.aws/"
TEXT = st.text(max_size=8)
NAMESPACES = st.sampled_from(["default", "default", "blue"])
ROUTES = st.sampled_from(["rates", "inventory", "stays", "my.route", "a--b", "x" * 30])
CERTIFICATE = {"options": {PREFIX + "certificate-arn": "arn:aws:acm:us-west-2:123456789012:certificate/1"}}
FROM_SELECTED = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"t": "1"}}}}
HOSTNAMES = st.sampled_from(
    [
        [],
        [],
        ["a.example.com"],
        ["a.example.com", "b.example.com"],
        ["b.example.com", "a.example.com", "c.example.org"],
        ["*.example.com"],
        ["*.example.com", "c.example.org"],
    ]
)
LISTENERS = st.sampled_from(
    [
        [listener("one")],
        [listener("one")],
        [listener("one"), listener("two", 443, "HTTPS", tls=CERTIFICATE)],
        [listener("one"), listener("two", 443, "HTTPS")],
        [listener("one", hostname="a.example.com"), listener("two", hostname="*.example.com")],
        [listener("one", allowedRoutes={"namespaces": {"from": "Same"}}), listener("two", 81)],
        [listener("one", allowedRoutes=FROM_SELECTED)],
        [listener("one", 80, "HTTPS"), listener("two", 90, "TCP")],
        [listener("one"), listener("two")],
        [listener("one", 443, "HTTPS", tls=CERTIFICATE), listener("two", 8443, "TLS", tls={"mode": "Passthrough"})],
        [listener("one", 443, "TLS", tls={"mode": "Passthrough"}, hostname="*.example.com"), listener("two", 81)],
        [],
    ]
)
PARENTS = st.sampled_from(
    [
        [{"name": "my-hotel", "namespace": "default"}],
        [{"name": "my-hotel", "namespace": "default"}],
        [{"name": "other", "namespace": "default"}, {"name": "my-hotel", "namespace": "default"}],
        [{"name": "my-hotel", "namespace": "default", "sectionName": "two"}, {"name": "gone"}],
        [{"name": "my-hotel", "namespace": "default", "port": 80}],
        [{"name": "parking", "kind": "Service", "group": ""}],
        [],
    ]
)
BACKENDS = st.sampled_from(
    [
        backend("parking"),
        backend("parking"),
        backend("parking", 81, weight=10),
        backend("review", weight=1_000_000),
        backend("review", weight=0),
        backend("parking", namespace="blue"),
        backend("six", weight=3),
        backend("missing"),
        backend("dual"),
        backend("out"),
        backend("parking", 99),
        {"name": "parking"},
        backend("parking", kind="ServiceImport", group="application-networking.k8s.aws"),
        backend("parking", filters=[{"type": "URLRewrite"}]),
    ]
)
PATHS = st.sampled_from(["/", "/a", "/a/", "/a/b", "/" + "a" * 198])
MATCHES = st.one_of(
    st.builds(path, PATHS, st.sampled_from(["Exact", "PathPrefix"])),
    st.builds(path, PATHS, st.sampled_from(["Exact", "PathPrefix"])),
    st.fixed_dictionaries({"method": st.sampled_from(["GET", "POST"])}),
    st.fixed_dictionaries(
        {
            "headers": st.lists(
                st.fixed_dictionaries({"name": st.sampled_from("abcdefA"), "value": st.just("1")}), max_size=6
            )
        }
    ),
    st.builds(path, TEXT, st.sampled_from(["Exact", "PathPrefix", "RegularExpression"])),
    st.just({"queryParams": [{"name": "a", "value": "b"}]}),
    st.just({"headers": [{"name": "a", "value": ""}]}),
)
RULES = st.one_of(
    st.builds(lambda ref, match: rule(ref, matches=[match]), BACKENDS, MATCHES),
    st.builds(
        lambda refs, found: rule(*refs, matches=found), st.lists(BACKENDS, max_size=12), st.lists(MATCHES, max_size=3)
    ),
    st.just(rule(backend("parking"), timeouts={"request": "1s"})),
)
ANNOTATIONS = st.one_of(
    st.just({}),
    st.builds(lambda text: {PREFIX + "tags": f"a=b,{text}"}, TEXT),
    st.builds(lambda text: {PREFIX + "service-name-override": text}, st.sampled_from(["my-name", "svc-x", ""])),
    st.builds(lambda text: {PREFIX + "rule-0-priority": text}, st.one_of(TEXT, st.sampled_from(["1", "2000", "²"]))),
    st.just({PREFIX + "rule-0-priority": "1", PREFIX + "rule-1-priority": "1"}),
    st.just({PREFIX + "standalone": "true"}),
)
AGES = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
DELETING = st.sampled_from([{}, {}, {}, {}, {"deletionTimestamp": "2026-02-01T00:00:00Z"}])


GRPC_MATCHES = st.one_of(
    st.builds(lambda of: {"method": of}, st.sampled_from([{"service": "a.B"}, {"service": "a.B", "method": "Get"}])),
    st.builds(lambda of: {"method": of}, st.sampled_from([{"method": "Get"}, {"service": "b" * 200}, {}])),
    st.just({"headers": [{"name": "a", "value": "1"}]}),
)
GRPC_RULES = st.builds(
    lambda refs, found: rule(*refs, matches=found), st.lists(BACKENDS, max_size=3), st.lists(GRPC_MATCHES, max_size=3)
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    make_route, rules = draw(
        st.sampled_from([(route, RULES), (route, RULES), (grpc_route, GRPC_RULES), (tls_route, BACKENDS)])
    )
    made: Route = make_route(
        draw(ROUTES),
        *draw(st.lists(rules, max_size=3)),
        namespace=draw(NAMESPACES),
        parents=draw(PARENTS),
        hostnames=draw(HOSTNAMES),
        created=draw(AGES),
        annotations=draw(ANNOTATIONS),
        meta=draw(DELETING),
    )
    return made


@st.composite
def worlds(draw: st.DrawFn) -> FakeView:
    view = FakeView(
        [
            gateway_class(controller=draw(st.sampled_from([CONTROLLER] * 9 + ["example.com/other"]))),
            namespace("default"),
            namespace("blue", **draw(st.sampled_from([{}, {"t": "1"}]))),
            service("parking", ports=[{"name": "web", "port": 80}, {"name": "admin", "port": 81}]),
            service("parking", "blue"),
            service("review", families=draw(st.sampled_from([["IPv4"], ["IPv6"]]))),
            service("six", families=["IPv6"]),
            service("dual", families=["IPv4", "IPv6"]),
            service("out", type="ExternalName"),
        ]
    )
    for name in ("my-hotel", "other"):
        meta = {"annotations": {PREFIX + "standalone": draw(st.sampled_from(["", "true"]))}}
        spec = {"gatewayClassName": "amazon-vpc-lattice", "listeners": draw(LISTENERS)}
        view = view.having(make(Gateway, name, meta=meta, spec=spec))
    if draw(st.booleans()):
        view = view.having(grant("blue", "default"))
    for each in draw(st.lists(routes(), min_size=1, max_size=3)):
        view = view.having(each)
    return view


def refs(view: FakeView) -> list[RouteRef]:
    return [route.ref for route in view.routes()]


@cache
def shapes() -> dict[str, Any]:
    loader = botocore.session.get_session().get_component("data_loader")
    return loader.load_service_model("vpc-lattice", "service-2")["shapes"]


def check(shape: str, value: str) -> None:
    limits = shapes()[shape]
    assert limits["min"] <= len(value) <= limits["max"], (shape, value)
    assert re.fullmatch(limits.get("pattern", r"(?s).*"), value), (shape, value)


def check_conditions(found: Iterable[Any]) -> None:
    conditions = list(found)
    assert 1 <= len(conditions) <= 8
    assert len({each["type"] for each in conditions}) == len(conditions)
    for each in conditions:
        assert each["status"] in {"True", "False", "Unknown"}
        assert re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", each["reason"])
        assert len(each["message"]) <= 32768


def check_service(desired: DesiredService) -> None:
    check("ServiceName", desired.name)
    if desired.custom_domain is not None:
        check("ServiceCustomDomainName", desired.custom_domain)
        assert "*" not in desired.custom_domain
    if desired.certificate_arn is not None:
        check("CertificateArn", desired.certificate_arn)
    for key, value in desired.tags.items():
        check("TagKey", key)
        check("TagValue", value)
    assert desired.listeners or desired.key.kind == "TLSRoute"
    assert len({made.port for made in desired.listeners}) == len(desired.listeners)
    for made in desired.listeners:
        check("ListenerName", made.name)
        assert (made.protocol == "TLS_PASSTHROUGH") == (desired.key.kind == "TLSRoute")
        if made.protocol == "TLS_PASSTHROUGH":
            assert desired.custom_domain is not None
            assert not made.rules
            check_action(desired, made.default_action)
            assert isinstance(made.default_action, Forward)
        fixed = [each.priority for each in made.rules if each.priority is not None]
        assert len(set(fixed)) == len(fixed)
        assert all(1 <= priority <= 2000 for priority in fixed)
        assert len({each.match for each in made.rules}) == len(made.rules)
        for each in made.rules:
            assert len(each.match.headers) <= 5
            assert (each.match.path_exact is None) != (each.match.path_prefix is None)
            check("PathMatchExact", each.match.path_exact or each.match.path_prefix or "")
            for header in each.match.headers:
                check("HeaderMatchName", header.name)
                check("HeaderMatchExact", header.value)
            check_action(desired, each.action)


def check_action(desired: DesiredService, action: Action) -> None:
    match action:
        case Forward(weights=weights):
            assert 1 <= len(weights) <= 10
            assert all(0 <= weight <= 999 for _, weight in weights)
            assert any(weight for _, weight in weights)
            assert {group.owner for group, _ in weights if not isinstance(group, str)} == {desired.key}
        case FixedResponse(status_code=status):
            assert status in {404, 500}


def services_of(view: FakeView) -> dict[ServiceKey, DesiredService]:
    keys = {key for ref in refs(view) for key in translate_route(view, ref, CTX).services}
    made = {key: translate_service(view, key, CTX).desired for key in keys}
    assert None not in made.values()
    return {key: desired for key, desired in made.items() if desired is not None}


@given(
    worlds(),
    st.sampled_from(
        [Pending(), Programmed(domain="d", arn="a"), Failed(reason="Conflicted", message="m" * 40000, transient=False)]
    ),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_reports_are_admitted_by_the_api(view, outcome):
    for ref in refs(view):
        translation = translate_route(view, ref, CTX)
        report = route_report(translation, dict.fromkeys(translation.services, outcome))
        for parent in report.parents:
            check_conditions(parent["conditions"])
    for gateway in view.all(Gateway):
        for network in (Found(id="sn-1", arn="arn"), Missing()):
            status = gateway_status(view, gateway, network, CTX)
            if status is None:
                assert not is_ours(view, gateway, CONTROLLER)
                continue
            check_conditions(status.conditions)
            for each in status.listeners:
                check_conditions(each["conditions"])


@given(worlds())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_services_are_taken_by_lattice(view):
    for desired in services_of(view).values():
        check_service(desired)


@given(worlds())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_routes_services_and_groups_agree(view):
    by_route = [translate_route(view, ref, CTX) for ref in refs(view)]
    made = {key: translate_service(view, key, CTX) for each in by_route for key in each.services}
    for translation in by_route:
        assert {key for parent in translation.parents for key in parent.services} == set(translation.services)
        for key in translation.services:
            assert translation.ref in [contributor.ref for contributor in made[key].routes]
    for key, shared in made.items():
        asking = [each for each in by_route if key in each.services]
        assert {each.ref for each in asking} == {contributor.ref for contributor in shared.routes}
        assert {group for each in asking for group in each.target_groups if group.owner == key} == set(
            shared.target_groups
        )
    groups = [group for shared in made.values() for group in shared.target_groups]
    assert len(set(groups)) == len(groups)
    desired = [translate_target_group(view, group, CTX) for group in groups]
    assert all(isinstance(each, DesiredTargetGroup) for each in desired)
    made_groups = [each for each in desired if each is not None]
    assert len({tuple(sorted(each.identity_tags.items())) for each in made_groups}) == len(made_groups)
    assert len({each.name for each in made_groups}) == len(made_groups)


@given(worlds())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_two_services_contend_for_a_hostname(view):
    keys = [key for key in services_of(view) if key.hostname]
    for index, one in enumerate(keys):
        for other in keys[index + 1 :]:
            if one.hostname == other.hostname:
                assert set(one.networks).isdisjoint(other.networks)
                assert one.networks != other.networks


@given(worlds(), worlds(), st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_event_touches_every_key_whose_translation_it_changes(view, other, data):
    """The proof that triggers suffice: what they leave out comes out the same before and after."""
    type_ = data.draw(st.sampled_from(list({type(obj): None for obj in view.objects})))
    old = data.draw(st.sampled_from(view.all(type_)))
    same = other.all(type_)
    new = data.draw(st.sampled_from([None, *(renamed(obj, old) for obj in same)]))
    after = view.without(old) if new is None else view.having(new)
    if data.draw(st.booleans()):
        view, after, old, new = after, view, new, old
    touched = keys_for_change(type_.__name__, old, new, after, CTX)
    for key in {key for world in (view, after) for key in services_of(world)} - touched:
        assert translate_service(view, key, CTX) == translate_service(after, key, CTX)
    for ref in {ref for world in (view, after) for ref in refs(world)}:
        translations = [translate_route(world, ref, CTX) for world in (view, after)]
        if ref.key not in touched:
            assert translations[0] == translations[1]
        for group in {group for each in translations for group in each.target_groups} - touched:
            assert translate_target_group(view, group, CTX) == translate_target_group(after, group, CTX)


def renamed(obj: Any, like: Object) -> Any:
    meta = {"name": like.name, "namespace": like.namespace, "uid": like.metadata.uid}
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, **meta))
