"""What is refused and what is filled in: built-in kinds and custom resources."""

import pytest

pytestmark = pytest.mark.anyio


async def test_a_route_gets_the_defaults_of_its_definition(cluster, paths, new):
    spec = (await cluster.post(paths.routes(), new.route("a"))).body["spec"]
    assert spec["parentRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "my-hotel"}]
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert rule["backendRefs"] == [{"group": "", "kind": "Service", "name": "parking", "port": 80, "weight": 1}]


async def test_a_route_without_rules_gets_one(cluster, paths, new):
    body = new.route("a")
    del body["spec"]["rules"]
    spec = (await cluster.post(paths.routes(), body)).body["spec"]
    assert spec["rules"] == [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]


async def test_listeners_are_for_routes_of_the_same_namespace_by_default(cluster, paths, new):
    spec = (await cluster.post(paths.gateways(), new.gateway("a"))).body["spec"]
    assert spec["listeners"][0]["allowedRoutes"] == {"namespaces": {"from": "Same"}}


async def test_a_new_gateway_waits_for_its_controller(cluster, paths, new):
    status = (await cluster.post(paths.gateways(), new.gateway("a"))).body["status"]
    assert [(c["type"], c["status"], c["reason"]) for c in status["conditions"]] == [
        ("Accepted", "Unknown", "Pending"),
        ("Programmed", "Unknown", "Pending"),
    ]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"gatewayClassName": ""}, "spec.gatewayClassName"),
        ({"gatewayClassName": 5}, "spec.gatewayClassName"),
        ({"gatewayClassName": None}, "spec.gatewayClassName"),
        ({"listeners": []}, "spec.listeners"),
        ({"listeners": [{"name": "a", "port": 80}]}, "spec.listeners[0].protocol"),
        ({"listeners": [{"name": "A_", "port": 80, "protocol": "HTTP"}]}, "spec.listeners[0].name"),
        ({"listeners": [{"name": "a", "port": 0, "protocol": "HTTP"}]}, "spec.listeners[0].port"),
        ({"listeners": [{"name": "a", "port": 65536, "protocol": "HTTP"}]}, "spec.listeners[0].port"),
        ({"listeners": [{"name": "a", "port": 1, "protocol": "HTTP"}] * 2}, "spec.listeners[1]"),
        (
            {"listeners": [{"name": "a", "port": 1, "protocol": "HTTP", "tls": {"mode": "Some"}}]},
            "spec.listeners[0].tls.mode",
        ),
    ],
)
async def test_a_gateway_that_its_definition_does_not_allow_is_invalid(cluster, paths, new, spec, field):
    reply = await cluster.post(paths.gateways(), new.gateway("a", **spec))
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert field in reply.fields


async def test_an_invalid_answer_says_what_is_wrong(cluster, paths, new):
    body = new.gateway("a")
    del body["spec"]["gatewayClassName"]
    reply = await cluster.post(paths.gateways(), body)
    assert reply.body["message"].startswith('Gateway.gateway.networking.k8s.io "a" is invalid: ')
    assert "spec.gatewayClassName: Required value" in reply.body["message"]
    assert reply.body["details"]["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.gatewayClassName"}
    ]


