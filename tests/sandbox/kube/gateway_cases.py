"""For each rule of Gateway API's definitions: a spec that breaks it, and its neighbour that does not."""

from typing import Any

Spec = dict[str, Any]
Case = tuple[str, str, Spec, Spec]
"""Kind, message, a spec that breaks the rule, and its neighbour that does not."""

PATH = r"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$"
TOTAL = (
    "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must "
    "be less than 128"
)

BACKEND = {"name": "parking", "port": 80}


def one_rule(**rule: Any) -> Spec:
    return {"rules": [rule]}


def references() -> list[Case]:
    several = "when parentRefs includes 2 or more references to the same parent"
    must, unique = f"sectionName must be specified {several}", f"sectionName must be unique {several}"
    whole, http, https = {"name": "a"}, {"name": "a", "sectionName": "http"}, {"name": "a", "sectionName": "https"}
    elsewhere = {"name": "a", "namespace": "other"}
    found: list[Case] = []
    for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"):
        rest: Spec = one_rule(backendRefs=[BACKEND])
        if kind == "TLSRoute":
            rest["hostnames"] = ["a.example"]
        found += [
            (kind, must, {**rest, "parentRefs": [whole, http]}, {**rest, "parentRefs": [https, http]}),
            (kind, unique, {**rest, "parentRefs": [whole, whole]}, {**rest, "parentRefs": [whole, elsewhere]}),
            (kind, unique, {**rest, "parentRefs": [http, http]}, {**rest, "parentRefs": [whole, {"name": "b"}]}),
            (
                kind,
                "Must have port for Service reference",
                {**rest, **one_rule(backendRefs=[{"name": "parking", "group": "", "kind": "Service"}])},
                {
                    **rest,
                    **one_rule(backendRefs=[{"name": "parking", "kind": "ServiceImport", "group": "any.example"}]),
                },
            ),
        ]
    return found


HEADERS = {"set": [{"name": "a", "value": "b"}]}
REDIRECT = {"type": "RequestRedirect", "requestRedirect": {"hostname": "a.example"}}
REWRITE = {"type": "URLRewrite", "urlRewrite": {"hostname": "a.example"}}
MIRROR = {"type": "RequestMirror", "requestMirror": {"backendRef": BACKEND}}
FILTERS: dict[str, dict[str, Any]] = {
    "requestHeaderModifier": {"type": "RequestHeaderModifier", "requestHeaderModifier": HEADERS},
    "responseHeaderModifier": {"type": "ResponseHeaderModifier", "responseHeaderModifier": HEADERS},
    "requestMirror": MIRROR,
    "extensionRef": {
        "type": "ExtensionRef",
        "extensionRef": {"group": "any.example", "kind": "Filter", "name": "one"},
    },
}
HTTP_FILTERS = {
    **FILTERS,
    "cors": {"type": "CORS", "cors": {"allowOrigins": ["https://a.example"]}},
    "requestRedirect": REDIRECT,
    "urlRewrite": REWRITE,
}


def filters() -> list[Case]:
    found: list[Case] = []
    for kind, known in (("HTTPRoute", HTTP_FILTERS), ("GRPCRoute", FILTERS)):
        for inside in (False, True):
            found += filters_at(kind, known, inside_backend=inside)
    return found


