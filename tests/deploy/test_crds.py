"""Our definitions by themselves: they install, describe every field, and judge objects as their users know it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.kube import KubeServer
from sandbox.kube.bodies import load_yaml
from tests.deploy.definitions import GROUP, KINDS, OURS, definitions, nodes, normal_schema, resource, schema, submit
from tests.deploy.generated import objects

ROUTE = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "rates"}
SERVICE = {"group": "", "kind": "Service", "name": "parking"}
GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "my-hotel"}
BUCKET = "arn:aws:s3:::my-hotel-logs"
EPOCH = "1970-01-01T00:00:00Z"

SPECS = {
    "AccessLogPolicy": {"destinationArn": BUCKET, "targetRef": ROUTE},
    "IAMAuthPolicy": {"policy": "{}", "targetRef": ROUTE},
    "ServiceExport": {"exportedPorts": [{"port": 8080, "routeType": "HTTP"}]},
    "ServiceImport": {"type": "ClusterSetIP", "ports": [{"port": 80}]},
    "ServiceNetwork": {},
    "TargetGroupPolicy": {"targetRef": SERVICE},
    "VpcAssociationPolicy": {"targetRef": GATEWAY, "securityGroupIds": ["sg-0123456789abcdef0"]},
}
POLICIES = tuple(kind for kind in KINDS if kind.endswith("Policy"))


def new(kind: str, **changes: object) -> dict[str, object]:
    """A small valid object; a change to None leaves the field of the spec out."""
    spec = {name: value for name, value in (SPECS[kind] | changes).items() if value is not None}
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind, "metadata": {"name": "it"}, "spec": spec}


def plural(kind: str) -> str:
    return definitions(OURS)[kind]["spec"]["names"]["plural"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_definition_installs_and_serves_its_kind(kind):
    server = KubeServer(crds=())
    (stored,) = server.apply(definitions(OURS)[kind])
    assert {condition["type"]: condition["status"] for condition in stored["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    (obj,) = server.apply(new(kind))
    assert obj["spec"] == SPECS[kind]
    served = server.api.registry.find(GROUP, "v1alpha1", plural(kind))
    assert served is not None
    assert served.namespaced == (kind != "ServiceNetwork")


def test_the_kustomization_lists_every_definition():
    (kustomization,) = load_yaml((OURS / "kustomization.yaml").read_bytes())
    assert kustomization["resources"] == sorted(
        path.name for path in OURS.glob("*.yaml") if path.name != "kustomization.yaml"
    )
    assert tuple(sorted(definitions(OURS))) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_is_for(kind):
    silent = [path for path, node in nodes(schema(definitions(OURS)[kind])) if not node.get("description", "").strip()]
    # Of an object's metadata the API server allows a definition to restrict the name, and to say nothing else.
    assert silent == [".metadata"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_a_definition_describes_is_accepted_whole_and_stays_as_it_is(kind, data):
    obj = data.draw(objects(kind, schema(definitions(OURS)[kind])))
    first = submit(resource(OURS, kind), obj)
    assert (first.dropped, first.refused) == ([], [])
    assert submit(resource(OURS, kind), first.obj) == first


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        *((kind, {"targetRef": None}, "spec.targetRef") for kind in POLICIES),
        *((kind, {"targetRef": {"group": "", "kind": "Service"}}, "spec.targetRef.name") for kind in POLICIES),
        *((kind, {"targetRef": SERVICE | {"name": ""}}, "spec.targetRef.name") for kind in POLICIES),
        *((kind, {"targetRef": SERVICE | {"group": "Not.A.Domain"}}, "spec.targetRef.group") for kind in POLICIES),
        *((kind, {"targetRef": SERVICE | {"kind": "No-"}}, "spec.targetRef.kind") for kind in POLICIES),
        *((kind, {"targetRef": SERVICE | {"namespace": "a.b"}}, "spec.targetRef.namespace") for kind in POLICIES),
        ("AccessLogPolicy", {"destinationArn": None}, "spec.destinationArn"),
        ("AccessLogPolicy", {"destinationArn": "my-hotel-logs"}, "spec.destinationArn"),
        ("IAMAuthPolicy", {"policy": None}, "spec.policy"),
        ("IAMAuthPolicy", {"policy": {"Version": "2012-10-17"}}, "spec.policy"),
        ("ServiceExport", {"exportedPorts": [{"port": 80}]}, "spec.exportedPorts[0].routeType"),
        ("ServiceExport", {"exportedPorts": [{"port": 80, "routeType": "TCP"}]}, "spec.exportedPorts[0].routeType"),
        ("ServiceImport", {"ports": None}, "spec.ports"),
        ("ServiceImport", {"ports": [{"name": "http"}]}, "spec.ports[0].port"),
        ("ServiceImport", {"type": "ClusterIP"}, "spec.type"),
        ("ServiceImport", {"ips": ["10.0.0.1", "10.0.0.2"]}, "spec.ips"),
        ("VpcAssociationPolicy", {"securityGroupIds": []}, "spec.securityGroupIds"),
        ("VpcAssociationPolicy", {"securityGroupIds": ["sg-0A"]}, "spec.securityGroupIds[0]"),
        ("VpcAssociationPolicy", {"securityGroupIds": ["sg-" + "0" * 30]}, "spec.securityGroupIds[0]"),
        ("VpcAssociationPolicy", {"associateWithVpc": "false"}, "spec.associateWithVpc"),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(kind, changes, field):
    assert [path for path, _ in submit(resource(OURS, kind), new(kind, **changes)).refused] == [field]


@pytest.mark.parametrize(
    ("field", "allowed", "refused"),
    [
        ("port", (1, 65535), (0, 65536, "http")),
        ("intervalSeconds", (5, 300), (4, 301, "30s")),
        ("timeoutSeconds", (1, 120), (0, 121)),
        ("healthyThresholdCount", (2, 10), (1, 11)),
        ("unhealthyThresholdCount", (2, 10), (1, 11)),
        ("protocol", ("HTTP", "HTTPS"), ("TCP", "http")),
        ("protocolVersion", ("HTTP1", "HTTP2"), ("GRPC", "HTTP/1.1")),
        ("enabled", (True, False), ("true", None)),
    ],
)
def test_a_health_check_stays_within_what_lattice_allows(field, allowed, refused):
    for values, expected in ((allowed, []), (refused, [f"spec.healthCheck.{field}"])):
        for value in values:
            obj = new("TargetGroupPolicy", healthCheck={field: value})
            assert [path for path, _ in submit(resource(OURS, "TargetGroupPolicy"), obj).refused] == expected, value


@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_needs_a_spec(kind):
    without = {name: value for name, value in new(kind).items() if name != "spec"}
    assert submit(resource(OURS, kind), without).refused == [("spec", "FieldValueRequired")]


@pytest.mark.parametrize("kind", ["ServiceExport", "ServiceImport", "ServiceNetwork"])
def test_an_export_an_import_and_a_network_need_none(kind):
    without = {name: value for name, value in new(kind).items() if name != "spec"}
    assert submit(resource(OURS, kind), without).refused == []


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_fields_are_dropped(kind):
    obj = new(kind, colour="red") | {"data": {"key": "value"}}
    outcome = submit(resource(OURS, kind), obj)
    assert outcome.dropped == ["data", "spec.colour"]
    assert outcome.obj["spec"] == SPECS[kind]


def waiting(type_: str, reason: str) -> dict[str, str]:
    return {
        "type": type_,
        "status": "Unknown",
        "reason": reason,
        "message": "Waiting for controller",
        "lastTransitionTime": EPOCH,
    }


@pytest.mark.parametrize("kind", [kind for kind in (*POLICIES, "ServiceNetwork") if kind != "VpcAssociationPolicy"])
def test_before_the_controller_looks_the_status_says_that_it_has_not(kind):
    new_one = submit(resource(OURS, kind), new(kind)).obj
    assert new_one["status"] == {"conditions": [waiting("Accepted", "NotReconciled")]}
    emptied = submit(resource(OURS, kind), new(kind) | {"status": {}}).obj
    assert emptied["status"]["conditions"] == [waiting("Accepted", "Pending"), waiting("Programmed", "Pending")]


def test_a_vpc_association_policy_has_no_status_until_one_is_written():
    there = resource(OURS, "VpcAssociationPolicy")
    assert "status" not in submit(there, new("VpcAssociationPolicy")).obj
    emptied = submit(there, new("VpcAssociationPolicy") | {"status": {}}).obj
    assert emptied["status"]["conditions"] == [waiting("Accepted", "Pending")]


def test_conditions_are_one_for_each_type():
    twice = new("AccessLogPolicy") | {"status": {"conditions": [waiting("Accepted", "Pending")] * 2}}
    outcome = submit(resource(OURS, "AccessLogPolicy"), twice)
    assert outcome.refused == [("status.conditions[1]", "FieldValueDuplicate")]


def test_the_normal_form_leaves_out_order_and_descriptions_and_nothing_else():
    one = {
        "type": "object",
        "description": "One.",
        "required": ["a", "description"],
        "properties": {
            "a": {"type": "string", "enum": ["x", "y"], "description": "A."},
            "description": {"type": "array", "items": {"type": "string", "description": "An item."}},
        },
        "default": {"description": "kept"},
    }
    other = {
        "default": {"description": "kept"},
        "properties": {
            "description": {"items": {"type": "string"}, "type": "array"},
            "a": {"enum": ["y", "x"], "type": "string"},
        },
        "required": ["description", "a"],
        "type": "object",
    }
    assert (
        normal_schema(one)
        == normal_schema(other)
        == other
        | {
            "required": ["a", "description"],
            "properties": other["properties"] | {"a": {"enum": ["x", "y"], "type": "string"}},
        }
    )


Kubectl = Callable[..., Awaitable[str]]


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    """Runs kubectl against a new server that has no definitions; returns what it prints, errors included."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    async with KubeServer(crds=()) as server:
        config = tmp_path / "kubeconfig"
        config.write_bytes(orjson.dumps(server.kubeconfig()))

        async def run(*arguments: str, stdin: bytes = b"", code: int = 0) -> str:
            process = await asyncio.create_subprocess_exec(
                program,
                f"--kubeconfig={config}",
                f"--cache-dir={tmp_path / 'cache'}",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(process.communicate(stdin), 60)
            assert process.returncode == code, output.decode()
            return output.decode()

        yield run


@pytest.mark.anyio
@pytest.mark.parametrize("kind", KINDS)
async def test_kubectl_applies_each_file(kubectl, kind):
    name = f"customresourcedefinition.apiextensions.k8s.io/{plural(kind)}.{GROUP}"
    assert f"{name} created" in await kubectl("apply", "-f", str(OURS / f"{plural(kind)}.yaml"))


@pytest.mark.anyio
async def test_kubectl_applies_them_together_and_knows_the_kinds(kubectl):
    applied = await kubectl("apply", "--server-side", "-k", str(OURS))
    assert applied.count("serverside-applied") == len(KINDS)
    listed = await kubectl("api-resources", f"--api-group={GROUP}", "--no-headers")
    assert [line.split()[-1] for line in listed.splitlines()] == list(KINDS)

    await kubectl("apply", "-f", "-", stdin=b"\n".join(orjson.dumps(new(kind)) for kind in KINDS))
    for short in ("alp", "iap", "sn", "tgp", "vap", "serviceexport", "serviceimport"):
        assert "it" in (await kubectl("get", short, "--no-headers")).split()
    assert (await kubectl("get", "sn")).split()[:3] == ["NAME", "ARN", "AGE"]

    wrong = new("TargetGroupPolicy", healthCheck={"intervalSeconds": 1})
    refused = await kubectl("apply", "-f", "-", stdin=orjson.dumps(wrong), code=1)
    assert "spec.healthCheck.intervalSeconds" in refused
    assert "greater than or equal to 5" in refused


@pytest.mark.anyio
async def test_kubectl_explains_the_fields(kubectl):
    await kubectl("apply", "-f", str(OURS / "targetgrouppolicies.yaml"))
    explained = await kubectl("explain", "targetgrouppolicies.spec.healthCheck.intervalSeconds")
    assert "Seconds from one check of a target to the next" in explained
