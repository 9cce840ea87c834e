"""HTTPS listeners, as curl and Python's TLS see them."""

import json
import socket
import ssl

import anyio
import pytest
import trustme
from anyio import to_thread

from sandbox.lattice.directory import Certificate, FixedResponse, Forward, KeyPair

from .conftest import FQDN, echo, http2_target, http_target, port_of

pytestmark = pytest.mark.anyio

ARN = "arn:aws:acm:us-west-2:123456789012:certificate/1"
CUSTOM = "rates.example.com"


@pytest.fixture
def https(directory):
    """A service with an HTTPS listener, a custom domain and a certificate of ACM for it."""
    directory.certificates[ARN] = Certificate(ARN, ("*.example.com",))
    directory.service(port=443, protocol="HTTPS", custom=CUSTOM, certificate_arn=ARN, default=FixedResponse(404))
    return directory


async def shake(plane, server_name, *, alpn=(), trust=None, **limits):
    """The TLS connection that a client gets at the data plane's address: protocol, cipher, ALPN, certificate."""

    def connect():
        context = ssl.create_default_context(cadata=trust or plane.authority.pem)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        for name, value in limits.items():
            setattr(context, name, value)
        if server_name is None:
            context.check_hostname = False
        raw = socket.create_connection(("127.0.0.1", port_of(plane)), timeout=10)
        with raw, context.wrap_socket(raw, server_hostname=server_name) as connection:
            return (
                connection.version(),
                connection.cipher()[0],
                connection.selected_alpn_protocol(),
                connection.getpeercert(),
            )

    return await to_thread.run_sync(connect)


class TestCertificates:
    @pytest.mark.parametrize("name", [FQDN, CUSTOM])
    async def test_curl_trusts_the_exported_authority(self, plane, https, curl, name):
        answer = await curl("--connect-to", f"::127.0.0.1:{port_of(plane)}", f"https://{name}/")
        assert (answer.status, answer.version) == (404, "HTTP/2")

    async def test_the_generated_domain_has_a_certificate_of_its_own(self, plane, https):
        *_, certificate = await shake(plane, FQDN)
        assert certificate["subjectAltName"] == (("DNS", FQDN),)

    async def test_the_custom_domain_shows_the_names_of_the_certificate_in_acm(self, plane, https):
        *_, certificate = await shake(plane, CUSTOM)
        assert certificate["subjectAltName"] == (("DNS", "*.example.com"),)

    async def test_an_imported_certificate_is_shown_itself(self, plane, https):
        ca = trustme.CA()
        leaf = ca.issue_cert(CUSTOM, key_type=trustme.KeyType.RSA)
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        pair = KeyPair(chain.decode(), leaf.private_key_pem.bytes().decode())
        https.certificates[ARN] = Certificate(ARN, (CUSTOM,), pair)
        *_, certificate = await shake(plane, CUSTOM, trust=ca.cert_pem.bytes().decode())
        assert certificate["subjectAltName"] == (("DNS", CUSTOM),)

    async def test_an_import_under_the_same_arn_is_shown_to_the_next_connection(self, plane, https):
        await shake(plane, CUSTOM)
        https.certificates[ARN] = Certificate(ARN, (CUSTOM, "other.example.com"))
        *_, certificate = await shake(plane, CUSTOM)
        assert certificate["subjectAltName"] == (("DNS", CUSTOM), ("DNS", "other.example.com"))

    @pytest.mark.parametrize("name", ["nobody.example", None])
    async def test_a_connection_for_nobody_fails(self, plane, https, name):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shake(plane, name)
        assert next(iter(plane.log)).reason == "ClientProtocolError"

    async def test_without_a_certificate_connections_to_the_custom_domain_fail(self, plane, https, curl):
        https.certificates.clear()
        answer = await curl("--proxy", plane.url, f"https://{CUSTOM}/", check=False)
        assert answer.code == 35
        assert "no certificate for its custom domain" in next(iter(plane.log)).failure

    async def test_an_import_that_does_not_work_fails_and_is_logged(self, plane, https):
        https.certificates[ARN] = Certificate(ARN, (CUSTOM,), KeyPair("no chain", "no key"))
        with pytest.raises(ssl.SSLError):
            await shake(plane, CUSTOM)
        assert "do not work" in next(iter(plane.log)).failure


