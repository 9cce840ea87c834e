"""Every moment of a change: what clients meet after each call, whatever the order of the calls that the plans permit.

The plans of all keys of a site (services and target groups) are run call by call on the emulated Lattice, in an order
drawn at random: between two calls of one plan come calls of others, time in which states change, and the end of the
process, after which another one reads everything anew. So each prefix of each linearisation of the plans is a moment
that some run passes through, also those that concurrency, throttles and crashes make.

`answers` says what clients meet: it goes from a domain name and a network through the service, its listener and its
rules to the addresses of targets, by VPC Lattice's own state.
"""

from collections.abc import Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any, NamedTuple

from controller.api.keys import ServiceKey, TargetGroupKey
from controller.lattice.errors import SuspectError
from controller.lattice.inventory import Inventory
from controller.lattice.inventory.needs import Needs
from controller.lattice.inventory.turns import TakenError
from controller.lattice.model import DesiredService, DesiredTargetGroup
from controller.lattice.observed import ObservedService
from controller.lattice.plan import Need, Operation, Plan, Reference, outlives, plan_service, plan_target_group
from sandbox.lattice import Timings, directory
from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.routing import StateDirectory
from sandbox.lattice.state import Call, State
from tests.lattice.inprocess import InProcess
from tests.lattice.world import IDENTITY, ROUTE
from workqueue.testing import FakeClock

NOW = 1_800_000_000
HOSTS = ("one.example.com", "two.example.com")
NETWORKS = ("my-hotel", "other")
METHODS = ("GET", "POST")
PATHS = ("/", "/a", "/a/b", "/ab", "/c")
TEAMS = ("blue", "red")

Outcome = str | int
"""The address of a target, or a status."""
Answer = Mapping[Outcome, Fraction] | None
"""What clients meet, each with its share; None where there is nobody to answer."""


class Request(NamedTuple):
    network: str | None
    """Through which it comes; None for what a service would answer if it were reached."""
    host: str
    port: int
    protocol: str
    method: str
    path: str
    team: str


Answers = Mapping[Request, Answer]

NOT_FOUND: Answer = {404: Fraction(1)}


@dataclass(frozen=True)
class Site:
    """What is desired."""

    services: Mapping[ServiceKey, DesiredService] = field(default_factory=dict)
    groups: Mapping[TargetGroupKey, DesiredTargetGroup] = field(default_factory=dict)


@dataclass
class Tally:
    """What a run has seen."""

    examples: int = 0
    """Sequences of changes, each in one order of all its calls."""
    changes: int = 0
    moments: int = 0
    """Calls to Lattice, and changes of state by themselves, after each of which all requests were judged."""
    answers: int = 0


def answers(state: State, certificates: Mapping[str, Sequence[str]]) -> Answers:
    """What every request meets now; requests that reach no listener are left out.

    `certificates` are those that clients take for a hostname; Lattice has one of its own for generated domains.
    """
    found: dict[Request, Answer] = {}
    looking = StateDirectory(state)
    for service in state.services:
        view = looking.service_by_domain(service.domain)
        if view is None:
            continue
        networks = [None, *(network.name for network in state.networks if network.id in view.networks)]
        host = service.custom_domain or "generated"
        for listener in view.listeners.values():
            if listener.protocol == "HTTPS" and service.certificate_arn not in certificates.get(host, [None]):
                continue
            for network, method, path, team in product(networks, METHODS, PATHS, TEAMS):
                request = Request(network, host, listener.port, listener.protocol, method, path, team)
                found[request] = _answer(looking, listener, request)
    return found


def served(state: State) -> frozenset[Request]:
    """The requests all of which targets answer that have passed a health check or need none."""
    found: set[Request] = set()
    looking = StateDirectory(state)
    for service in state.services:
        view = looking.service_by_domain(service.domain)
        if view is None:
            continue
        for listener in view.listeners.values():
            for method, path, team in product(METHODS, PATHS, TEAMS):
                host = service.custom_domain or "generated"
                request = Request(None, host, listener.port, listener.protocol, method, path, team)
                action = _action(listener, request)
                if isinstance(action, directory.Forward) and all(
                    _is_ready(looking.target_group(group_id)) for group_id, weight in action.weights.items() if weight
                ):
                    found.add(request)
    return frozenset(found)


