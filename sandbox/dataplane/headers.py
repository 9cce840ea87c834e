"""What happens to header fields on their way through the data plane; pure.

Hop-by-hop fields end at the data plane (RFC 9110, section 7.6.1). VPC Lattice adds `x-forwarded-for`,
`x-forwarded-for-port` (the destination's port) and `x-forwarded-for-proto`, and strips its own identity headers from
what callers send (User Guide, "HTTP targets in VPC Lattice"). What a caller claims in the first three is replaced:
the guide gives each one value. The identity headers that Lattice sends tell of ARNs and principals, which the routing
view does not carry, so the sandbox sends none.
"""

from collections.abc import Iterable, Iterator

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_FORWARDED = frozenset({"x-forwarded-for", "x-forwarded-for-port", "x-forwarded-for-proto"})
_IDENTITY = frozenset(
    {"x-amzn-lattice-identity", "x-amzn-lattice-identity-tags", "x-amzn-lattice-network", "x-amzn-lattice-target"}
)

Fields = list[tuple[str, str]]


def to_target(fields: Iterable[tuple[str, str]], *, authority: str, source: str, port: int, protocol: str) -> Fields:
    """The fields that the target gets of a request's.

    `authority` is what Host says (that of an absolute request target goes before the Host header, RFC 9112, section
    3.2.2), `source` the caller's address, `port` and `protocol` the listener's.
    """
    kept = [
        (name, value)
        for name, value in end_to_end(fields)
        if name.lower() not in _FORWARDED and name.lower() not in _IDENTITY and name.lower() not in ("host", "expect")
    ]
    return [
        ("Host", authority),
        *kept,
        ("x-forwarded-for", source),
        ("x-forwarded-for-port", str(port)),
        ("x-forwarded-for-proto", protocol),
    ]


def end_to_end(fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The fields that are meant for the other end: neither hop-by-hop nor named by Connection."""
    fields = list(fields)
    connection = (value for name, value in fields if name.lower() == "connection")
    named = {option.strip().lower() for value in connection for option in value.split(",")}
    return (field for field in fields if field[0].lower() not in _HOP_BY_HOP | named)
