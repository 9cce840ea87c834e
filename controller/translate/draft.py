"""What a route would feed if it were alone: every judgement on it but those that weigh it against other routes.

Each accepted parent serves the route under the effective hostnames of the listeners that match. The hostnames of all
parents together are the route's services: one for each hostname, associated with the service networks of the parents
that serve it, and one, the route's own, for requests by whatever name, where neither route nor listener names any.

A draft is remembered: it depends on the route and on the view's answers, but for those about routes and endpoints.
"""

from collections.abc import Mapping, Sequence

from controller.api.gateway import Gateway, Listener, Route, TLSRoute
from controller.api.keys import CertificateKey, RouteRef, ServiceKey, TargetGroupKey
from controller.gateway import conditions, hostnames
from controller.gateway.attachment import Attachment, Refusal, attach
from controller.gateway.view import View
from controller.lattice.model import Frozen
from controller.translate import names, tags
from controller.translate.annotations import SERVICE_NAME_OVERRIDE, TAGS, is_standalone
from controller.translate.backends import Backend
from controller.translate.certificates import Serving, Source, certificate_source
from controller.translate.compile import CompiledRoute, DroppedRule, compile_route
from controller.translate.context import TranslateContext
from controller.translate.imports import resolve_refs
from controller.translate.rules import Contribution, backends_of, group_of


class Share(Frozen, frozen=True):
    """A service that the route feeds."""

    key: ServiceKey
    name: str
    """What the service is called if this route owns it."""
    first: bool
    """Whether it is the route's first: the one with the name and the tags that a route with one service has."""
    listeners: tuple[tuple[int, str], ...]
    """Port and protocol of its listeners, by port."""
    networks: tuple[str, ...]
    """Names of the service networks, sorted; none for a standalone service."""
    certificate: Source | None = None
    """Where its certificate comes from; None where it needs none."""


class ParentDraft(Frozen, frozen=True):
    """A parentRef with the services by which it serves the route, or the refusal."""

    attachment: Attachment
    refusal: Refusal | None
    services: tuple[ServiceKey, ...] = ()


class Draft(Frozen, frozen=True):
    route: Route
    ref: RouteRef
    parents: tuple[ParentDraft, ...]
    compiled: CompiledRoute
    backends: tuple[Backend, ...]
    """Those to which its rules forward, in order of precedence."""
    user_tags: Mapping[str, str]
    shares: tuple[Share, ...]

    @property
    def contribution(self) -> Contribution:
        """The rules that the route brings into each of its services."""
        return _contribution(self.route, self.ref, self.compiled)

    def groups(self, key: ServiceKey) -> tuple[TargetGroupKey, ...]:
        """The groups to which the rules forward in this service of the route, in order of precedence."""
        return tuple(group_of(key, backend) for backend in self.backends)


def draft_route(view: View, route: Route, ctx: TranslateContext) -> Draft:
    """Draft a route that is not being deleted. Raises `UnknownError`."""
    draft: Draft = ctx.drafts.recall(route, view.revision(), lambda: _draft_route(view, route, ctx))
    return draft


def _draft_route(view: View, route: Route, ctx: TranslateContext) -> Draft:
    ref = route.ref
    attachments = [
        attachment
        for parent_ref in route.spec.parent_refs or ()
        if (attachment := attach(view, route, parent_ref, ctx.controller_name)) is not None
    ]
    compiled = compile_route(view, route)
    unsupported = _unsupported(route, ref, compiled)
    placement = _Placement(view, route, ctx)
    judged: list[tuple[Attachment, Refusal | None, frozenset[str]]] = []
    for attachment in attachments:
        refusal = attachment.refusal or unsupported or _lacks_hostname(route, attachment)
        placed = placement.place(attachment) if refusal is None else frozenset()
        if refusal is None and not placed:
            refusal = placement.obstacle
        judged.append((attachment, refusal, placed))
    shares = placement.shares(ref)
    return Draft(
        route=route,
        ref=ref,
        parents=tuple(
            ParentDraft(
                attachment=attachment,
                refusal=refusal,
                services=tuple(share.key for share in shares if share.key.hostname in placed),
            )
            for attachment, refusal, placed in judged
        ),
        compiled=compiled,
        backends=backends_of([_contribution(route, ref, compiled)]),
        user_tags=tags.user_tags(route.annotation(TAGS)),
        shares=shares,
    )


def _contribution(route: Route, ref: RouteRef, compiled: CompiledRoute) -> Contribution:
    return Contribution(ref=ref, age=route.metadata.creation_timestamp, rules=compiled.rules)


_TWO_PROTOCOLS = Refusal(
    conditions.CONFLICTED,
    "An earlier parentRef has listeners of another protocol on the same ports; a service of VPC Lattice has one"
    " listener a port.",
)


