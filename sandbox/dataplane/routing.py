"""Which rule of a listener serves a request: the pure decision of the data plane.

What VPC Lattice documents, and where:

- Rules are tried from the lowest priority number up, the first whose conditions all hold decides, and the default
  action serves what no rule takes (User Guide, "Listener rules": rule priority, default rules).
- A match names a method, an exact path or a path prefix, and up to five header conditions, each exact, prefix or
  contains; all that is given must hold (API Reference, `HttpMatch`, `PathMatch`, `HeaderMatch`).
- `caseSensitive` belongs to the value compared. Header names have no case (RFC 9110, section 5.1); methods have one
  (section 9.1).

What it does not document is whether a path prefix is compared by characters or by path elements: `/parking` may or
may not take `/parkinglot`. The sandbox therefore lets a prefix match only where both readings agree: the path starts
with the prefix, and the prefix ends at the border of an element. A controller that is right here is right under
either reading. Paths are compared as they are on the wire, with no decoding or normalising; the query is not part of
the path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.lattice.directory import FixedResponse, Forward, HeaderMatch, Listener, Match, Rule


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What of a request decides its route."""

    method: str
    path: str
    """As on the wire, without the query."""
    headers: Sequence[tuple[str, str]]
    """As received: order, repetition and case kept."""

    def header(self, name: str) -> str | None:
        """The value of a header; a repeated one is joined with commas (RFC 9110, section 5.3)."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a request; `rule` is None where the listener's default action serves it."""

    rule: Rule | None
    action: Forward | FixedResponse


def route(head: RequestHead, listener: Listener) -> Decision:
    """The action of the first matching rule of `listener` by ascending priority, else the default action."""
    for rule in sorted(listener.rules, key=lambda rule: rule.priority):
        if matches(rule.match, head):
            return Decision(rule, rule.action)
    return Decision(None, listener.default_action)


def matches(match: Match, head: RequestHead) -> bool:
    """Whether every condition that `match` gives holds for the request."""
    return (
        (match.method is None or match.method == head.method)
        and _path_matches(match, head.path)
        and all(_header_matches(condition, head) for condition in match.headers)
    )


def _path_matches(match: Match, path: str) -> bool:
    exact, prefix = match.path_exact, match.path_prefix
    if not match.path_case_sensitive:
        path = path.lower()
        exact = exact if exact is None else exact.lower()
        prefix = prefix if prefix is None else prefix.lower()
    if exact is not None and path != exact:
        return False
    if prefix is None:
        return True
    return path.startswith(prefix) and (prefix.endswith("/") or path[len(prefix) :][:1] in ("", "/"))


def _header_matches(condition: HeaderMatch, head: RequestHead) -> bool:
    value = head.header(condition.name)
    if value is None:
        return False

    def fold(text: str) -> str:
        return text if condition.case_sensitive else text.lower()

    value = fold(value)
    if condition.exact is not None:
        return value == fold(condition.exact)
    if condition.prefix is not None:
        return value.startswith(fold(condition.prefix))
    return condition.contains is not None and fold(condition.contains) in value


def split_authority(authority: str) -> tuple[str, int | None]:
    """Domain and port of a Host header or of the authority of an absolute request target.

    The port is None where none is given. Raises ValueError for an authority that is empty or whose port is no number.
    """
    domain, colon, port = authority.strip().rpartition(":")
    if not colon:
        domain, port = port, ""
    if not domain or (colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise ValueError(f"not a host: {authority!r}")
    return domain.rstrip(".").lower(), int(port) if port else None
