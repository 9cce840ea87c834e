"""For which routes nothing is written, and why."""

import msgspec
import pytest

from controller.api.keys import RouteRef
from controller.translate.withheld import withheld
from tests.support.view import FakeView, gateway, route

RATES, OTHER = RouteRef("HTTPRoute", "default", "rates"), RouteRef("HTTPRoute", "default", "other")
PAUSED = "application-networking.k8s.aws/paused"


def said(value: str | None) -> dict[str, str]:
    return {} if value is None else {PAUSED: value}


@pytest.mark.parametrize(
    ("own", "of_gateway", "paused"),
    [
        (None, None, False),
        ("true", None, True),
        (" True ", None, True),
        ("yes", None, False),
        (None, "true", True),
        ("false", "true", False),
        ("true", "false", True),
    ],
)
def test_a_route_is_paused_by_its_own_word_or_else_by_its_gateways(ctx, own, of_gateway, paused):
    view = FakeView([gateway(meta={"annotations": said(of_gateway)}), route("rates", annotations=said(own))])
    assert (withheld(view, [RATES], ctx, wanted=True) is not None) == paused


def test_one_paused_route_withholds_what_it_shares_with_others(ctx):
    view = FakeView([gateway(), route("rates", annotations=said("true")), route("other")])
    why = withheld(view, [OTHER, RATES], ctx, wanted=True)
    assert why is not None
    assert why.route == RATES
    assert str(RATES) in why.to_others


def test_a_route_that_is_gone_withholds_nothing(ctx):
    assert withheld(FakeView([gateway()]), [RATES], ctx, wanted=False) is None


@pytest.mark.parametrize(
    ("protect", "deleting", "allowed", "wanted", "reason"),
    [
        (True, True, None, False, "DeletionProtected"),
        (True, True, "false", False, "DeletionProtected"),
        (True, True, "true", False, None),
        (True, True, None, True, None),
        (True, False, None, False, None),
        (False, True, None, False, None),
    ],
)
def test_protection_keeps_back_the_deletion_of_what_a_deleted_route_has(
    ctx, protect, deleting, allowed, wanted, reason
):
    annotations = {} if allowed is None else {"application-networking.k8s.aws/allow-deletion": allowed}
    meta = {"annotations": annotations, **({"deletionTimestamp": "2026-02-01T00:00:00Z"} if deleting else {})}
    view = FakeView([gateway(), route("rates", meta=meta)])
    protecting = msgspec.structs.replace(ctx, protect_from_deletion=protect)
    why = withheld(view, [RATES], protecting, wanted=wanted)
    assert (why.reason if why is not None else None) == reason
