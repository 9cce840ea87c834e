"""Images that run as processes, with what their containers are given."""

import base64
import sys
from pathlib import Path

import aiohttp
import pytest

from sandbox.workloads.client import KubeError
from sandbox.workloads.objects import is_true
from sandbox.workloads.programs import ContainerError, PodProcesses, Programs, environment, files, listens

from .builders import deployment
from .conftest import running

pytestmark = pytest.mark.anyio

IMAGE = "tools/echo"

SERVER = """\
import http.server, os, pathlib

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        told = [os.environ["POD"], pathlib.Path(os.environ["KEY"]).read_text()]
        self.wfile.write(" ".join(told).encode())

http.server.HTTPServer((os.environ["LISTEN_ADDRESS"], 3000), Handler).serve_forever()
"""


@pytest.fixture
def programs(tmp_path):
    (tmp_path / "server.py").write_text(SERVER)
    return programmed(tmp_path, f'exec {sys.executable} {tmp_path}/server.py "$@"')


def programmed(folder, script):
    program = folder / "echo"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Programs({IMAGE: program}, folder / "pods")


def container(**more):
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "KEY", "value": "/etc/keys/key"},
    ]
    mount = {"name": "keys", "mountPath": "/etc/keys"}
    return {"name": "main", "image": f"{IMAGE}:v1", "env": env, "volumeMounts": [mount], **more}


VOLUME = {"name": "keys", "secret": {"secretName": "keys", "items": [{"key": "tls.key", "path": "key"}]}}

SECRET = {"metadata": {"name": "keys"}, "data": {"tls.key": base64.b64encode(b"secret").decode()}}


def pod(**more):
    spec = {"containers": [container(**more)], "volumes": [VOLUME]}
    return {"metadata": {"name": "echo-1", "namespace": "default", "uid": "uid-1"}, "spec": spec}


async def read_secret(resource, namespace, name):
    assert (resource.plural, namespace, name) == ("secrets", "default", "keys")
    return SECRET


async def read_nothing(resource, namespace, name):
    raise KubeError("GET", 404, "NotFound", "")


def is_listening(address):
    return listens(Path("/proc/net/tcp").read_text(), address)


class TestPodsWithPrograms:
    async def test_a_pod_waits_for_its_secret_and_then_answers_with_what_it_was_given(self, api, network, programs):
        made = deployment(1)
        made["spec"]["template"]["spec"] = {"containers": [container()], "volumes": [VOLUME]}
        made["metadata"] = {"name": "echo", "namespace": "default"}
        async with running(api.url, network, programs=programs):
            api.store("deployments", made)
            waiting = await api.until(lambda: [one for one in api.find("pods") if "podIP" in one.get("status", {})])
            state = waiting[0]["status"]["containerStatuses"][0]["state"]["waiting"]
            assert state["message"] == "Secret keys does not exist"
            api.store("secrets", SECRET)
            (ready,) = await api.until(lambda: [one for one in api.find("pods") if is_true(one, "Ready")])
            url = f"http://{network.socket_address(ready['status']['podIP'])}:3000/"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                assert await answer.text() == f"{ready['metadata']['name']} secret"

    async def test_an_image_without_a_program_has_the_server_of_the_walk_through(self, api, network, programs):
        made = deployment(1)
        made["metadata"] = {"name": "parking", "namespace": "default"}
        async with running(api.url, network, programs=programs):
            api.store("deployments", made)
            (ready,) = await api.until(lambda: [one for one in api.find("pods") if is_true(one, "Ready")])
            url = f"http://{network.socket_address(ready['status']['podIP'])}:8090/"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                assert (await answer.text()).startswith("Requsting to Pod")


class TestProcesses:
    async def test_they_end_with_the_pod_and_leave_nothing(self, network, programs):
        address = network.socket_address(network.allocate())
        started = await PodProcesses.start(pod(), address, programs, read_secret)
        assert is_listening(address)
        await started.stop()
        assert not is_listening(address)
        assert list(programs.directory.iterdir()) == []

    async def test_a_process_that_ends_before_it_listens_is_told_with_its_last_words(self, network, tmp_path):
        failing = programmed(tmp_path, "echo first; echo port 3000 is taken; exit 1")
        address = network.socket_address(network.allocate())
        with pytest.raises(ContainerError, match="container main does not listen: port 3000 is taken"):
            await PodProcesses.start(pod(), address, failing, read_secret)

    async def test_nothing_starts_without_a_secret(self, network, programs):
        with pytest.raises(ContainerError, match="Secret keys does not exist"):
            await PodProcesses.start(pod(), network.socket_address(network.allocate()), programs, read_nothing)

    @pytest.mark.parametrize("registry", ["", "registry.example/", "registry:5000/", "localhost/"])
    @pytest.mark.parametrize("tag", ["", ":v2", "@sha256:0123", ":v2@sha256:0123"])
    def test_an_image_is_known_by_its_name_without_registry_and_tag(self, programs, registry, tag):
        assert programs.have(pod(image=registry + IMAGE + tag))

    @pytest.mark.parametrize("image", ["echo", "other/echo", "registry.example/echo", "registry.example/tools/echo/x"])
    def test_another_image_has_no_program(self, programs, image):
        assert not programs.have(pod(image=image))


class TestWhatContainersAreGiven:
    def test_variables_are_values_fields_of_the_pod_and_files_of_its_volumes(self):
        folder = Path("/somewhere/keys")
        assert environment(pod(), container(), {"/etc/keys": folder}) == {"POD": "echo-1", "KEY": "/somewhere/keys/key"}

    @pytest.mark.parametrize(
        "source",
        [
            {"secretKeyRef": {"name": "keys", "key": "tls.key"}},
            {"fieldRef": {"fieldPath": "status.podIP"}},
            {"fieldRef": {"fieldPath": "metadata.labels"}},
        ],
    )
    def test_a_variable_of_another_source_is_not_known(self, source):
        with pytest.raises(ContainerError, match="source of variable POD"):
            environment(pod(), container(env=[{"name": "POD", "valueFrom": source}]), {})

    def test_a_volume_has_the_items_that_it_names_or_all(self):
        assert files(VOLUME["secret"], SECRET) == {"key": b"secret"}
        assert files({"secretName": "keys"}, SECRET) == {"tls.key": b"secret"}

    def test_a_key_that_the_secret_lacks_is_told(self):
        with pytest.raises(ContainerError, match=r"Secret keys has no key tls\.key"):
            files(VOLUME["secret"], {"data": {}})

    def test_only_sockets_that_listen_at_the_address_count(self):
        table = (
            "  sl  local_address rem_address   st\n"
            "   0: 0100F47F:0BB8 00000000:0000 0A\n"
            "   1: 0200F47F:0BB8 0100007F:C350 01\n"
        )
        assert listens(table, "127.244.0.1")
        assert not listens(table, "127.244.0.2")
        assert not listens(table, "127.244.0.3")
