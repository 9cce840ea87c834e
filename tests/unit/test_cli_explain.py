"""How an explanation is printed."""

import io

import pytest
from rich.console import Console

from controller.cli.explain import show
from controller.translate.facts import Fact

TREE = Fact(
    kind="HTTPRoute",
    name="default/rates",
    well=True,
    told="served by 1 Lattice service",
    below=(
        Fact(
            kind="parent",
            name="Gateway default/my-hotel",
            well=False,
            told="NotAllowedByListeners: allowedRoutes of listener [http] of Gateway default/my-hotel admits no"
            " HTTPRoute from namespace default.",
            below=(Fact(kind="endpoint", name="10.0.0.1", told="no target: terminating"),),
        ),
    ),
)


def printed(fact: Fact, width: int) -> str:
    screen = io.StringIO()
    show(fact, Console(file=screen, width=width, highlight=False))
    return screen.getvalue()


def test_each_fact_is_a_line_with_a_mark_below_the_one_that_rests_on_it():
    assert printed(TREE, 200).splitlines() == [
        "✓ HTTPRoute default/rates: served by 1 Lattice service",
        f"└── ✗ parent Gateway default/my-hotel: {TREE.below[0].told}",
        "    └── · endpoint 10.0.0.1: no target: terminating",
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit_the_terminal_and_break_between_words(width):
    text = printed(TREE, width)
    assert max(map(len, text.splitlines())) <= width
    words = set(text.split())
    assert {word for word in TREE.below[0].told.split() if len(word) < 30} <= words


def test_what_is_amiss_anywhere_is_amiss_as_a_whole():
    assert not TREE.all_well
    assert TREE.below[0].below[0].all_well
    assert Fact(kind="rule", name="0", below=(Fact(kind="match", name="prefix /", well=True),)).all_well
