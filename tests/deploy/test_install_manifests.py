"""What kustomize and Helm print: the same objects for the same settings, and an API server takes them."""

import json
import re
import tomllib
from pathlib import Path

import anyio
import pytest
import yaml

from controller import settings
from controller.kube.config import DEFAULT_NAMESPACE
from controller.manager import STOP_GRACE
from controller.work import CONTROLLER_NAME
from sandbox.kube import KubeServer
from tests.deploy.manifests import (
    BASE,
    CHART,
    DEPLOY,
    EXAMPLE,
    KUBECTL,
    NAMESPACE,
    RELEASE,
    ROOT,
    Json,
    find,
    helm,
    kustomized,
    name_of,
    needs_helm,
    needs_kubectl,
    templated,
)

CLUSTER = ("clusterName=my-cluster", "clusterVpcId=vpc-0123456789abcdef0")
EXAMPLE_VALUES = (
    *CLUSTER,
    "awsAccountId=s:123456789012",
    "awsRegion=us-west-2",
    "image.repository=123456789012.dkr.ecr.us-west-2.amazonaws.com/lattice-controller",
    r"serviceAccount.annotations.eks\.amazonaws\.com/role-arn=arn:aws:iam::123456789012:role/lattice-controller",
    "gatewayClass.create=true",
)
"""The settings of `deploy/kustomize/example`."""

OLD_VALUES = {
    "image": {"repository": "controller", "tag": "v1", "pullPolicy": "Always", "pullSecrets": ["one"]},
    "nameOverride": "",
    "fullnameOverride": "",
    "deployment": {
        "annotations": {"kubectl.kubernetes.io/default-container": "manager"},
        "labels": {"control-plane": "gateway-api-controller"},
        "containerPort": 9090,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "critical", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "replicas": 3,
    },
    "role": {"labels": {"team": "network"}},
    "metrics": {"service": {"create": False, "type": "ClusterIP"}},
    "resources": {"requests": {"memory": "64Mi", "cpu": "50m"}, "limits": {"memory": "128Mi", "cpu": "100m"}},
    "log": {"level": "debug"},
    "installScope": "cluster",
    "serviceAccount": {"create": False, "name": "made-before", "annotations": {}},
    "awsRegion": None,
    "awsAccountId": 12345678901,
    "clusterVpcId": "vpc-0123456789abcdef0",
    "clusterName": "my-cluster",
    "defaultServiceNetwork": "my-hotel",
    "latticeEndpoint": None,
    "disableTaggingServiceApi": "true",
    "routeMaxConcurrentReconciles": 5,
    "reconcileDefaultResyncSeconds": 300,
    "pdb": {"enabled": True, "minAvailable": 1, "maxUnavailable": None},
    "logLevel": None,
    "enableServiceNetworkOverride": False,
    "webhookEnabled": True,
    "webhookTLS": {"caCert": None, "cert": None, "key": None},
}
"""A values file of the AWS Gateway API Controller's chart, with every name that it has or had."""

ONLY_HELM = {"app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart", "helm.sh/resource-policy"}


def normal(obj: Json) -> Json:
    """An object without what only Helm writes, and with the environment in an order."""
    obj = json.loads(json.dumps(obj))
    metadata = obj["metadata"]
    for field in ("labels", "annotations"):
        kept = {name: value for name, value in metadata.pop(field, {}).items() if name not in ONLY_HELM}
        if kept:
            metadata[field] = kept
    if obj["kind"] == "CustomResourceDefinition":
        # Kustomize labels all that it lists; Helm takes definitions as they are.
        metadata.pop("labels", None)
    if obj["kind"] == "Deployment":
        manager(obj)["env"].sort(key=lambda variable: variable["name"])
    return obj


def manager(deployment: Json) -> Json:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return container


def environment(deployment: Json) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in manager(deployment)["env"]}


def printed(origin: str) -> list[Json]:
    return kustomized(EXAMPLE) if origin == "kustomize" else templated(*EXAMPLE_VALUES)


ORIGINS = pytest.mark.parametrize(
    "origin", [pytest.param("kustomize", marks=needs_kubectl), pytest.param("helm", marks=needs_helm)]
)


