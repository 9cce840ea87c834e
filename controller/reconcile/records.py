"""A route's DNS records: its DNSEndpoint, where external-dns's kind is installed.

The route's own key writes it, last in its pass: whatever keeps it from that keeps nobody else. What is to stand there
is `controller.translate.dns`'s to say.
"""

from http import HTTPStatus

from controller.api.external_dns import DNSEndpoint, DNSEndpointSpec, Endpoint
from controller.api.gateway import Route
from controller.api.meta import ObjectMeta
from controller.api.resources import DNS_ENDPOINTS, ROUTES
from controller.gateway.view import UnknownError
from controller.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from controller.kube.writes import create_object, delete_object, patch_spec
from controller.reconcile.environment import Environment
from controller.translate.annotations import ROUTE_FINALIZERS
from controller.translate.dns import (
    Publication,
    belongs_to,
    heirs,
    owner_reference,
    publication,
    slot_of,
    taken_message,
)
from controller.translate.route import RouteTranslation
from workqueue import Result

UNSETTLED = 10.0
"""Seconds after which a route looks again whose records are spared because all may be another controller's work."""


async def publish(env: Environment, route: Route, translation: RouteTranslation) -> Result | None:
    """Bring the DNSEndpoint of a route up to date. Raises `UnknownError` and `ApiError`, the latter after it was told.

    The object of a route that is deleted goes with the route, and is not touched.
    """
    ours = translation.parents or ROUTE_FINALIZERS[route.kind] in route.metadata.finalizers
    if route.deleting or not ours or not _has_external_dns(env):
        env.unpublished.discard(route.ref)
        return None
    spare = route.ref in env.take_over.left
    wanted = publication(
        env.view,
        route,
        translation.services,
        env.ctx,
        env.board.outcome,
        complete=lambda key: env.board.was_complete(key, route.ref),
        spare=spare,
    )
    for other in wanted.instead:
        env.add(other.key)
    if wanted.lacking:
        message = taken_message(wanted.slot, route, wanted.lacking)
        env.tell(ROUTES[route.kind], route, "FailedDeployModel", message, warning=True)
    try:
        await _write(env, route, wanted, spare=spare)
    except ApiError as error:
        if isinstance(error, NotFound | Conflict) or error.status == HTTPStatus.METHOD_NOT_ALLOWED:
            # The kind or the namespace is going, or what we know is out of date: the watches are to tell. A kind that
            # is going takes no new objects, and answers so.
            return Result(requeue=True)
        if isinstance(error, Forbidden | Invalid):
            env.unpublished.add(route.ref)
        name = f"{route.namespace}/{wanted.slot.name}"
        message = f"cannot write the DNSEndpoint {name}: {error}"
        env.tell(ROUTES[route.kind], route, "Retry-Reconcile", message, warning=True)
        raise
    env.unpublished.discard(route.ref)
    return Result(requeue_after=UNSETTLED) if wanted.spared and env.take_over.left.everything else None


def keeps(env: Environment, route: Route) -> bool:
    """Whether a route that asks for nothing may not be let go yet for the sake of its records.

    Either they are to be removed first; or, where the object goes with the route, others are to have them first, whose
    keys then add this one again.
    """
    try:
        if not env.view.has_external_dns():
            return False
        if not route.deleting:
            return slot_of(env.view, route).held is not None
        waits_for = [ref for ref in heirs(env.view, route, env.ctx, env.board.outcome) if ref not in env.unpublished]
    except UnknownError:
        # A route can always be deleted, and takes the object with it. Else nothing but the finalizer tells, once the
        # kind is known, that there may be one of ours.
        return not route.deleting
    for ref in waits_for:
        env.board.wait(route.ref.key, ref.key)
    return bool(waits_for)


def _has_external_dns(env: Environment) -> bool:
    """Whether there is somebody to publish for, as far as is known; all routes are looked at when more is.

    That it is not known is told by the log and the metrics of what is mirrored, and not by each route.
    """
    try:
        return env.view.has_external_dns()
    except UnknownError:
        return False


async def _write(env: Environment, route: Route, wanted: Publication, *, spare: bool) -> None:
    held = wanted.slot.held
    if held is None:
        if wanted.endpoints:
            made = _object(route, wanted.slot.name, wanted.endpoints)
            env.observe(DNS_ENDPOINTS, await create_object(env.kube, DNS_ENDPOINTS, made))
    elif not held.deleting:
        if not wanted.endpoints:
            await _delete(env, held)
        elif wanted.changes:
            await _patch(env, route, held, wanted.endpoints)
    for one in wanted.slot.more if not spare else ():
        await _delete(env, one)


async def _delete(env: Environment, obj: DNSEndpoint) -> None:
    await delete_object(env.kube, DNS_ENDPOINTS, obj)
    env.deleted(DNS_ENDPOINTS, obj)


async def _patch(env: Environment, route: Route, held: DNSEndpoint, endpoints: tuple[Endpoint, ...]) -> None:
    def build(current: DNSEndpoint) -> DNSEndpointSpec | None:
        # What was decided is good for the records that it was decided on, and as long as the object is the route's.
        same = current.spec == held.spec and belongs_to(current, route)
        return DNSEndpointSpec(endpoints=endpoints) if same else None

    env.observe(DNS_ENDPOINTS, await patch_spec(env.kube, DNS_ENDPOINTS, held, build))


def _object(route: Route, name: str, endpoints: tuple[Endpoint, ...]) -> DNSEndpoint:
    return DNSEndpoint(
        metadata=ObjectMeta(name=name, namespace=route.namespace, owner_references=(owner_reference(route),)),
        spec=DNSEndpointSpec(endpoints=endpoints),
    )