def filters_at(kind: str, known: dict[str, dict[str, Any]], *, inside_backend: bool) -> list[Case]:
    def spec(*given: dict[str, Any]) -> Spec:
        return (
            one_rule(backendRefs=[{**BACKEND, "filters": [*given]}]) if inside_backend else one_rule(filters=[*given])
        )

    found: list[Case] = []

    def case(message: str, bad: list[dict[str, Any]], good: list[dict[str, Any]]) -> None:
        found.append((kind, message, spec(*bad), spec(*good)))

    for field, given in known.items():
        name, other = given["type"], next(each for each in known.values() if each["type"] != given["type"])
        if name not in {"RequestMirror", "ExtensionRef"}:
            case(f"{name} filter cannot be repeated", [given, given], [given])
        wrong = {**other, field: given[field]}
        case(f"filter.{field} must be nil if the filter.type is not {name}", [wrong], [other])
        case(f"filter.{field} must be specified for {name} filter.type", [{"type": name}], [given])

    def mirrored(**more: Any) -> dict[str, Any]:
        return {"type": "RequestMirror", "requestMirror": {"backendRef": BACKEND, **more}}

    half = {"numerator": 1, "denominator": 2}
    case(
        "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
        [mirrored(percent=50, fraction=half)],
        [mirrored(percent=50), mirrored(fraction=half)],
    )
    case(
        "numerator must be less than or equal to denominator",
        [mirrored(fraction={"numerator": 3, "denominator": 2})],
        [mirrored(fraction={"numerator": 2, "denominator": 2})],
    )
    case("Must have port for Service reference", [mirrored(backendRef={"name": "parking"})], [MIRROR])  # fmt: skip
    if kind == "GRPCRoute":
        return found

    case("May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both",
         [REDIRECT, REWRITE], [REWRITE])  # fmt: skip
    for field, others, one in (
        ("allowHeaders", "methods", "x-a"), ("allowMethods", "methods", "GET"), ("allowOrigins", "origins", "http://a.example"),
    ):  # fmt: skip
        name = field[0].upper() + field[1:]
        bad, good = ({"type": "CORS", "cors": {field: listed}} for listed in (["*", one], ["*"]))
        case(f"{name} cannot contain '*' alongside other {others}", [bad], [good])
    for wrapper, name in (("requestRedirect", "RequestRedirect"), ("urlRewrite", "URLRewrite")):

        def with_path(path: dict[str, Any], wrapper: str = wrapper, name: str = name) -> list[dict[str, Any]]:
            return [{"type": name, wrapper: {"path": path}}]

        whole = {"type": "ReplaceFullPath", "replaceFullPath": "/a"}
        prefix = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/a"}
        case(
            "replaceFullPath must be specified when type is set to 'ReplaceFullPath'",
            with_path({"type": "ReplaceFullPath"}),
            with_path(whole),
        )
        case(
            "type must be 'ReplaceFullPath' when replaceFullPath is set",
            with_path({**prefix, "replaceFullPath": "/a"}),
            with_path(whole),
        )
        case(
            "replacePrefixMatch must be specified when type is set to 'ReplacePrefixMatch'",
            with_path({"type": "ReplacePrefixMatch"}),
            with_path(prefix),
        )
        case("type must be 'ReplacePrefixMatch' when replacePrefixMatch is set",
             with_path({**whole, "replacePrefixMatch": "/a"}), with_path(prefix))  # fmt: skip
        within = "Within backendRefs, " + ("when" if name == "RequestRedirect" else "When")
        exact = [{"path": {"type": "Exact", "value": "/a"}}]
        bad, good = spec(*with_path(prefix)), spec(*with_path(prefix))
        bad["rules"][0]["matches"] = exact
        where = within if inside_backend else "When"
        message = (
            f"{where} using {name} filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
        )
        found.append((kind, message, bad, good))
    return found


def http() -> list[Case]:
    def path(value: str, kind: str = "PathPrefix") -> Spec:
        return one_rule(matches=[{"path": {"type": kind, "value": value}}])

    def timeouts(request: str, backend: str) -> Spec:
        return one_rule(timeouts={"request": request, "backendRequest": backend})

    longer = "backendRequest timeout cannot be longer than request timeout"
    types = "when type one of ['Exact', 'PathPrefix']"
    found: list[tuple[str, Spec, Spec]] = [
        (f"value must be an absolute path and start with '/' {types}", path("parking"), path("/parking")),
        (f"must not contain '//' {types}", path("/a//b"), path("/a//b", "RegularExpression")),
        (f"must not contain '/./' {types}", path("/a/./b"), path("/a/.b")),
        (f"must not contain '/../' {types}", path("/a/../b", "Exact"), path("/a/..b", "Exact")),
        (f"must not contain '%2f' {types}", path("/a%2fb"), path("/a%2eb")),
        (f"must not contain '%2F' {types}", path("/a%2Fb"), path("/a%2Eb")),
        (f"must not contain '#' {types}", path("/a#b"), path("/a#b", "RegularExpression")),
        (f"must not end with '/..' {types}", path("/a/.."), path("/a/...")),
        (f"must not end with '/.' {types}", path("/a/."), path("/a.")),
        (f"must only contain valid characters (matching {PATH}) for types ['Exact', 'PathPrefix']",
         path("/a b"), path("/a%20b")),
        (longer, timeouts("1s", "1m"), timeouts("1m1s", "61000ms")),
        (longer, timeouts("1h", "61m"), timeouts("0s", "61m")),
        ("RequestRedirect filter must not be used together with backendRefs",
         one_rule(filters=[REDIRECT], backendRefs=[BACKEND]), one_rule(filters=[REDIRECT])),
        (TOTAL, {"rules": [{"matches": matches(43)}] * 3}, {"rules": [{"matches": matches(64)}] * 2}),
    ]  # fmt: skip
    return [("HTTPRoute", *each) for each in found]


