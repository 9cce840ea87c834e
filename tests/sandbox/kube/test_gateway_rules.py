"""Gateway API's rules beyond the schemas: all of them are there, each refuses what breaks it and nothing beside it."""

import re
from typing import Any

import pytest

from sandbox.kube import KubeServer, gatewayapi
from sandbox.kube.errors import ApiError, Problems
from sandbox.kube.objects import copy
from sandbox.kube.writing import WriteOptions
from tests.support.definitions import GATEWAY_API, definitions

from .gateway_cases import CASES, Case, Spec, one_rule

NOT_EVALUATED: frozenset[tuple[str, str, str]] = frozenset()
"""Rules of the released definitions that the sandbox does not have: kind, place, message."""


def rules_of(definition: dict[str, Any]) -> set[tuple[str, str, str]]:
    kind, found = definition["spec"]["names"]["kind"], set()

    def visit(schema: dict[str, Any], place: str) -> None:
        found.update((kind, place, rule["message"]) for rule in schema.get("x-kubernetes-validations", ()))
        for name, child in schema.get("properties", {}).items():
            visit(child, f"{place}.{name}" if place else name)
        if "items" in schema:
            visit(schema["items"], f"{place}[]")
        if isinstance(schema.get("additionalProperties"), dict):
            visit(schema["additionalProperties"], f"{place}{{}}")

    for version in definition["spec"]["versions"]:
        visit(version["schema"]["openAPIV3Schema"], "")
    return found


IMPLEMENTED = {(kind, rule.place, rule.message) for kind, rules in gatewayapi.RULES.items() for rule in rules}
IMMUTABLE = {(kind, *rule) for kind, rules in gatewayapi.IMMUTABLE.items() for rule in rules}


def test_every_rule_of_the_released_definitions_is_implemented_and_no_other():
    released = {rule for definition in definitions(GATEWAY_API) for rule in rules_of(definition)}
    assert released - IMPLEMENTED - IMMUTABLE == NOT_EVALUATED
    assert (IMPLEMENTED | IMMUTABLE) - released == set()


BUNDLED = {"GatewayClass", "Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute"}
BY_SCHEMA = {
    ("HTTPRoute", "spec.rules[].matches[].path", "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']"),
    ("TLSRoute", "spec.hostnames", "Hostnames must be valid based on RFC-1123"),
    (
        "TLSRoute",
        "spec.hostnames",
        "Wildcards on hostnames must be the first label, and the rest of hostname must be valid based on RFC-1123",
    ),
    ("Gateway", "spec.listeners", "Listener name must be unique within the Gateway"),
    ("Gateway", "spec.tls.frontend.perPort", "Port for TLS configuration must be unique within the Gateway"),
}
"""Rules that no request can break, as the schema refuses the same before they are asked."""
REFUSED_BEFORE = {(kind, message) for kind, _, message in BY_SCHEMA}


@pytest.fixture(scope="module")
def server() -> KubeServer:
    return KubeServer()


def manifest(kind: str, spec: Spec) -> dict[str, Any]:
    return {"apiVersion": f"{gatewayapi.GROUP}/v1", "kind": kind, "metadata": {"name": "rates"}, "spec": spec}


def create(server: KubeServer, kind: str, spec: Spec) -> None:
    """Try to create such an object. Raises ApiError."""
    resource = server.api.registry.by_kind(f"{gatewayapi.GROUP}/v1", kind)
    assert resource is not None
    options = WriteOptions(dry_run=True, strictness="Strict")
    server.api.writer.create(resource, "default", copy(manifest(kind, spec)), options)


def refusals(server: KubeServer, kind: str, spec: Spec) -> list[tuple[str, str]]:
    """Field and message of whatever an API server finds wrong."""
    try:
        create(server, kind, spec)
    except ApiError as refused:
        return [(cause["field"], cause["message"]) for cause in (refused.details or {})["causes"]]
    return []


def checked(kind: str, obj: dict[str, Any]) -> list[tuple[str, str]]:
    problems = Problems()
    gatewayapi.check(kind, obj, problems)
    return [(cause.field, cause.message) for cause in problems.causes]


def broken_by(server: KubeServer, case: Case, spec: Spec) -> set[tuple[str, str]]:
    """Place and message of each rule broken, as the server says, or the rules themselves where it cannot be asked."""
    kind, message = case[:2]
    asked = kind in BUNDLED and (kind, message) not in REFUSED_BEFORE
    causes = refusals(server, kind, spec) if asked else checked(kind, manifest(kind, spec))
    return {(re.sub(r"\[\d+\]", "[]", field), re.sub(r'^Invalid value: "\w+": ', "", text)) for field, text in causes}


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{case[1][:60]}" for case in CASES])
def test_a_rule_refuses_what_breaks_it_and_accepts_its_neighbour(server, case):
    _, message, bad, good = case
    assert message in {text for _, text in broken_by(server, case, bad)}
    assert broken_by(server, case, good) == set()


def test_no_rule_is_untested(server):
    tried = {(case[0], *broken) for case in CASES for broken in broken_by(server, case, case[2])}
    elsewhere = {rule for rule in IMPLEMENTED if rule[1].startswith("status.") or "type must be one of" in rule[2]}
    assert tried | elsewhere == IMPLEMENTED


@pytest.mark.parametrize(("address", "broken"), [(("Hostname", "a_b"), 1), (("IPAddress", "a_b"), 0)])
def test_a_status_is_held_to_the_rules_too(address, broken):
    kind, value = address
    assert len(checked("Gateway", {"status": {"addresses": [{"type": kind, "value": value}]}})) == broken


def test_a_path_is_of_a_known_type():
    (broken,) = checked("HTTPRoute", manifest("HTTPRoute", one_rule(matches=[{"path": {"type": "a", "value": ""}}])))
    assert "type must be one of" in broken[1]


def test_the_refusal_names_field_and_type_as_the_api_server_does(server):
    with pytest.raises(ApiError) as refused:
        create(server, "HTTPRoute", one_rule(matches=[{"path": {"value": "/a//b"}}]))
    assert str(refused.value) == (
        'HTTPRoute.gateway.networking.k8s.io "rates" is invalid: spec.rules[0].matches[0].path: Invalid value: '
        "\"object\": must not contain '//' when type one of ['Exact', 'PathPrefix']"
    )


def test_the_controller_of_a_class_stays(server):
    server.apply(manifest("GatewayClass", {"controllerName": "any.example/one"}))
    server.apply(manifest("GatewayClass", {"controllerName": "any.example/one", "description": "changed"}))
    with pytest.raises(ApiError, match=r"spec\.controllerName: .*Value is immutable"):
        server.apply(manifest("GatewayClass", {"controllerName": "any.example/other"}))


def test_the_real_definitions_are_held_to_the_rules_too():
    server = KubeServer(crds=definitions(GATEWAY_API))
    with pytest.raises(ApiError, match="Must have port for Service reference"):
        create(server, "HTTPRoute", one_rule(backendRefs=[{"name": "parking"}]))
    for kind, _, _, good in CASES:
        create(server, kind, good)
