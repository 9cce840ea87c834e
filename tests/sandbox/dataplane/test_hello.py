"""What a ClientHello says, as real clients write it."""

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.dataplane.hello import ClientHello, begins_tls, read_hello


def hello(server_name="rates.example", protocols=(), version=None):
    context = ssl.create_default_context()
    if server_name is None:
        context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if version is not None:
        context.maximum_version = version
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=server_name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


HELLO = hello(protocols=["h2", "http/1.1"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_server_name_and_the_protocols_are_read(version):
    data = hello("Rates.Example", ["h2", "http/1.1"], version)
    assert begins_tls(data)
    assert read_hello(data) == ClientHello("rates.example", ("h2", "http/1.1"))


def test_a_client_may_name_nothing():
    assert read_hello(hello(None)) == ClientHello(None, ())


@pytest.mark.parametrize("length", [0, 1, 5, 9, 40, len(HELLO) - 1])
def test_a_hello_that_has_not_all_arrived_is_waited_for(length):
    assert read_hello(HELLO[:length]) is None


def test_what_comes_after_the_hello_does_not_matter():
    assert read_hello(HELLO + b"\x14\x03\x03\x00\x01\x01") == read_hello(HELLO)


@given(size=st.integers(1, 200))
def test_a_hello_may_be_spread_over_records(size):
    message = HELLO[5:]
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    records = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in parts)
    assert read_hello(records) == read_hello(HELLO)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"])
def test_what_is_no_hello_is_refused(data):
    with pytest.raises(ValueError, match="begin with"):
        read_hello(data)


def test_a_hello_that_announces_too_much_is_refused():
    with pytest.raises(ValueError, match="bytes"):
        read_hello(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff")


@settings(max_examples=300)
@given(at=st.integers(5, len(HELLO) - 1), value=st.integers(0, 255))
def test_a_damaged_hello_is_read_or_refused_and_never_anything_else(at, value):
    damaged = HELLO[:at] + bytes([value]) + HELLO[at + 1 :]
    try:
        assert read_hello(damaged) is None or isinstance(read_hello(damaged), ClientHello)
    except ValueError:
        return