def matches(count: int) -> list[dict[str, Any]]:
    return [{"headers": [{"name": "number", "value": str(number)}]} for number in range(count)]


def grpc() -> list[Case]:
    def method(**given: str) -> Spec:
        return one_rule(matches=[{"method": given}])

    exact = "must only contain valid characters (matching ^"
    found: list[tuple[str, Spec, Spec]] = [
        ("One or both of 'service' or 'method' must be specified", method(type="Exact"), method(method="Park")),
        (rf"service {exact}(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$)",
         method(service="a-b"), method(service="A.b")),
        (f"method {exact}[A-Za-z_][A-Za-z_0-9]*$)", method(method="a.b"),
         method(type="RegularExpression", method="a.b")),
        (TOTAL, {"rules": [{"matches": matches(43)}] * 3}, {"rules": [{"matches": matches(64)}] * 2}),
    ]  # fmt: skip
    return [("GRPCRoute", *each) for each in found]


def tls() -> list[Case]:
    def names(*given: str) -> Spec:
        return {"hostnames": list(given), **one_rule(backendRefs=[BACKEND])}

    found: list[tuple[str, Spec, Spec]] = [
        ("Hostnames cannot contain an IP", names("10.0.0.1"), names("10.a.example")),
        ("Hostnames must be valid based on RFC-1123", names("a_b.example"), names("a-b.example")),
        ("Wildcards on hostnames must be the first label, and the rest of hostname must be valid based on RFC-1123",
         names("a.*.example"), names("*.example")),
    ]  # fmt: skip
    return [("TLSRoute", *each) for each in found]


def listeners(kind: str, rest: Spec) -> list[Case]:
    def spec(*given: dict[str, Any]) -> Spec:
        return {**rest, "listeners": [{"name": f"l{number}", "port": 80, **each} for number, each in enumerate(given)]}

    http, tcp = {"protocol": "HTTP"}, {"protocol": "TCP"}
    certificate = {"certificateRefs": [{"name": "one"}]}
    found: list[tuple[str, Spec, Spec]] = [
        ("tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
         spec({**http, "tls": certificate}), spec({"protocol": "HTTPS", "tls": certificate})),
        ("tls mode must be Terminate for protocol HTTPS",
         spec({"protocol": "HTTPS", "tls": {"mode": "Passthrough"}}), spec({"protocol": "HTTPS"})),
        ("tls mode must be set for protocol TLS",
         spec({"protocol": "TLS"}), spec({"protocol": "TLS", "tls": {"mode": "Passthrough"}})),
        ("hostname must not be specified for protocols ['TCP', 'UDP']",
         spec({**tcp, "hostname": "a.example"}), spec(tcp)),
        ("Listener name must be unique within the Gateway",
         spec({**http, "name": "one"}, {**http, "name": "one", "port": 81}), spec(http, {**http, "port": 81})),
        ("Combination of port, protocol and hostname must be unique for each listener",
         spec(http, http), spec(http, {**http, "hostname": "a.example"})),
        ("certificateRefs or options must be specified when mode is Terminate",
         spec({"protocol": "HTTPS", "tls": {"mode": "Terminate"}}),
         spec({"protocol": "HTTPS", "tls": {"mode": "Terminate", "options": {"any.example/one": "two"}}})),
    ]  # fmt: skip
    return [(kind, *each) for each in found]


