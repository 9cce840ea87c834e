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
    required, unchecked = reply.causes
    assert required == {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.gatewayClassName"}
    assert (unchecked["reason"], unchecked["field"]) == ("FieldValueInvalid", "<nil>")
    assert unchecked["message"].startswith("Invalid value: null: some validation rules were not checked because")


async def test_an_invalid_answer_names_each_field(cluster, paths, new):
    """Rules beyond the schema are asked about objects that fit it, which this one does not."""
    listener = {"name": "a", "port": 0, "protocol": "HTTP"}
    reply = await cluster.post(paths.gateways(), new.gateway("a", gatewayClassName="", listeners=[listener]))
    assert reply.fields == {"spec.gatewayClassName", "spec.listeners[0].port"}
    assert reply.message.startswith('Gateway.gateway.networking.k8s.io "a" is invalid: [')


async def test_an_update_is_validated_too(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    reply = await cluster.patch(paths.gateways("a"), {"spec": {"listeners": None}})
    assert (reply.code, reply.fields) == (422, {"spec.listeners", "<nil>"})


async def test_a_status_is_validated(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    status = {"conditions": [{"type": "Accepted", "status": "Maybe"}]}
    reply = await cluster.patch(paths.gateways("a") + "/status", {"status": status})
    assert reply.code == 422
    assert {"status.conditions[0].status", "status.conditions[0].lastTransitionTime"} <= reply.fields


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
        ({"ports": [{"port": 80, "protocol": "X"}]}, "spec.ports[0].protocol"),
        ({"ports": [{"port": 80, "appProtocol": "a b"}]}, "spec.ports[0].appProtocol"),
        ({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]}, "spec.ports[1]"),
        ({"clusterIP": "x"}, "spec.clusterIPs[0]"),
        ({"sessionAffinity": "Some"}, "spec.sessionAffinity"),
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


async def test_a_new_pod_is_pending(cluster, paths, new):
    pod = (await cluster.post(paths.core("pods"), new.pod("a"))).body
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert pod["spec"]["restartPolicy"] == "Always"


async def test_a_pod_keeps_its_spec_but_for_images(cluster, paths, new):
    await cluster.post(paths.core("pods"), new.pod("a"))
    new_image = {"spec": {"containers": [{"name": "c", "image": "j"}]}}
    assert (await cluster.patch(paths.core("pods", "a"), new_image, "strategic")).code == 200
    reply = await cluster.patch(paths.core("pods", "a"), {"spec": {"hostname": "x"}})
    assert (reply.code, reply.fields) == (422, {"spec"})


async def test_the_addresses_of_an_endpoint_slice_are_of_its_type(cluster, paths, new):
    def piece(address):
        return new.endpoint_slice("a", endpoints=[{"addresses": [address]}], ports=[{"port": 80}])

    assert (await cluster.post(paths.slices(), piece("::1"))).code == 422
    for address, field in (("2001:db8::1", "endpoints[0].addresses"), ("x", "endpoints[0].addresses[0]")):
        reply = await cluster.post(paths.slices(), piece(address))
        assert (reply.code, reply.fields) == (422, {field})


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.1.1", "0.0.0.0"])
async def test_an_endpoint_is_no_address_of_the_machine_itself(cluster, paths, new, address):
    piece = new.endpoint_slice("a", endpoints=[{"addresses": [address]}])
    reply = await cluster.post(paths.slices(), piece)
    assert (reply.code, reply.fields) == (422, {"endpoints[0].addresses[0]"})


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image"),
        ({"containers": [{"name": "A_", "image": "i"}]}, "spec.containers[0].name"),
        ({"containers": [{"name": "a", "image": "i"}] * 2}, "spec.containers[1].name"),
    ],
)
async def test_a_pod_that_makes_no_sense_is_invalid(cluster, paths, new, spec, field):
    reply = await cluster.post(paths.core("pods"), new.pod("a", **spec))
    assert (reply.code, reply.fields) == (422, {field})


async def test_a_value_that_is_not_among_the_choices_is_answered_with_them(cluster, paths, new):
    reply = await cluster.post(paths.core("services"), new.service("a", type="Nothing"))
    choices = '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
    assert reply.causes[0]["message"] == f'Unsupported value: "Nothing": supported values: {choices}'


async def test_a_key_of_a_config_map_has_a_syntax_and_one_value(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"a b": "c"}))
    assert (reply.code, reply.fields) == (422, {"data[a b]"})
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"a": "c"}, binaryData={"a": "YQ=="}))
    assert (reply.code, reply.fields) == (422, {"data[a]"})


async def test_bytes_come_in_base64(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", binaryData={"a": "???"}))
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_plain_data_of_a_secret_is_encoded(cluster, paths):
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"k": "v"}}
    secret = (await cluster.post(paths.core("secrets"), body)).body
    assert (secret["data"], secret["type"]) == ({"k": "dg=="}, "Opaque")
    assert "stringData" not in secret


async def test_an_immutable_config_map_stays_as_it_is(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "1"}, immutable=True))
    reply = await cluster.patch(paths.core("configmaps", "a"), {"data": {"k": "2"}})
    assert (reply.code, reply.fields) == (422, {"data"})
