"""The EC2 instance metadata service, version 2, of the node that a controller would run on.

A controller whose settings name no region, account or VPC asks here, and SDKs look for credentials here. It is on the
sandbox's endpoint beside everything else, under `/latest/`, so `AWS_EC2_METADATA_SERVICE_ENDPOINT` is the endpoint URL.
Only version 2: without a session token there is no answer.

Sources: Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata"
(`configuring-instance-metadata-service.html`: tokens, their lifetime of 1 to 21,600 seconds, no token for a request
with `X-Forwarded-For`, 401 without a valid one), "Access instance metadata for an EC2 instance"
(`instancedata-data-retrieval.html`: the paths, 404 for one that is not there) and "Instance metadata categories"
(`ec2-instance-metadata.html`: what there is). Which paths a directory lists is not a contract of the service; here it
is what this module has.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import orjson

from sandbox.lattice.credentials import Credentials, Session
from sandbox.lattice.protocols import Incoming, Reply

PREFIX = "/latest/"
LONGEST = 21_600
"""Seconds that a session token is valid at most."""

INSTANCE = "i-0123456789abcdef0"
INTERFACE = "0a:1b:2c:3d:4e:5f"
"""The MAC address of the instance's network interface."""
NODE = Session(
    key="ASIASANDBOXNODE00000",
    secret="sandbox-node-secret",  # noqa: S106 - opens only the sandbox
    token="sandbox-node-session",  # noqa: S106 - the same
    role="sandbox-node",
    name=INSTANCE,
)
"""The credentials of the instance's role, renewed by name only."""

_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
_SESSION = "X-aws-ec2-metadata-token"


class Metadata:
    """The metadata of one instance, in `account` and `region`, with its interface in `vpc`, a node of `cluster`.

    The credentials of its role are added to `credentials`.
    """

    def __init__(
        self,
        *,
        account: str,
        region: str,
        vpc: str,
        cluster: str,
        credentials: Credentials,
        seed: int,
        clock: Callable[[], float],
    ) -> None:
        credentials.add(NODE)
        self._clock = clock
        self._region = region
        self._account = account
        self._random = Random(f"metadata {seed}")  # noqa: S311 - guards nothing
        self._tokens: dict[str, float] = {}
        self.tags = {"aws:eks:cluster-name": cluster}
        """Tags of the instance, which `ec2:DescribeTags` shows too."""
        interface = f"network/interfaces/macs/{INTERFACE}"
        self._documents: dict[str, Callable[[], str]] = {
            "meta-data/instance-id": lambda: INSTANCE,
            "meta-data/mac": lambda: INTERFACE,
            f"meta-data/{interface}/mac": lambda: INTERFACE,
            f"meta-data/{interface}/owner-id": lambda: account,
            f"meta-data/{interface}/vpc-id": lambda: vpc,
            "meta-data/placement/region": lambda: region,
            "meta-data/placement/availability-zone": lambda: f"{region}a",
            f"meta-data/iam/security-credentials/{NODE.role}": self._credentials,
            "meta-data/identity-credentials/ec2/info": self._identity,
            "dynamic/instance-identity/document": self._document,
        } | {f"meta-data/tags/instance/{key}": self._tag(key) for key in self.tags}

    def serve(self, request: Incoming) -> Reply:
        """Answer a request whose path begins with `PREFIX`."""
        path = request.path.removeprefix(PREFIX)
        if path == "api/token":
            return self._new_token(request)
        if request.method != "GET":
            return Reply(405, b"")
        if self._tokens.get(request.headers.get(_SESSION, ""), 0.0) <= self._clock():
            return Reply(401, b"")
        text = self._find(path)
        if text is None:
            return Reply(404, b"")
        return Reply(200, text.encode(), {"Content-Type": "text/plain"})

    def _new_token(self, request: Incoming) -> Reply:
        if request.method != "PUT":
            return Reply(405, b"")
        if "X-Forwarded-For" in request.headers:
            return Reply(403, b"")
        wanted = request.headers.get(_TTL, "")
        if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= LONGEST):
            return Reply(400, b"")
        token = f"{self._random.getrandbits(160):040x}=="
        self._tokens[token] = self._clock() + int(wanted)
        return Reply(200, token.encode(), {"Content-Type": "text/plain", _TTL: wanted})

    def _find(self, path: str) -> str | None:
        """The document at this path, or, for a directory, what is in it, one name a line."""
        document = self._documents.get(path.rstrip("/"))
        if document is not None:
            return document()
        directory = path.rstrip("/") + "/" if path else ""
        below = [known.removeprefix(directory) for known in self._documents if known.startswith(directory)]
        names = (head + slash for head, slash, _ in (rest.partition("/") for rest in below) if head)
        return "\n".join(sorted(dict.fromkeys(names))) or None

    def _tag(self, key: str) -> Callable[[], str]:
        return lambda: self.tags[key]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC).replace(microsecond=0)

    def _identity(self) -> str:
        return _json(Code="Success", LastUpdated=_time(self._now()), AccountId=self._account)

    def _credentials(self) -> str:
        now = self._now()
        return _json(
            Code="Success",
            LastUpdated=_time(now),
            Type="AWS-HMAC",
            AccessKeyId=NODE.key,
            SecretAccessKey=NODE.secret,
            Token=NODE.token,
            Expiration=_time(now + timedelta(hours=6)),
        )

    def _document(self) -> str:
        return _json(
            accountId=self._account,
            region=self._region,
            availabilityZone=f"{self._region}a",
            instanceId=INSTANCE,
            version="2017-09-30",
        )


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _json(**members: str) -> str:
    return orjson.dumps(members, option=orjson.OPT_INDENT_2).decode()
