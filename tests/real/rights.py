"""The rights that `deploy/` grants, in a real server: granted, taken away one by one, and told apart."""

import time
from typing import NamedTuple

from tests.deploy.manifests import BASE, NAMESPACE, Json, find, kustomized
from tests.support.kube_apiserver import KubeApiserver

ACCOUNT = "gateway-api-controller"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"

PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles",
    "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings",
}


class Right(NamedTuple):
    """One verb on one resource."""

    role: str
    """The kind that grants it."""
    group: str
    resource: str
    """With its subresource."""
    verb: str
    name: str = ""
    """Of an object for which it is granted, where it is not for all of them."""

    @property
    def denial(self) -> str:
        """What the API server says of who has not got it."""
        return f'cannot {self.verb} resource "{self.resource}" in API group "{self.group}"'


def granted() -> list[Right]:
    """All that the base grants."""
    return [
        Right(kind, group, resource, verb, next(iter(rule.get("resourceNames", ())), ""))
        for kind in ("ClusterRole", "Role")
        for rule in find(kustomized(BASE), f"{kind}/{ACCOUNT}")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def grant(server: KubeApiserver, *, without: Right | None = None) -> None:
    """Apply the account with its roles and bindings as in the base, but for one right; return when that counts."""
    for obj in kustomized(BASE):
        if obj["kind"] in PATHS:
            changed = _without(obj, without) if without is not None and obj["kind"] == without.role else obj
            server.apply(changed, path=PATHS[obj["kind"]])
    for right in granted() if without is None else [without]:
        _wait(server, right, allowed=without is None)


def token(server: KubeApiserver) -> str:
    return server.service_account_token(NAMESPACE, ACCOUNT)


def _without(role: Json, right: Right) -> Json:
    """The role with that one right missing."""
    rules = [
        {**rule, "apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if (group, resource, verb) != (right.group, right.resource, right.verb)
    ]
    return {**role, "rules": rules}


def _wait(server: KubeApiserver, right: Right, *, allowed: bool) -> None:
    """The authorizer follows the roles by a watch of its own, so a change counts a moment later."""
    resource, _, subresource = right.resource.partition("/")
    asked = {
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "verb": right.verb,
        **({"namespace": NAMESPACE} if right.role == "Role" else {}),
        **({"name": right.name} if right.name else {}),
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": USER, "resourceAttributes": asked},
    }
    for _ in range(200):
        answer = server.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        if answer["status"]["allowed"] == allowed:
            return
        time.sleep(0.02)
    raise AssertionError(f"{right} is {'not ' if allowed else ''}allowed after all")
