"""`explain` against the sandbox: what it says of objects that are served, and of some that are not."""

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from sandbox.lattice.associations import create_vpc_association
from sandbox.lattice.faults import Fail, Refuse
from sandbox.lattice.state import Call
from tests.e2e.bad_input_seen import event_texts
from tests.e2e.harness import PREFIX, VPC, Json, World, environment, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, listener, parent, prefix, route, rule, service

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def hotel(directory: Path) -> AsyncGenerator[World]:
    """A Gateway with a good and a bad listener, and two routes: one is served, one refused."""
    async with world(directory) as one:
        one.make_network("my-hotel")
        await one.start()
        await one.apply(
            gateway_class(),
            gateway("my-hotel", listener(), listener("tcp", 90, "TCP")),
            service("parking"),
            endpoints("parking", ["10.0.0.1", "10.0.0.2"]),
            route("rates", rule(backend("parking", weight=2000), matches=[prefix("/parking")])),
            route("lost", rule(backend("parking")), parents=[parent(sectionName="https")]),
        )
        await eventually(lambda: programmed(one))
        await one.quiet()
        await eventually(lambda: checked(one))
        yield one


def programmed(one: World) -> None:
    found = one.get("HTTPRoute", "rates")
    assert found is not None
    assert found["metadata"]["annotations"][f"{PREFIX}lattice-service-arn"]


def checked(one: World) -> None:
    assert all(target.healthy for group in one.lattice.state.target_groups for target in group.targets.values())


async def explained(one: World, directory: Path, *arguments: str, code: int) -> str:
    return await said_by(one, directory, "explain", *arguments, code=code)


async def said_by(one: World, directory: Path, *arguments: str, code: int) -> str:
    """What a command prints, on either of its outputs; it ends with this code and writes nothing anywhere."""
    before, requests = one.lattice.calls.mark(), len(one.kube.requests)
    command = [sys.executable, "-m", "controller", *arguments]
    command += ["--kubeconfig", str(directory / "kubeconfig")]
    done = await anyio.run_process(command, env={**os.environ, **environment(one.lattice)}, check=False)
    assert done.returncode == code, (done.stdout + done.stderr).decode()
    assert not one.lattice.calls.writes(before)
    assert not one.kubernetes_writes(requests)
    return (done.stdout + done.stderr).decode()


def facts(found: Json) -> list[tuple[str, str, bool | None]]:
    """All facts of an explanation in JSON, without what they tell."""
    rest = [fact for below in found["below"] for fact in facts(below)]
    return [(found["kind"], found["name"], found["well"]), *rest]


