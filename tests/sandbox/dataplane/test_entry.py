"""What becomes of a connection over TLS, and with which certificate."""

import pytest

from sandbox.dataplane.authority import covers
from sandbox.dataplane.entry import NoEntryError, PassThrough, Terminate, entry
from sandbox.lattice.directory import Certificate, FixedResponse, Forward

from .conftest import FQDN

ARN = "arn:aws:acm:us-west-2:123456789012:certificate/1"
CUSTOM = "rates.example.com"


@pytest.fixture
def certificate(directory):
    directory.certificates[ARN] = Certificate(ARN, ("*.example.com",))
    return directory.certificates[ARN]


def test_the_generated_domain_has_a_certificate_of_lattices_own(directory, certificate):
    directory.service(port=443, protocol="HTTPS", custom=CUSTOM, certificate_arn=ARN)
    assert entry(directory, FQDN, 443) == Terminate(FQDN, None)


def test_the_custom_domain_has_the_certificate_of_the_service(directory, certificate):
    directory.service(port=443, protocol="HTTPS", custom=CUSTOM, certificate_arn=ARN)
    assert entry(directory, CUSTOM, 443) == Terminate(CUSTOM, certificate)


@pytest.mark.parametrize("arn", [None, "arn:aws:acm:us-west-2:123456789012:certificate/gone"])
def test_there_is_no_default_certificate_for_a_custom_domain(directory, arn):
    directory.service(port=443, protocol="HTTPS", custom=CUSTOM, certificate_arn=arn)
    with pytest.raises(NoEntryError, match="no certificate"):
        entry(directory, CUSTOM, 443)


def test_a_certificate_for_other_names_does_not_do(directory, certificate):
    directory.service(port=443, protocol="HTTPS", custom="parking.different.example.com", certificate_arn=ARN)
    with pytest.raises(NoEntryError, match="is not for"):
        entry(directory, "parking.different.example.com", 443)


@pytest.mark.parametrize(
    ("names", "domain", "covered"),
    [
        (("rates.example.com",), "rates.example.com", True),
        (("Rates.Example.com",), "RATES.example.com", True),
        (("*.example.com",), "parking.example.com", True),
        (("*.example.com",), "parking.different.example.com", False),
        (("*.example.com",), "example.com", False),
        (("other.org", "rates.example.com"), "rates.example.com", True),
        ((), "rates.example.com", False),
    ],
)
def test_a_wildcard_is_one_level_deep(names, domain, covered):
    assert covers(names, domain) == covered


@pytest.mark.parametrize("name", [None, "nobody.example"])
def test_a_connection_for_nobody_gets_nowhere(directory, name):
    with pytest.raises(NoEntryError):
        entry(directory, name, 443)


@pytest.mark.parametrize("port", [80, 8443])
def test_tls_needs_a_listener_for_it_on_the_port_that_was_dialled(directory, port):
    directory.service(port=443, protocol="HTTPS")
    directory.listen(80, "HTTP", FixedResponse(404))
    with pytest.raises(NoEntryError, match=f"on port {port}"):
        entry(directory, FQDN, port)


class TestPassingThrough:
    def test_a_tls_listener_matches_the_custom_domain(self, directory):
        directory.service(port=443, protocol="TLS_PASSTHROUGH", custom=CUSTOM, default=Forward({"tg-1": 1}))
        found = entry(directory, CUSTOM, 443)
        assert isinstance(found, PassThrough)
        assert found.listener.port == 443

    def test_a_tls_listener_does_not_match_the_generated_domain(self, directory):
        directory.service(port=443, protocol="TLS_PASSTHROUGH", custom=CUSTOM, default=Forward({"tg-1": 1}))
        with pytest.raises(NoEntryError, match="custom domain"):
            entry(directory, FQDN, 443)


class TestWhereOneAddressStandsForAllPorts:
    def test_port_443_comes_first(self, directory):
        directory.service(port=443, protocol="HTTPS")
        directory.listen(8443, "TLS_PASSTHROUGH", Forward({"tg-1": 1}))
        assert isinstance(entry(directory, FQDN, None), Terminate)

    def test_then_the_only_tls_listener(self, directory):
        directory.service(port=80, custom=CUSTOM)
        directory.listen(8443, "TLS_PASSTHROUGH", Forward({"tg-1": 1}))
        assert entry(directory, CUSTOM, None).listener.port == 8443

    def test_then_an_https_listener_whose_port_the_request_will_say(self, directory):
        directory.service(port=8443, protocol="HTTPS")
        assert entry(directory, FQDN, None) == Terminate(FQDN, None)

    def test_a_service_in_clear_has_none(self, directory):
        directory.service(port=80)
        with pytest.raises(NoEntryError, match=r"no listener for TLS$"):
            entry(directory, FQDN, None)