def _is_ready(group: directory.TargetGroup | None) -> bool:
    return group is not None and any(target.status in {"HEALTHY", "UNAVAILABLE"} for target in group.targets)


def _action(listener: directory.Listener, request: Request) -> directory.Forward | directory.FixedResponse:
    return next((rule.action for rule in listener.rules if serves(rule.match, request)), listener.default_action)


def _answer(looking: StateDirectory, listener: directory.Listener, request: Request) -> Answer:
    action = _action(listener, request)
    if isinstance(action, directory.FixedResponse):
        return {action.status_code: Fraction(1)}
    total = sum(action.weights.values())
    shares: dict[Outcome, Fraction] = {}
    for group_id, weight in action.weights.items():
        group = looking.target_group(group_id)
        assert group is not None
        ready = [target for target in group.targets if target.status != "DRAINING"]
        outcomes: Sequence[Outcome] = [f"{target.ip}:{target.port}" for target in ready] or [503]
        for outcome in outcomes if weight else ():
            shares[outcome] = shares.get(outcome, Fraction(0)) + Fraction(weight, total * len(outcomes))
    return shares or {503: Fraction(1)}


def serves(match: directory.Match, request: Request) -> bool:
    """Whether a rule takes a request; path prefixes are compared by elements."""
    if match.method not in {None, request.method}:
        return False
    if any(header.name.lower() != "x-team" or header.exact != request.team for header in match.headers):
        return False
    if match.path_exact is not None:
        return request.path == match.path_exact
    prefix = (match.path_prefix or "/").rstrip("/")
    return request.path == prefix or request.path.startswith(f"{prefix}/")


