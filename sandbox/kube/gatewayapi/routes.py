"""Rules about the routes: what they match, how long they wait, what they are called."""

import ipaddress
import re
from collections.abc import Callable

from sandbox.kube.errors import Json
from sandbox.kube.gatewayapi.hostnames import EXACT
from sandbox.kube.gatewayapi.rule import Rule

_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+")
_GRPC_SERVICE = re.compile(r"\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*", re.IGNORECASE | re.ASCII)
_GRPC_METHOD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_DURATION = re.compile(r"(\d+)(ms|h|m|s)")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def _milliseconds(duration: str) -> int:
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _DURATION.findall(duration))


def _timeouts_fit(timeouts: Json) -> bool:
    if "request" not in timeouts or "backendRequest" not in timeouts:
        return True
    whole = _milliseconds(timeouts["request"])
    return whole == 0 or _milliseconds(timeouts["backendRequest"]) <= whole


def _plain_path(wrong: Callable[[str], bool]) -> Callable[[Json], bool]:
    """A rule for paths that are compared as they stand; regular expressions are exempt."""
    return lambda path: path["type"] not in {"Exact", "PathPrefix"} or not wrong(path["value"])


def _contains(part: str) -> Callable[[str], bool]:
    return lambda path: part in path


def _ends_with(part: str) -> Callable[[str], bool]:
    return lambda path: path.endswith(part)


def http_paths() -> list[Rule]:
    place, types = "spec.rules[].matches[].path", "when type one of ['Exact', 'PathPrefix']"
    rules = [
        Rule(place, f"value must be an absolute path and start with '/' {types}",
             _plain_path(lambda path: not path.startswith("/"))),
    ]  # fmt: skip
    rules += [
        Rule(place, f"must not contain '{part}' {types}", _plain_path(_contains(part)))
        for part in ("//", "/./", "/../", "%2f", "%2F", "#")
    ]
    rules += [
        Rule(place, f"must not end with '{part}' {types}", _plain_path(_ends_with(part))) for part in ("/..", "/.")
    ]
    known = ("Exact", "PathPrefix", "RegularExpression")
    rules += [
        Rule(place, "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']",
             lambda path: path["type"] in known),
        Rule(place, f"must only contain valid characters (matching ^{_PATH.pattern}$) "
             "for types ['Exact', 'PathPrefix']",
             _plain_path(lambda path: _PATH.fullmatch(path) is None)),
    ]  # fmt: skip
    return rules


def _replaces_prefix(filters: list[Json], field: str) -> bool:
    """Whether exactly one of the filters replaces the matched prefix, by its redirect or rewrite."""
    modifiers = [(each.get(field) or {}).get("path") or {} for each in filters]
    replacing = [m for m in modifiers if m.get("type") == "ReplacePrefixMatch" and "replacePrefixMatch" in m]
    return len(replacing) == 1


def _one_prefix(rule: Json) -> bool:
    matches = rule.get("matches") or []
    return len(matches) == 1 and (matches[0].get("path") or {}).get("type") == "PathPrefix"


def _prefix_replacement(field: str, *, in_backends: bool) -> Callable[[Json], bool]:
    def holds(rule: Json) -> bool:
        if in_backends:
            backends = rule.get("backendRefs") or []
            asked = sum(_replaces_prefix(backend.get("filters") or [], field) for backend in backends) == 1
        else:
            asked = _replaces_prefix(rule.get("filters") or [], field)
        return not asked or _one_prefix(rule)

    return holds


def _redirect_without_backends(rule: Json) -> bool:
    redirects = any("requestRedirect" in each for each in rule.get("filters") or ())
    return not (redirects and rule.get("backendRefs"))


def http_rules() -> list[Rule]:
    place = "spec.rules[]"
    exactly = "with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
    return [
        Rule(place, "RequestRedirect filter must not be used together with backendRefs", _redirect_without_backends),
        Rule(place, f"When using RequestRedirect filter {exactly}",
             _prefix_replacement("requestRedirect", in_backends=False)),
        Rule(place, f"When using URLRewrite filter {exactly}", _prefix_replacement("urlRewrite", in_backends=False)),
        Rule(place, f"Within backendRefs, when using RequestRedirect filter {exactly}",
             _prefix_replacement("requestRedirect", in_backends=True)),
        Rule(place, f"Within backendRefs, When using URLRewrite filter {exactly}",
             _prefix_replacement("urlRewrite", in_backends=True)),
        Rule(f"{place}.timeouts", "backendRequest timeout cannot be longer than request timeout", _timeouts_fit),
    ]  # fmt: skip


MATCHES = Rule(
    "spec.rules",
    "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must "
    "be less than 128",
    lambda rules: sum(len(rule.get("matches") or ()) for rule in rules) <= 128,
)


def _exact_grpc(field: str, allowed: re.Pattern[str]) -> Callable[[Json], bool]:
    def holds(method: Json) -> bool:
        asked = method.get("type", "Exact") == "Exact" and field in method
        return not asked or allowed.fullmatch(method[field]) is not None

    return holds


def grpc_methods() -> list[Rule]:
    place = "spec.rules[].matches[].method"
    return [
        Rule(place, "One or both of 'service' or 'method' must be specified",
             lambda method: "type" not in method or "service" in method or "method" in method),
        Rule(place, f"service must only contain valid characters (matching ^(?i){_GRPC_SERVICE.pattern}$)",
             _exact_grpc("service", _GRPC_SERVICE)),
        Rule(place, f"method must only contain valid characters (matching ^{_GRPC_METHOD.pattern}$)",
             _exact_grpc("method", _GRPC_METHOD)),
    ]  # fmt: skip


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _tls_hostname(hostname: str) -> bool:
    return "*" in hostname or EXACT.fullmatch(hostname) is not None


def _tls_wildcard(hostname: str) -> bool:
    if "*" not in hostname:
        return True
    return hostname.startswith("*.") and EXACT.fullmatch(hostname[2:]) is not None


def tls_hostnames() -> list[Rule]:
    place = "spec.hostnames"
    return [
        Rule(place, "Hostnames cannot contain an IP", lambda names: not any(_is_ip(name) for name in names)),
        Rule(place, "Hostnames must be valid based on RFC-1123", lambda names: all(map(_tls_hostname, names))),
        Rule(place, "Wildcards on hostnames must be the first label, and the rest of hostname must be valid based on "
             "RFC-1123", lambda names: all(map(_tls_wildcard, names))),
    ]  # fmt: skip
