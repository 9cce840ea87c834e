"""Hostname intersection: which hostnames a route serves under a listener.

A hostname is a name or, with a first label `*`, a wildcard for one or more labels in its place. An absent hostname,
on either side, leaves the other side's as it is.

Source: Gateway API v1.6, `HTTPRouteSpec.hostnames`, that of the other kinds, and `Listener.hostname`.
"""

from collections.abc import Iterable, Sequence

NONE = ""
"""The effective hostname of a route without hostnames under a listener without one: it answers to any name."""


def is_wildcard(hostname: str) -> bool:
    return hostname.startswith("*.")


def is_open(route: Iterable[str]) -> bool:
    """Whether what a route with these hostnames serves depends on the listener's: it has none, or a wildcard."""
    wanted = tuple(route)
    return not wanted or any(map(is_wildcard, wanted))


def matches(pattern: str, hostname: str) -> bool:
    """Whether `pattern` covers every name that `hostname` stands for."""
    if pattern == hostname:
        return True
    return is_wildcard(pattern) and hostname.removeprefix("*").endswith(pattern[1:])


def intersect(one: str, other: str) -> str | None:
    """The more specific of two hostnames of which one covers the other; None when they have nothing in common."""
    if matches(one, other):
        return other
    if matches(other, one):
        return one
    return None


def have_common(listener: str | None, route: Sequence[str]) -> bool:
    """Whether a route with these hostnames matches a listener with that one, as far as hostnames go."""
    return not listener or not route or any(intersect(listener, hostname) is not None for hostname in route)


def effective_hostnames(listener: str | None, route: Iterable[str]) -> tuple[str, ...]:
    """The hostnames that a route with `route` hostnames serves under a listener with that hostname, in order, once
    each.

    `(NONE,)` when neither names any; empty when they have nothing in common, so that the route does not match.
    """
    wanted = tuple(route)
    if not listener:
        return tuple(dict.fromkeys(wanted)) or (NONE,)
    if not wanted:
        return (listener,)
    common = (intersect(listener, hostname) for hostname in wanted)
    return tuple(dict.fromkeys(hostname for hostname in common if hostname is not None))
