"""Settings: environment variables and flags, read once at start, checked together.

Names and meanings are those of the AWS Gateway API Controller, so that a deployment of it starts this controller
unchanged; what this version does not do yet is listed in `Settings.ignored`, to be said once in the log, or is refused
where to go on would put routes into other service networks than before. All wrong settings are reported at once, each
with its name, its value and what is expected.

`load` does no I/O: the environment and the parsed flags are given to it. The account and the region may be left out:
the account is then asked of STS with the credentials in use, and the region is that of AWS's own configuration.
"""

import math
import re
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeVar, cast, get_args
from urllib.parse import urlsplit

import msgspec

from controller.kube.lease_times import LeaseTimes
from controller.lattice.quotas import QUOTAS

T = TypeVar("T")

LogLevel = Literal["debug", "info", "error"]
LogFormat = Literal["json", "console"]

RESYNC_SHORTEST: Final = 60.0
"""Seconds."""

WORKERS: Final = 20
"""Keys reconciled at the same time where nothing is set: coroutines are cheap, and API limits bound the work."""

WRITE_SHORTEST: Final = 0.5
"""Seconds that a write to VPC Lattice needs at least, and so has to be left when a leader gives up."""

UNSUPPORTED: Final = ("DEFAULT_SERVICE_NETWORK", "WEBHOOK_ENABLED")
"""Variables of the AWS Gateway API Controller that this version does not act on, and can start without."""

NO_OVERRIDE: Final = (
    "expected false or nothing: this version cannot put all routes into the service network DEFAULT_SERVICE_NETWORK, "
    "and would move them to the networks that their Gateways name; unset it if they are to be there"
)

