"""Certificates with their keys, read without a library and judged by one that reads them too."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.acm.pem import PairError, read_pair
from tests.support.certificates import ec_key, issue, pem, rsa_key

GOOD = issue("A.example.com", "*.example.com")


def test_names_and_end_are_read() -> None:
    ends = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    made = issue("A.example.com", "*.example.com", ends=ends)
    pair = read_pair(made.certificate, made.key)
    assert pair.names == ("a.example.com", "*.example.com")
    assert pair.ends == ends.timestamp()
    assert pair.certificate == made.certificate
    assert pair.private_key == made.key


def test_ends_beyond_2050_are_written_otherwise_and_read() -> None:
    ends = datetime(2050, 1, 1, tzinfo=UTC)
    made = issue("a.example.com", ends=ends)
    assert read_pair(made.certificate, made.key).ends == ends.timestamp()


def test_the_chain_is_told_apart_and_counts_for_the_fingerprint() -> None:
    made = issue("a.example.com", authority=True)
    whole, alone = read_pair(made.certificate + made.chain, made.key), read_pair(made.certificate, made.key)
    assert (whole.certificate, whole.chain) == (made.certificate, made.chain)
    assert alone.chain == b""
    assert whole.fingerprint != alone.fingerprint


def test_a_key_in_pkcs1_is_read() -> None:
    key = pem(rsa_key(), PrivateFormat.TraditionalOpenSSL)
    assert read_pair(GOOD.certificate, key).private_key == key


def test_text_around_the_blocks_and_other_line_ends_do_not_matter() -> None:
    text = b"subject=CN\r\n" + GOOD.certificate.replace(b"\n", b"\r\n") + b"trailing"
    assert read_pair(text, GOOD.key).fingerprint == read_pair(GOOD.certificate, GOOD.key).fingerprint


def test_a_certificate_without_alternative_names_has_none() -> None:
    made = issue(common_name="a.example.com")
    assert read_pair(made.certificate, made.key).names == ()


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        (b"", GOOD.key, "tls.crt has no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", GOOD.key, "cannot be read"),
        (GOOD.certificate[:200] + GOOD.certificate[300:], GOOD.key, "cannot be read|not base64"),
        (GOOD.certificate, b"", "tls.key has no RSA key"),
        (GOOD.certificate, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot be read"),
        (GOOD.certificate, pem(rsa_key(number=1)), "not the key of the first"),
        (GOOD.certificate, pem(rsa_key(), password=b"secret"), "encrypted"),
        (GOOD.certificate, pem(rsa_key(), PrivateFormat.TraditionalOpenSSL, b"secret"), "encrypted"),
        (GOOD.certificate, pem(ec_key()), "not of RSA"),
        (GOOD.certificate, pem(ec_key(), PrivateFormat.TraditionalOpenSSL), "EC PRIVATE KEY"),
        (GOOD.certificate, pem(ed25519.Ed25519PrivateKey.generate()), "not of RSA"),
        (issue("a.x", key=ec_key()).certificate, pem(ec_key()), "not of RSA"),
        (issue("a.x", key=rsa_key(size=1024)).certificate, pem(rsa_key(size=1024)), "1024 bits"),
    ],
)
def test_what_cannot_be_used_says_why(certificate: bytes, key: bytes, why: str) -> None:
    with pytest.raises(PairError, match=why):
        read_pair(certificate, key)


def test_nothing_that_is_shown_of_a_pair_has_its_key() -> None:
    pair = read_pair(GOOD.certificate, GOOD.key)
    assert repr(pair) == "Pair(a.example.com, *.example.com)"


@settings(max_examples=300)
@given(st.data())
def test_whatever_is_broken_ends_as_an_error_for_its_author(data: st.DataObject) -> None:
    texts = [GOOD.certificate, GOOD.key]
    which = data.draw(st.integers(0, 1))
    text = bytearray(texts[which])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        change = data.draw(st.sampled_from(["replace", "drop", "cut"]))
        if change == "replace":
            text[place] = data.draw(st.integers(0, 255))
        elif change == "drop":
            del text[place]
        else:
            del text[place:]
        if not text:
            break
    texts[which] = bytes(text)
    told = ""
    try:
        read_pair(*texts)
    except PairError as error:
        told = str(error)
    assert not any(line.decode() in told for line in GOOD.key.splitlines()[1:-1])


@given(st.binary(max_size=300))
def test_any_bytes_in_a_block_end_as_an_error(body: bytes) -> None:
    text = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(body) + b"\n-----END CERTIFICATE-----\n"
    with pytest.raises(PairError):
        read_pair(text, GOOD.key)
