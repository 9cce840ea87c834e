"""What the keys tell each other: outcomes, and who waits for whose work.

Keys never call or await each other. A service's key leaves its outcome here, and the keys of its routes, which are
added when an outcome changes, make their reports of it. A key that can go on only when another key has done its part
leaves its name here, and is added again when that key has run.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from controller.api.keys import Key, RouteRef, ServiceKey, TargetGroupKey
from controller.translate.outcomes import Failed, Pending, Programmed, ServiceOutcome

T = TypeVar("T")


class Board:
    """Outcomes of services and target groups, and the keys that wait. In memory only: a restart finds them out anew."""

    def __init__(self) -> None:
        self._services: dict[ServiceKey, ServiceOutcome] = {}
        self._groups: dict[ServiceKey, dict[TargetGroupKey, Failed]] = {}
        self._waiting: dict[Key, dict[Key, None]] = {}
        self._holders: dict[Key, RouteRef] = {}
        self._fed: dict[ServiceKey, tuple[RouteRef, ...]] = {}
        self._at_work: set[ServiceKey] = set()
        self._workers: dict[RouteRef, set[Key]] = {}
        self._held_up: set[RouteRef] = set()
        self._complete: dict[ServiceKey, tuple[RouteRef, ...]] = {}
        self._staying: dict[ServiceKey, tuple[RouteRef, ...]] = {}
        self._staying_under: dict[str, dict[ServiceKey, None]] = {}
        self._staying_for: dict[RouteRef, dict[ServiceKey, None]] = {}
        self._following: dict[tuple[str, str], dict[TargetGroupKey, None]] = {}

    def outcome(self, key: ServiceKey) -> ServiceOutcome:
        """The service's outcome, or the failure of one of its target groups.

        A group that is refused for good keeps its service from what is desired, also where the service goes on with
        what was programmed before; one that is tried again does so only while nothing else is known.
        """
        outcome = self._services.get(key, Pending())
        failures = self._groups.get(key, {}).values()
        lasting = next((failure for failure in failures if not failure.transient), None)
        if lasting is not None:
            return lasting
        return next(iter(failures), outcome) if isinstance(outcome, Pending) else outcome

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

    def hold(self, key: ServiceKey | TargetGroupKey, route: RouteRef | None) -> RouteRef | None:
        """Note for which route the resource of a key exists, while that can be told; returns the one that it left."""
        before = self._holders.get(key)
        if route is None or route == before:
            return None
        self._holders[key] = route
        return before

    def holder(self, key: ServiceKey | TargetGroupKey) -> RouteRef | None:
        """The route for which the resource of a key exists, or did, as last noted."""
        return self._holders.get(key)

    def let_go(self, key: ServiceKey | TargetGroupKey) -> RouteRef | None:
        """The resource of a key is gone: the route for which it existed, as last noted."""
        if isinstance(key, ServiceKey):
            self._fed.pop(key, None)
            self._complete.pop(key, None)
        return self._holders.pop(key, None)

    def complete(self, key: ServiceKey, routes: tuple[RouteRef, ...]) -> tuple[RouteRef, ...]:
        """The service has all that these routes ask of it; returns those of them for which that is news."""
        before = self._complete.get(key, ())
        self._complete[key] = routes
        return tuple(route for route in routes if route not in before)

    def was_complete(self, key: ServiceKey, route: RouteRef) -> bool:
        """Whether the service has had all that the route asks of it, as far as this run has seen."""
        return route in self._complete.get(key, ())

    def stay(self, key: ServiceKey, routes: tuple[RouteRef, ...]) -> tuple[RouteRef, ...]:
        """A service stays for now of which these routes ask no more; returns those for which something is new in that,
        also where it stayed for them and does so no more."""
        before = self.end_stay(key)
        self._staying[key] = routes
        if key.hostname:
            self._staying_under.setdefault(key.hostname, {})[key] = None
        for route in routes:
            self._staying_for.setdefault(route, {})[key] = None
        return tuple(route for route in dict.fromkeys((*before, *routes)) if (route in before) != (route in routes))

    def end_stay(self, key: ServiceKey) -> tuple[RouteRef, ...]:
        """The service does not stay without being asked for; returns the routes for which it did."""
        routes = self._staying.pop(key, ())
        _remove(self._staying_under, key.hostname, key)
        for route in routes:
            _remove(self._staying_for, route, key)
        return routes

    def stays(self, key: Key) -> bool:
        return key in self._staying

    def staying(self, hostname: str) -> tuple[ServiceKey, ...]:
        """The services of this hostname that stay for now; none without a hostname."""
        return tuple(self._staying_under.get(hostname, ()))

    def staying_for(self, route: RouteRef) -> tuple[ServiceKey, ...]:
        """The services that stay for now, although the route asks for them no more."""
        return tuple(self._staying_for.get(route, ()))

    def follow(self, key: TargetGroupKey) -> None:
        """A group of a service that stays follows the endpoints of its backend."""
        self._following.setdefault((key.namespace, key.service), {})[key] = None

    def end_follow(self, key: TargetGroupKey) -> None:
        """The group does not do so any more."""
        groups = self._following.get((key.namespace, key.service), {})
        groups.pop(key, None)
        if not groups:
            self._following.pop((key.namespace, key.service), None)

    def followers(self, namespace: str, service: str) -> tuple[TargetGroupKey, ...]:
        """The groups that follow the endpoints of a Service although no route asks for them."""
        return tuple(self._following.get((namespace, service), ()))

    def feed(self, key: ServiceKey, routes: tuple[RouteRef, ...]) -> bool:
        """The service has the rules of these routes and of no others; tells whether that is news."""
        before = self._fed.get(key)
        self._fed[key] = routes
        return before != routes

    def fed(self, key: ServiceKey) -> tuple[RouteRef, ...]:
        """The routes whose rules the service has, as far as this run has seen."""
        return self._fed.get(key, ())

    def may_feed(self, key: ServiceKey, route: RouteRef) -> bool:
        """Whether the service may have rules of the route, as far as this run has seen."""
        fed = self._fed.get(key)
        return fed is None or route in fed

    def worked(self, key: ServiceKey) -> None:
        """Calls were made to program a service; its success is worth telling."""
        self._at_work.add(key)

    def rested(self, key: ServiceKey) -> bool:
        """The service is as desired; whether calls were made for that since it was the last time."""
        if key not in self._at_work:
            return False
        self._at_work.remove(key)
        return True

    def begin(self, key: Key, routes: Iterable[RouteRef]) -> None:
        """A pass that makes calls for these routes begins; for one that has left it a service is complete no more."""
        present = dict.fromkeys(routes)
        for route in present:
            self._workers.setdefault(route, set()).add(key)
        if isinstance(key, ServiceKey) and key in self._complete:
            self._complete[key] = tuple(route for route in self._complete[key] if route in present)

    def end(self, key: Key, routes: Iterable[RouteRef]) -> list[RouteRef]:
        """The pass has ended; returns those of the routes that nobody works for any more and that were held up."""
        free = []
        for route in routes:
            workers = self._workers[route]
            workers.discard(key)
            if not workers:
                del self._workers[route]
                if route in self._held_up:
                    self._held_up.remove(route)
                    free.append(route)
        return free

    def holds_up(self, route: RouteRef) -> bool:
        """Whether a pass makes calls for the route now, so that it cannot be told what there is of it in Lattice."""
        if route in self._workers:
            self._held_up.add(route)
        return route in self._workers

    def failed(self, key: Key) -> bool:
        """Whether the last thing known of a key is a failure: it tries again in its own time."""
        if isinstance(key, TargetGroupKey):
            return key in self._groups.get(key.owner, {})
        return isinstance(key, ServiceKey) and isinstance(self._services.get(key), Failed)

    def wait(self, key: Key, held_by: Key) -> None:
        """Let `key` wait until `held_by` has run."""
        self._waiting.setdefault(held_by, {})[key] = None

    def released_by(self, key: Key) -> tuple[Key, ...]:
        """The keys that waited for this one, which has run; they wait no longer."""
        return tuple(self._waiting.pop(key, ()))


def _remove(index: dict[T, dict[ServiceKey, None]], under: T, key: ServiceKey) -> None:
    keys = index.get(under, {})
    keys.pop(key, None)
    if not keys:
        index.pop(under, None)
