"""Recordings of the real service: read, refused if they make no sense, and in force in a sandbox."""

import json
from pathlib import Path

import aiohttp
import pytest

from sandbox.lattice import LatticeServer, Quotas, Timings, load_recording
from tests.sandbox.lattice.harness import Account

RECORDING = {
    "format": "lattice-recording/1",
    "region": "eu-central-1",
    "recorded": "2026-01-31T12:00:00Z",
    "timings": {"service_create": [1, 2.5]},
    "quotas": {"services": 3},
    "errors": {"a name that is taken": {"code": "ConflictException", "status": 409, "message": "no"}},
}


def written(directory: Path, **changes: object) -> Path:
    path = directory / "recording.json"
    path.write_text(json.dumps(RECORDING | changes))
    return path


def test_a_sandbox_takes_over_times_and_quotas(tmp_path):
    recording = load_recording(written(tmp_path))
    server = LatticeServer(timings=recording.timings, quotas=recording.quotas)
    assert server.state.timings == Timings(service_create=(1.0, 2.5))
    assert server.state.quotas == Quotas(services=3)
    assert recording.errors["a name that is taken"].code == "ConflictException"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"timings": {"tea": [1, 2]}},
        {"timings": {"service_create": [2, 1]}},
        {"timings": {"service_create": 1}},
        {"quotas": {"tea": 1}},
        {"quotas": {"services": -1}},
        {"quotas": {"services": True}},
        {"errors": {"x": {"kode": 1}}},
        {"consistency": [2, 1]},
        {"latencies": {"*": {"kind": "constant", "seconds": -1}}},
    ],
    ids=str,
)
def test_a_file_that_makes_no_sense_is_refused_by_its_name(tmp_path, changes):
    with pytest.raises(ValueError, match=r"recording\.json"):
        load_recording(written(tmp_path, **changes))


def test_a_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "recording.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        load_recording(tmp_path / "recording.json")


@pytest.mark.anyio
async def test_a_running_sandbox_is_given_a_recording(account: Account):
    url = f"{account.server.url}/_sandbox/recording"
    async with aiohttp.ClientSession() as session:
        taken = {"consistency": [1, 2], "latencies": {"GetService": {"kind": "constant", "seconds": 0.25}}}
        async with session.put(url, json=RECORDING | taken) as answer:
            assert answer.status == 200
        assert account.server.latencies.draw("GetService") == 0.25
        async with session.put(url, json=RECORDING | {"quotas": []}) as answer:
            assert answer.status == 400
    state = account.server.state
    assert (state.timings.service_create, state.quotas.services, state.visibility.span) == ((1.0, 2.5), 3, (1.0, 2.0))


@pytest.mark.anyio
async def test_the_quotas_in_force_are_told_by_service_quotas(account: Account):
    account.server.state.quotas = Quotas(services=7)
    async with account.client("service-quotas") as client:
        pages = client.get_paginator("list_service_quotas").paginate(
            ServiceCode="vpc-lattice", PaginationConfig={"PageSize": 4}
        )
        values = {quota["QuotaCode"]: quota["Value"] async for page in pages for quota in page["Quotas"]}
        assert (len(values), values["L-620C821E"]) == (9, 7.0)
        one = await client.list_service_quotas(ServiceCode="vpc-lattice", QuotaCode="L-620C821E")
        assert [quota["QuotaName"] for quota in one["Quotas"]] == ["Services per region"]
        with pytest.raises(client.exceptions.NoSuchResourceException):
            await client.list_service_quotas(ServiceCode="ec2")
