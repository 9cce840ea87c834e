"""What `docs/install.md` says of changing controllers: what is removed, and that pausing first keeps it.

What the old controller has left in VPC Lattice is made here by ours, from objects that it takes; then, while no
controller runs, they become such as the old one takes and ours does not.
"""

from pathlib import Path

import pytest

from tests.e2e.harness import PREFIX, World, world
from tests.e2e.objects import (
    backend,
    endpoints,
    gateway,
    gateway_class,
    listener,
    parent,
    route,
    rule,
    service,
)

pytestmark = pytest.mark.anyio

WRITES = ("Create", "Update", "Delete", "Register", "Deregister", "Tag", "Untag", "Batch")


async def change_over(one: World, *, paused: bool) -> dict[str, int]:
    """The calls of a first run on what somebody else has made."""
    one.make_network("my-hotel")
    arn = one.lattice.state.add_certificate("a.example.com").arn

    def https(options: dict[str, str]) -> dict[str, object]:
        tls = {"mode": "Terminate", "options": options}
        return gateway("my-hotel", listener(), listener("https", 443, "HTTPS", tls=tls))

    def routes(**more: object) -> tuple[dict[str, object], ...]:
        plain = route("plain", {**rule(backend("rates")), **more}, parents=[parent(sectionName="http")])
        return route("named", rule(backend("rates")), hostnames=["a.example.com"]), plain

    await one.apply(gateway_class(), https({f"{PREFIX}certificate-arn": arn}), service("rates"))
    await one.apply(endpoints("rates", ["10.0.0.1"]), *routes())
    await one.start()
    await one.quiet()
    await one.stop()
    assert {made.name for made in one.lattice.state.services} == {"named-default", "plain-default"}

    await one.apply(https({"example.com/certificate": "from-acm"}), *routes(timeouts={"request": "1s"}))
    if paused:
        await one.patch("Gateway", "my-hotel", {"metadata": {"annotations": {f"{PREFIX}paused": "true"}}})
    mark = one.lattice.calls.mark()
    await one.start()
    await one.quiet()
    return one.lattice_calls(mark)


def reasons(one: World) -> dict[str, str]:
    """What each route's Accepted says."""
    found = {}
    for name in ("named", "plain"):
        made = one.get("HTTPRoute", name)
        assert made is not None
        (accepted,) = (told for told in made["status"]["parents"][0]["conditions"] if told["type"] == "Accepted")
        found[name] = accepted["reason"]
    return found


TOLD = {"named": "Accepted", "plain": "UnsupportedValue"}


async def test_what_is_refused_is_removed_and_a_certificate_found_by_name_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        calls = await change_over(one, paused=False)
        assert reasons(one) == TOLD
        assert [service.name for service in one.lattice.state.services] == ["named-default"]
        assert "UpdateService" not in calls


async def test_what_is_paused_is_told_and_kept_until_it_is_released(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        calls = await change_over(one, paused=True)
        assert [operation for operation in calls if operation.startswith(WRITES)] == []
        assert reasons(one) == TOLD

        await one.patch("HTTPRoute", "plain", {"metadata": {"annotations": {f"{PREFIX}paused": "false"}}})
        await one.quiet()
        assert {left.name for left in one.lattice.state.services} == {"named-default"}
