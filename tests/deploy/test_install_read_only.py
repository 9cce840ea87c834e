"""What `run --read-only` is installed with: rights to read, and none to write, in the cluster and in AWS."""

import json
from argparse import ArgumentParser
from fnmatch import fnmatch
from pathlib import Path

import pytest

from controller import settings
from controller.manager import LEASE
from controller.reconcile.view import INDEXERS
from tests.deploy.manifests import BASE, ROOT, find, kustomized, needs_kubectl
from tests.deploy.test_install_rbac import granted, right_of
from tests.e2e.harness import world
from tests.e2e.managed import managed
from tests.e2e.test_take_over import NEW, canary, other_controller

FOLDER = BASE.parent / "read-only"
NAME = "lattice-controller-read-only"
READS = ("Get*", "List*", "Describe*")


def policy(name: str) -> list[dict[str, object]]:
    return json.loads((ROOT / "deploy" / name).read_text())["Statement"]


def test_the_policy_has_what_the_other_one_has_to_read_and_nothing_else():
    (only,) = policy("iam-policy-read-only.json")
    (look,) = (one for one in policy("iam-policy.json") if one["Sid"] == "Look")
    assert only == look
    assert all(any(fnmatch(action.partition(":")[2], read) for read in READS) for action in only["Action"])


@needs_kubectl
def test_the_cluster_role_reads_what_is_mirrored_and_nothing_else():
    rights = granted(find(kustomized(FOLDER), f"ClusterRole/{NAME}"))
    kinds = [kind for kind in INDEXERS if kind.kind != "Secret"]
    assert sorted(rights) == sorted((kind.group, kind.plural, verb) for kind in kinds for verb in ("list", "watch"))


@needs_kubectl
def test_the_lease_is_only_looked_at():
    (rule,) = find(kustomized(FOLDER), f"Role/{NAME}")["rules"]
    assert (rule["resources"], rule["resourceNames"], rule["verbs"]) == (["leases"], [LEASE], ["get"])


@needs_kubectl
def test_nothing_of_it_has_the_name_of_what_works():
    beside = {(obj["kind"], obj["metadata"]["name"]) for obj in kustomized(BASE)}
    made = {(obj["kind"], obj["metadata"]["name"]) for obj in kustomized(FOLDER)}
    assert not beside & made
    labels = find(kustomized(FOLDER), f"Deployment/{NAME}")["spec"]["selector"]["matchLabels"]
    works = find(kustomized(BASE), "Deployment/gateway-api-controller")["spec"]["selector"]["matchLabels"]
    assert not labels.items() & works.items()


@needs_kubectl
def test_the_deployment_is_started_to_read():
    spec = find(kustomized(FOLDER), f"Deployment/{NAME}")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    parser = ArgumentParser()
    settings.add_flags(parser)
    values = {one["name"]: one.get("value", "") for one in container["env"]}
    read = settings.load(values, parser.parse_args(container["args"]))
    assert read.read_only
    assert not read.leader_elect
    assert spec["serviceAccountName"] == NAME
    works = find(kustomized(BASE), "Deployment/gateway-api-controller")["spec"]["template"]["spec"]
    assert spec["securityContext"] == works["securityContext"]
    assert container["securityContext"] == works["containers"][0]["securityContext"]


@pytest.mark.anyio
@needs_kubectl
async def test_a_run_asks_for_nothing_that_is_not_granted(tmp_path: Path):
    roles = kustomized(FOLDER)
    rights = {*granted(find(roles, f"ClusterRole/{NAME}")), *granted(find(roles, f"Role/{NAME}"))}
    allowed = {action.partition(":")[2] for action in policy("iam-policy-read-only.json")[0]["Action"]}
    async with world(tmp_path) as one:
        await other_controller(one)
        await one.apply(canary(*NEW))
        mark, requests = one.lattice.calls.mark(), len(one.kube.requests)
        async with managed(one, tmp_path, "--read-only") as run:
            await run.ready()
        used = {right_of(served.resource, served.verb) for served in list(one.kube.requests)[requests:]}
        assert used <= rights
        assert {call.operation for call in one.lattice.calls.since(mark)} <= allowed
