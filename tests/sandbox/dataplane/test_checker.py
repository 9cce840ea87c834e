"""Health checks against real targets, reported to the directory."""

from dataclasses import replace

import anyio
import pytest
from aiohttp import web

from sandbox.dataplane import HealthChecker
from sandbox.lattice.directory import HealthCheck

from .conftest import http2_target, http_target

pytestmark = pytest.mark.anyio

CHECK = HealthCheck(enabled=True, path="/healthz?deep=1", healthy_threshold=2, unhealthy_threshold=2, matcher="200-299")


class Patient:
    """A target whose answer to health checks a test sets."""

    def __init__(self):
        self.status = 204
        self.seen = []

    async def __call__(self, request):
        self.seen.append((request.method, request.raw_path, request.headers["Connection"]))
        return web.Response(status=self.status)


@pytest.fixture
def patient():
    return Patient()


@pytest.fixture
async def checker(directory, network, anyio_backend):
    checker = HealthChecker(directory, network=network, speed=1000, poll=0.01)
    async with anyio.create_task_group() as tasks:
        await tasks.start(checker.run)
        yield checker
        tasks.cancel_scope.cancel()


async def report(directory):
    with anyio.fail_after(5):
        await directory.reported.wait()
    return directory.reports[-1]


async def test_a_target_is_checked_as_its_group_says_and_reported_once_per_verdict(
    directory, network, checker, patient
):
    async with http_target(network, patient) as target:
        directory.group("tg-1", target, status="INITIAL", check=CHECK)
        assert await report(directory) == (*target, True, "")
        assert patient.seen[0] == ("GET", "/healthz?deep=1", "close")
        patient.status = 500
        assert await report(directory) == (*target, False, "status 500 is not of 200-299")
        patient.status = 200
        assert await report(directory) == (*target, True, "")
    assert await report(directory) == (*target, False, "connection refused")
    assert len(directory.reports) == 4


async def test_a_target_that_is_registered_anew_starts_anew(directory, network, checker, patient):
    async with http_target(network, patient) as target:
        directory.group("tg-1", target, status="INITIAL", check=CHECK)
        await report(directory)
        directory.set_status("tg-1", target[0], "INITIAL")
        assert await report(directory) == (*target, True, "")


async def test_the_check_has_a_port_of_its_own_where_it_says_so(directory, network, checker, patient):
    async with http_target(network, patient) as (ip, port):
        directory.group("tg-1", (ip, 1), status="INITIAL", check=replace(CHECK, port=port))
        assert await report(directory) == (ip, 1, True, "")


async def test_a_target_outside_the_network_is_unhealthy_not_a_crash(directory, network, checker):
    directory.group("tg-1", ("192.168.0.1", 80), status="INITIAL", check=CHECK)
    assert (await report(directory))[2] is False


@pytest.mark.parametrize("version", ["HTTP1", "HTTP2"])
@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS"])
async def test_targets_are_checked_over_every_protocol_and_version(directory, network, checker, protocol, version):
    seen = []

    async def handler(request):
        seen.append((request.method, request.target, request.authority))
        return 204, b""

    async with http2_target(network, handler, tls=protocol == "HTTPS", http1=version == "HTTP1") as (ip, port):
        check = replace(CHECK, protocol=protocol, protocol_version=version)
        directory.group("tg-1", (ip, port), status="INITIAL", check=check)
        assert await report(directory) == (ip, port, True, "")
    assert seen[0] == ("GET", "/healthz?deep=1", f"{ip}:{port}")


async def test_a_target_that_speaks_another_version_is_unhealthy(directory, network, checker, patient):
    async with http_target(network, patient) as target:
        directory.group("tg-1", target, status="INITIAL", check=replace(CHECK, protocol_version="HTTP2"))
        assert (await report(directory))[:3] == (*target, False)


async def test_a_silent_target_fails_when_the_time_is_out(directory, network, checker):
    async def silent(request):
        await anyio.sleep_forever()

    async with http_target(network, silent) as target:
        directory.group("tg-1", target, check=replace(CHECK, timeout=0.05))
        assert await report(directory) == (*target, False, "no answer in 0.05 s")


async def test_targets_that_are_not_to_be_checked_are_left_alone(directory, network, checker, patient):
    async with http_target(network, patient) as target:
        directory.group("tg-unused", target, status="UNUSED", check=CHECK, used=False)
        directory.group("tg-unchecked", target, status="UNAVAILABLE", check=replace(CHECK, enabled=False))
        directory.group("tg-draining", target, status="DRAINING", check=CHECK)
        directory.group("tg-checked", ("192.168.0.1", 80), status="INITIAL", check=CHECK)
        await report(directory)
    assert patient.seen == []


async def test_a_target_that_leaves_is_checked_no_more(directory, network, checker, patient):
    async with http_target(network, patient) as target:
        directory.group("tg-1", target, status="INITIAL", check=CHECK)
        await report(directory)
        directory.group("tg-1", ("192.168.0.1", 80), status="INITIAL", check=CHECK)
        await report(directory)
        patient.seen.clear()
        directory.group("tg-1", ("192.168.0.2", 80), status="INITIAL", check=CHECK)
        await report(directory)
        assert patient.seen == []
