"""Leases, by which a leader is elected: every doubt about whose it is has to be an error."""

import pytest

pytestmark = pytest.mark.anyio

NOW = "2026-01-01T00:00:00.123456Z"


def lease(name="a", **spec):
    spec = {"holderIdentity": "one", "leaseDurationSeconds": 15, "acquireTime": NOW, "renewTime": NOW, **spec}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}


async def test_a_lease_keeps_its_times_to_the_microsecond(cluster, paths):
    created = await cluster.post(paths.leases(), lease(leaseTransitions=0))
    assert (created.code, created.body["spec"]) == (201, lease(leaseTransitions=0)["spec"])


async def test_two_that_would_hold_a_lease_cannot_both_create_it(cluster, paths):
    assert (await cluster.post(paths.leases(), lease())).code == 201
    reply = await cluster.post(paths.leases(), lease(holderIdentity="two"))
    assert (reply.code, reply.reason) == (409, "AlreadyExists")


async def test_two_that_saw_the_same_version_cannot_both_take_it(cluster, paths):
    seen = (await cluster.post(paths.leases(), lease())).body
    taken = {**seen, "spec": {**seen["spec"], "holderIdentity": "two"}}
    assert (await cluster.put(paths.leases("a"), taken)).code == 200
    reply = await cluster.put(paths.leases("a"), {**seen, "spec": {**seen["spec"], "holderIdentity": "three"}})
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert (await cluster.get(paths.leases("a"))).body["spec"]["holderIdentity"] == "two"


async def test_a_lease_is_not_updated_without_the_version_that_was_seen(cluster, paths):
    await cluster.post(paths.leases(), lease())
    reply = await cluster.put(paths.leases("a"), lease(holderIdentity="two"))
    assert (reply.code, reply.fields) == (422, {"metadata.resourceVersion"})


async def test_an_update_creates_a_lease(cluster, paths):
    assert (await cluster.put(paths.leases("a"), lease())).code == 201


@pytest.mark.parametrize("spec", [{"renewTime": "2026-01-01T00:00:00Z"}, {"acquireTime": "now"}])
async def test_the_times_of_a_lease_have_microseconds(cluster, paths, spec):
    reply = await cluster.post(paths.leases(), lease(**spec))
    assert (reply.code, reply.reason) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"leaseDurationSeconds": 0}, "spec.leaseDurationSeconds"),
        ({"leaseDurationSeconds": -1}, "spec.leaseDurationSeconds"),
        ({"leaseTransitions": -1}, "spec.leaseTransitions"),
    ],
)
async def test_a_lease_that_makes_no_sense_is_invalid(cluster, paths, spec, field):
    reply = await cluster.post(paths.leases(), lease(**spec))
    assert (reply.code, reply.fields) == (422, {field})


async def test_a_lease_can_be_given_back(cluster, paths):
    held = (await cluster.post(paths.leases(), lease())).body
    free = await cluster.put(paths.leases("a"), {**held, "spec": {"leaseDurationSeconds": 1, "leaseTransitions": 1}})
    assert (free.code, free.body["spec"]) == (200, {"leaseDurationSeconds": 1, "leaseTransitions": 1})


async def test_who_watches_a_lease_hears_who_holds_it(cluster, paths):
    start = (await cluster.get(paths.leases())).version
    async with cluster.watch(paths.leases(), resourceVersion=start, fieldSelector="metadata.name=a") as stream:
        await cluster.post(paths.leases(), lease("b"))
        await cluster.post(paths.leases(), lease())
        await cluster.patch(paths.leases("a"), {"spec": {"holderIdentity": "two"}})
        holders = [(await stream.next())["object"]["spec"]["holderIdentity"] for _ in range(2)]
    assert holders == ["one", "two"]
