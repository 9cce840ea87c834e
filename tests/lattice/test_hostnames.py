"""A changed hostname: a service for the new one, beside the old one and its groups, which go afterwards."""

import pytest
from msgspec.structs import replace

from controller.api.keys import ServiceKey
from controller.lattice.model import TAG_PREFIX, DesiredService, DesiredTargetGroup
from tests.lattice.here import Here
from tests.lattice.world import group, group_key, listener, rule, service

pytestmark = pytest.mark.anyio

OLD, NEW = (
    ServiceKey(kind="HTTPRoute", hostname=f"{name}.example.com", networks=("my-hotel",)) for name in ("old", "new")
)


def wanted(key: ServiceKey) -> tuple[DesiredService, DesiredTargetGroup]:
    one = group("parking", "10.0.0.1")
    return (
        service(
            listener(rule("/", "parking", owner=key)),
            key=key,
            custom_domain=key.hostname,
            alternative_name=f"rates-default-{key.hostname[:3]}",
        ),
        replace(
            one,
            key=group_key("parking", key),
            alternative_name=f"{one.name}-{key.hostname[:3]}",
            alternative_tags={**one.identity_tags, TAG_PREFIX + "Hostname": key.hostname},
        ),
    )


@pytest.fixture
async def here() -> Here:
    made = Here()
    await made.network()
    desired, held = wanted(OLD)
    await made.settle(desired, [held], key=OLD)
    made.log.clear()
    return made


def services(here: Here) -> dict[str, str]:
    return {one.custom_domain: one.name for one in here.lattice.state.services}


async def move(here: Here) -> None:
    desired, held = wanted(NEW)
    await here.settle(desired, [held], key=NEW)


async def test_the_new_service_is_whole_before_the_old_one_goes(here: Here) -> None:
    await move(here)
    assert services(here) == {OLD.hostname: "rates-default", NEW.hostname: "rates-default-new"}
    assert not any(call.startswith(("Delete", "Update")) for call in here.lattice.writes)
    await here.settle(None, gone=[group_key("parking", OLD)], key=OLD)
    assert services(here) == {NEW.hostname: "rates-default-new"}
    assert [one.name for one in here.lattice.state.target_groups] == ["k8s-default-parking-abcdefghij-new"]


@pytest.mark.parametrize("when", ["before the old one goes", "afterwards"])
async def test_a_restart_finds_both_again_and_changes_nothing(here: Here, when: str) -> None:
    await move(here)
    if when == "afterwards":
        await here.settle(None, gone=[group_key("parking", OLD)], key=OLD)
    here.restart()
    here.log.clear()
    await move(here)
    assert here.lattice.writes == []


async def test_a_restart_in_the_middle_goes_on_where_it_was(here: Here) -> None:
    here.lattice.lost = "CreateService"
    with pytest.raises(Exception, match="no answer"):
        await move(here)
    here.lattice.lost = ""
    here.lattice.untagged = True
    here.restart()
    here.lattice.untagged = False
    await move(here)
    assert services(here) == {OLD.hostname: "rates-default", NEW.hostname: "rates-default-new"}


async def test_without_an_old_one_the_usual_names_are_used() -> None:
    here = Here()
    await here.network()
    await move(here)
    assert services(here) == {NEW.hostname: "rates-default"}
    assert [one.name for one in here.lattice.state.target_groups] == ["k8s-default-parking-abcdefghij"]
