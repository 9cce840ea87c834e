"""Who may ask: the keys that requests are signed with, and whom each stands for.

There are lasting keys, given when the sandbox is started, and sessions of roles, which STS gives out and the instance
metadata service has for its node. Whether signatures are verified is a choice of whoever starts the sandbox
(`verified`); whom a key stands for can be told in any case. Sources: IAM User Guide, "IAM identifiers" (the forms of
keys, ids and ARNs); STS API reference, `GetCallerIdentity` and "Common errors".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from sandbox.lattice.errors import ApiError

USER = "sandbox"


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials of a role."""

    key: str
    secret: str
    token: str
    role: str
    """Its name."""
    name: str
    """The session's."""
    expires: float = inf
    """Seconds since the epoch."""


class Credentials:
    """All keys of an account. `secrets` says id of a lasting key → secret; None verifies nothing."""

    def __init__(self, account: str, secrets: Mapping[str, str] | None = None) -> None:
        self._account = account
        self._secrets = dict(secrets or {})
        self._sessions: dict[str, Session] = {}
        self.verified = secrets is not None

    def add(self, session: Session) -> None:
        """Let requests be signed with this session's key."""
        self._sessions[session.key] = session

    def secret(self, key: str, token: str | None, now: float) -> str:
        """The secret of the key, which must come with the token of its session if it has one.

        Raises `ApiError` (403) for a key that is not known, and for a session that is over.
        """
        session = self._sessions.get(key)
        if session is None:
            secret = self._secrets.get(key)
            if secret is not None and token is None:
                return secret
        elif session.token == token:
            if session.expires <= now:
                message = "The security token included in the request is expired"
                raise ApiError("ExpiredTokenException", 403, message)
            return session.secret
        raise ApiError("UnrecognizedClientException", 403, "The security token included in the request is invalid.")

    def identity(self, key: str) -> tuple[str, str]:
        """ARN and user id of whoever signs with this key; a key that is not known is a user's."""
        session = self._sessions.get(key)
        if session is None:
            return f"arn:aws:iam::{self._account}:user/{USER}", "AIDASANDBOXSANDBOX000"
        return self.session_arn(session), f"{role_id(session.role)}:{session.name}"

    def session_arn(self, session: Session) -> str:
        return f"arn:aws:sts::{self._account}:assumed-role/{session.role}/{session.name}"


def role_id(role: str) -> str:
    """The unique id of a role: its name, as far as that fits."""
    letters = "".join(letter for letter in role.upper() if letter.isascii() and letter.isalnum())
    return f"AROA{letters:0<17.17}"
