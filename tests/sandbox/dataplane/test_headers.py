"""What happens to header fields on their way."""

from sandbox.dataplane.headers import end_to_end, to_target


def sent(*fields):
    return to_target(fields, authority="rates.example", source="10.244.0.1", port=80, protocol="http")


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
    assert sent()[-3:] == [
        ("x-forwarded-for", "10.244.0.1"),
        ("x-forwarded-for-port", "80"),
        ("x-forwarded-for-proto", "http"),
    ]


def test_a_caller_cannot_forge_what_lattice_says():
    forged = [("X-Forwarded-For", "1.2.3.4"), ("X-Amzn-Lattice-Identity", "Principal=me"), ("X-Other", "1")]
    fields = sent(*forged)
    assert [value for name, value in fields if name.lower() == "x-forwarded-for"] == ["10.244.0.1"]
    assert not [name for name, _ in fields if name.lower().startswith("x-amzn")]
    assert ("X-Other", "1") in fields


def test_host_is_the_authority_of_the_request_and_stands_first():
    assert sent(("Host", "other.example"))[0] == ("Host", "rates.example")
    assert [name for name, _ in sent(("host", "other.example"))].count("Host") == 1
