"""Running a plan: each operation as soon as those before it have succeeded, the independent ones at the same time.

A call that is under way is never given up because another failed: its answer says what now exists in Lattice. So an
error only keeps back what comes after the failed operation; when all the rest has ended, the gravest error is raised.
What a quota refuses does not keep back what makes room for it, nor, where it is dispensable, anything. Every answer is
written through to the inventory, which also resolves the references to what has just been made.

What does not hold yet (`Operation.needs`) is not waited for here: the operation is left out, and `Applied` says what to
wait for. The next pass plans anew from what is then observed. So apply has no state, and a crash between any two calls
leaves nothing but a shorter plan.

The client leaves the audit line of each write; the key and generation on it come from the context of the log.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio

from controller.api.keys import Key, ServiceKey, TargetGroupKey
from controller.lattice.errors import FencedError, LatticeError, RetryError, SuspectError, TerminalError
from controller.lattice.inventory import Client, Inventory
from controller.lattice.limits import Lane
from controller.lattice.model import Frozen
from controller.lattice.plan import Need, Operation, Plan, Problem, Reference, Warm
from controller.lattice.plan.wire import short_id
from controller.lattice.refs import ResourceRef, ResourceType

_GRAVEST_FIRST = (FencedError, SuspectError, TerminalError, RetryError)


class Applied(Frozen, frozen=True):
    """What came of a plan.

    `done` is that everything ran and holds; with no `problems`, Lattice is as desired. If not done: wait for `waits`
    (`Poller.park`), and look again whenever one of `holds` has ended a pass; with neither, look again with backoff.
    """

    done: bool
    waits: tuple[ResourceRef, ...] = ()
    """Resources of the key whose states change by themselves."""
    holds: tuple[Key, ...] = ()
    """Keys whose work is awaited."""
    problems: tuple[Problem, ...] = ()
    """The plan's: what cannot be brought about, for a condition."""
    calls: int = 0
    """Writes that were sent and answered well."""


class Applier:
    """Runs plans through the client, and writes through to the inventory.

    `acknowledged` is told of each write that was answered well, at once, with the key and the lane of its plan.
    """

    def __init__(
        self,
        client: Client,
        inventory: Inventory,
        *,
        acknowledged: Callable[[ServiceKey | TargetGroupKey, Lane], None] = lambda _, __: None,
    ) -> None:
        self._client = client
        self._inventory = inventory
        self._acknowledged = acknowledged

    async def apply(self, plan: Plan, *, key: ServiceKey | TargetGroupKey, lane: Lane = Lane.LIVE) -> Applied:
        """Run what can be run of the plan of a key.

        Raises LatticeError: after SuspectError, what contradicts Lattice is read again by the next `observe_…`, so
        observe, plan and apply once more, and back off if that raises it too. A call that succeeded in part raises
        RetryError, which names what failed; the rest is recorded. Additions come before deletions, so what a quota
        refuses may have room after the deletions of the same plan: that is RetryError too.
        """
        run = _Run(self._client, self._inventory, plan, lane, lambda: self._acknowledged(key, lane))
        await run.all()
        if run.errors:
            raise run.gravest()
        unmet = [*run.unmet, *plan.needs]
        done = plan.whole and len(run.done) == len(plan.operations)
        waits: dict[ResourceRef, None] = {}
        holds: dict[Key, None] = {}
        for need in unmet:
            reason = self._inventory.needs.unmet(need)
            if reason is not None:
                done = False
                waits.update(dict.fromkeys(reason.waits))
                holds.update(dict.fromkeys(held for held in reason.holds if held != key))
        if done and isinstance(key, TargetGroupKey):
            self._inventory.registered(key)
        elif done and isinstance(key, ServiceKey):
            self._inventory.finished(key)
        return Applied(done=done, waits=tuple(waits), holds=tuple(holds), problems=plan.problems, calls=len(run.done))


def _gravity(error: LatticeError) -> int:
    return next(rank for rank, kind in enumerate(_GRAVEST_FIRST) if isinstance(error, kind))


