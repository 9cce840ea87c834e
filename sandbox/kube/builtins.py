"""The built-in kinds: under which names they are served, with which schema, strategy, columns and fields to select."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sandbox.kube import columns, strategies
from sandbox.kube.definitions import DefinitionStrategy
from sandbox.kube.errors import Json
from sandbox.kube.pods import DeploymentStrategy, PodStrategy, TemplateStrategy
from sandbox.kube.resource import Column, Environment, Resource, ScalePaths, Strategy
from sandbox.kube.schema import Schema, compile_schema
from sandbox.kube.selectors import FieldGetter, field_getter
from sandbox.kube.services import ServiceStrategy
from sandbox.kube.types import TypeCatalog


def _fields(*paths: str) -> Mapping[str, FieldGetter]:
    return {path: field_getter(path) for path in paths}


_EVENT_FIELDS = {
    **_fields(
        *(f"involvedObject.{part}" for part in (
            "kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath",
        )),
        "reason", "reportingComponent", "source", "type",
    ),
    "source": field_getter("source.component"),
}  # fmt: skip
_REGARDING_FIELDS = {
    key.replace("involvedObject.", "regarding.").replace("reportingComponent", "reportingController"): getter
    for key, getter in _EVENT_FIELDS.items()
    if key != "source"
}

_EVENT_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_NAMES = {new: old for old, new in _EVENT_NAMES.items()}


def event_to_core(event: Json) -> Json:
    """An events.k8s.io/v1 Event in the form of core/v1, in which events are stored."""
    core: Json = {_CORE_NAMES.get(key, key): value for key, value in event.items()}
    return {
        **core,
        "apiVersion": "v1",
        "involvedObject": core.get("involvedObject") or {},
        "source": core.get("source") or {},
    }


def event_from_core(event: Json) -> Json:
    return {**{_EVENT_NAMES.get(key, key): value for key, value in event.items()}, "apiVersion": "events.k8s.io/v1"}


@cache
def type_schema(name: str) -> Schema:
    """The schema of a type of this package, such as `ObjectMeta` or `Pod`; schemas are shared by all servers.

    Raises:
        KeyError: no such type.
    """
    return compile_schema(TypeCatalog.load().schema(name), name, structs=True)


class _Builder:
    def __init__(self) -> None:
        self.resources: list[Resource] = []

    def add(
        self,
        group_version: str,
        plural: str,
        kind: str,
        *,
        strategy: Strategy | None = None,
        shown: tuple[Column, ...] = columns.DEFAULT,
        short: tuple[str, ...] = (),
        namespaced: bool = True,
        schema: str = "",
        **more: Any,
    ) -> None:
        group, _, version = group_version.rpartition("/")
        self.resources.append(
            Resource(
                group=group,
                version=version,
                plural=plural,
                singular=kind.lower(),
                kind=kind,
                list_kind=f"{kind}List",
                namespaced=namespaced,
                short_names=short,
                schema=type_schema(schema or kind),
                strategy=strategy or Strategy(),
                columns=shown,
                **more,
            )
        )


def builtin_resources(env: Environment) -> list[Resource]:
    """Everything that is served before any CustomResourceDefinition."""
    build = _Builder()
    _add_core(build, env)
    _add_workloads(build)
    _add_administration(build, env)
    return build.resources


def _add_core(build: _Builder, env: Environment) -> None:
    event = strategies.EventStrategy()
    build.add("v1", "namespaces", "Namespace", strategy=strategies.NamespaceStrategy(), shown=columns.NAMESPACES,
              short=("ns",), namespaced=False, status=True, fields=_fields("status.phase"))  # fmt: skip
    build.add("v1", "services", "Service", strategy=ServiceStrategy(env), shown=columns.SERVICES,
              short=("svc",), categories=("all",), status=True,
              fields=_fields("spec.clusterIP", "spec.type"))  # fmt: skip
    build.add("v1", "pods", "Pod", strategy=PodStrategy(), shown=columns.PODS, short=("po",),
              categories=("all",), status=True,
              fields=_fields("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
                             "status.phase", "status.podIP", "status.nominatedNodeName"))  # fmt: skip
    build.add("v1", "endpoints", "Endpoints", shown=columns.ENDPOINTS, short=("ep",))
    build.add("v1", "configmaps", "ConfigMap", strategy=strategies.DataStrategy(), shown=columns.CONFIG_MAPS,
              short=("cm",))  # fmt: skip
    build.add("v1", "secrets", "Secret", strategy=strategies.SecretStrategy(), shown=columns.SECRETS,
              fields=_fields("type"))  # fmt: skip
    build.add("v1", "serviceaccounts", "ServiceAccount", shown=columns.SERVICE_ACCOUNTS, short=("sa",))
    build.add("v1", "nodes", "Node", shown=columns.NODES, short=("no",), namespaced=False, status=True,
              fields=_fields("spec.unschedulable"))  # fmt: skip
    build.add("v1", "events", "Event", strategy=event, shown=columns.EVENTS, short=("ev",), fields=_EVENT_FIELDS)
    build.add("events.k8s.io/v1", "events", "Event", schema="EventsV1Event",
              strategy=strategies.NewEventStrategy(), shown=columns.EVENTS, short=("ev",), fields=_REGARDING_FIELDS,
              storage_version="v1", to_storage=event_to_core, from_storage=event_from_core)  # fmt: skip


def _add_workloads(build: _Builder) -> None:
    build.add("apps/v1", "deployments", "Deployment", strategy=DeploymentStrategy(),
              shown=columns.DEPLOYMENTS, short=("deploy",), categories=("all",), status=True,
              scale=ScalePaths())  # fmt: skip
    build.add("apps/v1", "replicasets", "ReplicaSet", strategy=TemplateStrategy(),
              shown=columns.REPLICA_SETS, short=("rs",), categories=("all",), status=True, scale=ScalePaths(),
              fields=_fields("status.replicas"))  # fmt: skip
    build.add("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", strategy=strategies.EndpointSliceStrategy(),
              shown=columns.ENDPOINT_SLICES)  # fmt: skip
    build.add("coordination.k8s.io/v1", "leases", "Lease", strategy=strategies.LeaseStrategy(), shown=columns.LEASES)
    build.add("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", strategy=strategies.Conditional(),
              shown=columns.DISRUPTION_BUDGETS, short=("pdb",), status=True)  # fmt: skip
    build.add("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", strategy=strategies.Generational(),
              shown=columns.NETWORK_POLICIES, short=("netpol",))  # fmt: skip


def _add_administration(build: _Builder, env: Environment) -> None:
    build.add("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition",
              strategy=DefinitionStrategy(env), shown=columns.CREATED_AT, short=("crd", "crds"),
              categories=("api-extensions",), namespaced=False, status=True)  # fmt: skip
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        build.add("admissionregistration.k8s.io/v1", f"{kind.lower()}s", kind, strategy=strategies.Conditional(),
                  shown=columns.WEBHOOKS, categories=("api-extensions",), namespaced=False)  # fmt: skip
    roles, bindings = strategies.PathNamed(), strategies.Binding()
    group = "rbac.authorization.k8s.io/v1"
    build.add(group, "roles", "Role", strategy=roles, shown=columns.CREATED_AT)
    build.add(group, "clusterroles", "ClusterRole", strategy=roles, shown=columns.CREATED_AT, namespaced=False)
    build.add(group, "rolebindings", "RoleBinding", strategy=bindings, shown=columns.ROLE_BINDINGS)
    build.add(group, "clusterrolebindings", "ClusterRoleBinding", strategy=bindings, shown=columns.ROLE_BINDINGS,
              namespaced=False)  # fmt: skip
    build.add("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False,
              verbs=("create",))  # fmt: skip
