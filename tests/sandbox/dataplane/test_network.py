"""Pod addresses and the loopback addresses behind them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.network import AddressesExhaustedError, Network, NetworkUnavailableError


def test_pods_get_addresses_that_are_not_loopback_and_no_network_or_broadcast():
    network = Network("10.244.0.0/23")
    given_out = [network.allocate() for _ in range(508)]
    assert given_out[0] == "10.244.0.1"
    assert len(set(given_out)) == 508
    assert not [address for address in given_out if address.rpartition(".")[2] in ("0", "255")]
    with pytest.raises(AddressesExhaustedError):
        network.allocate()


def test_an_address_given_back_rests_before_it_is_given_out_again():
    network = Network("10.244.0.0/29")
    first, second = network.allocate(), network.allocate()
    network.release(first)
    assert [network.allocate() for _ in range(6)] == [*(f"10.244.0.{n}" for n in range(3, 8)), first]
    assert second == "10.244.0.2"


def test_a_pod_can_claim_the_address_it_had():
    network = Network()
    assert network.claim("10.244.0.1")
    assert not network.claim("10.244.0.1")
    assert not network.claim("10.1.0.1")
    assert not network.claim("10.244.3.255")
    assert network.allocate() == "10.244.0.2"


@given(st.tuples(st.integers(1, 255), st.integers(0, 255), st.integers(0, 255)))
def test_an_address_and_its_socket_address_are_two_names_of_one_thing(parts):
    network, tail = Network(), ".".join(map(str, parts))
    assert network.socket_address(f"10.{tail}") == f"127.{tail}"
    assert network.address(f"127.{tail}") == f"10.{tail}"


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "192.168.0.1", "not an address"])
def test_nothing_outside_the_network_has_a_socket_address(address):
    with pytest.raises(ValueError, match=r"."):
        Network().socket_address(address)


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.168.0.1", "::1"])
def test_a_peer_outside_the_network_has_no_address_in_it(peer):
    assert Network().address(peer) is None


@pytest.mark.parametrize("pods", ["192.168.0.0/16", "10.0.0.0/16"])
def test_pods_cannot_live_elsewhere(pods):
    with pytest.raises(ValueError, match="not part of"):
        Network(pods)


def test_a_machine_that_cannot_bind_is_told_so(monkeypatch):
    def refuse(self, address):
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr("socket.socket.bind", refuse)
    with pytest.raises(NetworkUnavailableError, match="Linux"):
        Network().check()
