"""What a TLS caller says before anything is encrypted: the server name it wants and the protocols it offers; pure.

The data plane has to know both before it answers: the name says whether the connection is passed through to targets,
which then answer the same bytes, or ended here and with which certificate; the protocols say what will be spoken.
Read is the ClientHello of TLS 1.2 and 1.3 (RFC 8446, section 4.1.2) with its server_name (RFC 6066, section 3) and
application_layer_protocol_negotiation (RFC 7301), which may be spread over several records (RFC 8446, section 5.1).
Encrypted ClientHellos are an extension among others here: their outer name counts, as VPC Lattice supports neither ECH
nor ESNI (User Guide, "TLS listeners").
"""

from dataclasses import dataclass

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_PROTOCOLS = 16
_LONGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The server name in lower case, without a closing dot, or None; the protocols in the caller's order."""

    server_name: str | None
    protocols: tuple[str, ...]


def begins_tls(data: bytes) -> bool:
    """Whether a connection that begins with these bytes speaks TLS."""
    return data[:1] == bytes([_HANDSHAKE])


def read_hello(data: bytes) -> ClientHello | None:
    """The ClientHello at the beginning of a connection; None if more bytes are needed.

    Raises ValueError for what is no ClientHello, or one of more than 64 KiB.
    """
    message = _handshake_bytes(data)
    if len(message) < 4:
        return None
    if message[0] != _CLIENT_HELLO:
        raise ValueError("the connection does not begin with a ClientHello")
    length = int.from_bytes(message[1:4])
    if length > _LONGEST:
        raise ValueError(f"a ClientHello of {length} bytes")
    if len(message) < 4 + length:
        return None
    return _parse(_Reader(message[4 : 4 + length]))


def _handshake_bytes(data: bytes) -> bytes:
    """What the records at the beginning carry, as far as they are there; stops at a record that is no handshake."""
    message = b""
    while len(data) >= 5:
        if data[0] != _HANDSHAKE:
            if not message:
                raise ValueError("the connection does not begin with a TLS handshake")
            break
        length = int.from_bytes(data[3:5])
        message += data[5 : 5 + length]
        data = data[5 + length :]
    return message


class _Reader:
    """Takes fields off the front of bytes. Raises ValueError where they end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __bool__(self) -> bool:
        return bool(self._data)

    def take(self, count: int) -> bytes:
        if count > len(self._data):
            raise ValueError("the ClientHello breaks off")
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> "_Reader":
        """A field that is preceded by its length, in `size` bytes."""
        return _Reader(self.take(self.number(size)))

    def rest(self) -> bytes:
        return self.take(len(self._data))


def _parse(hello: _Reader) -> ClientHello:
    hello.take(2 + 32)
    hello.vector(1)
    hello.vector(2)
    hello.vector(1)
    server_name, protocols = None, []
    extensions = hello.vector(2) if hello else hello
    while extensions:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            server_name = _host_name(content.vector(2))
        elif kind == _PROTOCOLS:
            offered = content.vector(2)
            while offered:
                protocols.append(offered.vector(1).rest().decode("latin-1"))
    return ClientHello(server_name, tuple(protocols))


def _host_name(names: _Reader) -> str | None:
    """The first name of the type host_name, of which there may be one only."""
    while names:
        kind, name = names.number(1), names.vector(2).rest()
        if kind == 0:
            return name.decode("ascii", "strict").rstrip(".").lower()
    return None