async def test_a_route_that_is_served_is_well_down_to_its_targets(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        found = json.loads(await explained(one, tmp_path, "httproute", "rates", "-o", "json", code=0))
        [group] = one.lattice.state.target_groups
        assert facts(found) == [
            ("HTTPRoute", "default/rates", True),
            ("parent", "Gateway default/my-hotel", True),
            ("listener", "http (HTTP 80)", True),
            ("listener", "tcp (TCP 90)", None),
            ("rule", "0", True),
            ("match", "prefix /parking", True),
            ("backend", "Service default/parking:80", True),
            ("Lattice service", "rates-default", True),
            ("service network", "my-hotel", True),
            ("target group", group.name, True),
        ]


async def test_what_is_not_well_is_told_with_its_reason_and_by_the_exit_code(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        lost = await explained(one, tmp_path, "HTTPRoute", "lost", code=2)
        assert "Gateway default/my-hotel has no listener named https; it has: http (port 80), tcp (port 90)." in lost
        gateway_ = await explained(one, tmp_path, "gateway", "my-hotel", code=2)
        assert "listener tcp (TCP 90, any hostname): 0 routes attached; UnsupportedProtocol: " in gateway_
        assert "✗ HTTPRoute default/lost (https): NoMatchingParent: " in gateway_
        assert "✓ HTTPRoute default/rates: Route is accepted." in gateway_
        service_ = await explained(one, tmp_path, "service", "parking", code=2)
        assert "✗ HTTPRoute default/lost: NoMatchingParent: " in service_
        assert "ACTIVE, 2 targets (2 HEALTHY)" in service_


async def test_what_is_changed_behind_the_controllers_back_is_seen(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await one.stop()
        await one.apply(endpoints("parking", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]))
        found = await explained(one, tmp_path, "httproute", "rates", code=2)
        assert "✗ target 10.0.0.3:8090: not registered yet" in found
        assert "✗ to do RegisterTargets: " in found


async def test_what_is_not_there_cannot_be_explained(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        for kind, name in (("httproute", "HTTPRoute"), ("gateway", "Gateway"), ("service", "Service")):
            said = await explained(one, tmp_path, kind, "ghost", "-n", "elsewhere", code=1)
            assert said == f"lattice-controller: there is no {name} elsewhere/ghost\n"


async def test_a_deletion_that_is_under_way_is_told_and_is_not_amiss(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await one.stop()
        await one.delete("HTTPRoute", "rates")
        said = await explained(one, tmp_path, "httproute", "rates", code=0)
        assert "· HTTPRoute default/rates: is being deleted; waits for httproute.k8s.aws/resources" in said
        assert "· Lattice service rates-default: ACTIVE at " in said
        assert "· association my-hotel: ACTIVE" in said
        assert "· to do DeleteService: " in said
        assert "for default/parking: ACTIVE, 2 targets (2 HEALTHY)" in said
        assert "· used by rates-default: " in said


async def test_what_failed_to_be_deleted_is_told_in_lattices_words(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        one.lattice.faults.add("DeleteService", Fail())
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: failed(one))
        await one.crash()
        said = await explained(one, tmp_path, "httproute", "rates", code=2)
        assert "✗ Lattice service rates-default: DELETE_FAILED " in said


def failed(one: World) -> None:
    [service_] = one.lattice.state.services
    assert service_.status == "DELETE_FAILED"


async def test_what_the_controller_was_refused_is_told_as_it_told_it(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        one.lattice.faults.add("DeleteService", Refuse("AccessDeniedException", 403))
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: warned(one))
        await one.crash()
        said = await explained(one, tmp_path, "httproute", "rates", code=2)
        assert "✗ warning Retry-Reconcile: VPC Lattice: DeleteService: " in said
        assert "may not do vpc-lattice:DeleteService" in said
        assert "· Lattice service rates-default: ACTIVE at " in said


def warned(one: World) -> None:
    assert any("DeleteService" in text for _, _, text in event_texts(one, "HTTPRoute", "rates"))


async def test_a_deletion_that_is_kept_back_is_amiss_and_says_by_what(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {f"{PREFIX}paused": "true"}}})
        await one.delete("HTTPRoute", "rates")
        await one.quiet()
        found = json.loads(await explained(one, tmp_path, "httproute", "rates", "-o", "json", code=2))
        [group] = one.lattice.state.target_groups
        assert facts(found) == [
            ("HTTPRoute", "default/rates", None),
            ("withheld", "Paused", False),
            ("finalizer", "httproute.k8s.aws/resources", None),
            ("Lattice service", "rates-default", None),
            ("association", "my-hotel", None),
            ("target group", group.name, None),
            ("used by", "rates-default", None),
        ]


async def test_a_network_that_only_an_association_of_the_vpc_shows_is_found_as_by_a_run(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        shared = one.lattice.state.share_network("my-hotel", "210987654321", listed=False)
        where = {"serviceNetworkIdentifier": shared.arn, "vpcIdentifier": VPC}
        create_vpc_association(one.lattice.state, Call("CreateServiceNetworkVpcAssociation", where))
        one.lattice.state.transitions.run_due()
        await one.apply(
            gateway_class(), gateway("my-hotel"), service("parking"), route("rates", rule(backend("parking")))
        )
        for command in (("explain", "httproute", "rates"), ("plan",)):
            said = await said_by(one, tmp_path, *command, code=2)
            assert "NetworkNotFound" not in said
            assert "CreateServiceNetworkServiceAssociation" in said
