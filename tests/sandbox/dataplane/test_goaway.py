"""GOAWAY is taken out of a stream of frames, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.dataplane.goaway import FrameFilter

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, payload):
    return len(payload).to_bytes(3) + bytes([kind, 0]) + (1).to_bytes(4) + payload


FRAMES = st.lists(st.tuples(st.integers(0, 10), st.binary(max_size=40)), max_size=12)


@given(frames=FRAMES, sizes=st.lists(st.integers(1, 30), min_size=1), preface=st.booleans())
def test_all_frames_pass_but_goaway_in_whatever_pieces_they_come(frames, sizes, preface):
    opening = PREFACE if preface else b""
    data = opening + b"".join(frame(kind, payload) for kind, payload in frames)
    taking = FrameFilter(preface=preface)
    passed, turn = b"", 0
    while data:
        size = sizes[turn % len(sizes)]
        passed += taking.feed(data[:size])
        data, turn = data[size:], turn + 1
    assert passed == opening + b"".join(frame(kind, payload) for kind, payload in frames if kind != 7)
