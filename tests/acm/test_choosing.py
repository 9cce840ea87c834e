"""Which certificate serves a name (VPC Lattice user guide, "Bring Your Own Certificate"; docs/objects.md)."""

from hypothesis import given
from hypothesis import strategies as st

from controller.acm.model import Certificate, Choice, Issued


def certificate(arn: str, *names: str, made: float = 1.0, ends_soon: bool = False) -> Certificate:
    return Certificate(arn=arn, names=names, made=made, ends_soon=ends_soon)


def choose(certificates: list[Certificate], hostname: str) -> Choice | None:
    return Issued(certificates).choose(hostname)


def test_a_name_of_its_own_goes_before_a_newer_wildcard():
    choice = choose(
        [certificate("own", "a.example.com"), certificate("wide", "*.example.com", made=9)], "a.example.com"
    )
    assert choice is not None
    assert choice.arn == "own"
    assert choice.as_well == frozenset()


def test_any_of_the_names_counts():
    choice = choose([certificate("one", "example.com", "a.example.com")], "a.example.com")
    assert choice is not None


def test_a_wildcard_covers_one_label():
    wide = [certificate("wide", "*.example.com")]
    assert choose(wide, "a.example.com") is not None
    assert choose(wide, "b.a.example.com") is None
    assert choose(wide, "example.com") is None
    assert choose(wide, "aexample.com") is None


def test_names_are_compared_without_case():
    assert choose([certificate("one", "a.example.com")], "A.Example.com") is not None
    assert choose([certificate("one", "*.example.com")], "A.EXAMPLE.com") is not None


def test_the_newest_is_chosen_and_the_others_do_as_well():
    found = [certificate("old", "a.x"), certificate("new", "a.x", made=2), certificate("older", "a.x", made=0)]
    choice = choose(found, "a.x")
    assert choice is not None
    assert (choice.arn, choice.as_well) == ("new", {"old", "older"})


def test_one_that_ends_soon_is_no_alternative_to_one_that_lasts():
    found = [certificate("ending", "a.x", made=2, ends_soon=True), certificate("lasting", "a.x")]
    choice = choose(found, "a.x")
    assert choice is not None
    assert (choice.arn, choice.as_well) == ("lasting", frozenset())


def test_one_that_ends_soon_serves_where_there_is_no_other():
    found = [certificate("one", "a.x", ends_soon=True), certificate("two", "a.x", made=2, ends_soon=True)]
    choice = choose(found, "a.x")
    assert choice is not None
    assert (choice.arn, choice.as_well) == ("two", frozenset())


def test_nothing_is_chosen_where_nothing_fits():
    assert choose([], "a.x") is None
    assert choose([certificate("one", "b.x")], "a.x") is None


NAMES = st.sampled_from(["a.x", "b.x", "*.x", "x", "*.a.x", "b.a.x"])
CERTIFICATES = st.lists(
    st.builds(
        Certificate,
        arn=st.sampled_from([f"arn{number}" for number in range(6)]),
        names=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
        made=st.integers(0, 3).map(float),
        ends_soon=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: one.arn,
)


@given(CERTIFICATES, st.sampled_from(["a.x", "b.x", "x", "b.a.x"]), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_and_keeps_what_it_chose(certificates, hostname, order):
    choice = choose(certificates, hostname)
    shuffled = list(certificates)
    order.shuffle(shuffled)
    assert choose(shuffled, hostname) == choice
    if choice is None:
        return
    held = {one.arn: one for one in certificates}
    chosen = held[choice.arn]
    for arn in choice.as_well:
        assert (hostname in held[arn].names) == (hostname in chosen.names)
        assert not held[arn].ends_soon
    if not chosen.ends_soon:
        # A newer one that comes later does not take the service's certificate away.
        newer = Certificate(arn="newer", names=(hostname,), made=99.0)
        after = choose([*certificates, newer], hostname)
        assert after is not None
        assert (choice.arn in after.as_well) == (hostname in chosen.names)
