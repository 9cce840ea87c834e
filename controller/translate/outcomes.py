"""What became of what was desired, and the report that a route's author gets.

The keys that write Lattice (services, networks) hand their outcome over as one of these; nothing here knows how it
came about. A route's report is made of its translation and the outcomes of its services, and is written only when it
says something final: every service has an outcome, or one of them failed.

Source: Gateway API v1.6, `RouteParentStatus`, `RouteConditionReason`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from controller.api.gateway import ParentReference
from controller.api.keys import ServiceKey
from controller.api.meta import Condition, condition_to_json
from controller.gateway import conditions
from controller.lattice.model import Frozen
from controller.lattice.plan import Operation
from controller.translate.annotations import ASSIGNED_DOMAIN_NAME, SERVICE_ARN
from controller.translate.route import ACCEPTED_MESSAGE, ParentTranslation, RouteTranslation
from controller.translate.take_over import HELD_BACK, TAKEN_OVER, held_message


class Found(Frozen, frozen=True):
    """The service network for which a Gateway stands."""

    id: str
    arn: str


class Missing(Frozen, frozen=True):
    """No service network of that name or id is visible."""


class Ambiguous(Frozen, frozen=True):
    """Several service networks bear the name."""

    ids: tuple[str, ...]


class Unavailable(Frozen, frozen=True):
    """It could not be found out; `message` says why. It is tried again."""

    message: str


NetworkState = Found | Missing | Ambiguous | Unavailable


class Pending(Frozen, frozen=True):
    """Not yet decided; also what a service without an entry is."""


class Programmed(Frozen, frozen=True):
    """The service is as desired, and clients reach it at `domain`, the name that Lattice assigned."""

    domain: str
    arn: str


class Failed(Frozen, frozen=True):
    """The service could not be made as desired.

    `reason` is a condition's reason (CamelCase), `message` tells the route's author what to change. A transient
    failure is tried again without a change by the author, and leaves open whether the route will be served.
    """

    reason: str
    message: str
    transient: bool


ServiceOutcome = Pending | Programmed | Failed


class RouteReport(Frozen, frozen=True):
    parents: tuple[Mapping[str, Any], ...]
    """RouteParentStatus objects as JSON, in the order of `spec.parentRefs`; `lastTransitionTime` is empty. These are
    all
    our entries: what else bears our controllerName goes."""
    annotations: Mapping[str, str | None]
    """To be set on the route; None removes. Annotations that are not named stay as they are."""
    ready: bool
    """Whether to write it now: every service has an outcome, or something failed."""


def route_report(
    translation: RouteTranslation,
    outcomes: Mapping[ServiceKey, ServiceOutcome],
    held: Sequence[Operation] = (),
    former: Sequence[ServiceKey] = (),
) -> RouteReport:
    """The report of a route; `outcomes` of services that the route does not feed do not count. `held` is what is held
    back of what another controller made for the route (`take_over`). `former` are services that the route asks for no
    more, and that stay until those that it asks for are complete."""
    own = {key: outcomes.get(key, Pending()) for key in translation.services}
    decided = all(not isinstance(outcome, Pending) for outcome in own.values())
    failed = any(isinstance(outcome, Failed) for outcome in own.values())
    return RouteReport(
        parents=tuple(
            {
                "parentRef": _parent_ref(parent.parent_ref),
                "controllerName": translation.controller_name,
                "conditions": [condition_to_json(each) for each in _conditions(parent, own, held, former)],
            }
            for parent in translation.parents
        ),
        annotations=_annotations(list(own.values())),
        ready=decided or failed,
    )


def _annotations(outcomes: Sequence[ServiceOutcome]) -> Mapping[str, str | None]:
    """Those of the first service. A route without services has none; while the first is undecided, they stay."""
    if not outcomes:
        return {ASSIGNED_DOMAIN_NAME: None, SERVICE_ARN: None}
    first = outcomes[0]
    if isinstance(first, Programmed):
        return {ASSIGNED_DOMAIN_NAME: first.domain, SERVICE_ARN: first.arn}
    return {}


def _conditions(
    parent: ParentTranslation,
    outcomes: Mapping[ServiceKey, ServiceOutcome],
    held: Sequence[Operation],
    former: Sequence[ServiceKey],
) -> list[Condition]:
    own = [outcomes[key] for key in parent.services]
    staying = _former_message(former) if parent.services else ""
    result = [_accepted(each, own, staying) if each.type == conditions.ACCEPTED else each for each in parent.conditions]
    if held:
        generation = result[0].observed_generation
        result.append(conditions.condition(TAKEN_OVER, False, HELD_BACK, held_message(held), generation))
    return result


def _former_message(former: Sequence[ServiceKey]) -> str:
    names = ", ".join(sorted(f"hostname {key.hostname}" if key.hostname else "no hostname" for key in former))
    return f"Until then VPC Lattice goes on serving what the route asked for before: {names}." if names else ""


_COUNTS_TOO: Final = (
    "That counts too, if it is a quota of the region or of the service network: where no other room can be had, delete "
    "the route and create it anew, which gives up the old first."
)


def _accepted(accepted: Condition, outcomes: Sequence[ServiceOutcome], staying: str) -> Condition:
    """Acceptance with what became of the parent's services: what the author must change outweighs what is retried."""
    failures = sorted(
        (outcome for outcome in outcomes if isinstance(outcome, Failed)), key=lambda outcome: outcome.transient
    )
    if failures:
        worst = failures[0]
        if staying and any(failure.reason == conditions.QUOTA_EXCEEDED for failure in failures):
            staying = f"{staying} {_COUNTS_TOO}"
        message = " ".join(dict.fromkeys(failure.message for failure in failures))
        return conditions.condition(
            conditions.ACCEPTED,
            None if worst.transient else False,
            conditions.PENDING if worst.transient else worst.reason,
            f"{message.rstrip('.')}. {staying}" if staying else message,
            accepted.observed_generation,
        )
    domains = [outcome.domain for outcome in outcomes if isinstance(outcome, Programmed)]
    if not domains:
        return accepted
    message = " ".join([f"DNS Name: {', '.join(domains)}", accepted.message.removeprefix(ACCEPTED_MESSAGE).strip()])
    return msgspec.structs.replace(accepted, message=message.strip()[: conditions.MAX_MESSAGE])


def _parent_ref(ref: ParentReference) -> dict[str, Any]:
    """The reference as the route wrote it, with the defaults of group and kind."""
    fields = {
        "group": ref.group,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "sectionName": ref.section_name,
        "port": ref.port,
    }
    return {name: value for name, value in fields.items() if value is not None}
