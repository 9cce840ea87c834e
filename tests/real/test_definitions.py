"""What is installed on a real server: definitions that are missing at the controller's start; ours against those of the
existing controller; all of `deploy/` under the server's own strict validation.
"""

import contextlib
import http.client
import json
import subprocess
import time
import urllib.error
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import anyio
import anyio.to_thread
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.deploy.definitions import GROUP, KINDS, OURS, THEIRS, Json, definitions, schema
from tests.deploy.generated import mutated, neighbours, objects
from tests.deploy.manifests import (
    BASE,
    EXAMPLE,
    KUBECTL,
    NAMESPACE,
    kustomized,
    needs_helm,
    needs_kubectl,
    templated,
)
from tests.e2e.bad_input_seen import is_programmed, leaves_lattice_alone
from tests.e2e.bad_input_time import LOOKS, RETRIES, shortened
from tests.e2e.harness import eventually
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, grant, namespace, route, rule, service
from tests.e2e.test_bad_input_kubernetes import in_lattice
from tests.real.definitions import PATH, remove
from tests.real.world import RealWorld, world
from tests.support.kube_apiserver import KubeApiserver, crds


def install(server: KubeApiserver) -> None:
    """The Gateway API's definitions, as at the beginning."""
    folder = crds()
    assert folder is not None
    server.install_crds(folder)


# Missing at the start


@pytest.fixture
def restored(server: KubeApiserver) -> Iterator[None]:
    yield
    install(server)


OTHER = "elsewhere"
HERE = (gateway_class(), gateway(), service("rates"), endpoints("rates", ["10.0.0.1"]))
THERE = (namespace(OTHER), service("far", namespace=OTHER), endpoints("far", ["10.0.4.1"], namespace=OTHER))
ROUTES = (route("rates", rule(backend("rates"))), route("granted", rule(backend("far", namespace=OTHER))))


@pytest.fixture
async def programmed(server: KubeApiserver, tmp_path: Path) -> AsyncIterator[RealWorld]:
    """Two routes in Lattice, one by a grant, and no controller."""
    with shortened(LOOKS, RETRIES):
        async with world(server, tmp_path) as one:
            one.make_network("my-hotel")
            await one.apply(*HERE, *THERE, grant(OTHER, "default"), *ROUTES)
            await one.start()
            for name in ("rates", "granted"):
                await eventually(lambda: is_programmed(one, name))  # noqa: B023 -- called before the next turn
            await one.quiet()
            await one.stop()
            yield one


@pytest.mark.anyio
async def test_definitions_that_are_missing_at_the_start_and_installed_later(
    server: KubeApiserver, programmed: RealWorld, restored: None
) -> None:
    """All of the Gateway API's are, as in a cluster that is set up anew; what an earlier one made is in Lattice."""
    one = programmed
    before, since = in_lattice(one), one.lattice.calls.mark()
    await one.empty()
    await anyio.to_thread.run_sync(remove, server, "gateway.networking.k8s.io")
    await one.start()
    assert one.controller is not None
    assert set(one.controller.work.cluster.doubts()) >= {"GatewayClass", "Gateway", "HTTPRoute"}
    await leaves_lattice_alone(one)
    await anyio.to_thread.run_sync(install, server)
    await one.apply(*HERE, *THERE, grant(OTHER, "default"), *ROUTES)
    for name in ("rates", "granted"):
        await eventually(lambda: is_programmed(one, name))  # noqa: B023 -- called before the next turn
    await one.quiet()
    assert in_lattice(one) == before
    assert [call.operation for call in one.lattice.calls.writes(since)] == []


# Ours and theirs


