"""Credentials: web identities become sessions of roles, and every key tells whose it is."""

from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from sandbox.lattice import LatticeServer
from sandbox.lattice.credentials import Credentials, Session
from sandbox.lattice.errors import ApiError
from tests.sandbox.lattice.harness import Account
from tests.sandbox.lattice.stories import SUBJECT, web_identity

pytestmark = pytest.mark.anyio

ROLE = "arn:aws:iam::123456789012:role/path/controller"


async def assume(account: Account, **changes: Any) -> dict[str, Any]:
    asked = {"RoleArn": ROLE, "RoleSessionName": "pod", "WebIdentityToken": web_identity()} | changes
    return await account.sts.assume_role_with_web_identity(**asked)


async def test_a_token_of_a_service_account_gets_a_session_of_the_role(account: Account):
    answer = await assume(account, DurationSeconds=900)
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/controller/pod"
    assert (answer["SubjectFromWebIdentityToken"], answer["Provider"]) == (SUBJECT, "https://oidc.example")
    assert answer["Credentials"]["Expiration"].timestamp() == account.clock.now + 900


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"WebIdentityToken": "no token"}, "InvalidIdentityToken"),
        ({"WebIdentityToken": "a.%%%.c"}, "InvalidIdentityToken"),
        ({"WebIdentityToken": web_identity(aud=None)}, "InvalidIdentityToken"),
        ({"WebIdentityToken": web_identity(exp=1)}, "ExpiredTokenException"),
        ({"RoleArn": "arn:aws:iam::999999999999:role/controller"}, "AccessDenied"),
        ({"RoleArn": "arn:aws:iam::123456789012:user/controller"}, "AccessDenied"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": "long"}, "ValidationError"),
        ({"Policy": "{}"}, "NotEmulatedException"),
    ],
    ids=str,
)
async def test_what_is_no_such_token_or_role_is_refused(account: Account, changes, code):
    with pytest.raises(ClientError) as raised:
        await assume(account, **changes)
    assert raised.value.response["Error"]["Code"] == code


async def test_the_log_has_no_secrets(account: Account):
    await assume(account)
    (seen,) = account.server.calls.of("AssumeRoleWithWebIdentity")
    assert seen.parameters == {"RoleArn": ROLE, "RoleSessionName": "pod", "WebIdentityToken": "(secret)"}


async def test_an_sdk_in_a_pod_finds_its_credentials_by_its_token(tmp_path: Path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text(web_identity())
    async with LatticeServer(secrets={}) as server:
        for name, value in {
            "AWS_ROLE_ARN": ROLE,
            "AWS_ROLE_SESSION_NAME": "pod",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": server.region,
            "AWS_DEFAULT_REGION": server.region,
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        }.items():
            monkeypatch.setenv(name, value)
        session = get_session()
        async with session.create_client("sts") as sts, session.create_client("vpc-lattice") as lattice:
            assert (await sts.get_caller_identity())["Arn"].endswith(":assumed-role/controller/pod")
            assert (await lattice.list_services())["items"] == []


SESSION = Session(key="ASIA1", secret="hidden", token="given", role="controller", name="pod", expires=100.0)


def test_a_session_is_worth_something_with_its_token_until_it_ends():
    credentials = Credentials("123456789012", {"AKID": "secret"})
    credentials.add(SESSION)
    assert credentials.secret("ASIA1", "given", 99.0) == "hidden"
    assert credentials.secret("AKID", None, 99.0) == "secret"
    for key, token, now, code in (
        ("ASIA1", "given", 100.0, "ExpiredTokenException"),
        ("ASIA1", "other", 99.0, "UnrecognizedClientException"),
        ("ASIA1", None, 99.0, "UnrecognizedClientException"),
        ("AKID", "given", 99.0, "UnrecognizedClientException"),
        ("AKIDOTHER", None, 99.0, "UnrecognizedClientException"),
    ):
        with pytest.raises(ApiError) as raised:
            credentials.secret(key, token, now)
        assert raised.value.code == code


def test_a_key_tells_whose_it_is():
    credentials = Credentials("123456789012")
    credentials.add(SESSION)
    assert credentials.identity("ASIA1") == (
        "arn:aws:sts::123456789012:assumed-role/controller/pod",
        "AROACONTROLLER0000000:pod",
    )
    assert credentials.identity("AKID")[0] == "arn:aws:iam::123456789012:user/sandbox"
