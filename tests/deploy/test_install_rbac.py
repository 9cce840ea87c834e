"""The rights in the cluster: exactly what the code does with the Kubernetes API.

What is done is read from the code: the kinds that are mirrored, the calls of the few functions that write objects, and
the requests of the few parts that speak to the API by themselves: Events, the lease, and the definitions' versions.
"""

import ast
import json
import os
from collections.abc import Iterator

import pytest

from controller.api import resources
from controller.manager import LEASE
from controller.reconcile.gateway_class import DEFINITIONS
from controller.reconcile.view import INDEXERS, SECRET_INDEXERS
from tests.deploy.manifests import BASE, ROOT, Json, find, kustomized, needs_helm, needs_kubectl, templated
from tests.e2e.harness import World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service

Right = tuple[str, str, str]
"""API group, resource, verb."""

CONTROLLER = ROOT / "controller"
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
WRITERS = {
    "update_finalizers": [("", "patch"), ("", "get")],
    "patch_annotations": [("", "patch"), ("", "get")],
    "patch_status": [("/status", "patch"), ("", "get")],
    "patch_spec": [("", "patch"), ("", "get")],
    "create_object": [("", "create")],
    "delete_object": [("", "delete")],
}
"""The functions of `controller.kube.writes`, and what each does, with the subresource."""

SPEAKS_FOR_ITSELF = {
    "kube/events.py": ("", "events"),
    "kube/lease.py": ("coordination.k8s.io", "leases"),
    "kube/lease_note.py": ("coordination.k8s.io", "leases"),
    "reconcile/gateway_class.py": ("apiextensions.k8s.io", "customresourcedefinitions"),
}
GENERAL = {"kube/client.py", "kube/reflector.py", "kube/writes.py"}
"""Modules whose requests are on behalf of whoever calls them."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(CONTROLLER.rglob("*.py")):
        yield path.relative_to(CONTROLLER).as_posix(), ast.parse(path.read_text())


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Calls with the last part of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node


def requests(tree: ast.Module) -> set[str]:
    """The verbs of requests that name their method, such as `client.request("GET", …)`."""
    methods = {
        argument.value
        for name, call in calls(tree)
        if name == "request" and call.args
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant)
    }
    return {VERBS[method] for method in methods}


def needed() -> tuple[set[Right], set[Right]]:
    """In the whole cluster, and in the controller's own namespace."""
    cluster = {(kind.group, kind.plural, verb) for kind in INDEXERS for verb in ("list", "watch")}
    own: set[Right] = set()
    for module, tree in modules():
        if module in SPEAKS_FOR_ITSELF:
            group, plural = SPEAKS_FOR_ITSELF[module]
            (own if plural == "leases" else cluster).update((group, plural, verb) for verb in requests(tree))
        for name, call in calls(tree):
            if name not in WRITERS:
                continue
            kind = call.args[1]
            assert isinstance(kind, ast.Name), f"{module}: the kind that {name} writes cannot be told"
            # A kind that is a variable is one of the routes'; all others are named by their constants.
            known = getattr(resources, kind.id, None)
            for written in resources.ROUTES.values() if known is None else (known,):
                cluster.update((written.group, written.plural + sub, verb) for sub, verb in WRITERS[name])
    return cluster, own


SECRETS = {(kind.group, kind.plural, verb) for kind in SECRET_INDEXERS for verb in ("list", "watch")}


