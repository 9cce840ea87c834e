"""One service through any sequence of desires: it always converges, at once, and requests never see a third answer."""

import anyio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from controller.lattice.model import DesiredListener, DesiredRule, DesiredService, FixedResponse, Match
from sandbox.lattice import directory
from sandbox.lattice.routing import StateDirectory
from tests.lattice.here import Here
from tests.lattice.world import forward, group, group_key, listener, service

GROUPS = ("v1", "v2", "v3")
PATHS = ("/", "/a", "/a/b", "/c")
REQUESTS = [(method, path) for method in ("GET", "POST") for path in PATHS]

matches = st.builds(
    lambda path, exact, method: Match(method=method, **{"path_exact" if exact else "path_prefix": path}),
    st.sampled_from(PATHS),
    st.booleans(),
    st.sampled_from((None, "GET")),
)
actions = st.one_of(
    st.just(FixedResponse(status_code=500)),
    st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2, unique=True).map(lambda names: forward(*names)),
)
rules = st.lists(
    st.builds(
        lambda m, a, p: DesiredRule(match=m, action=a, priority=p), matches, actions, st.none() | st.integers(1, 5)
    ),
    max_size=5,
)


@st.composite
def services(draw: st.DrawFn) -> DesiredService:
    ports = draw(st.lists(st.sampled_from((80, 8080)), min_size=1, unique=True))
    listeners: list[DesiredListener] = [listener(*draw(rules), port=port) for port in ports]
    networks = draw(st.lists(st.sampled_from(("my-hotel", "other")), unique=True))
    tags = draw(st.dictionaries(st.sampled_from(("team", "cost")), st.sampled_from(("1", "2")), max_size=2))
    return service(*listeners, networks=tuple(sorted(networks)), user_tags=tags)


class Answering(Here):
    def answers(self) -> dict[tuple[int, str, str], object]:
        found: dict[tuple[int, str, str], object] = {}
        for one in self.lattice.state.services:
            view = StateDirectory(self.lattice.state).service_by_domain(one.domain)
            for port, listening in ({} if view is None else view.listeners).items():
                for method, path in REQUESTS:
                    found[port, method, path] = answer(listening, method, path)
        return found


def answer(listening: directory.Listener, method: str, path: str) -> object:
    for rule in listening.rules:
        match = rule.match
        prefix = None if match.path_prefix is None else match.path_prefix.rstrip("/")
        if (
            match.method in {None, method}
            and match.path_exact in {None, path}
            and (prefix is None or path == prefix or path.startswith(prefix + "/"))
        ):
            return told(rule.action)
    return told(listening.default_action)


def told(action: directory.Forward | directory.FixedResponse) -> object:
    if isinstance(action, directory.FixedResponse):
        return action.status_code
    return {group: weight for group, weight in action.weights.items() if weight}


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(services(), min_size=1, max_size=3), st.integers(0, 2**32))
def test_any_sequence_of_desires_converges_without_a_third_answer(desires, seed):
    anyio.run(converges, desires, seed)


async def converges(desires: list[DesiredService], seed: int) -> None:
    world = Answering(seed)
    for name in ("my-hotel", "other"):
        await world.network(name)
    groups = [group(name, "10.0.0.1") for name in GROUPS]
    for desired in desires:
        seen = [world.answers()]
        world.lattice.wrote = lambda seen=seen: seen.append(world.answers())
        await world.settle(desired, groups)
        world.lattice.wrote = lambda: None
        before, after = seen[0], seen[-1]
        for request in before.keys() & after.keys():
            assert all(now[request] in (before[request], after[request]) for now in seen), request

        world.lattice.log.clear()
        await world.settle(desired, groups)
        assert world.lattice.log == []
        world.restart()
        await world.settle(desired, groups)
        assert world.lattice.writes == []
        (one,) = world.lattice.state.services
        assert {a.network.name for a in one.associations.values()} == set(desired.networks)
        assert {one.port for one in one.listeners.values()} == {one.port for one in desired.listeners}

    await world.settle(None, gone=[group_key(name) for name in GROUPS])
    world.restart()
    await world.inventory.ensure_loaded()
    await world.settle(None, gone=list(world.inventory.target_groups_of(desires[0].key.route)))
    assert list(world.lattice.state.services) == []
    assert list(world.lattice.state.target_groups) == []
