"""moto and the sandbox, asked the same: both give the same answers, but for the differences that are listed.

Identifiers that are as modelled, times and request ids differ by nature and are set aside; everything else is compared,
member by member, with its type.
"""

import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.acm.responses import AWSCertificateManagerResponse
from moto.ec2.responses import EC2Response
from moto.resourcegroupstaggingapi.responses import ResourceGroupsTaggingAPIResponse
from moto.server import ThreadedMotoServer
from moto.servicequotas.responses import ServiceQuotasResponse
from moto.sts.responses import TokenResponse
from moto.vpclattice.responses import VPCLatticeResponse

from sandbox.lattice import LatticeServer, Timings
from sandbox.lattice.dispatch import EMULATED
from tests.sandbox.lattice.differences import ANY, ROWS, Difference
from tests.sandbox.lattice.harness import SESSION
from tests.sandbox.lattice.stories import REFUSED, STORIES, Step

pytestmark = pytest.mark.anyio

MOTO: dict[str, type] = {
    "vpc-lattice": VPCLatticeResponse,
    "resourcegroupstaggingapi": ResourceGroupsTaggingAPIResponse,
    "sts": TokenResponse,
    "acm": AWSCertificateManagerResponse,
    "ec2": EC2Response,
    "service-quotas": ServiceQuotasResponse,
}

_IDENTIFIERS = (
    (re.compile(r"\b(svc|sn|tg|listener|rule|snsa|snva|als)-[0-9a-z]{17}(?![0-9a-z-])"), r"<\1>"),
    (re.compile(r"certificate/[0-9a-f-]{36}"), "certificate/<uuid>"),
)


def in_moto(service: str, operation: str) -> bool:
    return hasattr(MOTO[service], xform_name(operation))


def compared() -> set[str]:
    """The emulated operations that moto has."""
    return {name for service, names in EMULATED.items() for name in names if in_moto(service, name)}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The members of an answer with their paths; an empty list or object is a leaf."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for item in value:
            yield from leaves(item, f"{path}[]")
    else:
        yield path, plain(value)


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return "<time>"
    if isinstance(value, str):
        for pattern, token in _IDENTIFIERS:
            value = pattern.sub(token, value)
    return value


def compare(operation: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[Difference]:
    mine: dict[str, list[Any]] = {}
    other: dict[str, list[Any]] = {}
    for answer, found in ((ours, mine), (theirs, other)):
        for path, value in leaves(answer):
            found.setdefault(path, []).append(value)
    for path in mine.keys() | other.keys():
        if path not in other:
            yield Difference(operation, path, "only in the sandbox", mine[path], None)
        elif path not in mine:
            yield Difference(operation, path, "only in moto", None, other[path])
        elif mine[path] != other[path]:
            kinds = [[type(value) for value in values] for values in (mine[path], other[path])]
            yield Difference(operation, path, "value" if kinds[0] == kinds[1] else "type", mine[path], other[path])


async def ask(client: Any, step: Step, kept: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
    """How it ended (`success`, or the error's code), the HTTP status, and the answer."""
    try:
        answer = await getattr(client, xform_name(step.operation))(**step.filled(kept))
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"], {}
    status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
    if step.keep is not None:
        kept[step.keep] = answer
    return "success", status, answer


async def differences() -> list[Difference]:
    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    found: list[Difference] = []
    try:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(LatticeServer(timings=Timings.instant(), validate_answers=True))
            urls = (server.url, "http://{}:{}".format(*moto.get_host_and_port()))
            clients = [
                {
                    service: await stack.enter_async_context(
                        SESSION.create_client(
                            service,
                            endpoint_url=url,
                            region_name=server.region,
                            aws_access_key_id="AKIDEXAMPLE",
                            aws_secret_access_key="secret",
                        )
                    )
                    for service in MOTO
                }
                for url in urls
            ]
            requested = await clients[1]["acm"].request_certificate(DomainName="example.com")
            certificate = server.state.add_certificate("example.com", status="PENDING_VALIDATION")
            kept: list[dict[str, Any]] = [
                {"certificate": {"arn": certificate.arn}},
                {"certificate": {"arn": requested["CertificateArn"]}},
            ]
            for step in (*(step for steps in STORIES for step in steps), *REFUSED):
                if step.operation not in compared():
                    continue
                ours, theirs = [await ask(clients[side][step.service], step, kept[side]) for side in range(len(urls))]
                if ours[0] != theirs[0]:
                    found.append(Difference(step.operation, "", "outcome", ours[0], theirs[0]))
                    continue
                if ours[1] != theirs[1]:
                    found.append(Difference(step.operation, "", "status", ours[1], theirs[1]))
                found += compare(step.operation, ours[2], theirs[2])
    finally:
        moto.stop()
    return found


async def test_every_difference_is_in_the_table_and_the_table_has_no_others():
    found = await differences()
    assert [difference for difference in found if not any(row.fits(difference) for row in ROWS)] == []
    for row in ROWS:
        fitting = {difference.operation for difference in found if row.fits(difference)}
        assert fitting, row
        assert row.operations == ANY or fitting == set(row.operations), row
