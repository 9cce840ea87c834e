"""Objects made from a schema: those that it describes, and the same with a few things wrong.

What is wrong is taken from where objects can be wrong: a value of another type, just inside or outside of a bound, a
near miss of a pattern or an enumeration, a field too many or too few, an item twice. `neighbours` has every object that
is one such change away, and `mutated` a few changes at once.
"""

import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from sandbox.kube.objects import copy
from tests.deploy.definitions import GROUP, Json

Path = tuple[str | int, ...]
Change = tuple[str, Any]
"""What is done to a field or item, and with what."""

_WHOLE = 2**53
"""Integers beyond this size are not the same in every JSON library."""
_MOMENTS = ("2026-01-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-11-22T08:00:00.123456+05:30")
_WORDS = ("", "a", "-a", "a-", "A", "a\n", "a.b", "a..b", "a/b", "a:b", "a,B", "9lives", "Not-Lower", "Not_Found")
_NAMES = ("rates", "gateway.networking.k8s.io", "HTTPRoute", "example.com/Ready", "/Ready", "Accepted", "x" * 64)
_GROUPS = ("sg-0a", "sg-0123456789abcdef0", "sg-0A", "sg-", "xsg-0a", "sg-" + "0" * 29, "sg-" + "0" * 30)
_ARNS = ("arn:aws:s3:::logs", "arn:aws-cn:logs:x-1:1:x", "arn:a:b:c:d:/e", "arn:a:b", "arn:A:b:::c", "xarn:a:b:::c")
_TEXTS = (*_WORDS, *_NAMES, *_GROUPS, *_ARNS)
"""Hits and near misses of every pattern. Drawing texts from the patterns is far slower, and finds no more."""
_OF_ANY_TYPE = (None, True, False, 0, -1, 2.0, 1.5, _WHOLE, "", "x", "1", "yes", "2026-01-31", [], [{}], {}, {"x": 1})


def described(raw: Json, *, whole: bool) -> st.SearchStrategy[Any]:
    """Values that the schema accepts, without fields that it does not know; `whole` ones leave nothing out."""
    match raw["type"]:
        case "object":
            fields = {name: described(child, whole=whole) for name, child in raw.get("properties", {}).items()}
            return _dictionaries({}, fields, raw, whole=whole)
        case "array":
            least = max(raw.get("minItems", 0), int(whole))
            most = min(raw.get("maxItems", least + 2), least + 2)
            keys = raw.get("x-kubernetes-list-map-keys")
            unique_by = (lambda item: tuple(item[key] for key in keys)) if keys else None
            items = described(raw["items"], whole=whole)
            return st.lists(items, min_size=least, max_size=most, unique_by=unique_by)
        case "string":
            return _strings(raw)
        case "integer":
            return st.integers(raw.get("minimum", -_WHOLE), raw.get("maximum", _WHOLE))
        case "boolean":
            return st.booleans()
        case other:
            raise ValueError(f"no definition has had a value of type {other}")


def _dictionaries(given: Json, fields: Json, raw: Json, *, whole: bool) -> st.SearchStrategy[Json]:
    required = fields.keys() if whole else set(raw.get("required", ()))
    return st.fixed_dictionaries(
        given | {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


def _strings(raw: Json) -> st.SearchStrategy[str]:
    if "enum" in raw:
        return st.sampled_from(raw["enum"])
    if raw.get("format") == "date-time":
        return st.sampled_from(_MOMENTS)
    least, most = raw.get("minLength", 0), raw.get("maxLength", 100)
    if "pattern" in raw:
        fits = re.compile(re.sub(r"\$(?=\||\Z)", r"\\Z", raw["pattern"]))
        return st.sampled_from([text for text in _TEXTS if least <= len(text) <= most and fits.search(text)])
    return st.text(min_size=least, max_size=min(most, least + 3))


def objects(kind: str, raw: Json, *, whole: bool = False) -> st.SearchStrategy[Json]:
    """Complete objects that the schema of the kind accepts."""
    envelope = {
        "apiVersion": st.just(f"{GROUP}/v1alpha1"),
        "kind": st.just(kind),
        "metadata": st.fixed_dictionaries({"name": st.just("it")}),
    }
    properties = raw["properties"].items()
    fields = {name: described(child, whole=whole) for name, child in properties if name not in envelope}
    return _dictionaries(envelope, fields, raw, whole=whole)


def _places(value: Any, raw: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Every field and item but those of the envelope, with its schema, which is empty for what is not described."""
    if isinstance(value, dict):
        names = value if path else [name for name in value if name in {"spec", "status"}]
        held = [(name, raw.get("properties", {}).get(name, {})) for name in names]
    elif isinstance(value, list):
        held = [(index, raw.get("items", {})) for index in range(len(value))]
    else:
        return
    for key, child in held:
        yield (*path, key), child
        yield from _places(value[key], child, (*path, key))


def _changes(raw: Json) -> Iterator[Change]:
    """What can be wrong with a value of this schema, from both sides of every line that the schema draws."""
    yield from (("replace", value) for value in _OF_ANY_TYPE)
    for bound in ("minimum", "maximum"):
        if bound in raw:
            yield from (("replace", raw[bound] + step) for step in (-1, 0, 1))
    for bound in ("minLength", "maxLength"):
        if bound in raw:
            yield from (("replace", "a" * (raw[bound] + step)) for step in (-1, 0, 1))
    for choice in raw.get("enum", ()):
        yield from (("replace", text) for text in (choice, choice.swapcase(), f"{choice} "))
    if "pattern" in raw:
        yield from (("replace", text) for text in _TEXTS)
    yield "remove", None
    yield from (("add", name) for name in ("unknown", "Spec", "conditions", "name"))
    yield from (("repeat", times) for times in (1, raw.get("maxItems", 8)))


def _changed(obj: Json, path: Path, change: Change) -> Json:
    """The object with a change at a place; the same where the change does not fit the place."""
    obj = copy(obj)
    holder: Any = obj
    for step in path[:-1]:
        holder = holder[step]
    key = path[-1]
    match change:
        case "replace", value:
            holder[key] = copy(value)
        case "remove", _:
            del holder[key]
        case "add", name if isinstance(holder[key], dict):
            holder[key][name] = "more"
        case "repeat", times if isinstance(holder[key], list):
            holder[key] += copy(holder[key][:1] * times)
    return obj


def neighbours(obj: Json, raw: Json) -> Iterator[Json]:
    """Every object that is one change away."""
    return (_changed(obj, path, change) for path, child in _places(obj, raw) for change in _changes(child))


@st.composite
def mutated(draw: st.DrawFn, kind: str, raw: Json) -> Json:
    """Objects with two or three changes."""
    obj = draw(objects(kind, raw))
    for _ in range(draw(st.integers(2, 3))):
        places = list(_places(obj, raw))
        if places:
            path, child = draw(st.sampled_from(places))
            obj = _changed(obj, path, draw(st.sampled_from(list(_changes(child)))))
    return obj
