"""The local copy of a kind: what is told, what wins, what stays gone."""

from random import Random

import pytest

from sandbox.workloads.cache import Cache
from sandbox.workloads.client import PODS
from sandbox.workloads.objects import says

from .builders import meta


@pytest.fixture
def told():
    return []


@pytest.fixture
def cache(told):
    cache = Cache(None, PODS, random=Random(1))
    cache.listen(lambda before, after: told.append((before, after)))
    return cache


def obj(version, *, uid="uid-a", owner=None, **fields):
    return {"metadata": meta("a", version=version, uid=uid, owner=owner), **fields}


def test_listeners_hear_of_what_comes_changes_and_goes(cache, told):
    first, second = obj(1), obj(2)
    cache.put(first)
    cache.put(second)
    cache.drop(obj(3))
    assert told == [(None, first), (first, second), (second, None)]


def test_an_older_object_never_replaces_a_newer_one(cache, told):
    newer = obj(2)
    cache.put(newer)
    cache.put(obj(1))
    cache.put(obj(2))
    assert cache.get(("default", "a")) is newer
    assert len(told) == 1


def test_an_answer_that_comes_after_the_deletion_brings_nothing_back(cache):
    cache.put(obj(1))
    cache.drop(obj(3))
    cache.put(obj(2))
    assert cache.get(("default", "a")) is None


def test_the_end_of_a_predecessor_does_not_touch_its_successor(cache, told):
    cache.put(obj(5, uid="uid-b"))
    cache.drop(obj(4, uid="uid-a"))
    assert cache.by_uid("uid-b") is not None
    assert len(told) == 1


def test_objects_are_found_by_their_controller(cache):
    cache.put(obj(1, owner="uid-owner"))
    assert [one["metadata"]["name"] for one in cache.controlled_by("uid-owner")] == ["a"]
    cache.put(obj(2))
    assert cache.controlled_by("uid-owner") == []


def test_a_list_ends_what_it_lacks_unless_that_is_younger(cache):
    cache.put(obj(5, uid="uid-old"))
    young = {"metadata": meta("b", version=20, uid="uid-young")}
    cache.put(young)
    cache._replace([], 10)
    assert list(cache) == [young]


@pytest.mark.parametrize(
    ("actual", "wanted", "expected"),
    [
        ({"a": 1, "added": 2}, {"a": 1}, True),
        ({}, {"a": 0, "b": ""}, True),
        ({"a": 2}, {"a": 0}, False),
        ({"a": [{"x": 1, "added": None}]}, {"a": [{"x": 1}]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": None}, {"a": {"b": 1}}, False),
    ],
)
def test_an_object_says_what_is_wanted_whatever_a_server_adds_or_omits(actual, wanted, expected):
    assert says(actual, wanted) is expected