class _Run:
    """One plan, being run."""

    def __init__(
        self, client: Client, inventory: Inventory, plan: Plan, lane: Lane, acknowledged: Callable[[], None]
    ) -> None:
        self._acknowledged = acknowledged
        self._client = client
        self._inventory = inventory
        self._operations = plan.operations
        self._lane = lane
        self._ended = [anyio.Event() for _ in plan.operations]
        self.done: set[int] = set()
        self.unmet: list[Need] = []
        self.errors: list[LatticeError] = []
        self._without_room: set[int] = set()
        """What a quota refused, and what was kept back for nothing but that."""
        self._dispensed_with: set[int] = set()
        """What a quota refused, and what comes after it goes on without."""

    async def all(self) -> None:
        async with anyio.create_task_group() as group:
            for index in range(len(self._operations)):
                group.start_soon(self._one, index)

    def gravest(self) -> LatticeError:
        """The error to raise. A quota that was met is worth another try if this very plan has deleted something."""
        error = min(self.errors, key=_gravity)
        freed = any(self._operations[index].call.startswith("Delete") for index in self.done)
        if isinstance(error, TerminalError) and error.quota_code is not None and freed:
            message = f"{error.message} (tried again, now that something was deleted)"
            return RetryError(error.operation, error.code, message, error.request_id, quota_code=error.quota_code)
        return error

    async def _one(self, index: int) -> None:
        operation = self._operations[index]
        try:
            for before in operation.after:
                await self._ended[before].wait()
            missing = set(operation.after) - self.done - self._dispensed_with
            if not missing <= self._without_room:
                return
            if missing and not operation.makes_room:
                self._without_room.add(index)
            elif self._ready(operation):
                await self._call(operation)
                self.done.add(index)
        except LatticeError as error:
            refused = isinstance(error, TerminalError) and error.quota_code is not None
            if refused and operation.dispensable:
                self._dispensed_with.add(index)
                return
            if refused:
                self._without_room.add(index)
            self.errors.append(error)
        finally:
            self._ended[index].set()

    def _ready(self, operation: Operation) -> bool:
        cold = not self._dispensed_with.isdisjoint(operation.after)
        needs = [need for need in operation.needs if not (cold and isinstance(need, Warm))]
        unmet = [need for need in needs if self._inventory.needs.unmet(need) is not None]
        self.unmet += unmet
        return not unmet

    async def _call(self, operation: Operation) -> None:
        arguments = self._resolve(operation.arguments, operation)
        try:
            answer = await self._answer(operation, arguments)
        except SuspectError as error:
            if error.not_found and operation.call.startswith("Delete"):
                self._inventory.absent(operation.call, arguments)
                self._acknowledged()
                return
            await self._doubt(operation, arguments, error)
            raise
        self._inventory.record(operation.call, arguments, answer, operation.creates)
        self._acknowledged()
        if answer.get("unsuccessful"):
            if operation.call == "DeregisterTargets":
                # None deregisters what is not registered: perhaps an earlier attempt did it, and was not answered.
                self._inventory.unanswered(arguments)
            raise _partly_done(operation, arguments, answer)

    async def _answer(self, operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What Lattice answers. Where it does not, be it an earlier attempt only, or where a name is taken, perhaps by
        what an earlier call has made, the inventory takes note before anybody can ask it."""
        definite = False
        try:
            answer = await self._client.call(operation.call, arguments, lane=self._lane)
            definite = True
        except SuspectError as error:
            gone = error.not_found and operation.call.startswith("Delete")
            taken = not error.not_found and operation.creates is not None
            definite = gone or not (error.undecided or taken)
            raise
        except LatticeError as error:
            definite = not error.undecided
            raise
        finally:
            if not definite:
                self._inventory.unanswered(arguments, operation.creates)
        return answer

    def _resolve(self, value: Any, operation: Operation) -> Any:
        match value:
            case Reference():
                found = self._inventory.needs.resolve(value)
                if found is None:
                    message = f"{operation.resource}: what it belongs to or points to has gone meanwhile"
                    raise SuspectError(operation.call, "Gone", message)
                return found
            case Mapping():
                return {name: self._resolve(item, operation) for name, item in value.items()}
            case list() | tuple():
                return [self._resolve(item, operation) for item in value]
            case _:
                return value

    async def _doubt(self, operation: Operation, arguments: Mapping[str, Any], error: SuspectError) -> None:
        """Have read again what the error contradicts: who has the name, what was changed, what was referred to."""
        if isinstance(operation.creates, ServiceKey | TargetGroupKey) and not error.not_found:
            await self._inventory.look_up(operation.creates, arguments["name"], lane=self._lane)
        for ident in (*_identifiers(arguments), short_id(error.resource_id or "")):
            kind = _TYPES.get(ident.split("-", 1)[0])
            if kind is not None and (kind != "network" or error.not_found):
                self._inventory.mark_suspect(ResourceRef(kind, ident))


_TYPES: Mapping[str, ResourceType] = {
    "svc": "service",
    "tg": "target_group",
    "snsa": "service_association",
    "sn": "network",
}


def _identifiers(value: Any) -> list[str]:
    """The ids in the arguments that are short, or at the end of an ARN."""
    match value:
        case str():
            return [short_id(value)]
        case Mapping():
            return [ident for name, item in value.items() if name != "tags" for ident in _identifiers(item)]
        case list():
            return [ident for item in value for ident in _identifiers(item)]
        case _:
            return []


def _partly_done(operation: Operation, arguments: Mapping[str, Any], answer: Mapping[str, Any]) -> RetryError:
    """API: `unsuccessful` of RegisterTargets, DeregisterTargets and BatchUpdateRule."""
    failed: Sequence[Mapping[str, Any]] = answer["unsuccessful"]
    parts = ", ".join(map(_part, failed))
    request_id = answer.get("ResponseMetadata", {}).get("RequestId")
    total = len(arguments.get("targets", arguments.get("rules", ())))
    message = f"{len(failed)} of {total} failed for {operation.resource}: {parts}"
    return RetryError(operation.call, failed[0].get("failureCode", "Unsuccessful"), message, request_id)


def _part(one: Mapping[str, Any]) -> str:
    name = one.get("id", one.get("ruleIdentifier", "?"))
    port = f":{one['port']}" if "port" in one else ""
    return f"{name}{port}: {one.get('failureMessage', one.get('failureCode', ''))}"
