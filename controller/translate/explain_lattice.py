"""What VPC Lattice has of a service and its target groups, and what is missing there, as facts."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from controller.api.keys import ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.observed import ACTIVE, ObservedService, ObservedTargetGroup
from controller.lattice.plan import Operation
from controller.translate.annotations import TAKE_OVER
from controller.translate.context import TranslateContext
from controller.translate.facts import NOT_LOOKED_UP, NOT_THERE, Fact, Seen, SeenGroup, SeenService, counted
from controller.translate.gateway import network_verdict
from controller.translate.outcomes import Found
from controller.translate.route import RouteTranslation
from controller.translate.service import translate_service
from controller.translate.take_over import RELEASED
from controller.translate.target_group import left_out, translate_target_group

UNHEALTHY = "UNHEALTHY"


def explain_lattice_service(
    view: View, key: ServiceKey, translation: RouteTranslation, ctx: TranslateContext, seen: Seen
) -> Fact:
    made = translate_service(view, key, ctx)
    desired, others = made.desired, [str(route.ref) for route in made.routes if route.ref != translation.ref]
    sight = seen.services.get(key)
    observed = None if sight is None else sight.observed
    names = () if desired is None else desired.networks
    networks = [_network(name, observed, seen) for name in names]
    if not networks:
        networks = [Fact(kind="service network", name="none", told="standalone: only by its own domain name")]
    return Fact(
        kind="Lattice service",
        name=observed.name if observed is not None else "" if desired is None else desired.name,
        well=observed is not None and observed.status == ACTIVE,
        told=(NOT_THERE if observed is None else service_text(observed)) + _shared_with(others),
        below=(
            *networks,
            *(explain_group(view, group, ctx, seen) for group in translation.target_groups if group.owner == key),
            *_to_do(sight),
        ),
    )


def _shared_with(others: Sequence[str]) -> str:
    return f", shared with {', '.join(others)}" if others else ""


def service_text(observed: ObservedService) -> str:
    """The state of a service with its domain names, and why it failed."""
    parts = [observed.status, f"at {observed.domain}" if observed.domain else "without a domain name yet"]
    if observed.custom_domain:
        parts.append(f"and {observed.custom_domain}")
    return " ".join(parts) + (f": {observed.failure}" if observed.failure else "")


def _network(name: str, observed: ObservedService | None, seen: Seen) -> Fact:
    """A service network with the state of the service's association with it."""
    state = seen.networks.get(name, NOT_LOOKED_UP)
    if not isinstance(state, Found):
        return Fact(kind="service network", name=name, well=False, told=network_verdict(name, state).message)
    association = None if observed is None else (observed.associations or {}).get(state.id)
    if association is None:
        return Fact(kind="service network", name=name, well=False, told="not associated yet")
    told = f"association {association.status}" + (f": {association.failure}" if association.failure else "")
    return Fact(kind="service network", name=name, well=association.status == ACTIVE, told=told)


def explain_group(view: View, key: TargetGroupKey, ctx: TranslateContext, seen: Seen) -> Fact:
    desired = translate_target_group(view, key, ctx)
    sight = seen.groups.get(key)
    observed = None if sight is None else sight.observed
    targets = {} if observed is None else observed.targets or {}
    wanted = frozenset() if desired is None else desired.targets
    return Fact(
        kind="target group",
        name=observed.name if observed is not None else "" if desired is None else desired.name,
        well=observed is not None and observed.status == ACTIVE and bool(wanted),
        told=group_text(key, observed) + ("" if wanted else "; no endpoint can be a target"),
        below=(
            *(
                Fact(kind="target", name=f"{target.ip}:{target.port}", well=False, told=status)
                for target, status in sorted(targets.items())
                if status == UNHEALTHY
            ),
            *(
                Fact(kind="target", name=f"{target.ip}:{target.port}", well=False, told="not registered yet")
                for target in sorted(wanted - set(targets))
            ),
            *(Fact(kind="endpoint", name=address, told=f"no target: {why}") for address, why in left_out(view, key)),
            *_to_do(sight),
        ),
    )


def group_text(key: TargetGroupKey, observed: ObservedTargetGroup | None) -> str:
    """For what the group is, with its state, that of its targets and why it failed."""
    port = "" if key.port is None else f":{key.port}"
    told = f"for {key.namespace}/{key.service}{port}: "
    if observed is None:
        return told + NOT_THERE
    counts = Counter(status or "registered just now" for status in (observed.targets or {}).values())
    return f"{told}{observed.status}, {_targets_text(counts)}" + (f": {observed.failure}" if observed.failure else "")


def _targets_text(counts: Mapping[str, int]) -> str:
    if not counts:
        return "no targets"
    states = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
    return f"{counted(sum(counts.values()), 'target')} ({states})"


def _to_do(sight: SeenService | SeenGroup | None) -> Iterator[Fact]:
    """What stands between what Lattice has and what is desired, as the plan has it."""
    if sight is not None:
        for problem in sight.plan.problems:
            yield Fact(kind="problem", name=problem.reason, well=False, told=problem.message)
        for step in sight.plan.operations:
            yield Fact(kind="to do", name=step.call, well=False, told=f"{step.resource}: {step.description}")
        yield from held_facts(sight.held)


def held_facts(held: Sequence[Operation]) -> Iterator[Fact]:
    """What does not happen before somebody releases it."""
    for step in held:
        told = f"{step.resource}: {step.description}; until {TAKE_OVER}={RELEASED}, for another controller was before"
        yield Fact(kind="held back", name=step.call, well=False, told=told)