class _Placement:
    """Collects, from the accepted parents in order, which hostname is served on which ports in which networks."""

    def __init__(self, view: View, route: Route, ctx: TranslateContext) -> None:
        self._view = view
        self._route = route
        self._ctx = ctx
        self._ports: dict[str, dict[int, str]] = {}
        self._serving: dict[str, list[Serving]] = {}
        self._networks: dict[str, set[str]] = {}
        self.obstacle = _TWO_PROTOCOLS
        """Why the last attachment of which nothing was placed was not."""

    def place(self, attachment: Attachment) -> frozenset[str]:
        """Place the attachment's listeners; the hostnames for which one found its port free, or of its own protocol."""
        placed: set[str] = set()
        gateway = attachment.gateway
        self.obstacle = _TWO_PROTOCOLS
        for matched in attachment.listeners:
            port, protocol = matched.listener.port, matched.listener.protocol
            secrets = self._secrets(gateway, matched.listener)
            for hostname in matched.hostnames:
                if isinstance(secrets, Refusal) and hostname != hostnames.NONE:
                    self.obstacle = secrets
                    continue
                if self._ports.setdefault(hostname, {}).setdefault(port, protocol) != protocol:
                    continue
                placed.add(hostname)
                found = () if isinstance(secrets, Refusal) else secrets
                self._serving.setdefault(hostname, []).append(Serving(listener=matched.listener, secrets=found))
                if gateway is not None and not is_standalone(self._route, gateway):
                    self._networks.setdefault(hostname, set()).add(gateway.name)
        return frozenset(placed)

    def _secrets(self, gateway: Gateway | None, listener: Listener) -> tuple[CertificateKey, ...] | Refusal:
        """The Secrets that the listener may use; why it can serve no name, where it may use none of its references."""
        if gateway is None or not self._ctx.import_certificates:
            return ()
        found = list(resolve_refs(self._view, gateway, listener))
        secrets = tuple(each for each in found if isinstance(each, CertificateKey))
        refused = next((each for each in found if isinstance(each, Refusal)), None)
        if secrets or refused is None:
            return secrets
        return Refusal(conditions.CERTIFICATE_NOT_FOUND, f"Listener {listener.name}: {refused.message}")

    def shares(self, ref: RouteRef) -> tuple[Share, ...]:
        order = {hostname: index for index, hostname in enumerate(self._route.spec.hostnames or ())}
        served = sorted(self._ports, key=lambda hostname: order.get(hostname, len(order)))
        return tuple(self._share(ref, hostname, first=index == 0) for index, hostname in enumerate(served))

    def _share(self, ref: RouteRef, hostname: str, *, first: bool) -> Share:
        networks = tuple(sorted(self._networks.get(hostname, ())))
        listeners = tuple(sorted(self._ports[hostname].items()))
        return Share(
            key=ServiceKey(ref.kind, hostname=hostname, networks=networks, namespace=ref.namespace)
            if hostname != hostnames.NONE
            else ServiceKey(ref.kind, route=ref),
            name=_service_name(self._route, ref) if first else names.further_service_name(ref, hostname),
            first=first,
            listeners=listeners,
            networks=networks,
            certificate=certificate_source(hostname, self._serving[hostname]),
        )


def _service_name(route: Route, ref: RouteRef) -> str:
    return route.annotation(SERVICE_NAME_OVERRIDE) or names.service_name(ref)


def _unsupported(route: Route, ref: RouteRef, compiled: CompiledRoute) -> Refusal | None:
    """Why nothing of the route can be served, whatever the parent."""
    name = _service_name(route, ref)
    problem = names.service_name_problem(name)
    if problem is not None:
        return Refusal(
            conditions.UNSUPPORTED_VALUE,
            f"VPC Lattice refuses the service name {name!r}: {problem}. Set the annotation {SERVICE_NAME_OVERRIDE} to"
            " another name.",
        )
    if compiled.dropped and not compiled.rules:
        return Refusal(conditions.UNSUPPORTED_VALUE, problems_text(compiled.dropped))
    return None


def problems_text(dropped: Sequence[DroppedRule]) -> str:
    return " ".join(problem for rule in dropped for problem in rule.problems)


def _lacks_hostname(route: Route, attachment: Attachment) -> Refusal | None:
    """A TLS listener knows its connections by the service's custom domain name, and by nothing else."""
    if isinstance(route, TLSRoute) and any(hostnames.NONE in matched.hostnames for matched in attachment.listeners):
        return Refusal(
            conditions.UNSUPPORTED_VALUE,
            "VPC Lattice passes TLS connections through by their server names alone; name at least one in"
            " spec.hostnames.",
        )
    return None
