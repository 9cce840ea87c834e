"""Signatures, where they are verified: by AWS's own published example, by botocore, and by curl."""

import shutil
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from botocore.exceptions import ClientError

from sandbox.lattice import LatticeServer
from sandbox.lattice.credentials import Credentials
from sandbox.lattice.errors import ApiError
from sandbox.lattice.protocols import Incoming
from sandbox.lattice.signatures import sign, verify
from tests.sandbox.lattice.harness import Clock, client_of, connect

pytestmark = pytest.mark.anyio

SECRETS = {"AKIDEXAMPLE": "secret"}
KNOWN = Credentials("123456789012", SECRETS)


def test_the_signature_of_the_documentations_example():
    """The example of "Create a signed AWS API request" in the IAM User Guide: ListUsers, with its published result."""
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": "iam.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
    }
    request = Incoming("GET", "/", "Action=ListUsers&Version=2010-05-08", headers, b"")
    signature = sign(
        request,
        tuple(headers),
        "20150830/us-east-1/iam/aws4_request",
        "20150830T123600Z",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    )
    assert signature == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


def signed(**changes: Any) -> Incoming:
    time, scope = "20150830T123600Z", "20150830/us-west-2/vpc-lattice/aws4_request"
    headers = {"host": "lattice", "x-amz-date": time}
    request = Incoming("GET", "/services", "", headers, b"")
    signature = sign(request, tuple(headers), scope, time, "secret")
    says = f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
    members = {"method": "GET", "path": "/services", "query": "", "body": b""} | changes
    sent = {"host": "lattice", "X-Amz-Date": time, "x-amz-date": time, "Authorization": says}
    return Incoming(headers=sent | changes.get("headers", {}), **{k: v for k, v in members.items() if k != "headers"})


NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()


def test_a_request_that_is_signed_passes():
    verify(signed(), KNOWN, NOW + 299)


@pytest.mark.parametrize(
    ("changes", "now", "code"),
    [
        ({"path": "/services/svc-1"}, NOW, "InvalidSignatureException"),
        ({"query": "maxResults=1"}, NOW, "InvalidSignatureException"),
        ({"method": "DELETE"}, NOW, "InvalidSignatureException"),
        ({"body": b"{}"}, NOW, "InvalidSignatureException"),
        ({"headers": {"host": "elsewhere"}}, NOW, "InvalidSignatureException"),
        ({}, NOW + 301, "InvalidSignatureException"),
        ({}, NOW - 301, "InvalidSignatureException"),
        ({"headers": {"X-Amz-Date": "today"}}, NOW, "IncompleteSignatureException"),
        ({"headers": {"X-Amz-Date": "20150831T123600Z"}}, NOW + 86400, "InvalidSignatureException"),
        ({"headers": {"Authorization": "Bearer x"}}, NOW, "IncompleteSignatureException"),
    ],
)
def test_whatever_was_changed_on_the_way_is_refused(changes, now, code):
    with pytest.raises(ApiError) as raised:
        verify(signed(**changes), KNOWN, now)
    assert (raised.value.code, raised.value.status) == (code, 403)


async def test_botocores_clients_pass_with_the_secret_and_only_with_it():
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LatticeServer(secrets=SECRETS))
        account = await connect(stack, server, Clock())
        service = await account.lattice.create_service(name="rates", tags={"a key": "ä+b"})
        found = await account.lattice.list_tags_for_resource(resourceArn=service["arn"])
        assert found["tags"] == {"a key": "ä+b"}
        await account.lattice.untag_resource(resourceArn=service["arn"], tagKeys=["a key", "b"])
        await account.sts.get_caller_identity()
        for name, operation, code in (
            ("vpc-lattice", "list_services", "InvalidSignatureException"),
            ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
            ("ec2", "describe_tags", "AuthFailure"),
        ):
            wrong = await stack.enter_async_context(client_of(server, name, secret="guessed"))
            with pytest.raises(ClientError) as raised:
                await getattr(wrong, operation)()
            assert raised.value.response["Error"]["Code"] == code


async def test_a_key_that_nobody_gave_is_unknown():
    async with LatticeServer(secrets={"AKIDOTHER": "secret"}) as server, client_of(server, "vpc-lattice") as client:
        with pytest.raises(ClientError) as raised:
            await client.list_services()
    assert raised.value.response["Error"]["Code"] == "UnrecognizedClientException"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on the path")
@pytest.mark.parametrize(("secret", "status"), [("secret", "200"), ("guessed", "403")])
async def test_curl_signs_as_the_documentation_says(secret, status):
    async with LatticeServer(secrets=SECRETS) as server:
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--user", f"AKIDEXAMPLE:{secret}"]
        command += ["--aws-sigv4", f"aws:amz:{server.region}:vpc-lattice", f"{server.url}/services?maxResults=5"]
        done = await anyio.run_process(command)
    assert done.stdout.decode() == status
