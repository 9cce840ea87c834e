"""Field validation: what is said of fields that the API does not know, and of those that come twice."""

import pytest

pytestmark = pytest.mark.anyio


async def test_unknown_fields_are_refused_if_strict(cluster, paths, new):
    body = {**new.gateway("a", speed="high"), "top": 1}
    reply = await cluster.post(paths.gateways(), body, fieldValidation="Strict")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    unknown = 'strict decoding error: unknown field "spec.speed", unknown field "top"'
    assert reply.message == f'Gateway in version "v1" cannot be handled as a Gateway: {unknown}'
    assert (await cluster.get(paths.gateways("a"))).code == 404


@pytest.mark.parametrize("query", [{}, {"fieldValidation": "Warn"}])
async def test_unknown_fields_are_dropped_with_a_warning_each_otherwise(cluster, paths, new, query):
    reply = await cluster.post(paths.gateways(), {**new.gateway("a", speed="high"), "top": 1}, **query)
    assert reply.code == 201
    assert "speed" not in reply.body["spec"]
    assert reply.headers.getall("Warning") == [
        '299 - "unknown field \\"spec.speed\\""',
        '299 - "unknown field \\"top\\""',
    ]


async def test_unknown_fields_are_dropped_in_silence_if_ignored(cluster, paths, new):
    reply = await cluster.post(paths.gateways(), new.gateway("a", speed="high"), fieldValidation="Ignore")
    assert "speed" not in reply.body["spec"]
    assert "Warning" not in reply.headers


async def test_unknown_fields_of_metadata_are_unknown_too(cluster, paths, new):
    body = new.gateway("a")
    body["metadata"]["speed"] = "high"
    reply = await cluster.post(paths.gateways(), body, fieldValidation="Strict")
    assert 'unknown field "metadata.speed"' in reply.message


async def test_a_field_has_one_spelling(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), {**new.config_map("a"), "Data": {}}, fieldValidation="Strict")
    assert 'unknown field "Data"' in reply.message


async def test_unknown_fields_of_built_in_kinds_are_found_at_any_depth(cluster, paths, new):
    body = new.deployment("a")
    body["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    reply = await cluster.post(paths.deployments(), body, fieldValidation="Strict")
    assert 'unknown field "spec.template.spec.containers[0].imagee"' in reply.message


TWICE = b"""{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1", "k": "2"}}"""


async def test_fields_that_come_twice_are_refused_if_strict(cluster, paths):
    reply = await cluster.send("POST", paths.core("configmaps"), TWICE, fieldValidation="Strict")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert 'strict decoding error: duplicate field "data.k"' in reply.message


async def test_of_fields_that_come_twice_the_last_counts_otherwise(cluster, paths):
    reply = await cluster.send("POST", paths.core("configmaps"), TWICE)
    assert (reply.code, reply.body["data"]) == (201, {"k": "2"})
    assert reply.headers["Warning"] == '299 - "duplicate field \\"data.k\\""'


async def test_fields_of_yaml_that_come_twice_are_refused_if_strict(cluster, paths):
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: b, k: c}\n"
    reply = await cluster.send(
        "POST", paths.core("configmaps"), body, media="application/yaml", fieldValidation="Strict"
    )
    assert reply.code == 400
    assert 'line 4: key "k" already set in map' in reply.message


@pytest.mark.parametrize("kind", ["merge", "strategic", "json"])
async def test_a_patch_that_adds_an_unknown_field_is_invalid_if_strict(cluster, paths, new, kind):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    patch = [{"op": "add", "path": "/other", "value": 1}] if kind == "json" else {"other": 1}
    path = paths.core("configmaps", "a")
    reply = await cluster.patch(path, patch, kind, fieldValidation="Strict")
    assert (reply.code, reply.reason, reply.fields) == (422, "Invalid", {"patch"})
    assert 'strict decoding error: unknown field "other"' in reply.message
    reply = await cluster.patch(path, patch, kind)
    assert (reply.code, reply.headers["Warning"]) == (200, '299 - "unknown field \\"other\\""')
    assert "Warning" not in (await cluster.patch(path, patch, kind, fieldValidation="Ignore")).headers


async def test_a_patch_of_a_custom_resource_that_adds_an_unknown_field_is_invalid_if_strict(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    reply = await cluster.patch(paths.gateways("a"), {"spec": {"speed": "high"}}, fieldValidation="Strict")
    assert (reply.code, reply.fields) == (422, {"patch"})


async def test_an_update_with_an_unknown_field_is_refused_if_strict(cluster, paths, new):
    await cluster.post(paths.deployments(), new.deployment("a"))
    reply = await cluster.put(paths.deployments("a"), new.deployment("a", speed="high"), fieldValidation="Strict")
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_who_is_refused_is_warned_too(cluster, paths, new):
    body = {**new.service("a", ports=[{"port": 70000, "targetPort": 1}]), "top": 1}
    reply = await cluster.post(paths.core("services"), body)
    assert (reply.code, reply.headers["Warning"]) == (422, '299 - "unknown field \\"top\\""')
    await cluster.post(paths.core("services"), new.service("a"))
    reply = await cluster.post(paths.core("services"), {**new.service("a"), "top": 1})
    assert (reply.code, reply.headers["Warning"]) == (409, '299 - "unknown field \\"top\\""')
