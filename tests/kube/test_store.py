"""The store: identity, indexes, and never going back to an older version."""

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.api.core import EndpointSlice, Service
from controller.api.meta import ObjectMeta, Undecodable
from controller.kube.store import Change, Store


def service(name: str, version: int | str, *labels: str, namespace: str = "shop") -> Service:
    metadata = ObjectMeta(
        name=name, namespace=namespace, resource_version=str(version), labels=dict.fromkeys(labels, "x")
    )
    return Service(metadata=metadata)


def broken(name: str, version: int, *labels: str) -> Undecodable:
    """An object that cannot be decoded; of its labels can, if it has any."""
    metadata = ObjectMeta(name=name, namespace="shop", resource_version=str(version))
    fragment = service(name, version, *labels) if labels else None
    return Undecodable(metadata=metadata, error="why", fragment=fragment)


def labels(obj: Service) -> Iterable[str]:
    return obj.metadata.labels or {}


@pytest.fixture
def store() -> Store[Service]:
    return Store({"label": labels})


def test_an_object_is_found_by_identity_and_under_each_value_of_an_index(store: Store[Service]) -> None:
    obj = service("a", 1, "red", "round")
    store.put(obj)
    assert store.get("shop", "a") is obj
    assert store.get("other", "a") is None
    assert store.by_index("label", "red") == store.by_index("label", "round") == (obj,)
    assert store.by_index("label", "blue") == ()


def test_a_change_moves_the_object_between_index_values(store: Store[Service]) -> None:
    old, new = service("a", 1, "red"), service("a", 2, "blue")
    store.put(old)
    assert store.apply(new) == Change(old, new)
    assert store.by_index("label", "red") == ()
    assert store.by_index("label", "blue") == (new,)


def test_an_index_that_does_not_exist_is_an_error_and_no_empty_answer(store: Store[Service]) -> None:
    with pytest.raises(KeyError):
        store.by_index("colour", "red")


@pytest.mark.parametrize("version", [4, 5])
def test_an_older_or_equal_version_changes_nothing(store: Store[Service], version: int) -> None:
    held = service("a", 5)
    store.put(held)
    assert store.apply(service("a", version, "stale")) is None
    assert store.get("shop", "a") is held


def test_versions_are_compared_as_numbers_not_as_text(store: Store[Service]) -> None:
    store.put(service("a", 9))
    assert store.apply(service("a", 10)) is not None


def test_versions_that_cannot_be_compared_are_taken_as_they_come(store: Store[Service]) -> None:
    store.put(service("a", "x2"))
    assert store.apply(service("a", "x1")) is not None
    assert store.apply(service("a", "x1")) is None


def test_an_undecodable_object_is_found_under_what_can_be_read_of_it_and_what_it_last_was(
    store: Store[Service],
) -> None:
    first, second = broken("a", 2), broken("a", 3, "blue")
    store.put(service("a", 1, "red"))
    store.put(first)
    assert store.undecodable_by_index("label", "red") == (first,)
    store.put(second)
    assert store.undecodable_by_index("label", "red") == store.undecodable_by_index("label", "blue") == (second,)
    assert store.by_index("label", "red") == store.by_index("label", "blue") == ()
    store.put(service("a", 4, "green"))
    assert not any(store.undecodable_by_index("label", value) for value in ("red", "blue", "green"))
    store.put(broken("a", 5))
    store.delete("shop", "a")
    assert store.undecodable_by_index("label", "green") == ()
    store.put(broken("a", 6))
    assert store.undecodable_by_index("label", "green") == ()


def test_what_another_object_of_the_name_was_does_not_count(store: Store[Service]) -> None:
    old = service("a", 1, "red")
    store.put(old)
    store.put(Undecodable(metadata=ObjectMeta(name="a", namespace="shop", uid="new"), error="why"))
    assert store.undecodable_by_index("label", "red") == ()


def test_the_revision_tells_every_change(store: Store[Service]) -> None:
    seen = [store.revision]
    for change in (
        lambda: store.put(service("a", 1)),
        lambda: store.apply(service("a", 2)),
        lambda: store.put(broken("a", 3)),
        lambda: store.delete("shop", "a"),
        lambda: store.replace([service("b", 4)]),
        lambda: store.replace([]),
    ):
        change()
        seen.append(store.revision)
    assert seen == sorted(set(seen))
    store.delete("shop", "a")
    store.replace([])
    assert store.revision == seen[-1]


