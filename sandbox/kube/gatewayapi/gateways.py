"""Rules about Gateways and what belongs to them: listeners, addresses, infrastructure, TLS towards backends."""

import re
from collections.abc import Callable

from sandbox.kube.errors import Json
from sandbox.kube.gatewayapi.hostnames import ANY, SHOWN, SUBDOMAIN
from sandbox.kube.gatewayapi.rule import Holds, Rule, filled, unique

_QUALIFIED_NAME = re.compile(rf"({SUBDOMAIN}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]")


def _tls_mode(listener: Json) -> str:
    mode: str = (listener.get("tls") or {}).get("mode", "")
    return mode


def listeners() -> list[Rule]:
    place = "spec.listeners"

    def each(holds: Callable[[Json], bool]) -> Callable[[list[Json]], bool]:
        return lambda listeners: all(map(holds, listeners))

    def distinct(listeners: list[Json]) -> bool:
        bound = [each for each in listeners if "port" in each]
        return unique((each["port"], each["protocol"], each.get("hostname")) for each in bound)

    return [
        Rule(place, "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
             each(lambda one: one["protocol"] not in {"HTTP", "TCP", "UDP"} or "tls" not in one)),
        Rule(place, "tls mode must be Terminate for protocol HTTPS",
             each(lambda one: one["protocol"] != "HTTPS" or _tls_mode(one) in {"", "Terminate"})),
        Rule(place, "tls mode must be set for protocol TLS",
             each(lambda one: one["protocol"] != "TLS" or _tls_mode(one) != "")),
        Rule(place, "hostname must not be specified for protocols ['TCP', 'UDP']",
             each(lambda one: one["protocol"] not in {"TCP", "UDP"} or not one.get("hostname"))),
        Rule(place, "Listener name must be unique within the Gateway",
             lambda listeners: unique(each["name"] for each in listeners)),
        Rule(place, "Combination of port, protocol and hostname must be unique for each listener", distinct),
        Rule(f"{place}[].tls", "certificateRefs or options must be specified when mode is Terminate",
             lambda tls: tls.get("mode") != "Terminate" or filled(tls, "certificateRefs") or filled(tls, "options")),
    ]  # fmt: skip


def addresses() -> list[Rule]:
    place = "spec.addresses"

    def once(kind: str) -> Callable[[list[Json]], bool]:
        return lambda addresses: unique(a["value"] for a in addresses if a["type"] == kind and "value" in a)

    def hostname(address: Json) -> bool:
        value = address.get("value")
        return address.get("type") != "Hostname" or value is None or ANY.fullmatch(value) is not None

    return [
        Rule(place, "IPAddress values must be unique", once("IPAddress")),
        Rule(place, "Hostname values must be unique", once("Hostname")),
        Rule(f"{place}[]", "Hostname value must be empty or contain only valid characters "
             f"(matching {SHOWN})", hostname),
        Rule("status.addresses[]", f"Hostname value must only contain valid characters (matching {SHOWN})",
             hostname),
    ]  # fmt: skip


def infrastructure(field: str, what: str) -> list[Rule]:
    place = f"spec.infrastructure.{field}"
    return [
        Rule(place, f"{what} keys must be in the form of an optional DNS subdomain prefix followed by a required name "
             "segment of up to 63 characters.", lambda keys: all(_QUALIFIED_NAME.fullmatch(key) for key in keys)),
        Rule(place, f"If specified, the {what.lower()} key's prefix must be a DNS subdomain not longer than 253 "
             "characters in total.", lambda keys: all(len(key.split("/")[0]) < 253 for key in keys)),
    ]  # fmt: skip


def _alternative_name(kind: str, field: str) -> tuple[Holds, Holds]:
    """That the type has its field, and that no other type has it."""
    return (
        lambda name: name["type"] != kind or filled(name, field),
        lambda name: name["type"] == kind or not filled(name, field),
    )


def backend_tls() -> list[Rule]:
    place = "spec.validation"
    rules = [
        Rule(place, "must not contain both CACertificateRefs and WellKnownCACertificates",
             lambda given: not (filled(given, "caCertificateRefs") and filled(given, "wellKnownCACertificates"))),
        Rule(place, "must specify either CACertificateRefs or WellKnownCACertificates",
             lambda given: filled(given, "caCertificateRefs") or filled(given, "wellKnownCACertificates")),
    ]  # fmt: skip
    place = f"{place}.subjectAltNames[]"
    for kind, field in (("Hostname", "hostname"), ("URI", "uri")):
        needed, alone = _alternative_name(kind, field)
        rules += [
            Rule(place, f"SubjectAltName element must contain {kind}, if Type is set to {kind}", needed),
            Rule(place, f"SubjectAltName element must not contain {kind}, if Type is not set to {kind}", alone),
        ]
    return rules


PORTS = Rule(
    "spec.tls.frontend.perPort",
    "Port for TLS configuration must be unique within the Gateway",
    lambda ports: unique(each["port"] for each in ports),
)
