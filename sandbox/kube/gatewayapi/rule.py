"""A rule of a definition, and where an object has the values that it is about."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.kube.errors import Json

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


def unique(items: Iterable[Any]) -> bool:
    """Whether no two are the same."""
    found = list(items)
    return len(found) == len(set(found))


def filled(value: Json, name: str) -> bool:
    """Whether a field is there and not empty."""
    return bool(value.get(name))
