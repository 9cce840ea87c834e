"""Faults on demand: what a real API server does on a bad day, at the moment that a test chooses.

A `Fault` says which requests it meets and what happens to them; the server asks `Faults` before it does anything. The
first fault that matches and is not used up is the one that counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sandbox.kube import errors
from sandbox.kube.errors import ApiError, ResourceName


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a resource, in the API's terms (`RequestInfo` of the API server)."""

    verb: str
    """get, list, watch, create, update, patch, delete or deletecollection."""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    user_agent: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def resource_name(self) -> ResourceName:
        return ResourceName(self.group, self.resource)

    @property
    def path_name(self) -> str:
        """`httproutes.gateway.networking.k8s.io/status`: how faults and counters name a resource."""
        return f"{self.resource_name}/{self.subresource}" if self.subresource else str(self.resource_name)


@dataclass(eq=False, slots=True)
class Fault:
    """Meets requests by verb, resource (`pods`, `leases.coordination.k8s.io`, `gateways…/status`), namespace and name;
    what is None meets all. `times` None: until `remove`.
    """

    verb: str | None = None
    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    times: int | None = None
    error: Callable[[Request], ApiError] | None = None
    delay: float = 0.0
    """Seconds to wait before the answer."""
    hits: int = 0
    connection: Literal["kept", "reset", "stalled"] = "kept"
    """What becomes of the connection: where it is not kept there is no answer."""
    after: bool = False
    """Whether a request whose connection is not kept has its effect all the same; a watch begins, and says nothing."""
    when: Callable[[Request], bool] | None = None
    """Which of the requests that match it meets; asked for each of them."""

    def meets(self, request: Request) -> bool:
        return (
            (self.times is None or self.hits < self.times)
            and self.verb in {None, request.verb}
            and self.resource in {None, request.path_name, str(request.resource_name)}
            and self.namespace in {None, request.namespace}
            and self.name in {None, request.name}
            and (self.when is None or self.when(request))
        )


@dataclass(slots=True)
class Faults:
    """The faults of one server. Each method that adds one returns it, for `remove`."""

    token_expired: bool = False
    """While true, every request is answered 401."""
    _faults: list[Fault] = field(default_factory=list)
    _cut: list[Callable[[str | None], int]] = field(default_factory=list)
    _silence: list[Callable[[str | None], int]] = field(default_factory=list)

    def fail(
        self,
        code: int,
        *,
        verb: str | None = None,
        resource: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        times: int | None = 1,
        message: str = "",
        retry_after: int = 1,
    ) -> Fault:
        """Answers with that status code: 409 is a conflict, 410 an expired version, 429 has `retry_after` (seconds)."""

        def error(request: Request) -> ApiError:
            return _error(code, request, message, retry_after)

        return self.add(Fault(verb, resource, namespace, name, times, error))

    def forbid(
        self, resource: str, *, verb: str | None = None, namespace: str | None = None, times: int | None = None
    ) -> Fault:
        """Answers 403, in the words of RBAC."""
        return self.add(Fault(verb, resource, namespace, None, times, _forbidden))

    def slow(
        self, seconds: float, *, verb: str | None = None, resource: str | None = None, times: int | None = None
    ) -> Fault:
        """Waits before the request is served."""
        return self.add(Fault(verb, resource, times=times, delay=seconds))

    def expire_watch(self, resource: str | None = None, *, times: int = 1) -> Fault:
        """The next watch that gives a version starts with an ERROR event, 410 Expired."""
        return self.fail(410, verb="watch", resource=resource, times=times)

    def cut_watches(self, resource: str | None = None) -> int:
        """Ends running watches, as a restarting API server does; returns how many."""
        return sum(cut(resource) for cut in self._cut)

    def silence_watches(self, resource: str | None = None) -> int:
        """Has running watches say nothing more, on open connections, as a dead peer does; returns how many."""
        return sum(silence(resource) for silence in self._silence)

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        self._faults.remove(fault)

    def clear(self) -> None:
        self._faults.clear()
        self.token_expired = False

    def on_cut(self, cut: Callable[[str | None], int]) -> None:
        """For the server: how running watches are ended."""
        self._cut.append(cut)

    def on_silence(self, silence: Callable[[str | None], int]) -> None:
        """For the server: how running watches fall silent."""
        self._silence.append(silence)

    def meet(self, request: Request) -> Fault | None:
        """The fault for this request, counted as used."""
        for fault in self._faults:
            if fault.meets(request):
                fault.hits += 1
                return fault
        return None


def _forbidden(request: Request) -> ApiError:
    place = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    why = f'User "kubernetes-admin" cannot {request.verb} resource "{resource}" in API group "{request.group}" {place}'
    return errors.forbidden(request.resource_name, request.name, why)


def _error(code: int, request: Request, message: str, retry_after: int) -> ApiError:
    name = request.resource_name
    match code:
        case 400:
            return errors.bad_request(message or "the server rejected our request for an unknown reason")
        case 401:
            return errors.unauthorized()
        case 403:
            return _forbidden(request)
        case 404:
            return errors.not_found(name, request.name)
        case 409:
            return errors.conflict(name, request.name, message) if message else errors.modified(name, request.name)
        case 410:
            return errors.expired(message or "too old resource version")
        case 429:
            return errors.too_many_requests(retry_after)
        case 500:
            return errors.internal(message or "a fault on demand")
        case 503:
            reason = "ServiceUnavailable"
        case 504:
            reason = "Timeout"
        case _:
            reason = ""
    return ApiError(code, reason, message or "a fault on demand")
