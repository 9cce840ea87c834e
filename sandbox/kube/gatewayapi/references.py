"""Rules about references: of routes to their parents and backends, of policies to their targets."""

from typing import Any

from sandbox.kube.errors import Json
from sandbox.kube.gatewayapi.rule import Rule, filled, unique


def _same_target(reference: Json) -> tuple[Any, ...]:
    return reference.get("group"), reference.get("kind"), reference["name"], reference.get("namespace") or ""


def _all_or_none_with_section(references: list[Json]) -> bool:
    """Of several references to the same thing, either all name a section or none does."""
    named: dict[tuple[Any, ...], bool] = {}
    return all(named.setdefault(_same_target(each), filled(each, "sectionName")) == filled(each, "sectionName")
               for each in references)  # fmt: skip


def _sections_unique(references: list[Json]) -> bool:
    return unique((*_same_target(each), each.get("sectionName") or "") for each in references)


def references(place: str, to: str) -> list[Rule]:
    name = place.rpartition(".")[2]
    several = f"when {name} includes 2 or more references to the same {to}"
    return [
        Rule(place, f"sectionName must be specified {several}", _all_or_none_with_section),
        Rule(place, f"sectionName must be unique {several}", _sections_unique),
    ]


def port_of_service(place: str) -> Rule:
    def holds(reference: Json) -> bool:
        service = not reference.get("group") and reference.get("kind") == "Service"
        return not service or "port" in reference

    return Rule(place, "Must have port for Service reference", holds)
