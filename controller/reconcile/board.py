"""What the keys tell each other: outcomes, and who waits for whose work.

Keys never call or await each other. A service's key leaves its outcome here, and the keys of its routes, which are
added when an outcome changes, make their reports of it. A key that can go on only when another key has done its part
leaves its name here, and is added again when that key has run.
"""

from collections.abc import Mapping

from controller.api.keys import Key, ServiceKey, TargetGroupKey
from controller.translate.outcomes import Failed, Pending, Programmed, ServiceOutcome


class Board:
    """Outcomes of services and target groups, and the keys that wait. In memory only: a restart finds them out anew."""

    def __init__(self) -> None:
        self._services: dict[ServiceKey, ServiceOutcome] = {}
        self._groups: dict[ServiceKey, dict[TargetGroupKey, Failed]] = {}
        self._waiting: dict[Key, dict[Key, None]] = {}

    def outcome(self, key: ServiceKey) -> ServiceOutcome:
        """The service's outcome. While it is pending, the failure of one of its target groups is its own."""
        outcome = self._services.get(key, Pending())
        if isinstance(outcome, Pending) and key in self._groups:
            return next(iter(self._groups[key].values()))
        return outcome

    def outcomes(self, keys: tuple[ServiceKey, ...]) -> Mapping[ServiceKey, ServiceOutcome]:
        return {key: self.outcome(key) for key in keys}

    def programmed(self, key: ServiceKey) -> Programmed | None:
        """The service's last success, if its last outcome was one."""
        outcome = self._services.get(key)
        return outcome if isinstance(outcome, Programmed) else None

    def post_service(self, key: ServiceKey, outcome: ServiceOutcome | None) -> bool:
        """Leave a service's outcome, None when it is gone; tells whether that is news for the routes."""
        before = self.outcome(key)
        if outcome is None:
            self._services.pop(key, None)
        else:
            self._services[key] = outcome
        return self.outcome(key) != before

    def post_group(self, key: TargetGroupKey, failure: Failed | None) -> bool:
        """Leave a group's failure, None when it is well or gone; tells whether that is news for the routes."""
        before = self.outcome(key.owner)
        failures = self._groups.setdefault(key.owner, {})
        if failure is None:
            failures.pop(key, None)
        else:
            failures[key] = failure
        if not failures:
            del self._groups[key.owner]
        return self.outcome(key.owner) != before

    def wait(self, key: Key, held_by: Key) -> None:
        """Let `key` wait until `held_by` has run."""
        self._waiting.setdefault(held_by, {})[key] = None

    def released_by(self, key: Key) -> tuple[Key, ...]:
        """The keys that waited for this one, which has run; they wait no longer."""
        return tuple(self._waiting.pop(key, ()))
