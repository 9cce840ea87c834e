"""What happens to header fields on their way."""

import pytest

from sandbox.dataplane.headers import end_to_end, excess, request_id, to_target


def sent(*fields):
    return to_target(fields, source="10.244.0.1", port=80, protocol="http", request_id="id-1")


def test_hop_by_hop_fields_and_those_named_by_connection_end_here():
    fields = [
        ("Connection", "close, X-Once"),
        ("x-once", "1"),
        ("Keep-Alive", "5"),
        ("TE", "trailers"),
        ("X-Stay", "1"),
    ]
    assert list(end_to_end(fields)) == [("X-Stay", "1")]


def test_order_repetition_and_case_of_the_rest_are_kept():
    fields = [("X-B", "1"), ("x-a", "2"), ("X-B", "3")]
    assert list(end_to_end(fields)) == fields


def test_the_target_is_told_who_asked_on_which_port_over_what():
    assert sent() == [
        ("x-forwarded-for", "10.244.0.1"),
        ("x-forwarded-port", "80"),
        ("x-forwarded-proto", "http"),
        ("x-amzn-requestid", "id-1"),
    ]


def test_a_caller_cannot_forge_what_lattice_says():
    forged = [
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Proto", "https"),
        ("X-Amzn-Lattice-Identity", "Principal=me"),
        ("X-Other", "1"),
    ]
    fields = sent(*forged)
    assert [value for name, value in fields if name.lower() == "x-forwarded-for"] == ["10.244.0.1"]
    assert [value for name, value in fields if name.lower() == "x-forwarded-proto"] == ["http"]
    assert not [name for name, _ in fields if name.lower().startswith("x-amzn-lattice")]
    assert ("X-Other", "1") in fields


def test_host_is_left_to_whoever_sends_the_request():
    assert not [name for name, _ in sent(("host", "other.example")) if name.lower() == "host"]


def test_pseudo_header_fields_are_not_forwarded():
    assert list(end_to_end([(":status", "200"), ("x-a", "1")])) == [("x-a", "1")]


def test_a_request_id_is_the_callers_of_which_512_bytes_count_or_a_new_one():
    assert request_id(None, "made") == "made"
    assert request_id("trace-foobar", "made") == "trace-foobar"
    assert request_id("é" * 300, "made") == "é" * 256


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ([("a", "b")] * 100, True),
        ([("a", "b")] * 101, False),
        ([("a", "b" * (60 * 1024 - 5))], True),
        ([("a", "b" * (60 * 1024 - 4))], False),
    ],
)
def test_a_head_has_at_most_100_fields_and_60_kibibytes(fields, allowed):
    assert (excess(fields) is None) == allowed
