"""What `plan` shows of a service that its route asks for no more: not what a run would do only later."""

import json
from pathlib import Path

import pytest

from tests.e2e.bad_input_seen import is_programmed
from tests.e2e.harness import Json, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, listener, route, rule, service
from tests.e2e.test_explain import checked, said_by

pytestmark = pytest.mark.anyio

OLD, NEW = "old.example.com", "new.example.com"


def rates(*hostnames: str) -> Json:
    return route("rates", rule(backend("rates")), hostnames=hostnames)


async def planned(one: World, directory: Path, *hostnames: str) -> tuple[list[str], list[Json]]:
    """The calls for the route with these hostnames, and the remarks, where it is served under OLD and NEW before."""
    changed = directory / "changed.json"
    changed.write_text(json.dumps(rates(*hostnames)))
    plan = json.loads(await said_by(one, directory, "plan", "-o", "json", "-f", str(changed), code=2))
    return [each["call"] for each in plan["operations"]], plan["remarks"]


async def test_what_stays_until_the_new_is_complete_is_remarked_and_what_goes_at_once_is_planned(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.start()
        await one.apply(gateway_class(), gateway("my-hotel", listener()))
        await one.apply(service("rates"), endpoints("rates", ["10.0.0.1"]), rates(OLD))
        await eventually(lambda: is_programmed(one, "rates"))
        await eventually(lambda: checked(one))
        await one.quiet()
        calls, remarks = await planned(one, tmp_path, NEW)
        assert "CreateService" in calls
        assert not [call for call in calls if call.startswith(("Delete", "Deregister"))]
        (old,) = one.lattice.state.services
        assert [(each["reason"], each["message"]) for each in remarks] == [
            ("Later", f"the service {old.name} and its target groups stay until {NEW} is complete, and go then")
        ]
        await one.apply(rates(OLD, NEW))
        await eventually(lambda: has(one, 2))
        await eventually(lambda: is_programmed(one, "rates"))
        await eventually(lambda: checked(one))
        await one.quiet()
        calls, remarks = await planned(one, tmp_path, OLD)
        assert {"DeleteService", "DeleteTargetGroup"} <= set(calls)
        assert remarks == []


def has(one: World, services: int) -> None:
    assert len(one.lattice.state.services) == services
