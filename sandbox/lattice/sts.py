"""AWS Security Token Service: who is asking, and credentials of a role for those who have a token of another identity.

Pods on EKS whose service account has a role get their credentials by `AssumeRoleWithWebIdentity`, which is not signed:
the token, a JWT that the cluster has signed, stands for it. Source: STS API reference, `GetCallerIdentity` and
`AssumeRoleWithWebIdentity`. The sandbox takes every role of the account and every issuer, and does not verify the
token's signature; it does read its claims, and refuses what is no JWT, and one that has expired.
"""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any

import orjson

from sandbox.lattice.credentials import Session, role_id
from sandbox.lattice.errors import ApiError, not_emulated
from sandbox.lattice.resources import Described
from sandbox.lattice.state import Call, Handler, State

UNSIGNED = "AssumeRoleWithWebIdentity"
"""The operation that needs no credentials."""

DEFAULT_DURATION = 3600
"""Seconds that a session lasts where none are asked for."""

_ROLE = re.compile(r"arn:aws:iam::(?P<account>[0-9]{12}):role/(?:.*/)?(?P<name>[^/]+)")
_NOT_EMULATED = ("Policy", "PolicyArns", "ProviderId")


def get_caller_identity(state: State, call: Call) -> Described:
    arn, user_id = state.credentials.identity(call.caller)
    return {"Arn": arn, "UserId": user_id, "Account": state.account}


def assume_role_with_web_identity(state: State, call: Call) -> Described:
    params = call.params
    for name in _NOT_EMULATED:
        if name in params:
            raise not_emulated("sts", f"{name} of {UNSIGNED}")
    role = _ROLE.fullmatch(params["RoleArn"])
    if role is None or role["account"] != state.account:
        raise ApiError("AccessDenied", 403, f"Not authorized to perform sts:{UNSIGNED}")
    claims = _claims(params["WebIdentityToken"])
    now = state.time()
    if claims["exp"] <= now:
        raise ApiError("ExpiredTokenException", 400, "Token expired: current date/time must be before the expiration")
    session = Session(
        key=f"ASIA{state.random.getrandbits(64):016X}",
        secret=f"{state.random.getrandbits(160):040x}",
        token=f"{state.random.getrandbits(640):0160x}",
        role=role["name"],
        name=params["RoleSessionName"],
        expires=now + params.get("DurationSeconds", DEFAULT_DURATION),
    )
    state.credentials.add(session)
    audience = claims["aud"]
    return {
        "Credentials": {
            "AccessKeyId": session.key,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
            "Expiration": datetime.fromtimestamp(session.expires, UTC).isoformat(timespec="seconds"),
        },
        "SubjectFromWebIdentityToken": claims["sub"],
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role_id(session.role)}:{session.name}",
            "Arn": state.credentials.session_arn(session),
        },
        "Provider": claims["iss"],
        "Audience": audience[0] if isinstance(audience, list) else audience,
    }


def _claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, of which `iss`, `sub`, `aud` and `exp` are required (as OpenID Connect Core has it)."""
    try:
        _, payload, _ = token.split(".")
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error) as error:
        raise ApiError("InvalidIdentityToken", 400, "The ID Token provided is not a valid JWT.") from error
    if not isinstance(claims, dict) or not {"iss", "sub", "aud", "exp"} <= claims.keys():
        raise ApiError("InvalidIdentityToken", 400, "The ID Token provided lacks a required claim.")
    return claims


OPERATIONS: dict[str, Handler] = {
    "GetCallerIdentity": get_caller_identity,
    UNSIGNED: assume_role_with_web_identity,
}