class TestPolicy:
    @pytest.mark.parametrize(("limit", "version"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (None, "TLSv1.3")])
    async def test_tls_1_2_and_1_3_are_spoken(self, plane, https, limit, version):
        limits = {} if limit is None else {"maximum_version": limit}
        assert (await shake(plane, FQDN, **limits))[0] == version

    async def test_the_first_cipher_of_the_policy_is_preferred(self, plane, https):
        _, cipher, *_ = await shake(plane, FQDN, maximum_version=ssl.TLSVersion.TLSv1_2)
        assert cipher == "ECDHE-RSA-AES128-GCM-SHA256"

    @pytest.mark.parametrize(
        ("offered", "agreed"),
        [
            (["http/1.1", "h2"], "h2"),
            (["h2"], "h2"),
            (["http/1.1"], "http/1.1"),
            (["http/1.0"], None),
            ([], None),
        ],
    )
    async def test_h2_goes_before_http_1_1_and_what_neither_knows_is_not_negotiated(
        self, plane, https, offered, agreed
    ):
        assert (await shake(plane, FQDN, alpn=offered))[2] == agreed


class TestRequests:
    @pytest.mark.parametrize("version", ["--http1.1", "--http2"])
    async def test_requests_are_routed_and_the_target_is_told_of_https(self, plane, https, curl, network, version):
        async with http_target(network, echo("rates")) as target:
            https.group("tg-1", target)
            https.listen(443, "HTTPS", Forward({"tg-1": 1}))
            answer = await curl(version, "--proxy", plane.url, "-d", "body", f"https://{FQDN}/rates?x=1")
        assert answer.version == ("HTTP/2" if version == "--http2" else "HTTP/1.1")
        seen = json.loads(answer.body)
        assert (seen["method"], seen["target"], seen["body"]) == ("POST", "/rates?x=1", "body")
        for field in (["host", FQDN], ["x-forwarded-proto", "https"], ["x-forwarded-port", "443"]):
            assert field in seen["headers"]

    async def test_the_port_that_was_dialled_names_the_listener(self, plane, https, curl):
        https.listen(8443, "HTTPS", FixedResponse(500))
        assert (await curl("--proxy", plane.url, f"https://{FQDN}:8443/")).status == 500
        assert (await curl("--proxy", plane.url, f"https://{FQDN}/")).status == 404

    async def test_at_the_one_address_the_authority_names_the_port(self, plane, https, curl):
        https.listen(8443, "HTTPS", FixedResponse(500))
        answer = await curl("--connect-to", f"::127.0.0.1:{port_of(plane)}", f"https://{FQDN}:8443/")
        assert answer.status == 500

    async def test_a_request_for_another_service_than_the_connections_is_not_served(self, plane, https, curl):
        https.services["other.example"] = https.services[FQDN]
        answer = await curl("--proxy", plane.url, "-H", "Host: nobody.example", f"https://{FQDN}/")
        assert answer.status == 404

    async def test_both_names_of_a_service_are_good_on_its_connections(self, plane, https, curl):
        https.listen(443, "HTTPS", FixedResponse(500))
        answer = await curl("--proxy", plane.url, "-H", f"Host: {CUSTOM}", f"https://{FQDN}/")
        assert answer.status == 500

    async def test_plain_http_at_an_https_listener_is_refused(self, plane, https, curl):
        answer = await curl("--proxytunnel", "--proxy", plane.url, f"http://{FQDN}:443/")
        assert answer.status == 400

    async def test_tls_at_an_http_listener_is_refused(self, plane, directory, curl):
        directory.service(port=80)
        answer = await curl("--proxy", plane.url, f"https://{FQDN}:80/", check=False)
        assert answer.code == 35

    async def test_targets_over_https_may_have_any_certificate(self, plane, https, curl, network):
        async def handler(asked):
            return 200, b"hello"

        async with http2_target(network, handler, tls=True, http1=True) as target:
            https.group("tg-1", target, protocol="HTTPS")
            https.listen(443, "HTTPS", Forward({"tg-1": 1}))
            answer = await curl("--proxy", plane.url, f"https://{FQDN}/")
            assert answer.body == "hello"

    async def test_a_target_that_does_not_speak_tls_is_a_bad_gateway(self, plane, https, curl, network):
        async with http_target(network, echo("rates")) as target:
            https.group("tg-1", target, protocol="HTTPS")
            https.listen(443, "HTTPS", Forward({"tg-1": 1}))
            answer = await curl("--proxy", plane.url, f"https://{FQDN}/")
        assert answer.status == 502
        assert next(iter(plane.log)).reason == "TargetProtocolError"


async def test_many_services_have_certificates_at_one_address(plane, directory):
    """Each name gets its own, also when they are asked for at once."""
    names = [f"svc-{number}.vpc-lattice-svcs.us-west-2.on.aws" for number in range(60)]
    for name in names:
        directory.service(port=443, protocol="HTTPS", domain=name)
    shown = {}

    async def ask(name):
        *_, certificate = await shake(plane, name)
        shown[name] = certificate["subjectAltName"][0][1]

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(ask, name)
    assert shown == {name: name for name in names}
