"""Objects made from a schema: those that it describes, and the same with a few things wrong.

What is wrong is drawn from the places where an object can be wrong: a value of another type, just inside or outside of
a bound, a near miss of a pattern or an enumeration, a field too many or too few, an item twice.
"""

import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from sandbox.kube.objects import copy
from tests.deploy.definitions import GROUP, Json

_WHOLE = 2**53
"""Integers beyond this size are not the same in every JSON library."""
_MOMENTS = ("2026-01-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-11-22T08:00:00.123456+05:30")
_WORDS = (
    "",
    "a",
    "-a",
    "a-",
    "A",
    "a\n",
    "a.b",
    "a..b",
    "a/b",
    "a:b",
    "a,B",
    "9lives",
    "Not-Lower",
    "Not_Found",
    "x" * 64,
)
_NAMES = ("rates", "gateway.networking.k8s.io", "HTTPRoute", "example.com/Ready", "/Ready", "Accepted")
_GROUPS = ("sg-0a", "sg-0123456789abcdef0", "sg-0A", "sg-", "xsg-0a", "sg-" + "0" * 29, "sg-" + "0" * 30)
_ARNS = ("arn:aws:s3:::logs", "arn:aws-cn:logs:x-1:1:x", "arn:a:b:c:d:/e", "arn:a:b", "arn:A:b:::c", "xarn:a:b:::c")
_TEXTS = (*_WORDS, *_NAMES, *_GROUPS, *_ARNS)
"""Hits and near misses of every pattern. Drawing texts from the patterns is far slower, and finds no more."""
_OF_ANY_TYPE = (None, True, False, 0, -1, 2.0, 1.5, _WHOLE, "", "x", "1", "yes", "2026-01-31", [], [{}], {}, {"x": 1})


def described(raw: Json) -> st.SearchStrategy[Any]:
    """Values that the schema accepts, without fields that it does not know."""
    match raw["type"]:
        case "object":
            fields = {name: described(child) for name, child in raw.get("properties", {}).items()}
            required = {name: fields.pop(name) for name in raw.get("required", ())}
            return st.fixed_dictionaries(required, optional=fields)
        case "array":
            return _lists(raw)
        case "string":
            return _strings(raw)
        case "integer":
            return st.integers(raw.get("minimum", -_WHOLE), raw.get("maximum", _WHOLE))
        case "boolean":
            return st.booleans()
        case other:
            raise NotImplementedError(f"no definition has had a value of type {other}")


def _lists(raw: Json) -> st.SearchStrategy[list[Any]]:
    least = raw.get("minItems", 0)
    most = min(raw.get("maxItems", least + 3), least + 3)
    keys = raw.get("x-kubernetes-list-map-keys")
    unique_by = (lambda item: tuple(item[key] for key in keys)) if keys else None
    return st.lists(described(raw["items"]), min_size=least, max_size=most, unique_by=unique_by)


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


def objects(kind: str, raw: Json) -> st.SearchStrategy[Json]:
    """Complete objects that the schema of the kind accepts."""
    envelope = {
        "apiVersion": st.just(f"{GROUP}/v1alpha1"),
        "kind": st.just(kind),
        "metadata": st.fixed_dictionaries({"name": st.just("it")}),
    }
    fields = {name: described(child) for name, child in raw["properties"].items() if name not in envelope}
    required = {name: fields.pop(name) for name in raw.get("required", ())}
    return st.fixed_dictionaries(envelope | required, optional=fields)


def _places(value: Any, raw: Json) -> Iterator[tuple[Any, Any, Json]]:
    """Every field and item in a value: what holds it, under which key, and its schema (empty where it is unknown)."""
    if isinstance(value, dict):
        held = [(name, raw.get("properties", {}).get(name, {})) for name in value]
    elif isinstance(value, list):
        held = [(index, raw.get("items", {})) for index in range(len(value))]
    else:
        return
    for key, child in held:
        yield value, key, child
        yield from _places(value[key], child)


def _edges(raw: Json) -> Iterator[Any]:
    """Values on both sides of every line that the schema draws."""
    yield from _OF_ANY_TYPE
    for bound in ("minimum", "maximum"):
        if bound in raw:
            yield from (raw[bound] - 1, raw[bound], raw[bound] + 1)
    for bound in ("minLength", "maxLength"):
        if bound in raw:
            yield from ("a" * length for length in range(raw[bound] - 1, raw[bound] + 2))
    for choice in raw.get("enum", ()):
        yield from (choice, choice.swapcase(), f"{choice} ")
    if "pattern" in raw:
        yield from _TEXTS


@st.composite
def mutated(draw: st.DrawFn, kind: str, raw: Json) -> Json:
    """Objects with one to three changes, each of which may or may not be allowed."""
    obj = draw(objects(kind, raw))
    for _ in range(draw(st.integers(1, 3))):
        parts = {name: value for name, value in obj.items() if name in {"spec", "status"}}
        places = [(obj if holder is parts else holder, key, child) for holder, key, child in _places(parts, raw)]
        if not places:
            return obj
        holder, key, child = draw(st.sampled_from(places))
        match draw(st.sampled_from(("replace", "replace", "remove", "add", "repeat"))):
            case "replace":
                holder[key] = copy(draw(st.sampled_from(list(_edges(child)))))
            case "remove":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(("unknown", "Spec", "conditions", "name")))] = copy(holder[key])
            case "repeat" if isinstance(holder, list):
                holder.extend(copy(holder[key]) for _ in range(draw(st.sampled_from((1, 8)))))
    return obj
