"""What authors of routes get wrong: each mistake, what they are told and where, and what mends it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.harness import PREFIX, Json
from tests.e2e.objects import (
    backend,
    endpoints,
    gateway,
    gateway_class,
    grant,
    listener,
    namespace,
    parent,
    route,
    rule,
    service,
)

GOOD = "good"
"""The Service with an endpoint that every well-meant route has as its backend."""

NETWORKS = ("my-hotel", "strict", "named")
"""Gateways with service networks: the usual one, and two that are mended by their owners."""

OVERRIDE = PREFIX + "service-name-override"

FROM_ALL = {"namespaces": {"from": "All"}}

WORLD = (
    gateway_class(),
    gateway(),
    gateway("strict"),
    gateway("named", listener(hostname="a.example.com")),
    namespace("elsewhere"),
    service(GOOD),
    endpoints(GOOD, ["10.0.0.1"]),
    service(GOOD, namespace="elsewhere"),
)
"""What there is beside the routes."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `wrong` is applied, then `mended`; the last object of `wrong` is the route.

    Its first parent says `condition` False with this reason, and the message has all of `words`. With `served`, what is
    right about the route is programmed all the same.
    """

    name: str
    condition: str
    reason: str
    words: tuple[str, ...]
    wrong: Sequence[Json]
    mended: Sequence[Json]
    served: bool = False

    @property
    def route_name(self) -> str:
        return str(self.wrong[-1]["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.wrong[-1]["metadata"]["namespace"])


def good(name: str, **changed: Any) -> Json:
    """A route without mistakes, but for what is given."""
    return route(name, rule(backend(GOOD)), **changed)


def _not_accepted(
    name: str,
    reason: str,
    words: Sequence[str],
    wrong: Json,
    *,
    before: Sequence[Json] = (),
    mended: Sequence[Json] = (),
) -> Mistake:
    return Mistake(
        name, "Accepted", reason, tuple(words), [*before, wrong], mended or [good(wrong["metadata"]["name"])]
    )


def _unsupported(name: str, words: Sequence[str], **fields: Any) -> Mistake:
    """A rule with what Lattice cannot express, as the only one of its route."""
    wrong = good("-".join(name.split()[:5]).lower())
    wrong["spec"]["rules"][0] |= fields
    return _not_accepted(name, "UnsupportedValue", words, wrong)


def _unsupported_match(name: str, words: Sequence[str], match: Mapping[str, Any]) -> Mistake:
    return _unsupported(name, words, matches=[match])


def _unresolved(
    name: str,
    reason: str,
    words: Sequence[str],
    wrong: Json,
    *,
    before: Sequence[Json] = (),
    mended: Sequence[Json] = (),
) -> Mistake:
    right = mended or [good(wrong["metadata"]["name"])]
    return Mistake(name, "ResolvedRefs", reason, tuple(words), [*before, wrong], right, served=True)


def service_with(name: str, **spec: Any) -> Json:
    made = service(name)
    made["spec"] |= spec
    return made


def headers(count: int, value: str = "yes") -> list[Json]:
    return [{"name": f"x-header-{number}", "value": value} for number in range(count)]


def path(value: str, kind: str = "PathPrefix") -> Json:
    return {"path": {"type": kind, "value": value}}


PARENTS = [
    _not_accepted(
        "a Gateway that is not there",
        "NoMatchingParent",
        ["no Gateway default/no-hotel", "create it, or correct the parentRef"],
        good("no-gateway", parents=[parent("no-hotel")]),
    ),
    _not_accepted(
        "a section that the Gateway has not",
        "NoMatchingParent",
        ["no listener named https", "it has: http (port 80)"],
        good("no-section", parents=[parent(sectionName="https")]),
    ),
    _not_accepted(
        "a port that the Gateway has not",
        "NoMatchingParent",
        ["no listener on port 8080", "it has: http (port 80)"],
        good("no-port", parents=[parent(port=8080)]),
    ),
    _not_accepted(
        "a namespace that the listener does not admit",
        "NotAllowedByListeners",
        ["allowedRoutes of listener http", "from namespace elsewhere"],
        good("no-admittance", namespace="elsewhere", parents=[parent("strict", namespace="default")]),
        mended=[gateway("strict", listener(allowedRoutes=FROM_ALL))],
    ),
    _not_accepted(
        "a hostname that the listener has not",
        "NoMatchingListenerHostname",
        ["None of the hostnames b.example.com", "a.example.com"],
        good("no-hostname", hostnames=["b.example.com"], parents=[parent("named")]),
        mended=[gateway("named")],
    ),
    _not_accepted(
        "a hostname that is a wildcard",
        "UnsupportedValue",
        ["no wildcard domain names", "*.example.com", "name full hostnames"],
        good("wildcard", hostnames=["*.example.com"]),
        mended=[good("wildcard", hostnames=["wild.example.com"])],
    ),
]

RULES = [
    _unsupported_match(
        "a path as a regular expression",
        ["rules[0].matches[0].path.type", "RegularExpression", "use Exact or PathPrefix"],
        path("/rates/[0-9]+", "RegularExpression"),
    ),
    _unsupported_match(
        "a path too long for Lattice",
        ["rules[0].matches[0].path.value", "characters here, not 300"],
        path("/" + "a" * 299),
    ),
    _unsupported_match(
        "a path of characters that Lattice refuses",
        ["rules[0].matches[0].path.value", "only letters, digits"],
        path("/rates/(all)"),
    ),
    _unsupported_match(
        "query parameters",
        ["rules[0].matches[0].queryParams", "remove them"],
        {"queryParams": [{"name": "a", "value": "b"}]},
    ),
    _unsupported_match(
        "six headers", ["rules[0].matches[0].headers", "at most 5 headers, not 6"], {"headers": headers(6)}
    ),
    _unsupported_match(
        "a header by regular expression",
        ["rules[0].matches[0].headers[0].type", "RegularExpression", "use Exact"],
        {"headers": [{"type": "RegularExpression", "name": "x-a", "value": ".*"}]},
    ),
    _unsupported_match(
        "a header value too long",
        ["rules[0].matches[0].headers[0].value", "200 characters"],
        {"headers": headers(1, "v" * 201)},
    ),
    _unsupported(
        "a filter",
        ["rules[0].filters", "RequestHeaderModifier", "remove them"],
        filters=[{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-a"]}}],
    ),
    _unsupported(
        "a redirect without backends",
        ["rules[0].filters", "RequestRedirect", "remove them"],
        filters=[{"type": "RequestRedirect", "requestRedirect": {"hostname": "example.com"}}],
        backendRefs=[],
    ),
    _unsupported(
        "a backend with a filter",
        ["rules[0].backendRefs[0].filters", "RequestHeaderModifier"],
        backendRefs=[
            backend(GOOD, filters=[{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-a"]}}])
        ],
    ),
    _unsupported("time-outs of a rule", ["rules[0].timeouts", "remove them"], timeouts={"request": "5s"}),
    _not_accepted(
        "eleven backends of one rule",
        "UnsupportedValue",
        ["rules[0].backendRefs", "at most 10 target groups", "not 11", "split the rule"],
        route("eleven", rule(*(backend(f"many-{number}") for number in range(11)))),
        before=[service(f"many-{number}") for number in range(11)],
    ),
    _not_accepted(
        "a Service of two IP families",
        "UnsupportedValue",
        ["rules[0].backendRefs[0]", "IPv4 and IPv6", "ipFamilyPolicy to SingleStack"],
        route("two-families", rule(backend("two-families"))),
        before=[service_with("two-families", ipFamilies=["IPv4", "IPv6"], ipFamilyPolicy="RequireDualStack")],
        mended=[service_with("two-families", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")],
    ),
]

NAMES = [
    _not_accepted(
        "a name that begins with svc-",
        "UnsupportedValue",
        ["'svc-rates-default'", "must not begin with svc-", f"annotation {PREFIX}service-name-override"],
        good("svc-rates"),
        mended=[good("svc-rates", annotations={OVERRIDE: "rates-of-svc"})],
    ),
    _not_accepted(
        "a name with a dot",
        "UnsupportedValue",
        ["'rates.v1-default'", "only a-z, 0-9 and single hyphens", f"annotation {PREFIX}service-name-override"],
        good("rates.v1"),
        mended=[good("rates.v1", annotations={OVERRIDE: "rates-v1"})],
    ),
    _not_accepted(
        "an override that Lattice refuses",
        "UnsupportedValue",
        ["'Rates'", f"annotation {PREFIX}service-name-override"],
        good("capital", annotations={OVERRIDE: "Rates"}),
        mended=[good("capital", annotations={OVERRIDE: "rates-small"})],
    ),
    _not_accepted(
        "the name of another route's service",
        "Conflicted",
        ["good-default", "belongs to the route default/good", "service-name-override"],
        good("usurper", annotations={OVERRIDE: "good-default"}),
        mended=[good("usurper", annotations={OVERRIDE: "usurper"})],
    ),
]

BACKENDS = [
    _unresolved(
        "a Service that is not there",
        "BackendNotFound",
        ["rules[0].backendRefs[0]", "no Service default/nobody"],
        route("no-service", rule(backend("nobody"))),
        mended=[service("nobody")],
    ),
    _unresolved(
        "a port that the Service has not",
        "BackendNotFound",
        ["rules[0].backendRefs[0]", "Service default/good has no TCP port 81", "its ports are: 80"],
        route("no-service-port", rule(backend(GOOD, port=81))),
    ),
    _unresolved(
        "a backend of another kind",
        "InvalidKind",
        ["rules[0].backendRefs[0]", "a backend of kind Bucket.example.com is not supported", "use a Service"],
        route("no-kind", rule(backend("bucket", group="example.com", kind="Bucket"))),
    ),
    _unresolved(
        "a Service of type ExternalName",
        "InvalidKind",
        ["rules[0].backendRefs[0]", "Service default/external is of type ExternalName", "use another type"],
        route("external", rule(backend("external"))),
        before=[service_with("external", type="ExternalName", externalName="example.com")],
    ),
    _unresolved(
        "a Service of another namespace without a grant",
        "RefNotPermitted",
        ["no ReferenceGrant in namespace elsewhere", "Service good", "create one"],
        route("no-grant", rule(backend(GOOD, namespace="elsewhere"))),
        mended=[
            grant("elsewhere", "default"),
        ],
    ),
]

MISTAKES = [*PARENTS, *RULES, *NAMES, *BACKENDS]