@needs_kubectl
@needs_helm
def test_both_ways_give_the_same_objects_for_the_same_settings():
    ours = {name_of(obj): normal(obj) for obj in printed("kustomize")}
    # Helm makes the namespace itself (--create-namespace).
    del ours[f"Namespace/{NAMESPACE}"]
    theirs = {name_of(obj): normal(obj) for obj in printed("helm")}
    assert sorted(ours) == sorted(theirs)
    for name, obj in ours.items():
        assert obj == theirs[name], name


@needs_kubectl
@pytest.mark.anyio
@ORIGINS
async def test_an_api_server_takes_every_object_and_has_nothing_to_remark(origin, tmp_path):
    objects = printed(origin)
    async with KubeServer(seed=1) as server:
        if origin == "helm":
            server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        said = await kubectl(server, tmp_path, objects, "apply", "--server-side", "--validate=strict")
        assert said.count("serverside-applied") == len(objects)
        # A second time changes nothing: what is printed is what is stored, but for defaults.
        assert "configured" not in await kubectl(server, tmp_path, objects, "diff", "--server-side")


async def kubectl(server: KubeServer, folder: Path, objects: list[Json], *command: str) -> str:
    (folder / "kubeconfig").write_text(yaml.safe_dump(server.kubeconfig()))
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    assert KUBECTL is not None
    words = [KUBECTL, f"--kubeconfig={folder}/kubeconfig", *command, f"--filename={folder}/objects.yaml"]
    done = await anyio.run_process(words, check=False)
    assert (done.returncode, done.stderr) == (0, b""), (done.stdout + done.stderr).decode()
    return done.stdout.decode()


@ORIGINS
def test_names_are_those_that_iam_roles_and_users_know(origin):
    objects = printed(origin)
    deployment = find(objects, "Deployment/gateway-api-controller")
    assert deployment["metadata"]["namespace"] == NAMESPACE == DEFAULT_NAMESPACE
    pods = deployment["spec"]["template"]
    assert pods["metadata"]["labels"]["control-plane"] == "gateway-api-controller"
    assert pods["spec"]["serviceAccountName"] == "gateway-api-controller"
    assert find(objects, "GatewayClass/amazon-vpc-lattice")["spec"]["controllerName"] == CONTROLLER_NAME


@ORIGINS
def test_two_replicas_elect_a_leader_and_are_not_disturbed_together(origin):
    objects = printed(origin)
    deployment = find(objects, "Deployment/gateway-api-controller")
    assert deployment["spec"]["replicas"] == 2
    assert "--leader-elect" in manager(deployment)["args"]
    assert {"POD_NAME", "POD_NAMESPACE"} <= environment(deployment).keys()
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        find(objects, "PodDisruptionBudget/gateway-api-controller")["spec"]["selector"]["matchLabels"],
        find(objects, "NetworkPolicy/gateway-api-controller")["spec"]["podSelector"]["matchLabels"],
        find(objects, "Service/gateway-api-controller-metrics")["spec"]["selector"],
        *(
            constraint["labelSelector"]["matchLabels"]
            for constraint in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        ),
    ]
    assert all(selector and selector.items() <= labels.items() for selector in selectors)
    # What is in work gets its time before the pod is killed.
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > STOP_GRACE


@ORIGINS
def test_pods_keep_to_the_restricted_standard_and_write_nowhere(origin):
    """Pod Security Standards, "Restricted"."""
    pods = find(printed(origin), "Deployment/gateway-api-controller")["spec"]["template"]["spec"]
    assert pods["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "volumes" not in pods
    (container,) = pods["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@ORIGINS
def test_probes_and_ports_are_where_the_controller_listens(origin):
    container = manager(find(printed(origin), "Deployment/gateway-api-controller"))
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    bound = dict(argument.removeprefix("--").split("=:") for argument in container["args"] if "=:" in argument)
    assert bound == {
        "metrics-bind-address": str(ports["metrics"]),
        "health-probe-bind-address": str(ports["probes"]),
    }
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "probes"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "probes"}


@ORIGINS
def test_every_variable_is_one_that_the_controller_reads(origin):
    read = set(re.findall(r'"([A-Z][A-Z_]+)"', Path(settings.__file__).read_text())) | {"POD_NAME", "POD_NAMESPACE"}
    assert environment(find(printed(origin), "Deployment/gateway-api-controller")).keys() <= read


@needs_helm
def test_the_chart_passes_its_lint():
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART)).stdout