_REGION: Final = ("REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
_DURATION: Final = re.compile(r"(?=[0-9])(?:([0-9.]+)h)?(?:([0-9.]+)m)?(?:([0-9.]+)s)?(?:([0-9.]+)ms)?")
_DURATION_UNITS: Final = (3600.0, 60.0, 1.0, 0.001)
_TRUE: Final = frozenset({"1", "t", "true"})
_FALSE: Final = frozenset({"0", "f", "false"})


class Bind(msgspec.Struct, frozen=True):
    """An address to listen on; an empty host means all of the machine's."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class CallRate(msgspec.Struct, frozen=True):
    """A ceiling for calls of one API operation: so many a second, and so many at once after a quiet time."""

    per_second: float
    burst: float


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process was told to do; times are in seconds."""

    cluster_name: str
    vpc_id: str
    account_id: str | None
    """None: the account of the credentials, asked of STS."""
    region: str | None
    """None: as AWS's configuration files say."""
    lattice_endpoint: str | None
    """URL of VPC Lattice's API; None: AWS's own variables, then the region's endpoint."""
    use_tagging_api: bool
    """False (DISABLE_TAGGING_SERVICE_API) where the VPC has no way to the Resource Groups Tagging API."""
    protect_from_deletion: bool
    """Whether what a deleted route has in Lattice stays until the route allows its deletion."""
    import_certificates: bool
    """Whether the Secrets to which HTTPS listeners refer are read, and imported into ACM."""
    take_over_release: bool
    """Whether what another controller left may be removed and re-routed without a release for each route."""
    call_rate: CallRate | None
    call_rates: Mapping[str, CallRate]
    """By API operation; all others have `call_rate`, or, if that is None, the built-in ceiling."""
    quotas: Mapping[str, int]
    """Quotas of VPC Lattice that count whatever Service Quotas says, by the field of `Quotas`."""
    log_level: LogLevel
    log_format: LogFormat | None
    """None: console on a terminal, JSON elsewhere."""
    workers: int
    """How many keys are reconciled at the same time."""
    resync: float | None
    """How often every object is looked at again although nothing changed; None: never."""
    metrics_bind: Bind | None
    health_bind: Bind | None
    """None: not served."""
    leader_elect: bool
    read_only: bool
    """Nothing is written, neither to Lattice nor to Kubernetes; what would be done is told instead."""
    lease_times: LeaseTimes
    kubeconfig: str | None
    """None: KUBECONFIG, then the pod's service account, then `~/.kube/config`."""
    ignored: tuple[str, ...] = ()
    """Variables that are set and that this version does not act on."""


class Problem(msgspec.Struct, frozen=True):
    """One wrong setting; `value` is None where it is missing."""

    name: str
    value: str | None
    expected: str

    def __str__(self) -> str:
        found = "is not set" if self.value is None else f"is {self.value!r}"
        return f"{self.name} {found}: {self.expected}"


class SettingsError(Exception):
    """Settings that cannot be worked with; `problems` has all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("wrong settings:\n" + "\n".join(f"  {problem}" for problem in problems))
        self.problems = tuple(problems)


def add_flags(parser: ArgumentParser) -> None:
    """Add the flags that `load` reads to a command line."""
    parser.add_argument(
        "--metrics-bind-address",
        default=":8080",
        metavar="ADDRESS",
        help="serve /metrics here, as host:port or :port; 0 for not at all (default %(default)s)",
    )
    parser.add_argument(
        "--health-probe-bind-address",
        default=":8081",
        metavar="ADDRESS",
        help="serve /healthz and /readyz here; 0 for not at all (default %(default)s)",
    )
    parser.add_argument(
        "--leader-elect",
        action=BooleanOptionalAction,
        default=False,
        help="write to VPC Lattice only while holding the Lease, so that several replicas can run",
    )
    times = LeaseTimes()
    parser.add_argument(
        "--leader-elect-lease-duration",
        default=f"{times.lease_duration:g}s",
        metavar="DURATION",
        help="when its Lease has not changed for so long, another replica takes over (default %(default)s)",
    )
    parser.add_argument(
        "--leader-elect-renew-deadline",
        default=f"{times.renew_deadline:g}s",
        metavar="DURATION",
        help="a leader that cannot renew for so long gives up; what is left of the Lease is what one write to VPC "
        "Lattice may take (default %(default)s)",
    )
    parser.add_argument(
        "--leader-elect-retry-period",
        default=f"{times.retry_period:g}s",
        metavar="DURATION",
        help="between renewals, and between attempts to take the Lease (default %(default)s)",
    )
    parser.add_argument(
        "--read-only",
        action="store_true",
        help="write nothing, neither to VPC Lattice nor to Kubernetes, and take no Lease: tell what would be done",
    )
    parser.add_argument("--kubeconfig", metavar="FILE", help="how to reach the cluster, when not from inside of it")


_QUOTAS: Final = f"name=number, separated by commas, of {', '.join(name.replace('_', '-') for name in QUOTAS)}"
_RATES: Final = "[operation=]calls a second[:calls at once], separated by commas, such as 20 or 20:40,CreateService=5"


def load(environ: Mapping[str, str], flags: Namespace) -> Settings:
    """Check and read all settings. Raises SettingsError.

    `flags` is what a parser with `add_flags` gave; a command that has not all of these flags does without what they
    set: it serves nothing and takes no lease.
    """
    reader = _Reader(environ)
    region = "an AWS region, such as us-west-2"
    rates = reader.text("LATTICE_API_RATES", _parse_rates, _RATES) or {}
    settings = Settings(
        cluster_name=reader.required("CLUSTER_NAME", "the name of this cluster, as in the owner tag", _parse_cluster),
        vpc_id=reader.required(
            "CLUSTER_VPC_ID", "the id of the cluster's VPC, such as vpc-0123456789abcdef0", _parse_vpc
        ),
        account_id=reader.text("AWS_ACCOUNT_ID", _parse_account, "12 digits"),
        region=next(filter(None, (reader.text(name, _parse_region, region) for name in _REGION)), None),
        lattice_endpoint=reader.text("LATTICE_ENDPOINT", _parse_url, "a URL, such as http://127.0.0.1:4566"),
        use_tagging_api=not reader.text("DISABLE_TAGGING_SERVICE_API", _parse_bool, "true or false"),
        protect_from_deletion=bool(reader.text("PROTECT_FROM_DELETION", _parse_bool, "true or false")),
        take_over_release=bool(reader.text("TAKE_OVER_RELEASE", _parse_bool, "true or false")),
        import_certificates=bool(reader.text("IMPORT_CERTIFICATES", _parse_bool, "true or false")),
        call_rate=rates.get("*"),
        call_rates={operation: rate for operation, rate in rates.items() if operation != "*"},
        quotas=reader.text("LATTICE_QUOTAS", _parse_quotas, _QUOTAS) or {},
        log_level=reader.text("LOG_LEVEL", _parse_level, "debug, info or error") or "info",
        log_format=reader.text("LOG_FORMAT", _parse_form, "json or console"),
        workers=reader.text("ROUTE_MAX_CONCURRENT_RECONCILES", _parse_workers, "a whole number, 1 or more") or WORKERS,
        resync=reader.text("RECONCILE_DEFAULT_RESYNC_SECONDS", _parse_resync, "0 for never, or 60 or more") or None,
        metrics_bind=reader.bind("--metrics-bind-address", getattr(flags, "metrics_bind_address", "0")),
        health_bind=reader.bind("--health-probe-bind-address", getattr(flags, "health_probe_bind_address", "0")),
        leader_elect=getattr(flags, "leader_elect", False),
        read_only=getattr(flags, "read_only", False),
        lease_times=reader.lease_times(flags),
        kubeconfig=getattr(flags, "kubeconfig", None),
        ignored=tuple(name for name in UNSUPPORTED if environ.get(name, "").strip().lower() not in {"", *_FALSE}),
    )
    override = reader.value("ENABLE_SERVICE_NETWORK_OVERRIDE")
    if override.lower() == "true":
        reader.problem("ENABLE_SERVICE_NETWORK_OVERRIDE", override, NO_OVERRIDE)
    if settings.metrics_bind is not None and settings.metrics_bind == settings.health_bind:
        reader.problem("--health-probe-bind-address", str(settings.health_bind), "another address than that of metrics")
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


class _Reader:
    """Reads values one by one and collects what is wrong with them; an empty variable counts as not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[Problem] = []

    def value(self, name: str) -> str:
        """The variable as it is, empty where it is not set."""
        return self._environ.get(name, "").strip()

    def text(self, name: str, parse: Callable[[str], T], expected: str) -> T | None:
        """The parsed variable, or None where it is not set, or wrong: `parse` raises ValueError."""
        value = self.value(name)
        return self._parsed(name, value, parse, expected) if value else None

    def required(self, name: str, expected: str, parse: Callable[[str], str]) -> str:
        """As `text`, for a variable without which nothing works."""
        if not self.value(name):
            self.problem(name, None, f"set it to {expected}")
            return ""
        return self.text(name, parse, expected) or ""

    def bind(self, flag: str, value: str) -> Bind | None:
        """An address to listen on, None for "0"."""
        if value in {"0", ""}:
            return None
        return self._parsed(flag, value, _parse_bind, "host:port or :port with a port of 1 to 65535, or 0 for none")

    def lease_times(self, flags: Namespace) -> LeaseTimes:
        """The durations of leader election, which have to fit each other and a write to VPC Lattice."""
        names = tuple(f"--leader-elect-{name}" for name in ("lease-duration", "renew-deadline", "retry-period"))
        defaults = LeaseTimes()
        seconds = (defaults.lease_duration, defaults.renew_deadline, defaults.retry_period)
        values = [
            str(getattr(flags, name.removeprefix("--").replace("-", "_"), f"{default:g}s"))
            for name, default in zip(names, seconds, strict=True)
        ]
        parsed = [
            self._parsed(name, value, _parse_duration, "a duration, such as 15s or 1m30s")
            for name, value in zip(names, values, strict=True)
        ]
        read = [default if value is None else value for value, default in zip(parsed, seconds, strict=True)]
        try:
            times = LeaseTimes(*read)
        except ValueError as error:
            self.problem(", ".join(names), ", ".join(values), str(error))
            return LeaseTimes()
        if times.spare < WRITE_SHORTEST:
            expected = f"expected {WRITE_SHORTEST} s or more between them, for that is what a write to Lattice may take"
            self.problem(", ".join(names[:2]), ", ".join(values[:2]), expected)
        return times

    def problem(self, name: str, value: str | None, expected: str) -> None:
        """Note one."""
        self.problems.append(Problem(name, value, expected))

    def _parsed(self, name: str, value: str, parse: Callable[[str], T], expected: str) -> T | None:
        try:
            return parse(value)
        except ValueError:
            self.problem(name, value, f"expected {expected}")
            return None


def _matching(pattern: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def parse(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(value)
        return value

    return parse


_parse_cluster = _matching(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
_parse_vpc = _matching(r"vpc-[0-9a-f]{8}([0-9a-f]{9})?")
_parse_account = _matching(r"[0-9]{12}")
_parse_region = _matching(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
_parse_operation = _matching(r"[A-Z][A-Za-z]+")


def _parse_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(value)
    return value


def _parse_level(value: str) -> LogLevel:
    for level in get_args(LogLevel):
        if value.lower() == level:
            return cast("LogLevel", level)
    raise ValueError(value)


def _parse_form(value: str) -> LogFormat:
    for form in get_args(LogFormat):
        if value.lower() == form:
            return cast("LogFormat", form)
    raise ValueError(value)


def _parse_duration(value: str) -> float:
    """Seconds, of a duration as Go writes it."""
    found = _DURATION.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return sum(float(part) * unit for part, unit in zip(found.groups(), _DURATION_UNITS, strict=True) if part)


def _parse_bool(value: str) -> bool:
    if value.lower() in _FALSE:
        return False
    if value.lower() in _TRUE:
        return True
    raise ValueError(value)


def _parse_workers(value: str) -> int:
    workers = int(value)
    if workers < 1:
        raise ValueError(value)
    return workers


def _parse_resync(value: str) -> float:
    seconds = float(value)
    if seconds != 0 and not RESYNC_SHORTEST <= seconds < math.inf:
        raise ValueError(value)
    return seconds


def _parse_rates(value: str) -> dict[str, CallRate]:
    """By operation, "*" for all others."""
    rates: dict[str, CallRate] = {}
    for item in value.split(","):
        operation, equals, numbers = item.strip().rpartition("=")
        name = _parse_operation(operation.strip()) if equals else "*"
        per_second, colon, burst = numbers.partition(":")
        rate = float(per_second)
        rates[name] = CallRate(rate, float(burst) if colon else max(1.0, rate))
        if name == "" or not (0 < rate < math.inf and 1 <= rates[name].burst < math.inf):
            raise ValueError(item)
    return rates


def _parse_quotas(value: str) -> dict[str, int]:
    quotas: dict[str, int] = {}
    for item in value.split(","):
        name, _, number = item.strip().partition("=")
        field = name.strip().replace("-", "_")
        quotas[field] = int(number)
        if field not in QUOTAS or "_" in name or quotas[field] < 1:
            raise ValueError(item)
    return quotas


def _parse_bind(value: str) -> Bind:
    host, _, port = value.rpartition(":")
    number = int(port)
    if not 1 <= number <= 65535 or "/" in host:
        raise ValueError(value)
    return Bind(host.removeprefix("[").removesuffix("]"), number)
