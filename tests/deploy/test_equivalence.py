"""Our definitions against the existing controller's: a cluster that changes from one to the other must not notice.

Compared twice, as one comparison can be wrong: the definitions themselves in a normal form, and what a server does with
objects that they accept and objects that are slightly wrong.
"""

import re

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.deploy.definitions import (
    KINDS,
    OURS,
    THEIRS,
    Json,
    definitions,
    nodes,
    normal_form,
    resource,
    schema,
    submit,
)
from tests.deploy.generated import mutated, neighbours, objects

pytestmark = pytest.mark.skipif(
    not THEIRS.is_dir(), reason=f"the existing controller's definitions are not at {THEIRS}; CRDS names another folder"
)


def test_the_same_kinds_are_defined():
    assert set(definitions(OURS)) == set(definitions(THEIRS)) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_names_scope_columns_subresources_and_schema_are_the_same(kind):
    assert normal_form(definitions(OURS)[kind]) == normal_form(definitions(THEIRS)[kind])


def told_apart(kind: str, obj: Json) -> bool:
    return submit(resource(OURS, kind), obj) != submit(resource(THEIRS, kind), obj)


@pytest.mark.parametrize("folder", [OURS, THEIRS], ids=["around_ours", "around_theirs"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_no_single_change_to_a_whole_object_tells_the_two_apart(kind, folder, data):
    raw = schema(definitions(folder)[kind])
    whole = data.draw(objects(kind, raw, whole=True))
    assert not told_apart(kind, whole)
    assert [changed for changed in neighbours(whole, raw) if told_apart(kind, changed)] == []


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_combination_of_changes_tells_the_two_apart(kind, data):
    raw = schema(definitions(data.draw(st.sampled_from([OURS, THEIRS])))[kind])
    assert not told_apart(kind, data.draw(objects(kind, raw) | mutated(kind, raw)))


def words(text: str) -> str:
    """The text without what a copyist would change: case, spaces, marks."""
    return " ".join(re.findall(r"\w+", text.lower()))


def test_every_description_is_our_own():
    theirs = {
        words(node["description"])
        for definition in definitions(THEIRS).values()
        for _, node in nodes(schema(definition))
        if "description" in node
    }
    copied = [
        f"{kind}{path}"
        for kind, definition in definitions(OURS).items()
        for path, node in nodes(schema(definition))
        if words(node.get("description", "")) in theirs
    ]
    assert copied == []
