"""Hostname intersection (Gateway API v1.6, `HTTPRouteSpec.hostnames`)."""

from hypothesis import given
from hypothesis import strategies as st

from controller.gateway.hostnames import effective_hostnames, intersect, is_wildcard, matches

LABEL = st.sampled_from("abc")
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
HOSTNAME = st.one_of(NAME, NAME.map(lambda name: f"*.{name}"))


def fits(pattern: str, name: str) -> bool:
    """Whether a request for `name` is one for `pattern`, label by label from the right."""
    wanted, got = pattern.split("."), name.split(".")
    if wanted[0] != "*":
        return wanted == got
    suffix = wanted[1:]
    return len(got) > len(suffix) and got[-len(suffix) :] == suffix


@given(HOSTNAME, HOSTNAME, NAME)
def test_the_intersection_fits_the_names_that_both_fit(one, other, name):
    common = intersect(one, other)
    assert (common is not None and fits(common, name)) == (fits(one, name) and fits(other, name))


@given(HOSTNAME, HOSTNAME)
def test_the_intersection_is_one_of_the_two_whatever_their_order(one, other):
    assert intersect(one, other) == intersect(other, one)
    assert intersect(one, other) in {one, other, None}


@given(HOSTNAME, NAME)
def test_matches_agrees_with_names(pattern, name):
    assert matches(pattern, name) == fits(pattern, name)


@given(st.one_of(st.none(), HOSTNAME), st.lists(HOSTNAME, max_size=4))
def test_effective_hostnames_are_those_of_both_sides(listener, wanted):
    effective = effective_hostnames(listener, wanted)
    assert len(set(effective)) == len(effective)
    if listener is None:
        assert effective == (tuple(dict.fromkeys(wanted)) or ("",))
    for hostname in effective:
        assert not hostname or any(matches(pattern, hostname) for pattern in (*wanted, listener or hostname))


def test_a_wildcard_begins_with_a_star_label():
    assert is_wildcard("*.example.com")
    assert not is_wildcard("example.com")
