"""What authors see of their objects: conditions and Events."""

from collections.abc import Callable

import anyio

from tests.e2e.harness import CONTROLLER, PATIENCE, PREFIX, Json, World


def parents_of(world: World, route: str, namespace: str = "default") -> list[Json]:
    """Our entries of a route's `status.parents`."""
    found = world.get("HTTPRoute", route, namespace=namespace)
    assert found is not None
    status = found.get("status")
    entries = status.get("parents") if isinstance(status, dict) else None
    ours = entries if isinstance(entries, list) else []
    return [entry for entry in ours if isinstance(entry, dict) and entry.get("controllerName") == CONTROLLER]


def condition(world: World, kind: str, route: str, namespace: str = "default") -> Json:
    """A condition of a route's first parent, for the route's present generation."""
    parents = parents_of(world, route, namespace)
    assert parents, f"{namespace}/{route} has no status"
    found: dict[str, Json] = {each["type"]: each for each in parents[0]["conditions"]}
    assert kind in found, found
    current = world.get("HTTPRoute", route, namespace=namespace)
    assert current is not None
    assert found[kind]["observedGeneration"] == current["metadata"]["generation"]
    return found[kind]


def gateway_condition(world: World, kind: str, gateway: str = "my-hotel") -> Json:
    """A condition of a Gateway."""
    current = world.get("Gateway", gateway)
    assert current is not None
    found: dict[str, Json] = {each["type"]: each for each in current.get("status", {}).get("conditions", ())}
    assert kind in found, found
    return found[kind]


def is_programmed(world: World, route: str, namespace: str = "default") -> None:
    """The route is accepted, all its references are followed, and Lattice has assigned it a domain."""
    for kind in ("Accepted", "ResolvedRefs"):
        found = condition(world, kind, route, namespace)
        assert (found["status"], found["reason"]) == ("True", kind), found["message"]
    assert condition(world, "Accepted", route, namespace)["message"].startswith("DNS Name:")
    current = world.get("HTTPRoute", route, namespace=namespace)
    assert current is not None
    assert PREFIX + "lattice-service-arn" in current["metadata"]["annotations"]


def is_gone(world: World, route: str, namespace: str = "default") -> None:
    """There is no such route, and nothing of it is in Lattice."""
    assert world.get("HTTPRoute", route, namespace=namespace) is None
    tags = {PREFIX + "RouteName": route, PREFIX + "RouteNamespace": namespace}
    state = world.lattice.state
    assert [one.name for one in (*state.services, *state.target_groups) if tags.items() <= one.tags.items()] == []


def events_on(world: World, kind: str, name: str, namespace: str = "default") -> list[Json]:
    """The Events about an object."""
    return [
        event
        for event in world.all("Event")
        if (about := event.get("regarding") or event["involvedObject"])["kind"] == kind
        and about["name"] == name
        and about.get("namespace", "default") == namespace
    ]


def event_texts(world: World, kind: str, name: str, namespace: str = "default") -> list[tuple[str, str, str]]:
    """Type, reason and message of the Events about an object."""
    return [
        (event["type"], event["reason"], event.get("message") or event.get("note", ""))
        for event in events_on(world, kind, name, namespace)
    ]


async def rests(world: World, seconds: float = 1.0) -> None:
    """Return when the controller asks nothing of anybody for so long, though keys may wait to be tried again."""
    await _same(lambda: world.lattice.calls.mark() + world.kube.counts.total(), seconds)


async def leaves_lattice_alone(world: World, seconds: float = 0.4) -> None:
    """Return when Lattice was asked nothing for so long."""
    await _same(world.lattice.calls.mark, seconds)


async def _same(count: Callable[[], int], seconds: float) -> None:
    with anyio.fail_after(PATIENCE):
        before = -1
        while before != (now := count()):
            before = now
            await anyio.sleep(seconds)
