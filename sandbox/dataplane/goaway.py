"""Takes GOAWAY out of what an HTTP/2 peer sends, so that h2 lets the streams that are under way come to their end.

A GOAWAY says that no further streams will be served; those begun go on (RFC 9113, section 6.8), and servers that shut
down gracefully count on it. h2 takes it for the end of the connection and refuses every frame after it. What it means
besides needs no care here: a connection to a target carries one request, a caller that says it opens no more streams,
and the connection ends when the peer closes it.
"""

_HEADER = 9
_GOAWAY = 7
_PREFACE = 24


class FrameFilter:
    """Passes the frames of one direction on, in pieces of any size, but GOAWAY."""

    def __init__(self, *, preface: bool) -> None:
        """`preface`: whether the client's connection preface comes first (RFC 9113, section 3.4)."""
        self._rest = bytearray()
        self._left = _PREFACE if preface else 0
        self._passing = True

    def feed(self, data: bytes) -> bytes:
        """What is to be passed on now that these bytes have come."""
        self._rest += data
        passed = bytearray()
        while True:
            piece = self._rest[: self._left]
            del self._rest[: len(piece)]
            self._left -= len(piece)
            if self._passing:
                passed += piece
            if self._left or len(self._rest) < _HEADER:
                return bytes(passed)
            self._left = int.from_bytes(self._rest[:3])
            self._passing = self._rest[3] != _GOAWAY
            if self._passing:
                passed += self._rest[:_HEADER]
            del self._rest[:_HEADER]
