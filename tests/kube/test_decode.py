"""Decoding: each object by itself, and what is left of one that does not fit."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.api.gateway import HTTPRoute
from controller.api.meta import Undecodable
from controller.api.resources import HTTP_ROUTES
from controller.kube.decode import Bookmark, Decoder, Deleted, Failed, Put, UnreadableError
from controller.kube.errors import Gone
from tests.kube.scripted import route

decoder = Decoder(HTTP_ROUTES)


def test_one_bad_item_costs_only_itself() -> None:
    bad = route("bad", 2, spec={"hostnames": [17]}, metadata={"labels": {"team": "x"}})
    page = decoder.page(orjson.dumps({"metadata": {"resourceVersion": "9"}, "items": [route("a", 1), bad]}))
    good, undecodable = page.objects
    assert isinstance(good, HTTPRoute)
    assert good.name == "a"
    assert isinstance(undecodable, Undecodable)
    assert undecodable.metadata.labels == {"team": "x"}
    assert "$.spec.hostnames[0]" in undecodable.error
    assert (page.resource_version, page.continue_token, page.unreadable) == ("9", "", 0)


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        ({"hostnames": ["a.example.com", 17, "b.example.com"]}, {"hostnames": ["a.example.com", "b.example.com"]}),
        ({"hostnames": ["a.example.com"], "rules": {"a": 1}}, {"hostnames": ["a.example.com"]}),
        ({"rules": [{"matches": [{"path": 5}]}, {"name": []}]}, {"rules": [{"matches": [{}]}, {}]}),
        (5, {}),
    ],
)
def test_what_fits_of_an_object_that_does_not_is_kept_to_find_it_by(spec: object, left: object) -> None:
    obj = decoder.object(orjson.dumps(route("a", 1, spec=spec)))
    assert isinstance(obj, Undecodable)
    assert obj.fragment == decoder.object(orjson.dumps(route("a", 1, spec=left)))


def test_of_an_object_with_many_faults_nothing_is_kept() -> None:
    obj = decoder.object(orjson.dumps(route("a", 1, spec={"hostnames": list(range(100))})))
    assert isinstance(obj, Undecodable)
    assert obj.fragment is None


def test_an_object_with_odd_metadata_keeps_its_identity() -> None:
    obj = decoder.object(orjson.dumps(route("a", 1, metadata={"generation": "three"})))
    assert isinstance(obj, Undecodable)
    assert (obj.namespace, obj.name, obj.metadata.resource_version) == ("shop", "a", "1")


@pytest.mark.parametrize("item", [{}, {"metadata": {}}, {"metadata": {"name": 1}}, "text", None])
def test_items_without_an_identity_are_counted(item: object) -> None:
    page = decoder.page(orjson.dumps({"metadata": {"resourceVersion": "9"}, "items": [item, route("a", 1)]}))
    assert page.unreadable == 1
    assert [obj.name for obj in page.objects] == ["a"]


def test_a_status_of_any_form_does_not_make_an_object_undecodable() -> None:
    for status in ("text", 5, None, [], {"parents": 1}):
        assert isinstance(decoder.object(orjson.dumps(route("a", 1, status=status))), HTTPRoute)


def test_a_list_without_items_is_empty() -> None:
    assert decoder.page(b'{"metadata":{"resourceVersion":"1"},"items":null}').objects == []


def test_the_events_of_a_watch() -> None:
    def event(kind: str, obj: object) -> bytes:
        return orjson.dumps({"type": kind, "object": obj})

    added, deleted = decoder.event(event("ADDED", route("a", 1))), decoder.event(event("DELETED", route("a", 2)))
    assert isinstance(added, Put)
    assert isinstance(deleted, Deleted)
    assert (added.object.name, deleted.object.metadata.resource_version) == ("a", "2")
    assert isinstance(decoder.event(event("MODIFIED", route("a", 2, spec=7))), Put)
    assert decoder.event(
        event("BOOKMARK", {"metadata": {"resourceVersion": "7", "creationTimestamp": None}})
    ) == Bookmark("7", False)
    end = {"metadata": {"resourceVersion": "7", "annotations": {"k8s.io/initial-events-end": "true"}}}
    assert decoder.event(event("BOOKMARK", end)) == Bookmark("7", True)
    failed = decoder.event(event("ERROR", {"code": 410, "reason": "Expired", "message": "too old"}))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Gone)
    with pytest.raises(UnreadableError):
        decoder.event(event("SURPRISE", {}))


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr).map(str.encode))
@settings(deadline=None)
def test_no_bytes_at_all_raise_anything_but_unreadable(data: bytes) -> None:
    for decode in (decoder.object, decoder.page, decoder.event):
        with pytest.raises(UnreadableError):
            decode(data)


def test_an_object_nested_without_end_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        decoder.object(b'{"spec":' + b"[" * 100_000)