async def test_an_update_is_validated_too(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    reply = await cluster.patch(paths.gateways("a"), {"spec": {"listeners": None}})
    assert (reply.code, reply.fields) == (422, {"spec.listeners"})


async def test_a_status_is_validated(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    status = {"conditions": [{"type": "Accepted", "status": "Maybe"}]}
    reply = await cluster.patch(paths.gateways("a") + "/status", {"status": status})
    assert reply.code == 422
    assert {"status.conditions[0].status", "status.conditions[0].lastTransitionTime"} <= reply.fields


async def test_unknown_fields_are_refused_in_strict_validation(cluster, paths, new):
    reply = await cluster.post(paths.gateways(), new.gateway("a", speed="high"), fieldValidation="Strict")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.speed"' in reply.body["message"]


async def test_unknown_fields_are_dropped_with_a_warning_otherwise(cluster, paths, new):
    reply = await cluster.post(paths.gateways(), new.gateway("a", speed="high"), fieldValidation="Warn")
    assert reply.code == 201
    assert "speed" not in reply.body["spec"]
    assert reply.headers["Warning"] == '299 - "unknown field \\"spec.speed\\""'


async def test_unknown_fields_are_dropped_in_silence_when_ignored(cluster, paths, new):
    reply = await cluster.post(paths.gateways(), new.gateway("a", speed="high"), fieldValidation="Ignore")
    assert "speed" not in reply.body["spec"]
    assert "Warning" not in reply.headers


async def test_fields_that_come_twice_are_refused_in_strict_validation(cluster, paths):
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1","k":"2"}}'
    reply = await cluster.send("POST", paths.core("configmaps"), body, fieldValidation="Strict")
    assert reply.code == 400
    assert 'duplicate field "data.k"' in reply.body["message"]


async def test_unknown_fields_of_built_in_kinds_are_refused_in_strict_validation(cluster, paths, new):
    body = new.deployment("a")
    body["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    reply = await cluster.post(paths.deployments(), body, fieldValidation="Strict")
    assert 'unknown field "spec.template.spec.containers[0].imagee"' in reply.body["message"]


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a" * 254, "a/b"])
async def test_a_name_has_to_be_a_subdomain(cluster, paths, new, name):
    reply = await cluster.post(paths.core("configmaps"), new.config_map(name))
    assert (reply.code, reply.fields) == (422, {"metadata.name"})


@pytest.mark.parametrize("labels", [{"a b": "c"}, {"a": "b c"}, {"/a": "b"}, {"a": "b" * 64}, {"x/y/z": "b"}])
async def test_labels_have_a_syntax(cluster, paths, new, labels):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"labels": labels}))
    assert (reply.code, reply.fields) == (422, {"metadata.labels"})