def gateways() -> list[Case]:
    def spec(**more: Any) -> Spec:
        listener = {"name": "http", "port": 80, "protocol": "HTTP"}
        return {"gatewayClassName": "any", "listeners": [listener], **more}

    def addresses(kind: str, *values: str) -> Spec:
        return spec(addresses=[{"type": kind, "value": value} for value in values])

    shown = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

    def ports(*given: int) -> Spec:
        listed = [{"port": port, "tls": {}} for port in given]
        return spec(tls={"frontend": {"default": {}, "perPort": listed}})

    found: list[tuple[str, Spec, Spec]] = [
        ("IPAddress values must be unique", addresses("IPAddress", "10.0.0.1", "10.0.0.1"),
         addresses("IPAddress", "10.0.0.1", "10.0.0.2")),
        ("Hostname values must be unique", addresses("Hostname", "a.example", "a.example"),
         addresses("Hostname", "a.example", "b.example")),
        (f"Hostname value must be empty or contain only valid characters (matching {shown})",
         addresses("Hostname", "a_b.example"), addresses("Hostname", "*.example")),
        ("Port for TLS configuration must be unique within the Gateway", ports(443, 443), ports(443, 444)),
    ]  # fmt: skip
    form = (
        "must be in the form of an optional DNS subdomain prefix followed by a required name segment of up to 63 "
        "characters."
    )
    short = "key's prefix must be a DNS subdomain not longer than 253 characters in total."
    for field, what in (("annotations", "Annotation"), ("labels", "Label")):
        prefix = "a." * 126 + "a"
        found += [
            (f"{what} keys {form}", spec(infrastructure={field: {"A.example/a": "b"}}),
             spec(infrastructure={field: {"a.example/A": "b"}})),
            (f"If specified, the {what.lower()} {short}", spec(infrastructure={field: {f"{prefix}/a": "b"}}),
             spec(infrastructure={field: {f"{prefix[:-2]}/a": "b"}})),
        ]  # fmt: skip
    return [("Gateway", *each) for each in found]


def backend_tls() -> list[Case]:
    def spec(*targets: dict[str, Any], **validation: Any) -> Spec:
        common = {"hostname": "a.example", "wellKnownCACertificates": "System"}
        refs = [{"group": "", "kind": "Service", "name": "parking", **each} for each in targets or ({},)]
        given = {name: value for name, value in {**common, **validation}.items() if value is not None}
        return {"targetRefs": refs, "validation": given}

    def names(**name: str) -> Spec:
        return spec(subjectAltNames=[name])

    references = [{"group": "", "kind": "ConfigMap", "name": "one"}]
    several = "when targetRefs includes 2 or more references to the same target"
    found: list[tuple[str, Spec, Spec]] = [
        (f"sectionName must be specified {several}", spec({}, {"sectionName": "a"}),
         spec({"sectionName": "b"}, {"sectionName": "a"})),
        (f"sectionName must be unique {several}", spec({}, {}), spec({}, {"name": "review"})),
        ("must not contain both CACertificateRefs and WellKnownCACertificates",
         spec(caCertificateRefs=references), spec()),
        ("must specify either CACertificateRefs or WellKnownCACertificates", spec(wellKnownCACertificates=None),
         spec(wellKnownCACertificates=None, caCertificateRefs=references)),
        ("SubjectAltName element must contain Hostname, if Type is set to Hostname", names(type="Hostname"),
         names(type="Hostname", hostname="a.example")),
        ("SubjectAltName element must not contain Hostname, if Type is not set to Hostname",
         names(type="URI", uri="a://b", hostname="a.example"), names(type="URI", uri="a://b")),
        ("SubjectAltName element must contain URI, if Type is set to URI", names(type="URI"),
         names(type="URI", uri="a://b")),
        ("SubjectAltName element must not contain URI, if Type is not set to URI",
         names(type="Hostname", uri="a://b", hostname="a.example"), names(type="Hostname", hostname="a.example")),
    ]  # fmt: skip
    return [("BackendTLSPolicy", *each) for each in found]


CASES = [
    *references(),
    *filters(),
    *http(),
    *grpc(),
    *tls(),
    *listeners("Gateway", {"gatewayClassName": "any"}),
    *listeners("ListenerSet", {"parentRef": {"name": "any"}}),
    *gateways(),
    *backend_tls(),
]
