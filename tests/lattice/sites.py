"""Sites, one route's share of an account, as the properties change one into another."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from controller.api.keys import ServiceKey, TargetGroupKey
from controller.lattice.model import (
    TAG_PREFIX,
    DesiredListener,
    DesiredRule,
    DesiredService,
    DesiredTargetGroup,
    FixedResponse,
    Forward,
    HeaderMatch,
    HealthCheck,
    Match,
    Target,
)
from tests.lattice.moments import HOSTS, METHODS, NETWORKS, PATHS, Account, Site, Tally, judge
from tests.lattice.world import KEY, NOT_FOUND, group, service

Backend = tuple[str, int]
"""Name and port of a Service."""

BACKENDS: Sequence[Backend] = (("v1", 80), ("v2", 80), ("v3", 80), ("v1", 81))

matches = st.builds(
    lambda path, exact, method, headers: Match(
        method=method, headers=headers, **{"path_exact" if exact else "path_prefix": path}
    ),
    st.sampled_from(PATHS),
    st.booleans(),
    st.sampled_from((None, None, *METHODS)),
    st.sampled_from(((), (), (HeaderMatch(name="X-Team", value="blue"),))),
)
listeners = st.dictionaries(st.sampled_from((80, 8080)), st.sampled_from(("HTTP", "HTTP", "HTTPS")), min_size=1)
networks = st.lists(st.sampled_from(NETWORKS), unique=True).map(lambda names: tuple(sorted(names)))


@st.composite
def sites(draw: st.DrawFn, backends: Sequence[Backend] = BACKENDS) -> dict[str, Any]:
    """The parameters of a `site` of an HTTPRoute."""
    forwards = _forwards(backends)
    priorities = st.sampled_from((None, None, None, 1, 2, 3, 1000))
    rules = st.lists(st.tuples(matches, st.none() | forwards | forwards, priorities), max_size=5)
    return {
        "host": draw(st.sampled_from(("", "", *HOSTS))),
        "networks": draw(networks),
        "listeners": draw(listeners),
        "certificate": draw(st.integers(0, 1)),
        "rules": draw(rules),
    }


@st.composite
def passthroughs(draw: st.DrawFn) -> dict[str, Any]:
    """The parameters of a `site` of a TLSRoute: listeners have no rules, their default action forwards."""
    ports = draw(st.lists(st.sampled_from((443, 8443)), min_size=1, unique=True))
    return {
        "host": draw(st.sampled_from(HOSTS)),
        "networks": draw(networks),
        "listeners": dict.fromkeys(ports, "TLS_PASSTHROUGH"),
        "certificate": 0,
        "rules": [(Match(), draw(_forwards(BACKENDS)), None)],
    }


def _forwards(backends: Sequence[Backend]) -> st.SearchStrategy[list[tuple[Backend, int]]]:
    pairs = st.tuples(st.sampled_from(backends), st.sampled_from((1, 10, 90)))
    return st.lists(pairs, min_size=1, max_size=2, unique_by=lambda pair: pair[0])


def site(
    certificates: dict[str, list[str]],
    *,
    host: str,
    networks: tuple[str, ...],
    listeners: dict[int, str],
    certificate: int,
    rules: Sequence[tuple[Match, Sequence[tuple[Backend, int]] | None, int | None]],
) -> Site:
    """One service with its groups, as translation makes them of a route."""
    tls = "TLS_PASSTHROUGH" in listeners.values()
    key = ServiceKey(kind="TLSRoute" if tls else "HTTPRoute", hostname=host, networks=networks) if host else KEY
    used = list(dict.fromkeys(backend for _, refs, _ in rules for backend, _ in refs or ()))
    groups = {backend: _group(key, backend, used) for backend in used}
    made: tuple[DesiredRule, ...] = tuple(
        DesiredRule(
            match=match,
            action=FixedResponse(status_code=500)
            if refs is None
            else Forward(weights=tuple((groups[backend].key, weight) for backend, weight in refs)),
            priority=priority,
        )
        for match, refs, priority in rules
    )
    desired: DesiredService = service(
        *(
            DesiredListener(
                name=f"rates-default-{port}-{protocol.lower()}",
                port=port,
                protocol=protocol,
                default_action=made[0].action if tls else NOT_FOUND,
                rules=() if tls else made,
            )
            for port, protocol in sorted(listeners.items())
        ),
        key=key,
        networks=networks,
        custom_domain=host or None,
        alternative_name=f"rates-default-{host[:3]}" if host else None,
        certificate_arn=certificates[host][certificate] if host and "HTTPS" in listeners.values() else None,
    )
    return Site({key: desired}, {one.key: one for one in groups.values()})


def _group(key: ServiceKey, backend: Backend, used: Sequence[Backend]) -> DesiredTargetGroup:
    """The group of a backend: that of the Service's lowest port has the identity of an only one."""
    name, port = backend
    protocol, version = ("TCP", "") if key.kind == "TLSRoute" else ("HTTP", "HTTP1")
    lowest = min(other for service_, other in used if service_ == name)
    identity, called = dict(group(name).identity_tags), f"k8s-default-{name}-abcdefghij"
    if port != lowest:
        identity[f"{TAG_PREFIX}ServicePort"] = str(port)
        called += f"-{port}"
    otherwise = {**identity, f"{TAG_PREFIX}ServicePort": str(port)}
    if key.hostname:
        otherwise[f"{TAG_PREFIX}Hostname"] = key.hostname
    return group(
        name,
        key=TargetGroupKey(
            owner=key, namespace="default", service=name, port=port, protocol=protocol, protocol_version=version
        ),
        protocol=protocol,
        protocol_version=version,
        health_check=HealthCheck(enabled=bool(version)),
        name=called,
        identity_tags=identity,
        targets=frozenset({Target(ip=f"10.0.0.{BACKENDS.index(backend) + 1}", port=port)}),
        alternative_name=f"k8s-default-{name}-abcdefghij-{port}{key.hostname[:3]}",
        alternative_tags=otherwise,
    )


async def run(changes: Sequence[dict[str, Any]], seed: int, tally: Tally, restarts: bool) -> None:
    """One site after the other, some of the changes overtaken by the next; every moment is judged."""
    account = Account(seed, restarts=restarts)
    tally.examples += 1
    for number, parameters in enumerate(changes):
        await account.change(site(account.certificates, **parameters), 60)
        tally.changes += 1
        if number % 2 or number == len(changes) - 1:
            await account.settle()
            judge(account.moments, tally, handed_over=account.handed_over)