def corpus() -> list[tuple[str, Json]]:
    """Objects of all kinds, right and slightly wrong, the same each time."""
    found: list[tuple[str, Json]] = []

    @settings(max_examples=1, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(data=st.data())
    def collect(data: st.DataObject) -> None:
        for kind in KINDS:
            for folder in (OURS, THEIRS):
                raw = schema(definitions(folder)[kind])
                whole = data.draw(objects(kind, raw, whole=True))
                changed = list(neighbours(whole, raw))
                few = Random(kind).sample(changed, min(60, len(changed)))
                found.extend((kind, each) for each in [whole, *few])
                found.extend((kind, data.draw(mutated(kind, raw))) for _ in range(4))

    collect()
    return found


def answers(server: KubeApiserver, folder: Path, asked: list[tuple[str, Json]]) -> list[Json]:
    """What the server says to each object, with the definitions of a folder installed."""
    found = definitions(folder)
    remove(server, GROUP)
    server.apply(*found.values(), path=PATH)
    paths = {}
    for kind, definition in found.items():
        names = definition["spec"]["names"]["plural"]
        within = "/namespaces/default" if definition["spec"]["scope"] == "Namespaced" else ""
        paths[kind] = f"/apis/{GROUP}/v1alpha1{within}/{names}"
        _served(server, paths[kind])
    connection = http.client.HTTPSConnection(server.url.removeprefix("https://"), context=server.tls)
    with contextlib.closing(connection):
        return [_submitted(connection, server.token, paths[kind], obj) for kind, obj in asked]


def _served(server: KubeApiserver, path: str) -> None:
    for _ in range(600):
        try:
            server.request("GET", path)
        except urllib.error.HTTPError as error:
            error.close()
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{path} is not served")


def _submitted(connection: http.client.HTTPSConnection, token: str, path: str, obj: Json) -> Json:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", f"{path}?dryRun=All", json.dumps(obj), headers)
    with connection.getresponse() as answer:
        told: Json = json.loads(answer.read())
    if answer.status != 201:
        causes = told.get("details", {}).get("causes", [])
        return {"refused": answer.status, "causes": sorted(causes, key=str) or told["message"]}
    return {field: value for field, value in told.items() if field != "metadata"}


@pytest.mark.skipif(not THEIRS.is_dir(), reason=f"no definitions at {THEIRS}; CRDS names another folder")
def test_our_definitions_judge_as_those_of_the_existing_controller(server: KubeApiserver) -> None:
    asked = corpus()
    ours, theirs = (answers(server, folder, asked) for folder in (OURS, THEIRS))
    assert [
        (obj, mine, other) for (_, obj), mine, other in zip(asked, ours, theirs, strict=True) if mine != other
    ] == []
    refused = sum("refused" in each for each in ours)
    assert min(refused, len(ours) - refused) > 100, "the corpus has to have both"
    remove(server, GROUP)


# What is installed


MORE = (
    "awsAccountId=s:123456789012",
    "awsRegion=us-west-2",
    "gatewayClass.create=true",
    "image.pullSecrets[0]=registry",
    "pdb.maxUnavailable=null",
    "pdb.minAvailable=50%",
    "deployment.tolerations[0].operator=Exists",
    "extraEnv[0].name=LOG_FORMAT",
    "extraEnv[0].value=text",
    "reconcileDefaultResyncSeconds=600",
)
"""Values of a chart that change more than its words."""


def applied(server: KubeApiserver, directory: Path, manifests: list[Json], *flags: str) -> tuple[str, str]:
    """What `kubectl apply --server-side --validate=strict` prints, and what it complains of."""
    assert KUBECTL is not None
    config = server.kubeconfig(directory / "kubeconfig")
    command = [KUBECTL, f"--kubeconfig={config}", f"--cache-dir={directory / 'cache'}", "apply", "--server-side"]
    done = subprocess.run(
        [*command, "--validate=strict", *flags, "-f", "-"],
        input="\n".join(map(json.dumps, manifests)),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


def judge(server: KubeApiserver, directory: Path, manifests: list[Json]) -> None:
    """All are accepted as they are; and the judgement is strict, as a misspelt field of each shows."""
    assert applied(server, directory, [namespace(NAMESPACE)])[1] == ""
    flags = ("--dry-run=server", "--force-conflicts")
    printed, complaints = applied(server, directory, manifests, *flags)
    assert complaints == ""
    assert printed.count("serverside-applied (server dry run)") == len(manifests)
    misspelt: list[Json] = [{**obj, "specs": {}} for obj in manifests]
    printed, complaints = applied(server, directory, misspelt, *flags)
    assert (printed, complaints.count("specs")) == ("", len(manifests)), complaints


@needs_kubectl
@pytest.mark.parametrize("folder", [BASE, EXAMPLE, OURS], ids=lambda folder: folder.name)
def test_kustomize_applied_with_server_side_validation(server: KubeApiserver, tmp_path: Path, folder: Path) -> None:
    judge(server, tmp_path, kustomized(folder))


@needs_kubectl
@needs_helm
@pytest.mark.parametrize("more", [(), MORE], ids=["usual", "more"])
def test_chart_applied_with_server_side_validation(
    server: KubeApiserver, tmp_path: Path, more: tuple[str, ...]
) -> None:
    judge(server, tmp_path, templated("clusterName=my-cluster", "clusterVpcId=vpc-0123456789abcdef0", *more))