class Pass:
    """One pass of a key: its plan, and what is left of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.left = set(range(len(plan.operations)))

    def ready(self, needs: Needs) -> list[int]:
        """The operations that may be next."""
        return [
            index
            for index in sorted(self.left)
            if self.left.isdisjoint(self.plan.operations[index].after)
            and all(needs.unmet(need) is None for need in self.plan.operations[index].needs)
        ]

    def needs(self) -> list[Need]:
        return [*self.plan.needs, *(need for index in self.left for need in self.plan.operations[index].needs)]

    def holds(self, needs: Needs) -> bool:
        """Whether all has run that was planned, nothing is to be planned after it, and all holds."""
        return self.plan.whole and not self.left and all(needs.unmet(need) is None for need in self.plan.needs)


class Account:
    """An emulated account with a controller that is at work on it, one call at a time, in an order of `seed`.

    With `restarts`, its process may end at any moment, and another one goes on.
    """

    def __init__(self, seed: int, *, restarts: bool) -> None:
        self._restarts = restarts
        self._random = Random(seed)
        self._now = float(NOW)
        some = (0.0, 3.0)
        timings = Timings(**{entry.name: some for entry in fields(Timings)})
        self.lattice = InProcess(seed, timings=timings, clock=lambda: self._now)
        self.state = self.lattice.state
        self.certificates: dict[str, list[str]] = {
            host: [self.state.add_certificate(host).arn for _ in range(2)] for host in HOSTS
        }
        """Those that clients take for a hostname, by ARN."""
        for name in NETWORKS:
            LATTICE_HANDLERS["CreateServiceNetwork"](self.state, Call("CreateServiceNetwork", {"name": name}))
        self._served: frozenset[Request] = frozenset()
        self.moments: list[Answers] = [{}]
        """What clients met, from before the present change on."""
        self.handed_over: frozenset[str] = frozenset()
        """The hosts whose service was complete before the present change, so that nothing waits for them any more."""
        self._site = Site()
        self._keys: list[ServiceKey | TargetGroupKey] = []
        self._restart()

    def _restart(self) -> None:
        """Another process, which knows nothing."""
        self.inventory = Inventory(self.lattice, IDENTITY, FakeClock())
        self._passes: dict[ServiceKey | TargetGroupKey, tuple[Pass, ExitStack]] = {}
        self._complete: set[ServiceKey] = set()

    def look(self) -> None:
        """Remember what clients meet at this moment."""
        now, well = answers(self.state, self.certificates), served(self.state)
        for request in self._served - well:
            answer = now.get(request)
            by_targets = answer is not None and not all(isinstance(outcome, int) for outcome in answer)
            assert not by_targets or request.host in self._young(), f"{request} meets targets that were never checked"
        self._served = well
        self.moments.append(now)

    def _young(self) -> set[str]:
        """The hosts whose services were never yet as desired."""
        services = [self.inventory.service(key) for key in self._keys if isinstance(key, ServiceKey)]
        return {one.custom_domain or "generated" for one in services if one is not None and one.young}

    async def change(self, site: Site, steps: int) -> None:
        """Want this once all calls and changes of state under way have ended, and take so many steps towards it."""
        await self._end_passes()
        while len(self.state.transitions):
            await self._time_passes()
        self.moments = self.moments[-1:]
        self.handed_over = frozenset(key.hostname for key in self._complete)
        self._site = site
        self._keys = list(dict.fromkeys([*site.services, *site.groups, *self._keys]))
        for _ in range(steps):
            await self._step()

    async def settle(self) -> None:
        """Take steps until nothing is left to do; nothing ends the process any more."""
        self._restarts, restarts = False, self._restarts
        for _ in range(100):
            for _ in range(4 * len(self._keys)):
                await self._step()
            await self._end_passes()
            if await self._settled():
                self._restarts = restarts
                return
        raise AssertionError({str(key): (await self._plan(key)).to_json() for key in self._keys})

    async def _step(self) -> None:
        dice = self._random.random()
        if dice < 0.01 and self._restarts:
            self._restart()
        elif dice < 0.15:
            await self._time_passes()
        else:
            await self._work_on(self._random.choice(self._keys))

    async def _time_passes(self) -> None:
        self._now += 1
        self.state.transitions.run_due()
        self.look()
        for one, _ in list(self._passes.values()):
            for need in one.needs():
                reason = self.inventory.needs.unmet(need)
                for ref in () if reason is None else reason.waits:
                    await self.inventory.get(ref)

    async def _work_on(self, key: ServiceKey | TargetGroupKey) -> None:
        """Begin a pass of the key, make one call of it, or end it."""
        if key not in self._passes:
            await self._begin(key)
            return
        one, scope = self._passes[key]
        ready = one.ready(self.inventory.needs)
        if ready:
            index = self._random.choice(ready)
            if await self._call(one.plan.operations[index]):
                one.left.discard(index)
                return
        elif isinstance(key, TargetGroupKey) and one.holds(self.inventory.needs):
            self.inventory.registered(key)
        elif isinstance(key, ServiceKey) and one.holds(self.inventory.needs):
            self.inventory.finished(key)
            if key in self._site.services:
                self._complete.add(key)
        self._passes.pop(key)
        scope.close()

    async def _end_passes(self) -> None:
        while self._passes:
            await self._work_on(next(iter(self._passes)))

    async def _begin(self, key: ServiceKey | TargetGroupKey) -> None:
        scope = ExitStack()
        scope.enter_context(self.inventory.pass_of(key))
        try:
            plan = await self._plan(key)
        except TakenError:
            scope.close()
        else:
            if isinstance(key, ServiceKey) and key not in self._site.services and plan.operations:
                self._complete.discard(key)
            self._passes[key] = (Pass(plan), scope)

    async def _plan(self, key: ServiceKey | TargetGroupKey) -> Plan:
        inventory, context = self.inventory, self.inventory.context(int(self._now))
        await inventory.ensure_loaded()
        if isinstance(key, TargetGroupKey):
            wanted = self._site.groups.get(key)
            return plan_target_group(wanted, await inventory.observe_target_group(key, wanted), context)
        desired = self._site.services.get(key)
        observed = await inventory.observe_service(key, desired)
        if desired is None and observed is not None and self._has_heir(observed):
            return Plan()
        awaited = [wanted for other, wanted in self._site.services.items() if other not in self._complete]
        if desired is None and observed is not None and outlives(observed, awaited, IDENTITY, inventory.target_group):
            return Plan()
        return plan_service(desired, observed, context)

    def _has_heir(self, observed: ObservedService) -> bool:
        """Whether another key may want the service: the networks changed through which a hostname is offered."""
        return any(
            key.hostname == (observed.custom_domain or "") and self.inventory.service(key) is None
            for key in self._site.services
        )

    async def _call(self, operation: Operation) -> bool:
        """Make a call and look at what clients meet; False if Lattice contradicts what was believed."""
        arguments = self._resolved(operation.arguments)
        try:
            answer = await self.lattice.call(operation.call, arguments)
        except SuspectError:
            if isinstance(operation.creates, ServiceKey | TargetGroupKey):
                await self.inventory.look_up(operation.creates, arguments["name"])
            self.inventory.unanswered(arguments)
            return False
        self.inventory.record(operation.call, arguments, answer, operation.creates)
        self.look()
        return True

    def _resolved(self, value: Any) -> Any:
        match value:
            case Reference():
                return self.inventory.needs.resolve(value)
            case Mapping():
                return {name: self._resolved(item) for name, item in value.items()}
            case list() | tuple():
                return [self._resolved(item) for item in value]
            case _:
                return value

    async def _settled(self) -> bool:
        """Whether each key, asked anew, has nothing to do; keys of what is left over are added."""
        await self.inventory.ensure_loaded()
        left: list[ServiceKey | TargetGroupKey] = [
            *await self.inventory.services_of(ROUTE),
            *self.inventory.target_groups_of(ROUTE, self._site.groups.values()),
        ]
        new = [key for key in left if key not in self._keys]
        self._keys += new
        if new:
            return False
        for key in self._keys:
            plan = await self._plan(key)
            if key in self._site.services and key not in self._complete:
                return False
            if plan.operations or not Pass(plan).holds(self.inventory.needs):
                return False
        return True


def judge(
    moments: Sequence[Answers], tally: Tally, *, targets_change: bool = False, handed_over: Set[str] = frozenset()
) -> None:
    """Assert that each request got the old or the new answer at every moment.

    One for another hostname than the new one lost its answer only when those for the new one had one, or had had one
    before the change (`handed_over`).

    Who reaches a service and what it answers are two things, which may change one after the other: nobody loses the way
    who has it before and after, and whoever comes meets the old or the new answer. Where there was no listener before,
    it may say 404 until it has its rules. Where targets of a group change, shares are those of the targets that there
    are at the moment, so that only who answers is judged.
    """
    before, after = moments[0], moments[-1]
    host = next((request.host for request in after if request.host != "generated"), None)
    for request in dict.fromkeys(one for now in moments for one in now):
        anywhere = request._replace(network=None)
        was, will = before.get(anywhere, NOT_FOUND), after.get(anywhere)
        for moment, now in enumerate(moments):
            got = now.get(request)
            if got is None:
                allowed = request not in before or request not in after
            elif targets_change:
                allowed = got.keys() <= {*(was or {}), *(will or {})}
            else:
                allowed = got in (was, will)
            leaves = request in before and request.network is not None and host not in {None, request.host}
            if got is None and leaves and host not in handed_over:
                missing = [each for each in after if now.get(each) not in (after[each], before.get(each, after[each]))]
                assert not missing, f"{request} at moment {moment} has no answer, nor has {missing[0]}"
            assert allowed, f"{request} at moment {moment}: {got}, was {before.get(request)} ({was}), will be {will}"
            tally.answers += 1
    tally.moments += len(moments) - 1
