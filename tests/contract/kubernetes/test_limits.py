"""What the sandbox cannot do, and a cluster can: it is refused, or said, but never done half."""

import pytest

pytestmark = pytest.mark.anyio

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definition(**spec):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "limits.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "limits", "kind": "Limit"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
                        }
                    },
                }
            ],
            **spec,
        },
    }


async def test_answers_come_in_json_only(server, cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.get(paths.core("configmaps", "a"), accept="application/yaml")
    if server.is_sandbox:
        assert (reply.code, reply.reason) == (406, "NotAcceptable")
        assert reply.message == "only the following media types are accepted: application/json"
    else:
        assert (reply.code, reply.headers["Content-Type"]) == (200, "application/yaml")


async def test_other_kinds_are_not_there(server, cluster, paths):
    for path in (
        paths.group("apps/v1", "statefulsets"),
        paths.group("batch/v1", "jobs"),
        paths.group("networking.k8s.io/v1", "ingresses"),
        paths.core("persistentvolumeclaims"),
    ):
        assert (await cluster.get(path)).code == (404 if server.is_sandbox else 200)


async def test_tokens_are_not_given(server, cluster, paths):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}
    await cluster.post(paths.core("serviceaccounts"), account)
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    reply = await cluster.post(paths.core("serviceaccounts", "a") + "/token", body)
    assert reply.code == (405 if server.is_sandbox else 201)


async def test_rules_in_cel_are_not_evaluated_which_is_said_when_they_come(server, cluster):
    body = definition()
    schema = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    schema["x-kubernetes-validations"] = [{"rule": "self.size > 0"}]
    reply = await cluster.post(CRDS, body, dryRun="All")
    assert reply.code == 201
    assert ("does not evaluate x-kubernetes-validations" in reply.headers.get("Warning", "")) is server.is_sandbox


async def test_versions_are_not_converted_by_webhooks(server, cluster):
    client = {"url": "https://example.com/convert"}
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    reply = await cluster.post(CRDS, definition(conversion={"strategy": "Webhook", "webhook": webhook}), dryRun="All")
    if server.is_sandbox:
        assert (reply.code, reply.fields) == (422, {"spec.conversion.strategy"})
    else:
        assert reply.code == 201


async def test_no_kubelet_ends_the_containers_of_a_pod(server, cluster, paths, new):
    """A pod on a machine is given time; in the sandbox, whose pods have none, it goes at once."""
    await cluster.post(paths.core("pods"), new.pod("a", nodeName="one"))
    deleted = await cluster.delete(paths.core("pods", "a"))
    assert (deleted.code, deleted.body["kind"]) == (200, "Pod")
    assert (await cluster.get(paths.core("pods", "a"))).code == (404 if server.is_sandbox else 200)
    await cluster.delete(paths.core("pods", "a"), {"gracePeriodSeconds": 0})
    assert (await cluster.get(paths.core("pods", "a"))).code == 404
