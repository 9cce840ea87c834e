"""Which of the routes that share a service it has room for, by the quotas that are known.

Routes are admitted oldest first, but what is programmed already before all others: it is in Lattice, so there is room
for it. One that does not fit is refused as a whole, before anything of it is written, and is told by which quota;
younger ones that fit are admitted all the same.

A programmed route is never refused. Where it grows beyond a quota, Lattice refuses what it has no room for.

Source: VPC Lattice user guide, "Quotas for Amazon VPC Lattice".
"""

from collections.abc import Mapping, Sequence

from controller.api.keys import RouteRef
from controller.lattice.model import Frozen
from controller.lattice.quotas import QUOTAS, Quotas
from controller.translate.annotations import SERVICE_ARN
from controller.translate.draft import Draft, Share
from controller.translate.matches import same_requests


class Claim(Frozen, frozen=True):
    """What a route gets: its share in a service."""

    draft: Draft
    share: Share


def overflowing(claims: Sequence[Claim], quotas: Quotas) -> Mapping[RouteRef, str]:
    """Those of the routes of a service, oldest first, that it has no room for, each with why."""
    if quotas == Quotas():
        return {}
    room = _Room()
    refused: dict[RouteRef, str] = {}
    for claim in sorted(claims, key=lambda claim: not _is_programmed(claim)):
        wanted = room.with_(claim)
        problem = None if _is_programmed(claim) else wanted.problem(quotas)
        if problem is None:
            room = wanted
        else:
            refused[claim.draft.ref] = problem
    return refused


def _is_programmed(claim: Claim) -> bool:
    return claim.draft.route.annotation(SERVICE_ARN) is not None


class _Room(Frozen, frozen=True):
    """What routes take of a service together."""

    rules: Mapping[int, frozenset[object]] = {}
    """By listener's port; TLS listeners have none."""
    groups: frozenset[object] = frozenset()

    def with_(self, claim: Claim) -> "_Room":
        matches = frozenset(same_requests(each.match) for rule in claim.draft.compiled.rules for each in rule.matches)
        rules = dict(self.rules)
        for port, protocol in claim.share.listeners:
            rules[port] = rules.get(port, frozenset()) | (frozenset() if protocol == "TLS" else matches)
        return _Room(rules=rules, groups=self.groups | frozenset(claim.draft.backends))

    def problem(self, quotas: Quotas) -> str | None:
        """The first quota that this is too much for."""
        wanted = {
            "listeners_per_service": len(self.rules),
            "rules_per_listener": max(map(len, self.rules.values()), default=0),
            "target_groups_per_service": len(self.groups),
        }
        for field, number in wanted.items():
            limit = getattr(quotas, field)
            if limit is not None and number > limit:
                name, code = QUOTAS[field]
                return (
                    f"with this route the service would need {number} of the quota {name!r} ({code}), which is {limit};"
                    " use less, or ask AWS for more in Service Quotas."
                )
        return None
