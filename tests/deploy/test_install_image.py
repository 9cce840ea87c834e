"""The image: what it is made of, and that its command works as its user on a file system that it cannot write to."""

import fnmatch
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import anyio
import pytest

from controller.kube.config import DEFAULT_NAMESPACE
from tests.deploy.dockerfile import Dockerfile, Installed, installed
from tests.deploy.manifests import BASE, DEPLOY, ROOT, find, kustomized, needs_kubectl
from tests.deploy.ports import free_port
from tests.e2e.harness import PREFIX, environment, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, namespace, route, rule, service

DOCKERFILE = Dockerfile.read(DEPLOY / "Dockerfile")
FETCHES = bool(os.environ.get("IMAGE_FETCHES"))
"""Whether the steps fetch from the package index, as they stand, or get the same distributions from here."""

PATIENCE = 120.0


def runnable() -> str | None:
    """Why the image's steps cannot be run here; None if they can."""
    missing = [program for program in ("unshare", "setpriv", "mount", "awk") if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} is not installed"
    if os.geteuid() != 0:
        return "only root may make a file system of its own"
    if not (Path(sys.base_prefix) / "bin" / "python").exists():
        return f"there is no Python of its own prefix at {sys.base_prefix}"
    return None


def test_the_last_stage_is_slim_and_runs_as_a_numeric_user_that_owns_nothing():
    image = DOCKERFILE.image
    assert image.base.endswith("-slim")
    assert image.all("RUN") == []
    assert image.all("COPY") == ["--from=build /opt/controller /opt/controller"]
    uid, gid = DOCKERFILE.user
    assert int(uid) >= 10_000
    assert int(gid) >= 10_000
    assert DOCKERFILE.entrypoint == ["lattice-controller", "run"]


@needs_kubectl
def test_the_pods_run_as_the_image_s_user():
    pods = find(kustomized(BASE), "Deployment/gateway-api-controller")["spec"]["template"]["spec"]
    context = pods["securityContext"]
    assert (str(context["runAsUser"]), str(context["runAsGroup"])) == DOCKERFILE.user


def test_nothing_is_installed_without_its_hash():
    fetching = [step for step in DOCKERFILE.build.all("RUN") if " install " in step and "--no-index" not in step]
    assert fetching
    assert all("--require-hashes" in step and "--only-binary :all:" in step for step in fetching)


def test_what_builds_the_package_is_locked_with_everything_else():
    lock = (ROOT / "requirements" / "dev.txt").read_text()
    ours = (DEPLOY / "build-requirements.txt").read_text().split("\n", 1)[1]
    assert ours in lock


def test_the_context_has_what_is_copied_and_neither_sandbox_nor_tests():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    let_in = {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")}
    copied = {source for sources, _ in DOCKERFILE.build.copied() for source in sources}
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
    assert not any(fnmatch.fnmatch(name, pattern) for name in ("sandbox", "tests", ".git") for pattern in let_in)


@pytest.mark.anyio
@pytest.mark.skipif(runnable() is not None, reason=str(runnable()))
async def test_the_image_s_command_programs_a_route_as_its_user_on_a_read_only_file_system(tmp_path):
    metrics, probes = free_port(), free_port()
    replaced = {} if FETCHES else found_here(tmp_path)
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.apply(namespace(DEFAULT_NAMESPACE), gateway_class(), gateway())
        await one.apply(service("rates"), endpoints("rates", ["10.0.0.1"]), route("rates", rule(backend("rates"))))
        script = tmp_path / "image.sh"
        script.write_text(
            DOCKERFILE.script(
                ROOT,
                Path(sys.base_prefix),
                replaced=replaced,
                settings={**environment(one.lattice), "KUBECONFIG": "/srv/kubeconfig"},
                files={"kubeconfig": tmp_path / "kubeconfig"},
                arguments=[
                    "--leader-elect",
                    f"--metrics-bind-address=127.0.0.1:{metrics}",
                    f"--health-probe-bind-address=127.0.0.1:{probes}",
                ],
            )
        )
        printed = tmp_path / "printed"
        with printed.open("wb") as lines:
            running = await anyio.open_process(
                ["unshare", "--mount", "sh", str(script)], stdin=None, stdout=lines, stderr=lines
            )
        try:
            async with aiohttp.ClientSession() as http:

                async def programmed() -> bool:
                    assert running.returncode is None, printed.read_text()
                    found = one.get("HTTPRoute", "rates")
                    return f"{PREFIX}lattice-service-arn" in found["metadata"]["annotations"]

                await eventually(programmed)
                for url in (f":{probes}/healthz", f":{probes}/readyz", f":{metrics}/metrics"):
                    async with http.get(f"http://127.0.0.1{url}") as response:
                        assert response.status == 200
            running.send_signal(signal.SIGTERM)
            assert await running.wait() == 0
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()
    (probe,) = [json.loads(line) for line in printed.read_text().splitlines() if line.startswith('{"uid"')]
    uid, gid = DOCKERFILE.user
    assert probe == {
        "uid": int(uid),
        "gid": int(gid),
        "groups": [],
        "capabilities": 0,
        "no new privileges": 1,
        "writable": [],
    }


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = anyio.current_time() + PATIENCE
    while not await holds():
        assert anyio.current_time() < deadline, f"not so after {PATIENCE} s"
        await anyio.sleep(0.1)


def found_here(folder: Path) -> dict[str, Installed]:
    """What the fetching steps would install, from this environment, by the file that they name."""
    return {
        file: installed(ROOT / file, folder / f"{Path(file).stem}.files")
        for file in ("requirements/run.txt", "deploy/build-requirements.txt")
    }
