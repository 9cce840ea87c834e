"""For which routes nothing is written, and why."""

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
def test_a_route_is_paused_by_its_own_word_or_else_by_its_gateways(own, of_gateway, paused):
    view = FakeView([gateway(meta={"annotations": said(of_gateway)}), route("rates", annotations=said(own))])
    assert (withheld(view, [RATES]) is not None) == paused


def test_one_paused_route_withholds_what_it_shares_with_others():
    view = FakeView([gateway(), route("rates", annotations=said("true")), route("other")])
    why = withheld(view, [OTHER, RATES])
    assert why is not None
    assert why.route == RATES
    assert str(RATES) in why.to_others


def test_a_route_that_is_gone_withholds_nothing():
    assert withheld(FakeView([gateway()]), [RATES]) is None
