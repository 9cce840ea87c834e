"""Label and field selectors: the query language of list, watch and deletecollection.

Both are parsed once a request into a small value with a `matches` method; a parse error is the API's 400. The
grammar of label selectors is that of Kubernetes' documentation ("Labels and Selectors"), including the set-based
forms and, as the API server allows, the numeric `>` and `<`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.kube.errors import ApiError, Json, bad_request
from sandbox.kube.objects import label_value_problem, qualified_name_problem

_TOKEN = re.compile(r"\s*(?:(?P<op>!=|==|=|!|<|>|,|\(|\))|(?P<word>[^\s!=<>,()]+))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: an operator of `in`, `notin`, `exists`, `!`, `>`, `<` on a label's value."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.operator == "exists":
            return self.key in labels
        if self.operator == "!":
            return self.key not in labels
        if self.operator == "in":
            return labels.get(self.key) in self.values if self.key in labels else False
        if self.operator == "notin":
            return self.key not in labels or labels[self.key] not in self.values
        return self._compares(labels.get(self.key))

    def _compares(self, value: str | None) -> bool:
        try:
            number = int(value or "")
        except ValueError:
            return False
        (bound,) = self.values
        return number > int(bound) if self.operator == ">" else number < int(bound)


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def everything(self) -> bool:
        return not self.requirements


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = self._lex(text)
        self._at = 0

    def _lex(self, text: str) -> list[tuple[str, bool]]:
        tokens: list[tuple[str, bool]] = []
        position = 0
        end = len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                raise self._error(f"unexpected {text[position]!r}")
            word = found.group("word")
            tokens.append((word, True) if word is not None else (found.group("op"), False))
            position = found.end()
        return tokens

    def _error(self, why: str) -> ApiError:
        return bad_request(f"unable to parse requirement: {why}")

    def _peek(self) -> tuple[str, bool]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", False)

    def _next(self) -> tuple[str, bool]:
        token = self._peek()
        self._at += 1
        return token

    def parse(self) -> LabelSelector:
        requirements: list[Requirement] = []
        while self._at < len(self._tokens):
            requirements.append(self._requirement())
            text, _ = self._next()
            if text == "":
                break
            if text != ",":
                raise self._error(f"found '{text}', expected: ',' or 'end of string'")
            if self._at >= len(self._tokens):
                raise self._error("found '', expected: identifier after ','")
        return LabelSelector(tuple(requirements))

    def _requirement(self) -> Requirement:
        text, is_word = self._next()
        if text == "!" and not is_word:
            return Requirement(self._key(*self._next()), "!")
        key = self._key(text, is_word)
        text, is_word = self._peek()
        if text in {"", ","} and not is_word:
            return Requirement(key, "exists")
        self._next()
        if text in {"=", "=="}:
            return Requirement(key, "in", frozenset((self._value(),)))
        if text == "!=":
            return Requirement(key, "notin", frozenset((self._value(),)))
        if text in {"in", "notin"} and is_word:
            return Requirement(key, text, self._values())
        if text in {">", "<"}:
            return Requirement(key, text, frozenset((self._number(),)))
        raise self._error(f"found '{text}', expected: in, notin, =, ==, !=, gt, lt")

    def _key(self, text: str, is_word: bool) -> str:
        if not is_word:
            raise self._error(f"found '{text}', expected: !, identifier, or 'end of string'")
        if wrong := qualified_name_problem(text):
            raise self._error(f'key: Invalid value: "{text}": {wrong}')
        return text

    def _value(self) -> str:
        text, is_word = self._peek()
        if not is_word:
            if text in {"", ",", ")"}:
                return ""
            raise self._error(f"found '{text}', expected: identifier")
        self._next()
        if wrong := label_value_problem(text):
            raise self._error(f'values: Invalid value: "{text}": {wrong}')
        return text

    def _number(self) -> str:
        text = self._value()
        if not re.fullmatch(r"[+-]?\d+", text):
            raise self._error(
                f"values[0]: Invalid value: \"{text}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        return text

    def _values(self) -> frozenset[str]:
        text, _ = self._next()
        if text != "(":
            raise self._error(f"found '{text}', expected: '('")
        values: set[str] = set()
        while True:
            values.add(self._value())
            text, is_word = self._next()
            if text == ")" and not is_word:
                return frozenset(values)
            if text != "," or is_word:
                raise self._error(f"found '{text}', expected: ',' or ')'")


def parse_labels(text: str) -> LabelSelector:
    """A `labelSelector` parameter; the empty text selects everything.

    Raises:
        ApiError: 400, with what was expected where.
    """
    return _Parser(text).parse()


def from_object(selector: Json | None) -> LabelSelector:
    """A `metav1.LabelSelector` of an object (`matchLabels`, `matchExpressions`); None selects nothing by convention of
    the callers, who must check for it, and the empty one selects everything.
    """
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    selector = selector or {}
    terms = [Requirement(key, "in", frozenset((value,))) for key, value in (selector.get("matchLabels") or {}).items()]
    terms += [
        Requirement(term["key"], operators[term["operator"]], frozenset(term.get("values") or ()))
        for term in selector.get("matchExpressions") or ()
    ]
    return LabelSelector(tuple(terms))


FieldGetter = Callable[[Json], str]


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Terms of `field=value` and `field!=value`; all must hold."""

    terms: tuple[tuple[FieldGetter, str, bool], ...] = ()
    name: str | None = None
    """The value of a `metadata.name=` term: such a list is a look-up."""

    def matches(self, obj: Json) -> bool:
        return all((getter(obj) == value) is equal for getter, value, equal in self.terms)


def field_getter(path: str) -> FieldGetter:
    """The text of the value at a dotted path; the empty text where nothing is."""
    parts = path.split(".")

    def get(obj: Json) -> str:
        value: Any = obj
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            return ""
        return str(value).lower() if isinstance(value, bool) else str(value)

    return get


def _split_terms(text: str) -> list[str]:
    """Splits on commas that no backslash escapes."""
    return [part for part in re.split(r"(?<!\\),", text) if part]


def _unescape(value: str) -> str:
    return re.sub(r"\\([\\,=])", r"\1", value)


def parse_fields(text: str, supported: Mapping[str, FieldGetter], *, custom: bool = False) -> FieldSelector:
    """A `fieldSelector` parameter for a resource that supports these fields.

    Raises:
        ApiError: 400 for a malformed term or a field that the resource does not support.
    """
    terms: list[tuple[FieldGetter, str, bool]] = []
    name: str | None = None
    for part in _split_terms(text):
        found = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", part, re.DOTALL)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        key, operator, value = found.group(1), found.group(2), _unescape(found.group(3))
        if key not in supported:
            raise bad_request(_unsupported(key, supported, custom=custom))
        if key == "metadata.name" and operator != "!=":
            name = value
        terms.append((supported[key], value, operator != "!="))
    return FieldSelector(tuple(terms), name)


def _unsupported(key: str, supported: Mapping[str, FieldGetter], *, custom: bool) -> str:
    """Built-in kinds with no fields of their own say which there are."""
    if not custom and set(supported) == {"metadata.name", "metadata.namespace"}:
        return f'"{key}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    return f"field label not supported: {key}"