async def test_a_label_that_is_no_text_cannot_be_decoded(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"labels": {"a": 1}}))
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_a_service_gets_an_address_and_defaults(cluster, paths, new):
    spec = (await cluster.post(paths.core("services"), new.service("a"))).body["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (spec["type"], spec["sessionAffinity"], spec["ipFamilyPolicy"]) == ("ClusterIP", "None", "SingleStack")


async def test_services_have_different_addresses(cluster, paths, new):
    replies = [await cluster.post(paths.core("services"), new.service(name)) for name in "abc"]
    assert len({reply.body["spec"]["clusterIP"] for reply in replies}) == 3


async def test_a_headless_service_has_no_address(cluster, paths, new):
    spec = (await cluster.post(paths.core("services"), new.service("a", clusterIP="None"))).body["spec"]
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("None", ["None"])


async def test_a_service_keeps_its_address(cluster, paths, new):
    created = (await cluster.post(paths.core("services"), new.service("a"))).body
    replaced = await cluster.put(paths.core("services", "a"), new.service("a", ports=[{"port": 81}]))
    assert replaced.body["spec"]["clusterIP"] == created["spec"]["clusterIP"]
    reply = await cluster.patch(paths.core("services", "a"), {"spec": {"clusterIP": "10.96.0.99", "clusterIPs": None}})
    assert (reply.code, reply.fields) == (422, {"spec.clusterIPs[0]"})


async def test_a_node_port_service_gets_node_ports(cluster, paths, new):
    spec = (await cluster.post(paths.core("services"), new.service("a", type="NodePort"))).body["spec"]
    assert 30000 <= spec["ports"][0]["nodePort"] <= 32767


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ports": []}, "spec.ports"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 80, "targetPort": "Not A Name"}]}, "spec.ports[0].targetPort"),
        ({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name"),
        ({"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]}, "spec.ports[1].name"),
        ({"type": "Nothing"}, "spec.type"),
        ({"type": "ExternalName"}, "spec.externalName"),
    ],
)
async def test_a_service_that_makes_no_sense_is_invalid(cluster, paths, new, spec, field):
    reply = await cluster.post(paths.core("services"), new.service("a", **spec))
    assert reply.code == 422
    assert field in reply.fields


async def test_a_deployment_gets_defaults(cluster, paths, new):
    body = (await cluster.post(paths.deployments(), new.deployment("a"))).body
    assert body["spec"]["replicas"] == 1
    assert body["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert body["metadata"]["generation"] == 1


async def test_the_selector_of_a_deployment_matches_its_template(cluster, paths, new):
    reply = await cluster.post(paths.deployments(), new.deployment("a", selector={"matchLabels": {"app": "b"}}))
    assert (reply.code, reply.fields) == (422, {"spec.template.metadata.labels"})


async def test_the_selector_of_a_deployment_never_changes(cluster, paths, new):
    await cluster.post(paths.deployments(), new.deployment("a"))
    body = new.deployment("a", selector={"matchLabels": {"app": "b"}})
    body["spec"]["template"]["metadata"]["labels"]["app"] = "b"
    reply = await cluster.put(paths.deployments("a"), body)
    assert (reply.code, reply.fields) == (422, {"spec.selector"})


async def test_a_deployment_needs_a_spec(cluster, paths):
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    reply = await cluster.post(paths.deployments(), body)
    assert (reply.code, reply.reason) == (422, "Invalid")


async def test_a_field_of_the_wrong_type_cannot_be_decoded(cluster, paths, new):
    reply = await cluster.post(paths.deployments(), new.deployment("a", replicas="many"))
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_a_new_pod_is_pending(cluster, paths):
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    pod = (await cluster.post(paths.core("pods"), body)).body
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert pod["spec"]["restartPolicy"] == "Always"


async def test_a_pod_keeps_its_spec_but_for_images(cluster, paths):
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    await cluster.post(paths.core("pods"), body)
    new_image = {"spec": {"containers": [{"name": "c", "image": "j"}]}}
    assert (await cluster.patch(paths.core("pods", "a"), new_image, "strategic")).code == 200
    reply = await cluster.patch(paths.core("pods", "a"), {"spec": {"hostname": "x"}})
    assert (reply.code, reply.fields) == (422, {"spec"})


async def test_the_addresses_of_an_endpoint_slice_are_of_its_type(cluster, paths):
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "a"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["::1"]}],
        "ports": [{"port": 80}],
    }
    reply = await cluster.post(paths.group("discovery.k8s.io/v1", "endpointslices"), body)
    assert (reply.code, reply.fields) == (422, {"endpoints[0].addresses[0]"})


async def test_plain_data_of_a_secret_is_encoded(cluster, paths):
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"k": "v"}}
    secret = (await cluster.post(paths.core("secrets"), body)).body
    assert (secret["data"], secret["type"]) == ({"k": "dg=="}, "Opaque")
    assert "stringData" not in secret


async def test_an_immutable_config_map_stays_as_it_is(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "1"}, immutable=True))
    reply = await cluster.patch(paths.core("configmaps", "a"), {"data": {"k": "2"}})
    assert (reply.code, reply.fields) == (422, {"data"})


async def test_an_event_is_in_the_namespace_of_its_object(cluster, paths):
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
    }
    reply = await cluster.post(paths.core("events"), body)
    assert (reply.code, reply.fields) == (422, {"involvedObject.namespace"})


@pytest.mark.parametrize("missing", ["eventTime", "action", "reason", "reportingController", "reportingInstance"])
async def test_an_event_of_the_new_group_says_who_reports_what(cluster, paths, missing):
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "action": "Reconcile",
        "reason": "Done",
        "reportingController": "example.com/tests",
        "reportingInstance": "one",
        "regarding": {"kind": "Pod", "name": "p", "namespace": paths.namespace},
        "type": "Normal",
    }
    path = paths.group("events.k8s.io/v1", "events")
    incomplete = {key: value for key, value in body.items() if key != missing}
    reply = await cluster.post(path, incomplete)
    assert (reply.code, reply.fields) == (422, {missing})
    assert (await cluster.post(path, body)).code == 201
