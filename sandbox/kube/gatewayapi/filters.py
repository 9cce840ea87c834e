"""Rules about the filters of HTTPRoute and GRPCRoute, of a rule or of a backend."""

from sandbox.kube.errors import Json
from sandbox.kube.gatewayapi.references import port_of_service
from sandbox.kube.gatewayapi.rule import Holds, Rule

_GRPC_FILTERS = {
    "RequestHeaderModifier": "requestHeaderModifier",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestMirror": "requestMirror",
    "ExtensionRef": "extensionRef",
}
_HTTP_FILTERS = {
    **_GRPC_FILTERS,
    "CORS": "cors",
    "RequestRedirect": "requestRedirect",
    "URLRewrite": "urlRewrite",
}
_REPEATABLE = frozenset({"RequestMirror", "ExtensionRef"})


def _at_most_one(place: str, kind: str) -> Rule:
    return Rule(
        place, f"{kind} filter cannot be repeated", lambda filters: sum(each["type"] == kind for each in filters) <= 1
    )


def _only_for(kind: str, field: str) -> Holds:
    return lambda given: field not in given or given["type"] == kind


def _needed_for(kind: str, field: str) -> Holds:
    return lambda given: field in given or given["type"] != kind


def _union(place: str, kind: str, field: str) -> list[Rule]:
    return [
        Rule(place, f"filter.{field} must be nil if the filter.type is not {kind}", _only_for(kind, field)),
        Rule(place, f"filter.{field} must be specified for {kind} filter.type", _needed_for(kind, field)),
    ]


def _path_modifier(place: str) -> list[Rule]:
    rules: list[Rule] = []
    for kind, field in (("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch")):
        rules += [
            Rule(place, f"{field} must be specified when type is set to '{kind}'", _needed_for(kind, field)),
            Rule(place, f"type must be '{kind}' when {field} is set", _only_for(kind, field)),
        ]
    return rules


def _only_wildcard(place: str, field: str, others: str) -> Rule:
    name = field[0].upper() + field[1:]
    return Rule(
        f"{place}[].cors.{field}",
        f"{name} cannot contain '*' alongside other {others}",
        lambda given: "*" not in given or len(given) == 1,
    )


def _filters(place: str, kinds: dict[str, str]) -> list[Rule]:
    rules = [_at_most_one(place, kind) for kind in kinds if kind not in _REPEATABLE]
    for kind, field in kinds.items():
        rules += _union(f"{place}[]", kind, field)
    mirror = f"{place}[].requestMirror"
    rules += [
        Rule(mirror, "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
             lambda given: not ("percent" in given and "fraction" in given)),
        port_of_service(f"{mirror}.backendRef"),
        Rule(f"{mirror}.fraction", "numerator must be less than or equal to denominator",
             lambda given: given["numerator"] <= given["denominator"]),
    ]  # fmt: skip
    return rules


def http_filters(place: str) -> list[Rule]:
    def either(filters: list[Json]) -> bool:
        return not {"RequestRedirect", "URLRewrite"} <= {each["type"] for each in filters}

    return [
        Rule(place, "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both",
             either),
        *_filters(place, _HTTP_FILTERS),
        _only_wildcard(place, "allowHeaders", "methods"),
        _only_wildcard(place, "allowMethods", "methods"),
        _only_wildcard(place, "allowOrigins", "origins"),
        *_path_modifier(f"{place}[].requestRedirect.path"),
        *_path_modifier(f"{place}[].urlRewrite.path"),
    ]  # fmt: skip


def grpc_filters(place: str) -> list[Rule]:
    return _filters(place, _GRPC_FILTERS)
