"""The user's tags: what counts of an annotation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.translate.tags import MAX_PAIRS, MAX_USER_TAGS, user_tags


@pytest.mark.parametrize("text", [None, "", "  ", ",", "novalue", "=value", ",,=,"])
def test_nothing_useful_gives_no_tags(text):
    assert user_tags(text) == {}


def test_of_an_annotation_as_large_as_there_is_only_the_beginning_is_looked_at():
    assert user_tags("," * (MAX_PAIRS - 1) + "a=b," + "c=d") == {"a": "b"}


def test_pairs_are_split_at_commas_and_the_first_equals():
    assert user_tags(" Team = hotel , Path=a=b ,Empty=") == {"Team": "hotel", "Path": "a=b", "Empty": ""}


@pytest.mark.parametrize(
    "pair",
    [
        "aws:mine=1",
        "AWS:mine=1",
        "application-networking.k8s.aws/ManagedBy=me",
        f"{'k' * 129}=v",
        f"k={'v' * 257}",
        "a*b=c",
        "a=b;c",
    ],
)
def test_a_pair_that_lattice_or_we_refuse_is_skipped(pair):
    assert user_tags(f"good=yes,{pair}") == {"good": "yes"}


def test_forty_at_most_the_first_ones_so_that_ours_fit_beside_them():
    tags = user_tags(",".join(f"k{index}={index}" for index in range(60)))
    assert len(tags) == MAX_USER_TAGS
    assert tags["k0"] == "0"
    assert "k40" not in tags


@given(st.text())
def test_any_text_gives_tags_within_the_limits(text):
    tags = user_tags(text)
    assert len(tags) <= MAX_USER_TAGS
    assert all(1 <= len(key) <= 128 and len(value) <= 256 for key, value in tags.items())
