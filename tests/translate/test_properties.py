"""Whatever the objects say, translation ends in conditions that the API admits and a model that Lattice takes."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import botocore.session
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.api.core import EndpointSlice
from controller.api.gateway import Gateway, HTTPRoute
from controller.api.keys import RouteRef, ServiceKey
from controller.api.meta import Object
from controller.lattice.model import DesiredService, DesiredTargetGroup, FixedResponse, Forward, Identity
from controller.translate.context import TranslateContext
from controller.translate.gateway import gateway_status
from controller.translate.outcomes import Failed, Found, Missing, Pending, Programmed, route_report
from controller.translate.route import translate_route
from controller.translate.service import translate_service
from controller.translate.target_group import translate_target_group
from controller.translate.triggers import keys_for_change
from tests.support.view import CONTROLLER, FakeView, gateway_class, grant, make, namespace, service

CTX = TranslateContext(
    controller_name=CONTROLLER,
    identity=Identity(account="123456789012", region="us-west-2", cluster="c", vpc="vpc-0123456789abcdef0"),
)
PREFIX = "application-networking.k8s.aws/"
NAMESPACES = st.sampled_from(["default", "blue"])
GATEWAYS = st.sampled_from(["my-hotel", "other"])
SERVICES = st.sampled_from(["parking", "review", "dual", "out", "missing"])
ROUTES = st.sampled_from(["rates", "inventory", "my.route", "a--b", "x" * 30])
HOSTNAMES = st.sampled_from(["a.example.com", "b.example.com", "*.example.com", "c.example.org"])
TEXT = st.text(max_size=8)


def maybe(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(st.just({}), values.map(lambda value: {name: value}))


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {name: value for part in found for name, value in part.items()})


PARENTS = merged(
    maybe("namespace", NAMESPACES),
    GATEWAYS.map(lambda name: {"name": name}),
    maybe("sectionName", st.sampled_from(["one", "two"])),
    maybe("port", st.sampled_from([80, 443])),
    maybe("kind", st.sampled_from(["Gateway", "Service"])),
)
BACKENDS = merged(
    SERVICES.map(lambda name: {"name": name}),
    maybe("namespace", NAMESPACES),
    maybe("port", st.sampled_from([80, 81, 82])),
    maybe("weight", st.integers(0, 1_000_000)),
    maybe("kind", st.sampled_from(["Service", "ServiceImport"])),
    maybe("filters", st.just([{"type": "URLRewrite"}])),
)
MATCHES = merged(
    maybe(
        "path",
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["Exact", "PathPrefix", "RegularExpression"]),
                "value": st.one_of(TEXT, st.just("/" + "a" * 199), st.sampled_from(["/", "/a", "/a/", "/a!"])),
            }
        ),
    ),
    maybe("method", st.sampled_from(["GET", "POST"])),
    maybe(
        "headers",
        st.lists(st.fixed_dictionaries({"name": st.sampled_from("abcdefgA"), "value": TEXT}), min_size=1, max_size=7),
    ),
    maybe("queryParams", st.just([{"name": "a", "value": "b"}])),
)
RULES = merged(
    maybe("matches", st.lists(MATCHES, max_size=3)),
    maybe("backendRefs", st.lists(BACKENDS, max_size=12)),
    maybe("timeouts", st.just({"request": "1s"})),
)
ANNOTATIONS = merged(
    maybe(PREFIX + "tags", TEXT),
    maybe(PREFIX + "standalone", st.sampled_from(["true", "no", ""])),
    maybe(PREFIX + "service-name-override", st.one_of(TEXT, st.just("my-name"))),
    maybe(PREFIX + "rule-0-priority", st.one_of(TEXT, st.sampled_from(["1", "2000", "²"]))),
    maybe(PREFIX + "rule-1-priority", st.sampled_from(["1", "2", "1999", "-1"])),
)
LISTENERS = st.lists(
    merged(
        st.sampled_from([80, 81, 443]).map(lambda port: {"port": port}),
        st.sampled_from(["HTTP", "HTTPS", "TCP"]).map(lambda protocol: {"protocol": protocol}),
        maybe("hostname", HOSTNAMES),
        st.sampled_from(["All", "Same", "None", "Selector"]).map(
            lambda from_: {"allowedRoutes": {"namespaces": {"from": from_, "selector": {"matchLabels": {"t": "1"}}}}}
        ),
        maybe(
            "tls",
            st.just({"options": {PREFIX + "certificate-arn": "arn:aws:acm:us-west-2:123456789012:certificate/1"}}),
        ),
    ),
    max_size=3,
).map(lambda found: [{**each, "name": name} for each, name in zip(found, ["one", "two", "three"], strict=False)])


@st.composite
def routes(draw: st.DrawFn) -> HTTPRoute:
    meta = {
        "annotations": draw(ANNOTATIONS),
        "creationTimestamp": draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])),
        **draw(
            maybe("deletionTimestamp", st.just("2026-02-01T00:00:00Z")) if draw(st.integers(0, 9)) == 0 else st.just({})
        ),
    }
    spec = draw(
        merged(
            maybe("parentRefs", st.lists(PARENTS, max_size=3)),
            maybe("hostnames", st.lists(HOSTNAMES, max_size=3)),
            maybe("rules", st.lists(RULES, max_size=3)),
        )
    )
    return make(HTTPRoute, draw(ROUTES), draw(NAMESPACES), meta=meta, spec=spec)


@st.composite
def worlds(draw: st.DrawFn) -> FakeView:
    gateways = [
        make(
            Gateway,
            draw(GATEWAYS),
            draw(NAMESPACES),
            spec={"gatewayClassName": "amazon-vpc-lattice", "listeners": draw(LISTENERS)},
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    objects: list[Object] = [*gateways, *draw(st.lists(routes(), min_size=1, max_size=4))]
    for name in ("default", "blue"):
        objects += [
            service("parking", name, ports=[{"name": "web", "port": 80}, {"name": "admin", "port": 81}]),
            service("review", name),
            service("dual", name, families=["IPv4", "IPv6"]),
            service("out", name, type="ExternalName"),
        ]
    if draw(st.booleans()):
        objects.append(grant("blue", "default"))
    view = FakeView([gateway_class(), namespace("default"), namespace("blue", t="1")])
    for obj in objects:
        view = view.having(obj)
    return view


def refs(view: FakeView) -> list[RouteRef]:
    return [RouteRef("HTTPRoute", route.namespace, route.name) for route in view.all(HTTPRoute)]


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
    assert desired.listeners
    assert len({listener.port for listener in desired.listeners}) == len(desired.listeners)
    for listener in desired.listeners:
        check("ListenerName", listener.name)
        fixed = [rule.priority for rule in listener.rules if rule.priority is not None]
        assert len(set(fixed)) == len(fixed)
        assert all(1 <= priority <= 2000 for priority in fixed)
        assert len({rule.match for rule in listener.rules}) == len(listener.rules)
        for rule in listener.rules:
            assert len(rule.match.headers) <= 5
            assert (rule.match.path_exact is None) != (rule.match.path_prefix is None)
            check("PathMatchExact", rule.match.path_exact or rule.match.path_prefix or "")
            for header in rule.match.headers:
                check("HeaderMatchName", header.name)
                check("HeaderMatchExact", header.value)
            match rule.action:
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
@settings(max_examples=150)
def test_reports_are_admitted_by_the_api(view, outcome):
    for ref in refs(view):
        translation = translate_route(view, ref, CTX)
        report = route_report(translation, dict.fromkeys(translation.services, outcome))
        for parent in report.parents:
            check_conditions(parent["conditions"])
    for gateway in view.all(Gateway):
        for network in (Found(id="sn-1", arn="arn"), Missing()):
            status = gateway_status(view, gateway, network, CTX)
            assert status is not None
            check_conditions(status.conditions)
            for listener in status.listeners:
                check_conditions(listener["conditions"])


@given(worlds())
@settings(max_examples=150)
def test_services_are_taken_by_lattice(view):
    for desired in services_of(view).values():
        check_service(desired)


@given(worlds())
@settings(max_examples=100)
def test_routes_services_and_groups_agree(view):
    by_route = [translate_route(view, ref, CTX) for ref in refs(view)]
    groups = [group for translation in by_route for group in translation.target_groups]
    assert len(set(groups)) == len(groups)
    for translation in by_route:
        assert {key for parent in translation.parents for key in parent.services} == set(translation.services)
        made = [translate_service(view, key, CTX) for key in translation.services]
        assert [group for each in made for group in each.target_groups] == list(translation.target_groups)
        assert all(each.routes[0].ref == translation.ref for each in made)
    desired = [translate_target_group(view, group, CTX) for group in groups]
    assert all(isinstance(each, DesiredTargetGroup) for each in desired)
    made_groups = [each for each in desired if each is not None]
    assert len({tuple(sorted(each.identity_tags.items())) for each in made_groups}) == len(made_groups)
    assert len({each.name for each in made_groups}) == len(made_groups)


@given(worlds())
@settings(max_examples=100)
def test_no_two_services_contend_for_a_hostname(view):
    keys = [key for key in services_of(view) if key.hostname]
    for index, one in enumerate(keys):
        for other in keys[index + 1 :]:
            if one.hostname == other.hostname:
                assert set(one.networks).isdisjoint(other.networks)
                assert one.networks != other.networks


@given(worlds(), st.data())
@settings(max_examples=150)
def test_an_event_touches_every_key_whose_translation_it_changes(view, data):
    """The proof that triggers suffice: what they leave out comes out the same before and after."""
    old = data.draw(st.sampled_from([obj for obj in view.objects if not isinstance(obj, EndpointSlice)]))
    others = worlds().filter(lambda world: any(type(obj) is type(old) for obj in world.objects))
    like = [obj for obj in data.draw(others).objects if type(obj) is type(old)]
    new = data.draw(st.one_of(st.none(), st.sampled_from(like)))
    if new is not None:
        meta = {"name": old.name, "namespace": old.namespace, "uid": old.metadata.uid}
        new = replaced(new, **meta)
    after = view.without(old) if new is None else view.having(new)
    touched = keys_for_change(type(old).__name__, old, new, after, CTX)
    for key in {key for world in (view, after) for key in services_of(world)} - touched:
        assert translate_service(view, key, CTX) == translate_service(after, key, CTX)
    for ref in {ref for world in (view, after) for ref in refs(world)}:
        before_and_after = [translate_route(world, ref, CTX) for world in (view, after)]
        if ref.key not in touched:
            assert before_and_after[0] == before_and_after[1]
        for translation in before_and_after:
            for group in set(translation.target_groups) - touched:
                assert translate_target_group(view, group, CTX) == translate_target_group(after, group, CTX)


def replaced(obj: Any, **meta: Any) -> Any:
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, **meta))
