"""What happens to header fields on their way through the data plane; pure.

Hop-by-hop fields end at the data plane (RFC 9110, section 7.6.1; RFC 9113, section 8.2.2). VPC Lattice adds
`x-forwarded-for`, `x-forwarded-port` (the destination's port) and `x-forwarded-proto`, and strips its own identity
headers from what callers send (User Guide, "HTTP targets in VPC Lattice"; an earlier edition of the page calls two of
them `x-forwarded-for-port` and `x-forwarded-for-proto`). What a caller claims in them is replaced: the guide gives
each one value. The identity headers that Lattice sends tell of ARNs and principals, which the routing view does not
carry, so the sandbox sends none.

Every request has an `x-amzn-requestid`, its caller's or a new one, which targets and callers get (User Guide, "Access
logs for Amazon VPC Lattice", request tracking).
"""

from collections.abc import Iterable, Iterator

from sandbox.dataplane.messages import Fields

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "http2-settings",
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
_FORWARDED = frozenset(
    {
        "x-forwarded-for",
        "x-forwarded-for-port",
        "x-forwarded-for-proto",
        "x-forwarded-port",
        "x-forwarded-proto",
    }
)
_IDENTITY = frozenset(
    {"x-amzn-lattice-identity", "x-amzn-lattice-identity-tags", "x-amzn-lattice-network", "x-amzn-lattice-target"}
)

REQUEST_ID = "x-amzn-requestid"
_LONGEST_REQUEST_ID = 512

_MOST_FIELDS = 100
_MOST_BYTES = 60 * 1024

_NOT_FORWARDED = _FORWARDED | _IDENTITY | {"host", "expect", REQUEST_ID}


def to_target(fields: Iterable[tuple[str, str]], *, source: str, port: int, protocol: str, request_id: str) -> Fields:
    """The fields that the target gets of a request's, without those that name its host.

    `source` is the caller's address, `port` and `protocol` are the listener's.
    """
    kept = [(name, value) for name, value in end_to_end(fields) if name.lower() not in _NOT_FORWARDED]
    return [
        *kept,
        ("x-forwarded-for", source),
        ("x-forwarded-port", str(port)),
        ("x-forwarded-proto", protocol),
        (REQUEST_ID, request_id),
    ]


def end_to_end(fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The fields that are meant for the other end: neither hop-by-hop nor named by Connection, nor pseudo-headers."""
    fields = list(fields)
    connection = (value for name, value in fields if name.lower() == "connection")
    named = {option.strip().lower() for value in connection for option in value.split(",")}
    return (field for field in fields if field[0].lower() not in _HOP_BY_HOP | named and not field[0].startswith(":"))


def request_id(given: str | None, made: str) -> str:
    """The id of a request: the caller's, of which at most 512 bytes count, or the one made for it."""
    if given is None:
        return made
    return given.encode("utf-8", "replace")[:_LONGEST_REQUEST_ID].decode("utf-8", "ignore")


def is_text(fields: Fields) -> bool:
    """Whether all names and values are UTF-8; other bytes, opaque by RFC 9110 (section 5.5), are not taken."""
    try:
        "".join(part for field in fields for part in field).encode()
    except UnicodeEncodeError:
        return False
    return True


def excess(fields: Fields) -> str | None:
    """Why a request's head is too large for VPC Lattice; None if it is not.

    User Guide, "Troubleshoot access logs", HTTP 400: more than 60K for the entire header or more than 100 headers. How
    the bytes are counted is not said; here a field counts as it stands in HTTP/1.1, and K is 1,024 bytes.
    """
    if len(fields) > _MOST_FIELDS:
        return f"{len(fields)} header fields, where {_MOST_FIELDS} are allowed"
    size = sum(len(name) + len(value) + len(": \r\n") for name, value in fields)
    return f"a header of {size} bytes, where {_MOST_BYTES} are allowed" if size > _MOST_BYTES else None
