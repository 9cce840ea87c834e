"""The part of JSONPath that printer columns of custom resources use: fields, indexes, `[*]` and `[?(@.a=="b")]`."""

import re
from collections.abc import Callable
from typing import Any

Step = Callable[[list[Any]], list[Any]]

_TOKEN = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]\\])+)
      | \[\s*(?P<index>-?\d+)\s*\]
      | \[\s*(?P<all>\*)\s*\]
      | \[\s*'(?P<quoted>(?:\\.|[^'\\])*)'\s*\]
      | \[\?\(\s*@\.(?P<path>[^=!\s]+)\s*(?P<operator>==|!=)\s*
          (?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^)\s]+))\s*\)\]""",
    re.VERBOSE,
)


def compile_path(path: str) -> Callable[[Any], list[Any]]:
    """A function from a document to the values at the path, in order.

    Raises:
        ValueError: the path is no JSONPath of the forms above.
    """
    steps: list[Step] = []
    position = 0
    text = path if path.startswith((".", "[")) else f".{path}"
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError(f"unsupported JSONPath {path!r} at {text[position:]!r}")
        steps.append(_step(found))
        position = found.end()

    def evaluate(document: Any) -> list[Any]:
        values = [document]
        for step in steps:
            values = step(values)
        return values

    return evaluate


def _step(found: re.Match[str]) -> Step:
    if found["all"]:
        return _every
    if found["index"]:
        return _indexed(int(found["index"]))
    if found["path"]:
        wanted = next((found[kind] for kind in ("double", "single", "bare") if found[kind] is not None), "")
        return _filtered(found["path"], wanted, equal=found["operator"] == "==")
    name = re.sub(r"\\(.)", r"\1", found["field"] if found["field"] is not None else found["quoted"])
    return lambda values: [value[name] for value in values if isinstance(value, dict) and name in value]


def _every(values: list[Any]) -> list[Any]:
    return [item for value in values if isinstance(value, list | dict) for item in _items(value)]


def _items(value: list[Any] | dict[str, Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _indexed(index: int) -> Step:
    return lambda values: [
        value[index] for value in values if isinstance(value, list) and -len(value) <= index < len(value)
    ]


def _filtered(path: str, wanted: str, *, equal: bool) -> Step:
    read = compile_path(path)

    def matches(item: Any) -> bool:
        return any(_text(found) == wanted for found in read(item)) is equal

    return lambda values: [item for value in values if isinstance(value, list) for item in value if matches(item)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