def test_an_undecodable_object_has_an_identity_and_stands_in_no_index(store: Store[Service]) -> None:
    old = service("a", 1, "red")
    store.put(old)
    bad = broken("a", 2)
    assert store.apply(bad) == Change(old, bad)
    assert store.get("shop", "a") is bad
    assert dict(store.undecodable) == {("shop", "a"): bad}
    assert store.by_index("label", "red") == store.list() == ()
    good = service("a", 3, "red")
    assert store.apply(good) == Change(bad, good)
    assert not store.undecodable
    assert len(store) == 1


def test_replace_answers_only_what_differs(store: Store[Service]) -> None:
    same, old, gone = service("same", 1), service("changed", 1), service("gone", 1)
    for obj in (same, old, gone):
        store.put(obj)
    new, added = service("changed", 5), service("added", 6)
    changes = store.replace([service("same", 1), new, added], "7")
    assert sorted(changes, key=str) == sorted([Change(old, new), Change(None, added), Change(gone, None)], key=str)
    assert store.get("shop", "same") is same


def test_replace_keeps_what_is_newer_than_the_list(store: Store[Service]) -> None:
    created = service("ours", 9)
    patched = service("patched", 8)
    store.put(created)
    store.put(patched)
    assert store.replace([service("patched", 3)], "7") == []
    assert store.get("shop", "ours") is created
    assert store.get("shop", "patched") is patched


def test_replace_lets_go_of_undecodable_objects_too(store: Store[Service]) -> None:
    bad = broken("bad", 1)
    store.put(bad)
    assert store.replace([], "7") == [Change(bad, None)]


def test_deleting_what_is_not_there_is_no_change(store: Store[Service]) -> None:
    assert store.delete("shop", "a") is None


def test_a_store_without_indexers_holds_objects_of_cluster_scope() -> None:
    store: Store[EndpointSlice] = Store()
    obj = EndpointSlice(metadata=ObjectMeta(name="x"))
    store.put(obj)
    assert store.get("", "x") is obj


class StoreMachine(RuleBasedStateMachine):
    """A store and a dictionary go through the same changes; every index must say what a scan would."""

    names = st.sampled_from("abcd")
    tags = st.lists(st.sampled_from(["red", "green", "blue"]), max_size=3)

    def __init__(self) -> None:
        super().__init__()
        self.store: Store[Service] = Store({"label": labels, "even": lambda obj: [int(obj.name, 36) % 2 == 0]})
        self.model: dict[str, Service | Undecodable] = {}
        self.version = 0

    def made(self, name: str, tags: list[str], good: bool) -> Service | Undecodable:
        self.version += 1
        return service(name, self.version, *tags) if good else broken(name, self.version)

    @rule(name=names, tags=tags, good=st.booleans())
    def apply(self, name: str, tags: list[str], good: bool) -> None:
        obj = self.made(name, tags, good)
        assert self.store.apply(obj) == Change(self.model.get(name), obj)
        self.model[name] = obj

    @rule(name=names, tags=tags)
    def apply_an_old_one(self, name: str, tags: list[str]) -> None:
        if name in self.model:
            assert self.store.apply(service(name, 0, *tags)) is None

    @rule(name=names)
    def delete(self, name: str) -> None:
        old = self.model.pop(name, None)
        assert self.store.delete("shop", name) == (None if old is None else Change(old, None))

    @rule(kept=st.sets(names), changed=st.dictionaries(names, tags), good=st.booleans())
    def replace(self, kept: set[str], changed: dict[str, list[str]], good: bool) -> None:
        before = dict(self.model)
        after = {name: obj for name, obj in before.items() if name in kept}
        after |= {name: self.made(name, tags, good) for name, tags in changed.items()}
        changes = self.store.replace(after.values(), str(self.version))
        told = {(change.new or change.old).name: change for change in changes if change.new or change.old}
        assert len(told) == len(changes)
        assert told == {
            name: Change(before.get(name), after.get(name))
            for name in before.keys() | after.keys()
            if before.get(name) is not after.get(name)
        }
        self.model = after

    @invariant()
    def indexes_say_what_a_scan_would(self) -> None:
        good = [obj for obj in self.model.values() if isinstance(obj, Service)]
        assert sorted(obj.name for obj in self.store.list()) == sorted(obj.name for obj in good)
        for tag in ("red", "green", "blue"):
            found = self.store.by_index("label", tag)
            assert sorted(obj.name for obj in found) == sorted(o.name for o in good if tag in labels(o))
        evens = {obj.name for obj in self.store.by_index("even", True)}
        assert evens == {obj.name for obj in good if int(obj.name, 36) % 2 == 0}
        assert {name for _, name in self.store.undecodable} == self.model.keys() - {obj.name for obj in good}

    @invariant()
    def nothing_is_left_behind_in_an_index(self) -> None:
        assert all(found for index in self.store._indexes.values() for found in index.values())


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