def granted(role: Json) -> list[Right]:
    return [
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def objects(origin: str) -> list[Json]:
    if origin == "kustomize":
        return kustomized(BASE)
    return templated("clusterName=my-cluster", "clusterVpcId=vpc-0123456789abcdef0")


ORIGINS = pytest.mark.parametrize(
    "origin", [pytest.param("kustomize", marks=needs_kubectl), pytest.param("helm", marks=needs_helm)]
)


def test_only_known_modules_speak_to_the_api_by_themselves():
    speaking = {module for module, tree in modules() if module.startswith(("kube/", "reconcile/")) and requests(tree)}
    assert speaking <= GENERAL | set(SPEAKS_FOR_ITSELF)


@ORIGINS
def test_the_cluster_role_is_what_the_code_does_and_no_more(origin):
    rights = granted(find(objects(origin), "ClusterRole/gateway-api-controller"))
    assert sorted(rights) == sorted(needed()[0])


@ORIGINS
def test_only_those_definitions_may_be_read_of_which_the_status_tells(origin):
    (rule_,) = (
        entry
        for entry in find(objects(origin), "ClusterRole/gateway-api-controller")["rules"]
        if entry["resources"] == ["customresourcedefinitions"]
    )
    assert sorted(rule_["resourceNames"]) == sorted(DEFINITIONS)


@needs_helm
def test_secrets_may_be_read_where_certificates_are_imported_and_nowhere_else():
    cluster = ("clusterName=my-cluster", "clusterVpcId=vpc-0123456789abcdef0")
    for value in ("importCertificates=true", "importCertificates=s:true"):
        rights = granted(find(templated(*cluster, value), "ClusterRole/gateway-api-controller"))
        assert sorted(rights) == sorted(needed()[0] | SECRETS)


@needs_kubectl
def test_the_component_adds_the_right_to_read_secrets_and_the_setting(tmp_path):
    folder = tmp_path / "overlay"
    folder.mkdir()
    there = {part: os.path.relpath(BASE.parent / part, folder) for part in ("base", "import-certificates")}
    written = {"resources": [there["base"]], "components": [there["import-certificates"]]}
    (folder / "kustomization.yaml").write_text(json.dumps(written))
    found = kustomized(folder)
    assert set(granted(find(found, "ClusterRole/gateway-api-controller-certificates"))) == SECRETS
    bound = find(found, "ClusterRoleBinding/gateway-api-controller-certificates")
    assert bound["roleRef"]["name"] == "gateway-api-controller-certificates"
    assert bound["subjects"] == find(found, "ClusterRoleBinding/gateway-api-controller")["subjects"]
    (container,) = find(found, "Deployment/gateway-api-controller")["spec"]["template"]["spec"]["containers"]
    assert {"name": "IMPORT_CERTIFICATES", "value": "true"} in container["env"]
    assert len(container["env"]) > 1


@ORIGINS
def test_the_role_of_the_own_namespace_is_for_its_lease(origin):
    role = find(objects(origin), "Role/gateway-api-controller")
    assert sorted(granted(role)) == sorted(needed()[1])
    for entry in role["rules"]:
        assert entry["verbs"] == ["create"] or entry["resourceNames"] == [LEASE]


@ORIGINS
def test_the_roles_are_bound_to_the_service_account_of_the_pods(origin):
    found = objects(origin)
    account = find(found, "Deployment/gateway-api-controller")["spec"]["template"]["spec"]["serviceAccountName"]
    namespace = find(found, "ServiceAccount/gateway-api-controller")["metadata"]["namespace"]
    for binding, role in (("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")):
        bound = find(found, f"{binding}/gateway-api-controller")
        assert bound["roleRef"]["kind"] == role
        assert bound["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]


@pytest.mark.anyio
@needs_kubectl
async def test_a_route_on_its_way_asks_for_nothing_that_is_not_granted(tmp_path):
    """From nothing to programmed, with a conflict and something to tell on the way, as the API server saw it."""
    rights = set(granted(find(kustomized(BASE), "ClusterRole/gateway-api-controller")))
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        one.kube.faults.fail(409, verb="patch", resource="httproutes.gateway.networking.k8s.io/status")
        await one.start()
        await one.apply(gateway_class(), gateway(), service("rates"), endpoints("rates", ["10.0.0.1"]))
        await one.apply(route("rates", rule(backend("rates"))), route("lost", rule(backend("nowhere"))))
        await eventually(lambda: told(one, "rates", "lost"))
        used = {
            right_of(served.resource, served.verb)
            for served in one.kube.requests
            if served.user_agent.startswith("lattice-controller")
        }
    assert used <= rights
    # A server that streams the first state of a watch is not asked for lists.
    assert {verb for _, _, verb in used} >= {"get", "watch", "patch", "create"}


def told(one: World, *routes: str) -> None:
    for name in routes:
        assert one.get("HTTPRoute", name)["status"]["parents"]
    assert one.all("Event")


def right_of(resource: str, verb: str) -> Right:
    """The right to do that with a resource as the server's log names it, such as `gateways.…k8s.io/status`."""
    name, slash, subresource = resource.partition("/")
    plural, _, group = name.partition(".")
    return group, plural + slash + subresource, verb
