"""No operation but the lists costs more where there are more services.

Time tells that only on a machine that does nothing else. So what is compared is what an operation does: how many
functions it calls, in Python and in C, and how much memory it takes on the way, with few services and with many. A
walk over the services shows in the calls, a copy of a table in the memory.
"""

import gc
import json
import sys
import tracemalloc
from typing import Any

import pytest

from sandbox.lattice import Quotas, Timings
from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.state import Call
from tests.sandbox.lattice.direct import Direct
from tests.sandbox.lattice.harness import VPC
from tests.sandbox.lattice.stories import STORIES, Step

FEW, MANY = 45, 4500
GROUPS = 10
"""Services for each target group that is there too."""
SLACK = 8192
"""Bytes; a list of so many services as `MANY` has four times as many."""

CROWD = {"serviceNetworkIdentifier": "{crowd[id]}"}
LINK = {"serviceNetworkServiceAssociationIdentifier": "{joined[id]}"}
IN_THE_CROWD = (
    Step("CreateService", {"name": "late", "tags": {"team": "one"}}, "late"),
    Step("CreateServiceNetworkServiceAssociation", CROWD | {"serviceIdentifier": "{late[id]}"}, "joined"),
    Step("GetServiceNetworkServiceAssociation", LINK),
    Step("DeleteServiceNetworkServiceAssociation", LINK),
    Step("UpdateServiceNetwork", CROWD | {"authType": "AWS_IAM"}),
    Step("GetServiceNetwork", CROWD),
    Step("TagResource", {"resourceArn": "{late[arn]}", "tags": {"team": "two"}}),
    Step("UntagResource", {"resourceArn": "{late[arn]}", "tagKeys": ["team"]}),
    Step("DeleteService", {"serviceIdentifier": "{late[id]}"}),
)
STEPS = [step for steps in (*STORIES, IN_THE_CROWD) for step in steps if step.service == "vpc-lattice"]


def crowded(services: int) -> tuple[Direct, dict[str, Any]]:
    """An account with so many services, all in one network and of one tag, and with target groups."""
    account = Direct(Timings.instant(), Quotas.unlimited())

    def make(operation: str, **params: Any) -> dict[str, Any]:
        account.state.transitions.run_due()
        return LATTICE_HANDLERS[operation](account.state, Call(operation, params))

    crowd = make("CreateServiceNetwork", name="crowd")
    for number in range(services):
        service = make("CreateService", name=f"crowd-{number}", tags={"team": "one"})
        make(
            "CreateServiceNetworkServiceAssociation",
            serviceNetworkIdentifier=crowd["id"],
            serviceIdentifier=service["id"],
        )
    for number in range(services // GROUPS):
        config = {"protocol": "HTTP", "port": 80, "vpcIdentifier": VPC}
        make("CreateTargetGroup", name=f"crowd-{number}", type="IP", config=config)
    account.state.transitions.run_due()
    return account, {"crowd": crowd}


def costs(services: int) -> dict[str, tuple[int, int]]:
    """Position and operation of a step → how many functions were called, and the most memory held, in bytes."""
    account, kept = crowded(services)
    certificate = account.state.add_certificate("example.com")
    kept["certificate"] = {"arn": certificate.arn}
    found: dict[str, tuple[int, int]] = {}
    for position, step in enumerate(STEPS):
        request = account.request(step.operation, step.filled(kept))
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        gc.disable()  # what it happens to find is not of this call
        tracemalloc.start()
        sys.setprofile(count)
        reply = account.dispatcher.serve(request)
        sys.setprofile(None)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gc.enable()
        assert (reply.status < 300) == (step.fails is None), (step, reply.body)
        if step.keep is not None:
            kept[step.keep] = json.loads(reply.body)
        if not step.operation.startswith("List"):
            found[f"{position} {step.operation}"] = calls, peak
    return found


@pytest.fixture(scope="module")
def few() -> dict[str, tuple[int, int]]:
    costs(FEW)  # what is compiled from the model is compiled
    return costs(FEW)


@pytest.fixture(scope="module")
def many() -> dict[str, tuple[int, int]]:
    return costs(MANY)


def test_every_operation_but_the_lists_calls_as_many_functions_with_many_services_as_with_few(few, many):
    assert {name: calls for name, (calls, _) in many.items()} == {name: calls for name, (calls, _) in few.items()}


def test_every_operation_but_the_lists_takes_no_more_memory_with_many_services_than_with_few(few, many):
    assert {name: (memory, few[name][1]) for name, (_, memory) in many.items() if memory > few[name][1] + SLACK} == {}


def test_the_operations_are_all_but_the_lists(few):
    named = {name.partition(" ")[2] for name in few}
    assert named == {name for name in LATTICE_HANDLERS if not name.startswith("List")}
