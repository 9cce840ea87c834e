"""Statuses merged with what is there: our conditions, other people's, and when each last changed."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.api.meta import Condition, condition_to_json
from controller.kube.conditions import merge_gateway_status, merge_status, merged

NOW = "2026-02-02T00:00:00Z"
THEN = "2026-01-01T00:00:00Z"


def condition(kind: str, status: str = "True", since: str = "", **fields: Any) -> dict[str, Any]:
    made = Condition(type=kind, status=status, reason="Why", last_transition_time=since, observed_generation=1)
    return condition_to_json(made) | fields


def test_a_condition_whose_status_is_the_same_keeps_its_transition_time() -> None:
    old = [condition("Accepted", since=THEN), condition("Programmed", "False", THEN)]
    new = [condition("Accepted", message="new words", observedGeneration=2), condition("Programmed")]
    accepted, programmed = merged(old, new, NOW)
    assert accepted == condition("Accepted", since=THEN, message="new words", observedGeneration=2)
    assert programmed == condition("Programmed", since=NOW)


def test_conditions_of_other_types_stay_as_they_are_and_where_they_are() -> None:
    foreign = {"type": "Theirs", "status": "Odd", "extra": [1]}
    old = [condition("Accepted", since=THEN), foreign]
    written = merged(old, [condition("Programmed"), condition("Accepted")], NOW)
    assert [entry["type"] for entry in written] == ["Accepted", "Theirs", "Programmed"]
    assert written[1] == foreign


@pytest.mark.parametrize("old", [b"", b"null", b"5", b'"x"', b"{", b"[1, null, []]", b'[{"type": ["a"]}]', b"\xff"])
def test_an_old_list_of_any_form_is_no_obstacle(old: bytes) -> None:
    written = merge_status(b'{"conditions": ' + old + b"}", [condition("Accepted")], NOW)
    assert written is not None
    assert condition("Accepted", since=NOW) in orjson.loads(written)["conditions"]


def test_a_type_that_stands_twice_is_made_one() -> None:
    old = [condition("Accepted", since=THEN), condition("Accepted", "False", THEN)]
    assert merged(old, [condition("Accepted")], NOW) == [condition("Accepted", since=THEN)]


def test_a_message_longer_than_the_schema_allows_is_cut() -> None:
    (written,) = merged([], [condition("Accepted", message="x" * 40000)], NOW)
    assert len(written["message"]) == 32768


def test_a_status_that_says_it_already_is_not_written_again() -> None:
    status = merge_status(b"", [condition("Accepted")], NOW)
    assert status is not None
    assert orjson.loads(status) == {"conditions": [condition("Accepted", since=NOW)]}
    assert merge_status(status, [condition("Accepted")], "2027-01-01T00:00:00Z") is None
    assert merge_status(status, [condition("Accepted", observedGeneration=2)], NOW) is not None


def listener(name: str, *conditions: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    kinds = [{"kind": "HTTPRoute"}]
    return {"name": name, "attachedRoutes": 0, "supportedKinds": kinds, "conditions": list(conditions)} | fields


def gateway(raw: bytes, listeners: Sequence[Mapping[str, Any]], addresses: Sequence[Mapping[str, Any]] = ()) -> Any:
    merged = merge_gateway_status(
        raw, conditions=[condition("Accepted")], listeners=listeners, addresses=addresses, now=NOW
    )
    return None if merged is None else orjson.loads(merged)


def test_listeners_of_a_gateway_are_merged_by_name() -> None:
    old = orjson.dumps(
        {
            "conditions": [condition("Accepted", since=THEN)],
            "listeners": [
                listener("http", condition("Accepted", since=THEN)),
                listener("gone", condition("Accepted", since=THEN)),
            ],
        }
    )
    new = [listener("https", condition("Accepted")), listener("http", condition("Accepted"), attachedRoutes=3)]
    assert gateway(old, new, [{"type": "Hostname", "value": "x"}]) == {
        "addresses": [{"type": "Hostname", "value": "x"}],
        "conditions": [condition("Accepted", since=THEN)],
        "listeners": [
            listener("https", condition("Accepted", since=NOW)),
            listener("http", condition("Accepted", since=THEN), attachedRoutes=3),
        ],
    }


def test_what_the_api_server_adds_by_default_is_no_difference() -> None:
    old = {
        "conditions": [condition("Accepted", since=THEN)],
        "listeners": [
            listener(
                "http",
                condition("Accepted", since=THEN),
                supportedKinds=[{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
            )
        ],
    }
    assert gateway(orjson.dumps(old), [listener("http", condition("Accepted"))]) is None


def test_an_address_that_is_no_longer_given_goes() -> None:
    old = {"conditions": [condition("Accepted", since=THEN)], "addresses": [{"value": "x"}]}
    written = gateway(orjson.dumps(old), [])
    assert written["addresses"] == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "status", "x"]), inner),
    max_leaves=12,
)
ours = st.lists(
    st.builds(condition, st.sampled_from(["Accepted", "Programmed"]), st.sampled_from(["True", "False"])),
    unique_by=lambda made: made["type"],
)


@given(json_values, ours)
@settings(deadline=None)
def test_merging_twice_changes_nothing_the_second_time_and_loses_nothing_foreign(old: Any, new: Any) -> None:
    raw = orjson.dumps({"conditions": old})
    written = merge_status(raw, new, NOW)
    after = orjson.loads(raw if written is None else written)["conditions"]
    assert merge_status(orjson.dumps({"conditions": after}), new, "2027-01-01T00:00:00Z") is None
    if written is not None:
        types = [made["type"] for made in new]
        foreign = [entry for entry in (old if isinstance(old, list) else []) if isinstance(entry, dict)]
        foreign = [entry for entry in foreign if entry.get("type") not in types]
        assert [entry for entry in after if entry.get("type") not in types] == foreign
