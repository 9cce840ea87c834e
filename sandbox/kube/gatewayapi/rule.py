"""A rule of a definition, and where an object has the values that it is about."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.kube.errors import Json, Problems
from sandbox.kube.validation import type_name

Holds = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """What has to hold of each value at a place, and what is said where it does not."""

    place: str
    """A path in the schema; `[]` stands for every item of a list."""
    message: str
    holds: Holds


def values_at(value: Any, parts: list[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of whatever the object has at a place, which is given in parts."""
    if not parts:
        yield path, value
        return
    name = parts[0].removesuffix("[]")
    child = value.get(name)
    if child is None:
        return
    path = f"{path}.{name}" if path else name
    if parts[0].endswith("[]"):
        for index, item in enumerate(child):
            yield from values_at(item, parts[1:], f"{path}[{index}]")
    else:
        yield from values_at(child, parts[1:], path)


class RuleTree:
    """Rules in the order of their places, so that one walk over an object asks all of them."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules: list[Rule] = []
        self._below: dict[tuple[str, bool], RuleTree] = {}
        """By the name of a field, and whether the rules are about it or about each of its items."""
        for rule in rules:
            self.add(rule, rule.place.split("."))

    def add(self, rule: Rule, parts: list[str]) -> None:
        """Add a rule, whose place from here on is given in parts."""
        if parts:
            below = (parts[0].removesuffix("[]"), parts[0].endswith("[]"))
            self._below.setdefault(below, RuleTree()).add(rule, parts[1:])
        else:
            self._rules.append(rule)

    def check(self, value: Any, problems: Problems, path: str = "") -> None:
        """Add to `problems` whatever rule the value at the path, or a part of it, breaks."""
        for rule in self._rules:
            if not rule.holds(value):
                problems.invalid(path, type_name(value), rule.message)
        for (name, many), tree in self._below.items():
            child = value.get(name)
            if child is None:
                continue
            at = f"{path}.{name}" if path else name
            if not many:
                tree.check(child, problems, at)
                continue
            for index, item in enumerate(child):
                tree.check(item, problems, f"{at}[{index}]")


def unique(items: Iterable[Any]) -> bool:
    """Whether no two are the same."""
    found = list(items)
    return len(found) == len(set(found))


def filled(value: Json, name: str) -> bool:
    """Whether a field is there and not empty."""
    return bool(value.get(name))
