"""The bodies of refusals, whole: clients go by code, reason and details, people by the message."""

import pytest

pytestmark = pytest.mark.anyio


def status(code, reason, message, details=None):
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return {**body, "reason": reason, **({} if details is None else {"details": details}), "code": code}


@pytest.fixture
async def config(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v"}))
    return paths.core("configmaps", "a")


async def test_not_found(cluster, paths):
    details = {"name": "nobody", "group": "gateway.networking.k8s.io", "kind": "gateways"}
    expected = status(404, "NotFound", 'gateways.gateway.networking.k8s.io "nobody" not found', details)
    assert (await cluster.get(paths.gateways("nobody"))).body == expected
    assert (await cluster.delete(paths.gateways("nobody"))).body == expected
    assert (await cluster.patch(paths.gateways("nobody"), {})).body == expected


async def test_already_exists(cluster, paths, new, config):
    expected = status(409, "AlreadyExists", 'configmaps "a" already exists', {"name": "a", "kind": "configmaps"})
    assert (await cluster.post(paths.core("configmaps"), new.config_map("a"))).body == expected


async def test_conflict(cluster, new, config):
    why = "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on configmaps "a": {why}'
    expected = status(409, "Conflict", message, {"name": "a", "kind": "configmaps"})
    old = {"resourceVersion": "1"}
    assert (await cluster.put(config, new.config_map("a", metadata=old))).body == expected
    assert (await cluster.patch(config, {"metadata": old})).body == expected


async def test_invalid(cluster, paths, new):
    why = "must be between 1 and 65535, inclusive"
    reply = await cluster.post(paths.core("services"), new.service("a", ports=[{"port": 70000, "targetPort": 1}]))
    message = f'Service "a" is invalid: spec.ports[0].port: Invalid value: 70000: {why}'
    cause = {
        "reason": "FieldValueInvalid",
        "message": f"Invalid value: 70000: {why}",
        "field": "spec.ports[0].port",
    }
    assert reply.body == status(422, "Invalid", message, {"name": "a", "kind": "Service", "causes": [cause]})


async def test_an_invalid_object_without_a_name(cluster, paths):
    reply = await cluster.post(paths.core("configmaps"), {"apiVersion": "v1", "kind": "ConfigMap"})
    told = "Required value: name or generateName is required"
    cause = {"reason": "FieldValueRequired", "message": told, "field": "metadata.name"}
    message = f'ConfigMap "" is invalid: metadata.name: {told}'
    assert reply.body == status(422, "Invalid", message, {"kind": "ConfigMap", "causes": [cause]})


async def test_bad_request(cluster, paths, new):
    reply = await cluster.put(paths.core("configmaps", "a"), new.config_map("b"))
    message = "the name of the object (b) does not match the name on the URL (a)"
    assert reply.body == status(400, "BadRequest", message)


async def test_forbidden(cluster):
    reply = await cluster.delete("/api/v1/namespaces/default")
    message = 'namespaces "default" is forbidden: this namespace may not be deleted'
    assert reply.body == status(403, "Forbidden", message, {"name": "default", "kind": "namespaces"})


async def test_method_not_allowed(cluster, paths):
    message = "the server does not allow this method on the requested resource"
    expected = status(405, "MethodNotAllowed", message, {})
    assert (await cluster.put(paths.core("configmaps"), {})).body == expected


async def test_unsupported_media_type(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    reply = await cluster.patch(paths.gateways("a"), {}, "strategic")
    types = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    message = f"the body of the request was in an unknown format - accepted media types include: {types}"
    assert reply.body == status(415, "UnsupportedMediaType", message)


async def test_too_large(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v" * (3 << 20)}))
    message = "Request entity too large: limit is 3145728"
    assert reply.body == status(413, "RequestEntityTooLarge", message)


async def test_a_version_of_the_future(cluster, paths):
    reply = await cluster.get(paths.core("configmaps"), resourceVersion="999999999999")
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    assert reply.body["details"] == {"causes": [cause], "retryAfterSeconds": 1}
    assert reply.message.startswith("Timeout: Too large resource version: 999999999999, current: ")
    assert reply.headers["Retry-After"] == "1"


async def test_the_success_of_a_deletion(cluster, config):
    """The one Status that is no refusal."""
    uid = (await cluster.get(config)).body["metadata"]["uid"]
    success = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    assert (await cluster.delete(config)).body == {
        **success,
        "details": {"name": "a", "kind": "configmaps", "uid": uid},
    }
