"""A sandbox as a whole: what it takes of this machine, what it leaves in its directory, what a second one meets."""

import os
import socket
from pathlib import Path

import aiohttp
import anyio
import pytest

from sandbox.directory import DirectoryError
from sandbox.lattice import Timings
from sandbox.sandbox import Ports, start
from tests.sandbox.lattice.harness import client_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("part", ["kubernetes", "lattice", "dataplane"])
async def test_a_taken_port_is_an_error_by_itself(tmp_path, part):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)):
            async with start(tmp_path, ports=Ports(**{part: port})):
                pytest.fail("the sandbox has started")
    assert not (tmp_path / "env").exists()


async def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "below"
    with pytest.raises(DirectoryError, match=f"{directory} cannot be used .Not a directory.; .* --directory"):
        async with start(directory):
            pytest.fail("the sandbox has started")


async def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "kubeconfig").mkdir()
    with pytest.raises(DirectoryError, match=str(tmp_path / "kubeconfig")):
        async with start(tmp_path):
            pytest.fail("the sandbox has started")


async def test_a_directory_belongs_to_one_sandbox_at_a_time(tmp_path):
    async with start(tmp_path) as first:
        written = first.environment_file.read_text()
        with pytest.raises(DirectoryError, match=f"{tmp_path} is in use by another sandbox; .* --directory"):
            async with start(tmp_path):
                pytest.fail("a second sandbox has started")
        assert first.environment_file.read_text() == written
    async with start(tmp_path) as later:
        assert later.environment_file.exists()


async def test_what_clients_are_told_goes_with_the_sandbox(tmp_path):
    async with start(tmp_path) as sandbox:
        authority = Path(sandbox.environment["DATA_PLANE_CA"])
        files = [sandbox.kubeconfig, sandbox.environment_file, authority]
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert await anyio.Path(authority).read_text() == sandbox.dataplane.authority.pem
    assert not any(file.exists() for file in files)


async def test_the_instance_metadata_tells_what_the_environment_tells(tmp_path):
    async with start(tmp_path) as sandbox, aiohttp.ClientSession() as session:
        there = sandbox.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] + "/latest/"
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        async with session.put(there + "api/token", headers=ttl) as answer:
            token = {"X-aws-ec2-metadata-token": await answer.text()}

        async def told(path: str) -> str:
            async with session.get(f"{there}meta-data/{path}", headers=token) as answer:
                assert answer.status == 200
                return await answer.text()

        interface = f"network/interfaces/macs/{await told('mac')}"
        for name, path in {
            "AWS_REGION": "placement/region",
            "AWS_ACCOUNT_ID": f"{interface}/owner-id",
            "CLUSTER_VPC_ID": f"{interface}/vpc-id",
            "CLUSTER_NAME": "tags/instance/aws:eks:cluster-name",
        }.items():
            assert await told(path) == sandbox.environment[name]


async def test_an_https_listener_is_reached_with_what_the_environment_tells(tmp_path):
    async with start(tmp_path, timings=Timings.instant()) as sandbox:
        async with client_of(sandbox.lattice, "vpc-lattice") as lattice:
            network = await lattice.create_service_network(name="my-hotel")
            service = await lattice.create_service(name="rates")
            names = {"serviceIdentifier": service["id"], "serviceNetworkIdentifier": network["id"]}
            await lattice.create_service_network_service_association(**names)
            answer = {"fixedResponse": {"statusCode": 404}}
            await lattice.create_listener(
                serviceIdentifier=service["id"], name="https", protocol="HTTPS", defaultAction=answer
            )
        told = sandbox.environment
        command = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "--noproxy", "", "--max-time", "20"]
        through = ["--proxy", told["DATA_PLANE"], "--cacert", told["DATA_PLANE_CA"]]
        done = await anyio.run_process([*command, *through, f"https://{service['dnsEntry']['domainName']}/"])
    assert done.stdout == b"404"


@pytest.mark.parametrize(("before", "after"), [({}, ""), ({"NO_PROXY": "corp", "no_proxy": "corp"}, ",corp")])
async def test_a_shell_reads_the_environment_and_keeps_its_exceptions_from_the_proxy(tmp_path, before, after):
    directory = tmp_path / "it's here"
    async with start(directory) as sandbox:
        script = f'. "{sandbox.environment_file}"; env -0'
        environment = {"PATH": os.environ["PATH"], **before}
        done = await anyio.run_process(["sh", "-c", script], env=environment)
    found = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
    assert sandbox.environment.items() <= found.items()
    assert found["NO_PROXY"] == found["no_proxy"] == f"127.0.0.1,localhost{after}"
