"""kubectl, the real one, works."""

import asyncio
import re

import pytest

pytestmark = pytest.mark.anyio

MANIFEST = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: my-hotel
  creationTimestamp: null
spec:
  gatewayClassName: amazon-vpc-lattice
  listeners:
  - name: http
    protocol: HTTP
    port: 80
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: rates
spec:
  parentRefs:
  - name: my-hotel
    sectionName: http
  rules:
  - backendRefs:
    - name: parking
      port: 80
    matches:
    - path: {type: PathPrefix, value: /parking}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: parking
  labels: {app: parking}
spec:
  replicas: 2
  selector:
    matchLabels: {app: parking}
  template:
    metadata:
      labels: {app: parking}
    spec:
      containers:
      - name: parking
        image: parking:1
        env:
        - {name: PodName, value: parking handler pod}
        - {name: Other, value: x}
---
apiVersion: v1
kind: Service
metadata:
  name: parking
spec:
  selector: {app: parking}
  ports:
  - {protocol: TCP, port: 80, targetPort: 8090}
"""


async def test_apply_creates_changes_and_leaves_alone(kubectl):
    created = await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert created.splitlines() == [
        "gateway.gateway.networking.k8s.io/my-hotel created",
        "httproute.gateway.networking.k8s.io/rates created",
        "deployment.apps/parking created",
        "service/parking created",
    ]
    changed = MANIFEST.replace("replicas: 2", "replicas: 3").replace("        - {name: Other, value: x}\n", "")
    again = (await kubectl("apply", "-f", "-", stdin=changed)).splitlines()
    assert again[2:] == ["deployment.apps/parking configured", "service/parking unchanged"]
    path = "{.spec.replicas} {.spec.template.spec.containers[0].env[*].name}"
    assert await kubectl("get", "deployment", "parking", "-o", f"jsonpath={path}") == "3 PodName"


async def test_apply_on_the_server_side(kubectl):
    applied = await kubectl("apply", "--server-side", "-f", "-", stdin=MANIFEST)
    assert applied.count("serverside-applied") == 4
    assert (await kubectl("apply", "--server-side", "-f", "-", stdin=MANIFEST)) == applied
    other = MANIFEST.replace("replicas: 2", "replicas: 3")
    refused = await kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=other, code=1)
    assert 'conflict with "kubectl": .spec.replicas' in refused
    await kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", stdin=other)


async def test_apply_on_the_server_side_takes_over_from_the_client_side(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    changed = MANIFEST.replace("replicas: 2", "replicas: 3")
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=changed)
    assert await kubectl("get", "deployment", "parking", "-o", "jsonpath={.spec.replicas}") == "3"


async def test_a_misspelt_field_is_refused(kubectl):
    wrong = MANIFEST.replace("gatewayClassName:", "gatewayClassname: x\n  gatewayClassName:")
    output = await kubectl("apply", "-f", "-", stdin=wrong, code=1)
    assert 'unknown field "spec.gatewayClassname"' in output


async def test_get_shows_tables(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    gateways = (await kubectl("get", "gtw")).splitlines()
    assert gateways[0].split() == ["NAME", "CLASS", "ADDRESS", "PROGRAMMED", "AGE"]
    assert gateways[1].split()[:3] == ["my-hotel", "amazon-vpc-lattice", "Unknown"]
    everything = await kubectl("get", "gateway,httproute,deploy,svc", "-o", "wide")
    for text in ("gateway.gateway.networking.k8s.io/my-hotel", "service/parking", "80/TCP", "parking:1"):
        assert text in everything
    assert "deployment.apps/parking" in await kubectl("get", "all")


async def test_get_selects(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert await kubectl("get", "deploy", "-l", "app in (parking)", "-o", "name") == "deployment.apps/parking\n"
    assert await kubectl("get", "svc", "--field-selector", "metadata.name=none", "-o", "name") == ""
    missing = await kubectl("get", "gateway", "nobody", code=1)
    assert missing.strip() == 'Error from server (NotFound): gateways.gateway.networking.k8s.io "nobody" not found'


async def test_describe_shows_events(kubectl, cluster, paths):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    route = (await cluster.get(paths.routes("rates"))).body
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "rates.1", "namespace": paths.namespace},
        "involvedObject": {
            "apiVersion": route["apiVersion"], "kind": "HTTPRoute", "name": "rates", "namespace": paths.namespace,
            "uid": route["metadata"]["uid"],
        },
        "reason": "DeploySucceed",
        "message": "Adding/Updating reconcile Done!",
        "type": "Normal",
        "count": 1,
        "firstTimestamp": route["metadata"]["creationTimestamp"],
        "lastTimestamp": route["metadata"]["creationTimestamp"],
        "source": {"component": "tests"},
    }  # fmt: skip
    await cluster.post(paths.core("events"), event)
    described = await kubectl("describe", "httproute", "rates")
    assert "Parent Refs:" in described
    assert "DeploySucceed" in described
    for kind in ("deployment", "service", "gateway"):
        assert "parking" in await kubectl("describe", kind) or kind == "gateway"
    assert "DeploySucceed" in await kubectl("get", "events")


async def test_labels_and_annotations(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert "labeled" in await kubectl("label", "gateway", "my-hotel", "tier=front")
    assert "unlabeled" in await kubectl("label", "gateway", "my-hotel", "tier-")
    assert "annotated" in await kubectl("annotate", "svc", "parking", "a/b=c")
    assert await kubectl("get", "svc", "parking", "-o", "jsonpath={.metadata.annotations.a/b}") == "c"


async def test_scale(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert await kubectl("scale", "deployment/parking", "--replicas=5") == "deployment.apps/parking scaled\n"
    assert await kubectl("get", "deploy", "parking", "-o", "jsonpath={.spec.replicas}") == "5"


async def test_edit(kubectl, monkeypatch, tmp_path):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/port: 80$/port: 8080/' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("KUBE_EDITOR", str(editor))
    assert "edited" in await kubectl("edit", "gateway", "my-hotel")
    assert await kubectl("get", "gateway", "my-hotel", "-o", "jsonpath={.spec.listeners[0].port}") == "8080"


async def test_patch(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"parking","image":"parking:2"}]}}}}'
    assert "patched" in await kubectl("patch", "deployment", "parking", "-p", patch)
    status = '{"status":{"addresses":[{"type":"Hostname","value":"x"}]}}'
    assert "patched" in await kubectl(
        "patch", "gateway", "my-hotel", "--type=merge", "--subresource=status", "-p", status
    )


async def test_create_replace_and_diff(kubectl):
    await kubectl("create", "-f", "-", stdin=MANIFEST)
    refused = await kubectl("create", "-f", "-", stdin=MANIFEST, code=1)
    assert refused.count("already exists") == 4
    assert "+  replicas: 9" in await kubectl(
        "diff", "-f", "-", stdin=MANIFEST.replace("replicas: 2", "replicas: 9"), code=1
    )
    exported = await kubectl("get", "gateway", "my-hotel", "-o", "yaml")
    assert "replaced" in await kubectl("replace", "-f", "-", stdin=exported.replace("port: 80", "port: 81"))


async def test_wait_sees_a_change(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    waiting = asyncio.create_task(kubectl("wait", "gateway/my-hotel", "--for=condition=Programmed", "--timeout=20s"))
    condition = (
        '{"type":"Programmed","status":"True","reason":"Programmed","message":"","lastTransitionTime":'
        '"2024-01-01T00:00:00Z"}'
    )
    patch = f'{{"status":{{"conditions":[{condition}]}}}}'
    await kubectl("patch", "gateway", "my-hotel", "--type=merge", "--subresource=status", "-p", patch)
    assert "condition met" in await waiting


async def test_get_watches(kubectl, cluster, paths, new):
    watching = asyncio.create_task(
        kubectl("get", "configmaps", "--watch", "--request-timeout=3s", "-o", "name", code=None)
    )
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    await cluster.post(paths.core("configmaps"), new.config_map("b"))
    output = await watching
    assert "configmap/a" in output
    assert "configmap/b" in output


async def test_delete_waits_until_it_is_gone(kubectl, cluster, paths, eventually):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert "deleted" in await kubectl("delete", "gateway", "my-hotel")
    assert "deleted" in await kubectl("delete", "httproute", "--all")
    await cluster.patch(paths.core("services", "parking"), {"metadata": {"finalizers": ["x.io/a"]}})
    deleting = asyncio.create_task(kubectl("delete", "service", "parking"))

    async def is_going():
        return "deletionTimestamp" in (await cluster.get(paths.core("services", "parking"))).body["metadata"]

    await eventually(is_going)
    assert not deleting.done()
    await cluster.patch(paths.core("services", "parking"), {"metadata": {"finalizers": None}})
    assert "deleted" in await deleting


async def test_a_namespace_is_created_and_deleted(kubectl, namespace):
    name = f"{namespace}-more"
    await kubectl("create", "-f", "-", stdin=f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
    await kubectl("-n", name, "apply", "-f", "-", stdin=MANIFEST)
    assert "deleted" in await kubectl("delete", "namespace", name)
    assert name not in await kubectl("get", "namespaces")


async def test_explain(kubectl):
    explained = await kubectl("explain", "httproute.spec.rules.backendRefs")
    assert "weight" in explained
    assert "GROUP:      gateway.networking.k8s.io" in explained
    assert "containerPort" in await kubectl("explain", "pod.spec.containers.ports")


async def test_what_there_is(kubectl):
    resources = await kubectl("api-resources")
    for line in ("HTTPRoute", "EndpointSlice", "CustomResourceDefinition"):
        assert line in resources
    assert "gateway.networking.k8s.io/v1beta1" in await kubectl("api-versions")
    assert "Server Version" in await kubectl("version")


async def test_its_generators_send_protobuf(kubectl, cluster, paths):
    await kubectl("create", "deployment", "web", "--image=web:2", "--replicas=3", "--port=80")
    spec = (await cluster.get(paths.deployments("web"))).body["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert (spec["replicas"], container["image"], container["ports"]) == (
        3, "web:2", [{"containerPort": 80, "protocol": "TCP"}],
    )  # fmt: skip
    await kubectl("create", "service", "clusterip", "web", "--tcp=80:http")
    ports = (await cluster.get(paths.core("services", "web"))).body["spec"]["ports"]
    assert ports == [{"name": "80-http", "port": 80, "protocol": "TCP", "targetPort": "http"}]
    await kubectl("create", "secret", "generic", "web", "--from-literal=a=b")
    assert (await cluster.get(paths.core("secrets", "web"))).body["data"] == {"a": "Yg=="}
    await kubectl("create", "configmap", "web", "--from-literal=a=b")
    assert (await cluster.get(paths.core("configmaps", "web"))).body["data"] == {"a": "b"}
    assert (await kubectl("auth", "can-i", "create", "gateways")).strip() == "yes"


async def test_a_list_is_applied_item_by_item(kubectl):
    items = [f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}" for name in ("one", "two")]
    manifest = "apiVersion: v1\nkind: List\nitems:\n" + "".join(f"- {item}\n" for item in items)
    created = await kubectl("apply", "-f", "-", stdin=manifest)
    assert created.splitlines() == ["configmap/one created", "configmap/two created"]


NO_COMMANDS = r"run no commands .* curl --proxy \$DATA_PLANE"


@pytest.mark.parametrize("command", [("exec", "a", "--", "ls"), ("attach", "a"), ("port-forward", "a", "8090")])
async def test_a_pod_without_a_machine_runs_no_commands(kubectl, server, command):
    """The sandbox's pods never have one, and say how to ask them instead."""
    await kubectl("run", "a", "--image=any:1")
    await kubectl("patch", "pod", "a", "--subresource=status", "--type=merge", "-p", '{"status": {"phase": "Running"}}')
    answer = await kubectl(*command, code=1)
    assert re.search(NO_COMMANDS if server.is_sandbox else "does not have a host assigned", answer)


async def test_a_pod_without_a_machine_has_no_log(kubectl, server):
    await kubectl("run", "a", "--image=any:1")
    log = await kubectl("logs", "a", code=None)
    assert re.search(NO_COMMANDS, log) if server.is_sandbox else log == ""
