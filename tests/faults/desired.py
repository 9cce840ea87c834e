"""What must hold when a scenario has come to rest, recomputed by `tests.e2e.reference`, which shares nothing with the
controller; here are the annotations that it does not know, and objects that are about to go.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy

from tests.e2e import observed
from tests.e2e.harness import PREFIX, Json, World
from tests.e2e.reference import KINDS, Reference, path_of, probes
from tests.e2e.test_convergence import assert_same

Objects = Mapping[str, list[Json]]


class Desired(Reference):
    """Knows tags and names that are asked for by annotation, too."""

    def services(self) -> dict[str, Json]:
        found = super().services()
        for shared in self.shared():
            owner, entry = shared.members[0].route, found[shared.label]
            entry["tags"] |= _tags(owner)
            if not shared.hostname:
                entry["name"] = _annotation(owner, "service-name-override") or entry["name"]
        return found

    def groups(self) -> dict[str, Json]:
        found = super().groups()
        tags = {(route["metadata"]["namespace"], route["metadata"]["name"]): _tags(route) for route in self.routes()}
        for entry in found.values():
            entry["tags"] |= tags[entry["tags"][f"{PREFIX}RouteNamespace"], entry["tags"][f"{PREFIX}RouteName"]]
        return found


def _annotation(route: Json, name: str) -> str:
    return str(route["metadata"].get("annotations", {}).get(PREFIX + name, ""))


def _tags(route: Json) -> dict[str, str]:
    return dict(pair.split("=") for pair in _annotation(route, "tags").split(",") if pair)


def snapshot(one: World) -> Objects:
    """All objects as they are now."""
    return {kind: deepcopy(one.all(kind)) for kind in KINDS}


def check_lattice(one: World, objects: Objects) -> None:
    """Lattice is exactly as these objects say."""
    desired = Desired(objects.__getitem__, one.owner)
    services = desired.services()
    assert_same(observed.services(one.lattice), services)
    assert_same(observed.groups(one.lattice), desired.groups())
    for shared in desired.shared():
        for port, listener in observed.listeners(one.lattice, shared.label).items():
            for request in probes(shared):
                assert observed.answer(listener, request) == desired.answer(shared, port, request), request
            for member in shared.at(port):
                there = {rule.priority or 0: str(rule.match) for rule in listener.rules.values()}
                _check_priorities(member.route, there)
    associations = sum(len(service["networks"]) for service in services.values())
    assert len(one.lattice.state.service_associations) == associations


def _check_priorities(route: Json, there: Mapping[int, str]) -> None:
    for index, rule in enumerate(route["spec"]["rules"]):
        wanted = _annotation(route, f"rule-{index}-priority")
        if wanted:
            (match,) = rule["matches"]
            assert path_of(match)[1] in there.get(int(wanted), ""), f"rule {index} has not the priority {wanted}"


def check_routes(one: World) -> None:
    """The statuses, finalizers and annotations of routes that stay are as they should be."""
    for route in one.all("HTTPRoute"):
        meta = route["metadata"]
        if "deletionTimestamp" in meta:
            continue
        (told, *_) = route["status"]["parents"]
        accepted = next(each for each in told["conditions"] if each["type"] == "Accepted")
        assert accepted["observedGeneration"] == meta["generation"], f"the status of {meta['name']} is old"
        served = accepted["status"] == "True"
        assert bool(meta.get("finalizers")) is served, f"{meta['name']} has the finalizers {meta.get('finalizers')}"
        assert bool(meta.get("annotations", {}).get(f"{PREFIX}lattice-assigned-domain-name")) is served


def check_going(one: World, *allowed: str) -> None:
    """Nothing is left that is deleted, but what may still be held."""
    going = [
        obj["metadata"]["name"]
        for kind in ("GatewayClass", "Gateway", "HTTPRoute")
        for obj in one.all(kind)
        if "deletionTimestamp" in obj["metadata"]
    ]
    assert sorted(going) == sorted(allowed), f"deleted and still there: {going}"


Check = Callable[[], None]
