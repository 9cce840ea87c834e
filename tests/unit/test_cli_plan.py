"""What `plan` prints, and what it says when it cannot be made."""

import io

import pytest
from rich.console import Console

from controller.api.keys import RouteRef, ServiceKey
from controller.cli.plan import TABLE_WIDTH, show
from controller.cli.snapshot import told_by_reason
from controller.lattice.plan import Operation, Plan
from controller.reconcile.preview import Preview, Step


def test_kinds_that_fail_for_the_same_reason_are_told_together():
    doubts = {"Service": "refused", "HTTPRoute": "refused", "Gateway": "forbidden"}
    assert told_by_reason(doubts) == ["cannot read Gateway: forbidden", "cannot read HTTPRoute, Service: refused"]


ROUTE = RouteRef("HTTPRoute", "default", "rates")
GROUP = Operation("CreateTargetGroup", {}, "TargetGroup k8s-default-parking-abcdefghij", "for default/parking, port 80")
TARGETS = Operation("RegisterTargets", {}, GROUP.resource, "10.244.0.1:8090")


def planned(*operations: Operation) -> Preview:
    return Preview(steps=(Step(ROUTE, ServiceKey("HTTPRoute", ROUTE), Plan(operations)),), remarks=())


def printed(found: Preview, width: int) -> str:
    screen = io.StringIO()
    show(found, Console(file=screen, width=width, highlight=False))
    return screen.getvalue()


@pytest.mark.parametrize("width", [40, 80, TABLE_WIDTH - 1, TABLE_WIDTH, 180])
def test_no_name_is_folded(width):
    text = printed(planned(GROUP), width)
    assert all(word in text for word in (GROUP.call, GROUP.resource, GROUP.description, "default/rates"))


def test_a_new_group_without_targets_is_explained():
    assert "target groups without targets: 1; targets come when pods do." in printed(planned(GROUP), 80)
    assert "without targets" not in printed(planned(GROUP, TARGETS), 80)
    assert "without targets" not in printed(planned(TARGETS), 80)


@pytest.mark.parametrize("width", [80, TABLE_WIDTH])
def test_what_would_be_held_back_is_told_and_not_counted(width):
    found = Preview(
        steps=(Step(ROUTE, ServiceKey("HTTPRoute", ROUTE), Plan((GROUP, TARGETS)), held=frozenset({0})),), remarks=()
    )
    text = printed(found, width)
    assert "CreateTargetGroup (held back)" in " ".join(text.split())
    assert "1 operations would be done; none was." in text
    assert "1 would be held back" in text
    assert "application-networking.k8s.aws/take-over=released" in text
    assert [one["held"] for one in found.to_json()["operations"]] == [True, False]


def test_without_another_controller_before_nothing_is_told_of_it():
    assert "held" not in printed(planned(GROUP), 80)
