"""Pod addresses and the loopback addresses behind them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.network import AddressesExhaustedError, Network, NetworkUnavailableError


class Machine:
    """Blocks as a machine's kernel lends them to processes."""

    def __init__(self, *, lent=()):
        self.lent = set(lent)

    def hold(self, address):
        if address in self.lent:
            return None
        self.lent.add(address)
        return Loan(self, address)

    def network(self, pods="10.244.0.0/16"):
        return Network(pods, hold=self.hold)


class Loan:
    def __init__(self, machine, address):
        self.machine, self.address = machine, address

    def close(self):
        self.machine.lent.remove(self.address)


def test_pods_get_addresses_that_are_not_loopback_and_no_network_or_broadcast():
    network = Machine().network("10.244.0.0/23")
    given_out = [network.allocate() for _ in range(508)]
    assert given_out[0] == "10.244.0.1"
    assert len(set(given_out)) == 508
    assert not [address for address in given_out if address.rpartition(".")[2] in ("0", "255")]
    with pytest.raises(AddressesExhaustedError):
        network.allocate()


def test_an_address_given_back_rests_before_it_is_given_out_again():
    network = Machine().network("10.244.0.0/24")
    first = network.allocate()
    network.release(first)
    others = [network.allocate() for _ in range(253)]
    assert first not in others
    assert network.allocate() == first


def test_two_networks_of_one_machine_have_no_address_in_common():
    machine = Machine()
    one, other = machine.network(), machine.network()
    assert (one.allocate(), other.allocate()) == ("10.244.0.1", "10.244.1.1")
    one.close()
    assert machine.network().allocate() == "10.244.0.1"


def test_a_network_that_nobody_closes_lets_its_blocks_go_when_it_goes():
    machine = Machine()
    machine.network().allocate()
    assert machine.lent == set()


def test_real_networks_share_this_machine():
    with Network() as one, Network() as other:
        assert one.allocate().rpartition(".")[0] != other.allocate().rpartition(".")[0]


def test_a_pod_can_claim_the_address_it_had():
    network = Machine().network()
    assert network.claim("10.244.7.1")
    assert not network.claim("10.244.7.1")
    assert not network.claim("10.1.0.1")
    assert not network.claim("10.244.7.255")
    assert network.allocate() == "10.244.7.2"


def test_an_address_that_another_sandbox_has_cannot_be_claimed():
    assert not Machine(lent={"127.244.7.0"}).network().claim("10.244.7.1")


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


@pytest.mark.parametrize("pods", ["192.168.0.0/16", "10.0.0.0/16", "10.244.0.0/30"])
def test_pods_cannot_live_elsewhere(pods):
    with pytest.raises(ValueError, match="is not a /24"):
        Network(pods)


def test_a_machine_that_cannot_bind_is_told_so(monkeypatch):
    def refuse(self, address):
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr("socket.socket.bind", refuse)
    with pytest.raises(NetworkUnavailableError, match="Linux"):
        Network().check()
