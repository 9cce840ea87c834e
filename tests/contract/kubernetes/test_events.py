"""Events, in the core group and in events.k8s.io, which show the same objects."""

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def event(paths):
    """An Event of the core group, as older clients write them."""
    about = {"kind": "Pod", "name": "p", "namespace": paths.namespace}
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": about}


@pytest.fixture
def news(paths):
    """An Event of the new group."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "n"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "action": "Reconcile",
        "reason": "Done",
        "reportingController": "example.com/tests",
        "reportingInstance": "one",
        "regarding": {"kind": "Pod", "name": "p", "namespace": paths.namespace},
        "note": "as asked",
        "type": "Normal",
    }


@pytest.fixture
def path(paths):
    """Where events of the new group are."""
    return paths.group("events.k8s.io/v1", "events")


async def test_an_event_is_in_the_namespace_of_its_object(cluster, paths, event):
    for namespace in ("default", ""):
        event["involvedObject"]["namespace"] = namespace
        reply = await cluster.post(paths.core("events"), event)
        assert (reply.code, reply.fields) == (422, {"involvedObject.namespace"})


async def test_an_event_about_no_namespace_is_in_the_default_one(cluster, event):
    event["metadata"] = {"generateName": "contract-"}
    event["involvedObject"] = {"kind": "Node", "name": "n"}
    assert (await cluster.post("/api/v1/namespaces/default/events", event)).code == 201


async def test_an_event_is_the_same_in_both_groups(cluster, paths):
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": paths.namespace},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": paths.namespace},
        "reason": "Reconcile",
        "message": "done",
        "source": {"component": "tests"},
        "type": "Normal",
    }
    assert (await cluster.post(paths.core("events"), body)).code == 201
    found = (await cluster.get(paths.group("events.k8s.io/v1", "events", "e"))).body
    assert found["apiVersion"] == "events.k8s.io/v1"
    assert (found["note"], found["regarding"]["name"], found["deprecatedSource"]) == (
        "done",
        "p",
        {"component": "tests"},
    )


async def test_an_event_of_the_new_group_is_one_of_the_old(cluster, paths, path, news):
    assert (await cluster.post(path, news)).code == 201
    found = (await cluster.get(paths.core("events", "n"))).body
    assert (found["apiVersion"], found["involvedObject"]["name"], found["message"]) == ("v1", "p", "as asked")
    assert (found["reportingComponent"], found["eventTime"]) == ("example.com/tests", "2026-01-01T00:00:00.000000Z")


@pytest.mark.parametrize("missing", ["eventTime", "action", "reason", "reportingController", "reportingInstance"])
async def test_an_event_of_the_new_group_says_who_reports_what(cluster, path, news, missing):
    reply = await cluster.post(path, {key: value for key, value in news.items() if key != missing})
    assert (reply.code, reply.fields) == (422, {missing})
    assert reply.message.startswith('Event "n" is invalid: ')


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "Loud"}, "type"),
        ({"note": "x" * 1025}, "message"),
        ({"reason": "x" * 129}, "reason"),
        ({"action": "x" * 129}, "action"),
        ({"deprecatedCount": 1}, "count"),
        ({"series": {"count": 1, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}}, "series.count"),
        ({"regarding": None}, "involvedObject.namespace"),
    ],
)
async def test_an_event_of_the_new_group_has_rules(cluster, path, news, change, field):
    reply = await cluster.post(path, {**news, **change})
    assert (reply.code, reply.fields) == (422, {field})


@pytest.mark.parametrize("time", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1Z", "now"])
async def test_the_time_of_an_event_has_microseconds(cluster, path, news, time):
    assert (await cluster.post(path, {**news, "eventTime": time})).code == 400


async def test_of_an_event_of_the_new_group_only_the_series_changes(cluster, path, news):
    await cluster.post(path, news)
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}
    assert (await cluster.patch(f"{path}/n", {"series": series})).body["series"] == series
    reply = await cluster.patch(f"{path}/n", {"note": "otherwise"})
    assert (reply.code, reply.fields) == (422, {"message"})


async def test_an_old_event_is_counted_by_whom_it_belongs_to(cluster, paths, event):
    await cluster.post(paths.core("events"), {**event, "count": 1})
    changed = await cluster.patch(paths.core("events", "e"), {"count": 2, "message": "again"})
    assert (changed.body["count"], changed.body["message"]) == (2, "again")


@pytest.mark.parametrize(
    "selector",
    ["regarding.name=p", "regarding.kind=Pod", "reason=Done", "type=Normal", "reportingController=example.com/tests"],
)
async def test_events_of_the_new_group_are_selected_by_field(cluster, path, news, selector):
    await cluster.post(path, news)
    assert (await cluster.get(path, fieldSelector=selector)).names == ["n"]
    assert (await cluster.get(path, fieldSelector=selector.replace("=", "!="))).names == []


async def test_an_update_creates_an_event(cluster, paths, event):
    assert (await cluster.put(paths.core("events", "e"), event)).code == 201