def test_the_chart_brings_every_definition():
    brought = {path.name: path.resolve() for path in (CHART / "crds").iterdir()}
    assert brought == {
        path.name: path.resolve() for path in (DEPLOY / "crds").glob("*.yaml") if path.name != "kustomization.yaml"
    }


@pytest.fixture
def old_values(tmp_path):
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(OLD_VALUES))
    return file


@needs_helm
def test_a_values_file_of_the_old_chart_works_unchanged(old_values):
    text = helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", str(old_values)).stdout
    objects = [obj for obj in yaml.safe_load_all(text) if obj]
    deployment = find(objects, "Deployment/gateway-api-controller")
    spec, container = deployment["spec"]["template"]["spec"], manager(deployment)
    assert environment(deployment) == {
        "AWS_ACCOUNT_ID": "012345678901",
        "CLUSTER_NAME": "my-cluster",
        "CLUSTER_VPC_ID": "vpc-0123456789abcdef0",
        "DEFAULT_SERVICE_NETWORK": "my-hotel",
        "DISABLE_TAGGING_SERVICE_API": "true",
        "LOG_LEVEL": "debug",
        "RECONCILE_DEFAULT_RESYNC_SECONDS": "300",
        "ROUTE_MAX_CONCURRENT_RECONCILES": "5",
        "WEBHOOK_ENABLED": "true",
        "POD_NAME": "",
        "POD_NAMESPACE": "",
    }
    assert (container["image"], container["imagePullPolicy"]) == ("controller:v1", "Always")
    assert spec["imagePullSecrets"] == [{"name": "one"}]
    assert "--metrics-bind-address=:9090" in container["args"]
    assert deployment["spec"]["replicas"] == 3
    assert spec["tolerations"] == [{"key": "critical", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert spec["priorityClassName"] == "system-cluster-critical"
    assert container["resources"] == OLD_VALUES["resources"]
    assert spec["serviceAccountName"] == "made-before"
    assert find(objects, "ClusterRole/gateway-api-controller")["metadata"]["labels"]["team"] == "network"
    names = {name_of(obj).split("/")[0] for obj in objects}
    assert not names & {"ServiceAccount", "Service", "GatewayClass"}


@needs_helm
@pytest.mark.parametrize(
    ("value", "variable"),
    [
        ("protectFromDeletion", "PROTECT_FROM_DELETION"),
        ("importCertificates", "IMPORT_CERTIFICATES"),
        ("takeOverRelease", "TAKE_OVER_RELEASE"),
    ],
)
def test_the_chart_sets_what_is_to_be_only_where_it_is_told_to(value, variable):
    for words, expected in (((), None), ((f"{value}=true",), "true")):
        deployment = find(templated(*EXAMPLE_VALUES, *words), "Deployment/gateway-api-controller")
        assert environment(deployment).get(variable) == expected


@needs_helm
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("clusterName=", "clusterName has to be set"),
        ("clusterVpcId=", "clusterVpcId has to be set"),
        ("clusterVpcId=vpc-1", "/clusterVpcId"),
        ("log.level=loud", "/log/level"),
        ("protectFromDeletion=perhaps", "/protectFromDeletion"),
        ("takeOverRelease=perhaps", "/takeOverRelease"),
        ("installScope=namespace", "/installScope"),
        ("deployment.containerPort=8081", "/deployment/containerPort"),
        ("reconcileDefaultResyncSeconds=30", "/reconcileDefaultResyncSeconds"),
        ("enableServiceNetworkOverride=true", "enableServiceNetworkOverride: this version cannot"),
        ("serviceMonitor.label=x", "/serviceMonitor"),
        ("clustername=my-cluster", "clustername: there is no such value; it is written clusterName"),
    ],
)
def test_wrong_values_are_refused_by_name(value, said):
    words = [word for setting in (*CLUSTER, value) for word in ("--set", setting)]
    assert said in helm("template", RELEASE, str(CHART), *words, code=1).stderr


