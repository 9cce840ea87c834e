"""What `docs/install.md` shows is what there is: files, objects, values, calls, and commands that a shell can read."""

import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
import yaml

from controller.settings import UNSUPPORTED
from tests.deploy.manifests import CHART, EXAMPLE, ROOT, find, kustomized, name_of, needs_kubectl
from tests.e2e.harness import world
from tests.e2e.objects import (
    backend,
    gateway,
    gateway_class,
    grpc_route,
    listener,
    namespace,
    parent,
    route,
    rule,
    tls_route,
)

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")

FILTER = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}

TEXT = (ROOT / "docs" / "install.md").read_text()
BLOCKS = re.findall(r"^ *```sh\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)


def test_every_file_that_it_names_is_there():
    named = set(re.findall(r"\bdeploy/[\w./-]*\w", TEXT))
    assert {"deploy/kustomize/example", "deploy/chart", "deploy/iam-policy.json"} <= named
    assert [name for name in named if not (ROOT / name).exists() and not name.startswith("deploy/gateway-api")] == []


def test_every_link_to_a_page_of_ours_leads_there():
    links = [link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert links
    assert [page for page, _, _ in links if page and not (ROOT / "docs" / page).exists()] == []
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    assert {anchor for page, _, anchor in links if not page} <= headings


@needs_kubectl
def test_the_table_of_objects_is_what_is_installed():
    shown = {f"{kind}/{name}" for kind, name in re.findall(r"^\| (\w+) `([^`]+)` \|", TEXT, re.MULTILINE)}
    installed = {name_of(obj) for obj in kustomized(EXAMPLE) if obj["kind"] != "CustomResourceDefinition"}
    assert shown == installed


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().split("\n")[0][:40])
def test_a_shell_can_read_the_commands(block):
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_values_that_it_sets_are_the_chart_s():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for setting in re.findall(r"--set(?:-string)? ([\w.]+)=", TEXT):
        found = values
        for part in setting.split("."):
            if found == {}:
                break  # Labels and the like, which have any name.
            assert part in found, setting
            found = found[part]


def test_it_says_which_settings_are_not_acted_on():
    told = re.search(r"((?:`\w+`(?:, | and )?)+) are taken and not acted on", TEXT)
    assert told is not None
    names = re.findall(r"`(\w+)`", told.group(1))
    assert {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper() for name in names} == set(UNSUPPORTED)


def block(words: str) -> str:
    """The commands of the one block that has these words."""
    (found,) = (commands for commands in BLOCKS if words in commands)
    return textwrap.dedent(found)


VARIABLES = {
    "AWS_ACCOUNT_ID": "210987654321",
    "AWS_PARTITION": "aws-us-gov",
    "AWS_REGION": "us-gov-west-1",
    "CLUSTER_NAME": "shop",
    "CLUSTER_VPC_ID": "vpc-0aaaaaaaaaaaaaaaa",
    "registry": "210987654321.dkr.ecr.us-gov-west-1.amazonaws.com",
}


def run(commands: str, folder: Path, **variables: str) -> str:
    """What a shell prints for commands in a folder that is like the clone's root; `aws` answers nothing."""
    (folder / "deploy").exists() or shutil.copytree(ROOT / "deploy", folder / "deploy", symlinks=True)
    env = {**os.environ, **VARIABLES, **variables}
    words = ["bash", "-euo", "pipefail", "-c", f"aws() {{ :; }}\n{commands}"]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_policy_gets_the_owner_and_the_partition(tmp_path):
    run(block("> policy.json"), tmp_path)
    made = (tmp_path / "policy.json").read_text()
    owner = "210987654321/shop/vpc-0aaaaaaaaaaaaaaaa"
    assert made == (ROOT / "deploy" / "iam-policy.json").read_text().replace(
        "ACCOUNT_ID/CLUSTER_NAME/VPC_ID", owner
    ).replace("arn:aws:", "arn:aws-us-gov:")
    assert not re.search(r"ACCOUNT_ID|CLUSTER_NAME|VPC_ID|arn:aws:", made)


@needs_kubectl
def test_the_copy_of_the_example_has_nothing_of_the_example_s_cluster_left(tmp_path):
    run(block("overlay="), tmp_path)
    made = kustomized(tmp_path / "deploy" / "kustomize" / "shop")
    given = {name_of(obj) for obj in kustomized(EXAMPLE)}
    assert {name_of(obj) for obj in made} == given
    text = yaml.safe_dump_all(made)
    assert not re.search(r"123456789012|us-west-2|my-cluster|vpc-0123456789abcdef0|arn:aws:", text)
    (role,) = find(made, "ServiceAccount/gateway-api-controller")["metadata"]["annotations"].values()
    assert role == "arn:aws-us-gov:iam::210987654321:role/lattice-controller-shop"
    (container,) = find(made, "Deployment/gateway-api-controller")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{VARIABLES['registry']}/lattice-controller:0.1.0"
    assert {variable["name"]: variable.get("value") for variable in container["env"]}.items() >= {
        "CLUSTER_NAME": "shop",
        "CLUSTER_VPC_ID": "vpc-0aaaaaaaaaaaaaaaa",
        "AWS_ACCOUNT_ID": "210987654321",
        "REGION": "us-gov-west-1",
    }.items()


@needs_kubectl
@needs_jq
def test_monitoring_gets_the_label_of_the_operator(tmp_path):
    commands = block("kubectl label --local").replace("kubectl apply --server-side -f -", "jq --slurp .")
    made = json.loads(run(commands, tmp_path, KUBECONFIG=os.devnull))
    assert {obj["kind"] for obj in made} == {"ConfigMap", "PrometheusRule", "ServiceMonitor"}
    assert {obj["metadata"]["labels"]["release"] for obj in made} == {"kube-prometheus-stack"}


OBJECTS = [
    namespace("shop"),
    gateway_class(),
    gateway_class("other", "example.com/other"),
    gateway(
        "my-hotel",
        listener(),
    ),
    gateway("theirs", gateway_class_name="other"),
    gateway("my-hotel", gateway_class_name="other", namespace="shop"),
    route("plain", rule(backend("a"))),
    route(
        "rich",
        rule(backend("a")),
        {**rule(backend("a")), "timeouts": {"request": "1s"}, "filters": [FILTER]},
        rule(backend("a", filters=[FILTER]), backend("b", namespace="shop")),
        rule(backend("c", kind="ServiceImport", group="application-networking.k8s.aws")),
    ),
    route("far", rule(backend("a")), namespace="shop", parents=[parent(namespace="default")]),
    route("near", rule(backend("a")), namespace="shop"),
    route("not-ours", rule(backend("a")), parents=[parent("theirs")]),
    route("both", rule(backend("a")), parents=[parent("theirs"), parent()]),
    grpc_route("calls", {"backendRefs": [backend("a")], "filters": [FILTER]}),
    tls_route("sealed", "sealed.example.com", backend("b", namespace="shop")),
]


@asynccontextmanager
async def cluster(folder: Path) -> AsyncGenerator[Callable[[str], Awaitable[list[str]]]]:
    """What runs commands in a cluster that has these objects, and returns the lines that they print, in an order."""
    async with world(folder) as one:
        await one.apply(*OBJECTS)

        async def lines(commands: str) -> list[str]:
            told = partial(run, commands, folder, KUBECONFIG=str(folder / "kubeconfig"))
            return sorted((await anyio.to_thread.run_sync(told)).splitlines())

        yield lines


@needs_kubectl
@needs_jq
@pytest.mark.anyio
async def test_what_will_be_removed_is_found(tmp_path):
    async with cluster(tmp_path) as lines:
        assert await lines(block("> objects.json")) == [
            "GRPCRoute default/calls: rule 0 has filters",
            "HTTPRoute default/rich: rule 1 has filters",
            "HTTPRoute default/rich: rule 1 has timeouts",
            "HTTPRoute default/rich: rule 2 has filters for a",
            "HTTPRoute default/rich: rule 2 refers to b in shop",
            "HTTPRoute default/rich: rule 3 refers to the ServiceImport c",
            "TLSRoute default/sealed: rule 0 refers to b in shop",
        ]


@needs_kubectl
@needs_jq
@pytest.mark.anyio
async def test_what_is_not_acted_on_is_found_where_not_every_kind_is_installed(tmp_path):
    async with cluster(tmp_path) as lines:
        assert await lines(block("for kind in")) == []


@needs_kubectl
@needs_jq
@pytest.mark.anyio
async def test_pausing_is_for_our_gateways_only(tmp_path):
    async with cluster(tmp_path) as lines:
        await lines(block("application-networking.k8s.aws/paused=true"))
        paused = (
            "kubectl get gateways -A -o json | jq -r '.items[] | select(.metadata.annotations[]?)"
            """ | "\\(.metadata.namespace) \\(.metadata.name)"'"""
        )
        assert await lines(paused) == ["default my-hotel"]


@needs_kubectl
@needs_jq
@pytest.mark.anyio
async def test_removing_takes_what_is_ours_and_leaves_what_others_have(tmp_path):
    async with cluster(tmp_path) as lines:
        await lines(block("> remove.sh"))
        assert sorted((tmp_path / "remove.sh").read_text().splitlines()) == [
            "kubectl delete gateway -n default my-hotel",
            "kubectl delete grpcroute -n default calls",
            "kubectl delete httproute -n default both",
            "kubectl delete httproute -n default plain",
            "kubectl delete httproute -n default rich",
            "kubectl delete httproute -n shop far",
            "kubectl delete tlsroute -n default sealed",
        ]
        await lines("sh remove.sh")
        assert await lines("kubectl get gateways,httproutes,grpcroutes,tlsroutes -A -o name") == [
            "gateway.gateway.networking.k8s.io/my-hotel",
            "gateway.gateway.networking.k8s.io/theirs",
            "httproute.gateway.networking.k8s.io/near",
            "httproute.gateway.networking.k8s.io/not-ours",
        ]


@needs_jq
@needs_kubectl
def test_the_job_that_plans_has_all_from_the_deployment_but_what_makes_it_a_replica(tmp_path):
    deployment = find(kustomized(EXAMPLE), "Deployment/gateway-api-controller")
    (tmp_path / "deployment.json").write_text(json.dumps(deployment))
    stand_in = 'kubectl() { case "$*" in *get*) cat deployment.json;; *) cat;; esac; }\n'
    job = json.loads(run(stand_in + block("lattice-plan-"), tmp_path))
    pods, given = job["spec"]["template"]["spec"], deployment["spec"]["template"]["spec"]
    assert (job["kind"], job["metadata"]["namespace"]) == ("Job", deployment["metadata"]["namespace"])
    assert (pods["restartPolicy"], pods["serviceAccountName"]) == ("Never", "gateway-api-controller")
    assert pods["securityContext"] == given["securityContext"]
    (container,), (before,) = pods["containers"], given["containers"]
    assert container["command"] == ["lattice-controller", "plan"]
    kept = ("name", "image", "imagePullPolicy", "env", "resources", "securityContext")
    assert container == {**{field: before[field] for field in kept}, "command": container["command"]}
    # Neither Service nor disruption budget nor network policy take its pod for a replica.
    assert "metadata" not in job["spec"]["template"]
