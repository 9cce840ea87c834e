"""A create that took effect and was never answered leaves nothing behind, though its later attempts were refused."""

from pathlib import Path

import pytest

from sandbox.lattice import Hang, Refuse
from tests.e2e.harness import eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service
from tests.e2e.test_convergence import check_empty, check_lattice, settled

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("create", ["CreateService", "CreateTargetGroup"])
async def test_what_a_create_that_timed_out_and_was_then_denied_has_made_goes_with_its_route(
    tmp_path: Path, create: str
) -> None:
    async with world(tmp_path, client={"timeout": 2.0}) as one:
        one.make_network("my-hotel")
        await one.start()
        await one.apply(gateway_class(), gateway("my-hotel"))
        await one.apply(service("first"), endpoints("first", ["10.0.0.1"]), route("first", rule(backend("first"))))
        await settled(one, check_lattice)
        await one.delete("HTTPRoute", "first")
        await settled(one, check_empty)

        timed_out = one.lattice.faults.add(create, Hang(after=True), times=1)
        denied = one.lattice.faults.add(create, Refuse("AccessDeniedException", 403))
        await one.apply(service("second"), endpoints("second", ["10.0.0.1"]), route("second", rule(backend("second"))))

        def was_denied() -> None:
            assert timed_out.happened
            assert denied.happened

        await eventually(was_denied)
        await one.delete("HTTPRoute", "second")
        await settled(one, check_empty)
