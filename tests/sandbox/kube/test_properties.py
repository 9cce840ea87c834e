"""Properties of the pure parts: patches, selectors, schemas, sets of fields."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from sandbox.kube.apply import merge, remove
from sandbox.kube.errors import Problems
from sandbox.kube.fields import all_fields, changes, difference, intersection, new_fields, union, without
from sandbox.kube.patch import json_patch, merge_patch, strategic_merge
from sandbox.kube.schema import ANYTHING, compile_schema, default, prune
from sandbox.kube.selectors import parse_labels
from sandbox.kube.store import Store
from sandbox.kube.validation import validate

keys = st.sampled_from(["a", "b", "c", "d"])
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "x", "y"])
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
objects = st.dictionaries(keys, documents, max_size=4)
nothing_null = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
)
plain = st.dictionaries(keys, nothing_null, max_size=4)


def diff(old, new):
    """The merge patch that makes `new` of `old`."""
    patch = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            patch[key] = diff(before, value)
        elif key not in old or before != value or type(before) is not type(value):
            patch[key] = value
    return patch


@given(plain, plain)
def test_a_merge_patch_of_the_difference_gives_the_other(old, new):
    assert merge_patch(copy.deepcopy(old), diff(old, new)) == new


@given(objects, objects)
def test_a_merge_patch_is_idempotent(document, patch):
    once = merge_patch(copy.deepcopy(document), copy.deepcopy(patch))
    assert merge_patch(copy.deepcopy(once), copy.deepcopy(patch)) == once


@given(plain, plain)
def test_without_lists_to_merge_a_strategic_merge_is_a_merge(document, patch):
    merged = strategic_merge(copy.deepcopy(document), copy.deepcopy(patch), ANYTHING)
    assert merged == merge_patch(copy.deepcopy(document), copy.deepcopy(patch))


@given(objects, keys, documents)
def test_what_a_json_patch_adds_it_can_test_and_remove(document, key, value):
    added = json_patch(copy.deepcopy(document), [{"op": "add", "path": f"/{key}", "value": value}])
    json_patch(copy.deepcopy(added), [{"op": "test", "path": f"/{key}", "value": value}])
    removed = json_patch(added, [{"op": "remove", "path": f"/{key}"}])
    assert removed == {name: item for name, item in document.items() if name != key}


@given(objects, keys, keys)
def test_a_json_patch_moves_as_it_copies_and_removes(document, source, target):
    if source not in document or source == target:
        return
    path, there = f"/{source}", f"/{target}"
    moved = json_patch(copy.deepcopy(document), [{"op": "move", "from": path, "path": there}])
    copied = [{"op": "copy", "from": path, "path": there}, {"op": "remove", "path": path}]
    assert moved == json_patch(copy.deepcopy(document), copied)


KEYED = compile_schema(
    {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "name",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "size": {"type": "integer", "default": 3, "minimum": 0},
                        "on": {"type": "boolean"},
                    },
                },
            },
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
)
items = st.lists(
    st.fixed_dictionaries({"name": keys}, optional={"size": st.integers(0, 9), "on": st.booleans()}),
    max_size=4,
    unique_by=lambda item: item["name"],
)
keyed = st.fixed_dictionaries(
    {}, optional={"items": items, "labels": st.dictionaries(keys, st.sampled_from("xy"), min_size=1)}
)
with_items = keyed.filter(lambda document: document.get("items"))


def by_name(document):
    return {item["name"]: item for item in document.get("items", ())}


@given(keyed, keyed)
def test_a_strategic_merge_joins_items_by_key(document, patch):
    merged = by_name(strategic_merge(copy.deepcopy(document), copy.deepcopy(patch), KEYED))
    old, new = by_name(document), by_name(patch)
    assert merged == {name: {**old.get(name, {}), **new.get(name, {})} for name in old.keys() | new.keys()}


@given(keyed)
def test_defaults_are_filled_in_once_and_are_valid(document):
    first = copy.deepcopy(document)
    default(KEYED, first)
    second = copy.deepcopy(first)
    default(KEYED, second)
    problems = Problems()
    validate(KEYED, first, "", problems)
    assert first == second
    assert problems.causes == []
    assert all("size" in item for item in first.get("items", ()))


@given(keyed, objects)
def test_pruning_leaves_what_is_known_and_tells_the_rest(document, unknown):
    unknown = {f"not-{key}": value for key, value in unknown.items()}
    value = {**copy.deepcopy(document), **unknown}
    assert sorted(prune(KEYED, value)) == sorted(unknown)
    assert value == document
    assert prune(KEYED, value) == []


@given(objects)
def test_anything_is_anything(value):
    before = copy.deepcopy(value)
    problems = Problems()
    validate(ANYTHING, value, "", problems)
    assert prune(ANYTHING, value) == []
    assert problems.causes == []
    assert value == before


@given(keyed, keyed)
def test_applying_makes_it_so_and_taking_it_back_undoes_it(live, applied):
    merged = merge(copy.deepcopy(live), copy.deepcopy(applied), KEYED)
    assert merge(merged, applied, KEYED) == merged
    new = difference(all_fields(merged, KEYED), all_fields(live, KEYED))
    undone = remove(merged, new, KEYED)
    kept = {name: set(item) for name, item in by_name(live).items()}
    assert {name: set(item) for name, item in by_name(undone).items()} == kept


@given(keyed, keyed)
def test_changes_tell_what_differs(old, new):
    changed, removed = changes(old, new, KEYED)
    same = old.keys() == new.keys() and by_name(old) == by_name(new) and old.get("labels") == new.get("labels")
    assert (not changed and not removed) == same


@given(with_items, with_items)
def test_changes_lead_from_one_set_of_fields_to_the_other(old, new):
    changed, removed = changes(old, new, KEYED)
    assert union(without(new_fields(old, KEYED), removed), changed) == new_fields(new, KEYED)


@given(keyed)
def test_an_update_owns_what_an_apply_would_and_the_maps_and_lists_themselves(value):
    assert without_themselves(new_fields(value, KEYED)) == without_themselves(all_fields(value, KEYED))


def without_themselves(fields):
    return {part: without_themselves(sub) for part, sub in fields.items() if part != "."}


@given(keyed, keyed)
def test_a_set_is_made_of_what_it_shares_and_what_it_does_not(one, other):
    left, right = all_fields(one, KEYED), all_fields(other, KEYED)
    assert union(difference(left, right), intersection(left, right)) == left
    assert difference(left, left) == {}
    assert intersection(left, left) == left


labels = st.dictionaries(st.sampled_from(["app", "tier", "x.io/n"]), st.sampled_from(["a", "b", "5", ""]))


@given(labels, st.sampled_from(["app", "tier", "x.io/n"]), st.sets(st.sampled_from(["a", "b", "5"]), min_size=1))
def test_a_selector_and_its_opposite_share_nothing(given_labels, key, values):
    listed = ",".join(sorted(values))
    for one, other in ((key, f"!{key}"), (f"{key} in ({listed})", f"{key} notin ({listed})")):
        assert parse_labels(one).matches(given_labels) is not parse_labels(other).matches(given_labels)


@given(labels, labels)
def test_requirements_are_joined_by_and(given_labels, wanted):
    text = ",".join(f"{key}={value}" for key, value in wanted.items())
    selected = parse_labels(text).matches(given_labels)
    assert selected == all(given_labels.get(key) == value for key, value in wanted.items())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=20))
def test_a_list_of_an_earlier_version_is_as_it_was(writes):
    store = Store(history=100)
    things = store.collection("things")
    seen = {}
    for name, stays in writes:
        before = things.get(("here", name))
        draft = store.draft(("here", name), {"apiVersion": "v1", "metadata": {"uid": name, "name": name}})
        if before is None:
            store.create(things, draft)
        elif stays:
            store.replace(things, before, draft)
        else:
            store.remove(things, before, draft)
        seen[store.version] = things.ordered("here")
    assert all(things.ordered_at(version, "here") == objects for version, objects in seen.items())
    assert all(things.ordered_at(version) == objects for version, objects in seen.items())
    assert things.ordered_at(store.version, "elsewhere") == []


@given(items, items)
def test_a_strategic_merge_keeps_the_order_of_the_list_and_that_of_the_patch(existing, patch):
    merged = strategic_merge({"items": copy.deepcopy(existing)}, {"items": copy.deepcopy(patch)}, KEYED)
    order = [item["name"] for item in merged["items"]]
    named = [item["name"] for item in patch]
    others = [item["name"] for item in existing if item["name"] not in named]
    assert [name for name in order if name in named] == named
    assert [name for name in order if name in others] == others
