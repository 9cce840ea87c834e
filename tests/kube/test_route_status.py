"""`status.parents`: our entries are ours to write, all others are returned byte for byte."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.kube.route_status import MAX_PARENTS, merge_route_parents
from tests.kube.test_conditions import NOW, THEN, condition

OURS = "application-networking.k8s.aws/gateway-api-controller"
THEIRS = "example.com/other"


def entry(gateway: str, *conditions: Any, controller: str = OURS, **ref: Any) -> dict[str, Any]:
    return {"parentRef": {"name": gateway} | ref, "controllerName": controller, "conditions": list(conditions)}


def status(*entries: Any) -> bytes:
    return orjson.dumps({"parents": entries})


def parents(patch: bytes | None) -> list[Any]:
    assert patch is not None
    patched = orjson.loads(patch)
    assert patched.keys() == {"parents"}
    return list(patched["parents"])


def test_a_first_status_holds_our_entries() -> None:
    written = merge_route_parents(b"", OURS, [entry("a", condition("Accepted"))], now=NOW)
    assert parents(written) == [entry("a", condition("Accepted", since=NOW))]


def test_entries_of_others_keep_their_bytes_and_places() -> None:
    foreign = b'{ "controllerName":"example.com/other" , "parentRef": {"name":"x"},"unknown" : 1.50, "conditions":[] }'
    ours = orjson.dumps(entry("a", condition("Accepted", since=THEN)))
    raw = b'{"parents": [' + foreign + b"," + ours + b"," + foreign + b"]}"
    written = merge_route_parents(raw, OURS, [entry("a", condition("Accepted", "False")), entry("b")], now=NOW)
    assert written is not None

    class Parents(msgspec.Struct):
        parents: list[msgspec.Raw]

    entries = msgspec.json.decode(written, type=Parents).parents
    assert bytes(entries[0]) == bytes(entries[2]) == foreign
    assert orjson.loads(bytes(entries[1])) == entry("a", condition("Accepted", "False", since=NOW))
    assert orjson.loads(bytes(entries[3])) == entry("b")


def test_transition_times_are_kept_for_each_parent_by_itself() -> None:
    raw = status(
        entry("a", condition("Accepted", since=THEN), sectionName="http"),
        entry("a", condition("Accepted", "False", since=THEN), sectionName="https"),
    )
    ours = [
        entry("a", condition("Accepted", "False"), sectionName="https"),
        entry("a", condition("Accepted", "False"), sectionName="http"),
    ]
    assert parents(merge_route_parents(raw, OURS, ours, now=NOW)) == [
        entry("a", condition("Accepted", "False", since=NOW), sectionName="http"),
        entry("a", condition("Accepted", "False", since=THEN), sectionName="https"),
    ]


def test_a_parent_that_is_no_longer_ours_goes() -> None:
    foreign = entry("a", controller=THEIRS)
    raw = status(entry("a", condition("Accepted", since=THEN)), foreign)
    assert parents(merge_route_parents(raw, OURS, [], now=NOW)) == [foreign]


def test_a_condition_that_we_no_longer_give_goes_from_our_entry_only() -> None:
    accepted, partial = condition("Accepted", since=THEN), condition("PartiallyInvalid", since=THEN)
    foreign = entry("a", partial, controller=THEIRS)
    raw = status(entry("a", accepted, partial), foreign)
    assert parents(merge_route_parents(raw, OURS, [entry("a", condition("Accepted"))], now=NOW)) == [
        entry("a", accepted),
        foreign,
    ]


def test_nothing_to_change_is_nothing_to_write() -> None:
    raw = status(entry("b", controller=THEIRS), entry("a", condition("Accepted", since=THEN)))
    assert merge_route_parents(raw, OURS, [entry("a", condition("Accepted"))], now=NOW) is None
    assert merge_route_parents(status(entry("b", controller=THEIRS)), OURS, [], now=NOW) is None
    assert merge_route_parents(b"", OURS, [], now=NOW) is None


def test_defaults_that_the_api_server_wrote_out_are_no_difference() -> None:
    written_out = entry("a", condition("Accepted", since=THEN), group="gateway.networking.k8s.io", kind="Gateway")
    assert merge_route_parents(status(written_out), OURS, [entry("a", condition("Accepted"))], now=NOW) is None


def test_the_list_never_grows_past_what_the_schema_allows() -> None:
    foreign = [entry(f"x{n}", controller=THEIRS) for n in range(30)]
    ours = [entry(f"a{n}") for n in range(5)]
    written = parents(merge_route_parents(status(*foreign), OURS, ours, now=NOW))
    assert written == foreign + ours[:2]
    assert merge_route_parents(status(*written), OURS, ours, now=NOW) is None
    full = [entry(f"x{n}", controller=THEIRS) for n in range(MAX_PARENTS)]
    assert merge_route_parents(status(*full), OURS, ours, now=NOW) is None


@pytest.mark.parametrize(
    "raw",
    [b"null", b"5", b"{", b"\xff", b'{"parents": 5}', b'{"parents": {"a": 1}}', b'{"parents": null}', b"[" * 9999],
)
def test_a_status_of_any_form_is_no_obstacle(raw: bytes) -> None:
    assert parents(merge_route_parents(raw, OURS, [entry("a")], now=NOW)) == [entry("a")]


def test_what_can_be_read_of_a_broken_list_is_kept() -> None:
    foreign = {"controllerName": ["odd"], "parentRef": 5}
    odd_ours = {"controllerName": OURS, "parentRef": {"name": {"x": [1]}}, "conditions": "none"}
    raw = orjson.dumps({"parents": [foreign, "text", None, odd_ours], "more": 1})
    assert parents(merge_route_parents(raw, OURS, [entry("a")], now=NOW)) == [foreign, entry("a")]


entries = st.lists(
    st.builds(
        entry,
        st.sampled_from("abc"),
        st.builds(condition, st.just("Accepted"), st.sampled_from(["True", "False"]), st.just(THEN)),
        controller=st.sampled_from([OURS, THEIRS]),
    ),
    max_size=6,
)
wanted = st.lists(
    st.builds(
        entry, st.sampled_from("abcd"), st.builds(condition, st.just("Accepted"), st.sampled_from(["True", "False"]))
    ),
    unique_by=lambda made: made["parentRef"]["name"],
)


@given(entries, wanted)
@settings(deadline=None)
def test_after_a_merge_our_part_is_as_wanted_the_other_as_it_was_and_a_second_merge_does_nothing(
    old: list[Any], ours: list[Any]
) -> None:
    written = merge_route_parents(status(*old), OURS, ours, now=NOW)
    after = old if written is None else parents(written)
    assert [e for e in after if e["controllerName"] == THEIRS] == [e for e in old if e["controllerName"] == THEIRS]

    def facts(made: list[Any]) -> list[Any]:
        return sorted((e["parentRef"]["name"], e["conditions"][0]["status"]) for e in made)

    assert facts([e for e in after if e["controllerName"] == OURS]) == facts(ours)
    assert merge_route_parents(status(*after), OURS, ours, now="2027-01-01T00:00:00Z") is None
