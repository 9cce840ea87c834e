"""What the controller has warned of about an object, read back from its Events.

That a call is refused cannot be found out without making it, so who only looks has it from whoever tried. Events expire
at the API server, after an hour by default, and are told again while what they tell of lasts.

Source: core/v1 Event.
"""

from typing import Any

import msgspec

from controller.api.meta import Object
from controller.api.resources import Resource
from controller.kube.client import KubeClient
from controller.kube.errors import ApiError
from controller.translate.facts import Fact
from controller.work import COMPONENT

MOST = 5
"""Warnings that are told; the latest ones say what stands in the way now."""


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    reason: str = ""
    message: str = ""
    reporting_component: str = ""
    last_timestamp: str | None = None


class _EventList(msgspec.Struct, frozen=True):
    items: tuple[_Event, ...] = ()


async def warnings(kube: KubeClient, resource: Resource[Any], obj: Object, *, since: str) -> tuple[Fact, ...]:
    """The controller's Warning Events about an object since `since` (RFC 3339, UTC), the latest first.

    Where Events may not be read, a fact that says so.
    """
    about = {"kind": resource.kind, "name": obj.name, "uid": obj.metadata.uid}
    selector = ",".join(f"involvedObject.{field}={value}" for field, value in about.items())
    path = f"/api/v1/namespaces/{obj.namespace or 'default'}/events"
    try:
        answer = await kube.request("GET", path, query={"fieldSelector": f"{selector},type=Warning"})
    except ApiError as error:
        return (Fact(kind="events", name="not read", told=str(error)),)
    events = msgspec.json.decode(answer, type=_EventList).items
    ours = [event for event in events if event.reporting_component == COMPONENT and _last(event) >= since]
    return tuple(
        Fact(kind="warning", name=event.reason, well=False, told=f"{event.message} (last at {_last(event)})")
        for event in sorted(ours, key=_last, reverse=True)[:MOST]
    )


def _last(event: _Event) -> str:
    return event.last_timestamp or ""