@needs_helm
def test_the_notes_say_what_this_version_does_not_act_on(old_values):
    given = ("--values", str(old_values), "--set", "nobodyKnows=1", "--set", "webhookTLS.key=a2V5")
    notes = helm("install", RELEASE, str(CHART), "--dry-run=client", *given).stdout
    told = re.findall(r"^(\S+) is set, and this version does not act on it", notes, re.MULTILINE)
    assert sorted(told) == ["defaultServiceNetwork", "nobodyKnows", "webhookEnabled", "webhookTLS.key"]


@needs_helm
def test_the_values_that_the_chart_knows_are_those_that_it_has():
    text = (CHART / "templates" / "_helpers.tpl").read_text()
    known = re.findall(r'"(\w+)"', text.partition("$known := list")[2].partition("}}")[0])
    assert sorted({*known} - {"global"}) == sorted(yaml.safe_load((CHART / "values.yaml").read_text()))


@ORIGINS
def test_the_network_policy_lets_out_to_names_apis_and_credentials_only(origin):
    """EKS Pod Identity Agent and instance metadata, each over IPv4 and IPv6, on port 80."""
    spec = find(printed(origin), "NetworkPolicy/gateway-api-controller")["spec"]
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
    out = {
        (to.get("ipBlock", {}).get("cidr", "anywhere"), port.get("protocol", "TCP"), port["port"])
        for rule in spec["egress"]
        for to in rule.get("to", [{}])
        for port in rule["ports"]
    }
    assert out == {
        ("anywhere", "UDP", 53),
        ("anywhere", "TCP", 53),
        ("anywhere", "TCP", 443),
        ("169.254.170.23/32", "TCP", 80),
        ("fd00:ec2::23/128", "TCP", 80),
        ("169.254.169.254/32", "TCP", 80),
        ("fd00:ec2::254/128", "TCP", 80),
    }
    (into,) = spec["ingress"]
    assert "from" not in into
    container = manager(find(printed(origin), "Deployment/gateway-api-controller"))
    assert {port["port"] for port in into["ports"]} == {port["name"] for port in container["ports"]}


@ORIGINS
def test_the_disruption_budget_moves_one_replica_at_a_time_and_never_keeps_one_that_is_not_ready(origin):
    spec = find(printed(origin), "PodDisruptionBudget/gateway-api-controller")["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert "minAvailable" not in spec


@needs_helm
@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ((), {"maxUnavailable": 1}),
        (("pdb.maxUnavailable=50%",), {"maxUnavailable": "50%"}),
        (("pdb.minAvailable=1",), {"minAvailable": 1}),
        (("pdb.minAvailable=0",), {"minAvailable": 0}),
    ],
)
def test_the_chart_s_disruption_budget_has_one_limit(settings, limits):
    spec = find(templated(*EXAMPLE_VALUES, *settings), "PodDisruptionBudget/gateway-api-controller")["spec"]
    assert {name: value for name, value in spec.items() if name.endswith("vailable")} == limits


@needs_helm
def test_what_the_chart_can_do_without_is_left_out():
    kinds = {name_of(obj) for obj in templated(*EXAMPLE_VALUES, "pdb.enabled=false", "networkPolicy.enabled=false")}
    assert not kinds & {"PodDisruptionBudget/gateway-api-controller", "NetworkPolicy/gateway-api-controller"}


@needs_kubectl
def test_the_namespace_takes_the_pods_of_the_controller_that_one_may_go_back_to():
    """Its manifest names no seccomp profile, which the restricted standard asks for."""
    labels = find(kustomized(BASE), f"Namespace/{NAMESPACE}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/warn"] == labels["pod-security.kubernetes.io/audit"] == "restricted"
    assert "pod-security.kubernetes.io/enforce" not in labels


@needs_kubectl
def test_the_base_alone_names_no_cluster_and_so_does_not_start_by_accident():
    assert not environment(find(kustomized(BASE), "Deployment/gateway-api-controller")).keys() & {"CLUSTER_NAME"}


def test_chart_image_and_package_have_one_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)
    deployment = yaml.safe_load((BASE / "deployment.yaml").read_text())
    assert manager(deployment)["image"] == f"lattice-controller:{version}"
    (image,) = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())["images"]
    assert image["newTag"] == version
