"""What a service has room for by the quotas that are known (VPC Lattice user guide, "Quotas")."""

import pytest

from controller.api.keys import RouteRef, ServiceKey
from controller.api.meta import Condition
from controller.lattice.quotas import KnownQuotas, Quotas
from controller.translate.annotations import SERVICE_ARN
from controller.translate.context import TranslateContext
from controller.translate.route import RouteTranslation, translate_route
from controller.translate.service import translate_service
from controller.translate.triggers import keys_for_change
from tests.support.view import FakeView, backend, gateway, gateway_class, listener, path, route, rule, service

KEY = ServiceKey("HTTPRoute", hostname="a.example.com", networks=("my-hotel",))
PROGRAMMED = {SERVICE_ARN: "arn:aws:vpc-lattice:us-west-2:123456789012:service/svc-1"}


@pytest.fixture
def ctx(ctx: TranslateContext) -> TranslateContext:
    ctx.quotas.now = Quotas(rules_per_listener=3, target_groups_per_service=2, listeners_per_service=1)
    return ctx


def hotel(*objects) -> FakeView:
    names = ("parking", "review", "wide")
    return FakeView([gateway_class(), *(service(name) for name in names)]).having(gateway()).having(*objects)


def asking(number: int, rules: int, *, to: str = "parking", **fields):
    """A route with so many rules; the higher its number, the younger."""
    return route(
        f"r{number}",
        *(rule(backend(to), matches=[path(f"/{number}/{place}")]) for place in range(rules)),
        created=f"2026-01-01T00:00:{number:02d}Z",
        **{"hostnames": ["a.example.com"], **fields},
    )


def accepted(translation: RouteTranslation) -> Condition:
    return next(each for each in translation.parents[0].conditions if each.type == "Accepted")


def told(view: FakeView, number: int, ctx) -> Condition:
    return accepted(translate_route(view, RouteRef("HTTPRoute", "default", f"r{number}"), ctx))


def served(view: FakeView, ctx) -> list[str]:
    return [each.ref.name for each in translate_service(view, KEY, ctx).routes]


def test_routes_are_admitted_oldest_first_and_one_that_does_not_fit_is_told_the_quota(ctx):
    view = hotel(asking(1, 2), asking(2, 2), asking(3, 1))
    assert served(view, ctx) == ["r1", "r3"]
    refused = told(view, 2, ctx)
    assert (refused.status, refused.reason) == ("False", "QuotaExceeded")
    assert "need 4 of the quota 'Rules per listener' (L-CF78395E), which is 3" in refused.message
    assert translate_route(view, RouteRef("HTTPRoute", "default", "r2"), ctx).services == ()


def test_what_is_programmed_goes_before_what_is_older(ctx):
    view = hotel(asking(1, 2), asking(2, 2, annotations=PROGRAMMED))
    assert served(view, ctx) == ["r2"]
    assert told(view, 1, ctx).reason == "QuotaExceeded"


def test_what_is_programmed_is_never_refused(ctx):
    view = hotel(asking(1, 2, annotations=PROGRAMMED), asking(2, 9, annotations=PROGRAMMED))
    assert served(view, ctx) == ["r1", "r2"]


def test_a_route_that_is_too_much_by_itself_is_refused_before_anything_is_written(ctx):
    view = hotel(asking(1, 4, hostnames=()))
    refused = told(view, 1, ctx)
    assert refused.reason == "QuotaExceeded"
    assert (
        translate_service(view, ServiceKey("HTTPRoute", route=RouteRef("HTTPRoute", "default", "r1")), ctx).desired
        is None
    )


def test_equal_matches_take_room_once(ctx):
    again = route(
        "again",
        *(rule(backend("parking"), matches=[path(f"/1/{place}")]) for place in range(3)),
        hostnames=["a.example.com"],
        created="2026-01-01T00:01:00Z",
    )
    assert served(hotel(asking(1, 3), again), ctx) == ["r1", "again"]


def test_groups_have_a_quota_too(ctx):
    view = hotel(asking(1, 1), asking(2, 1, to="review"), asking(3, 1, to="wide"))
    assert "need 3 of the quota 'Target groups per service'" in told(view, 3, ctx).message
    assert served(view, ctx) == ["r1", "r2"]


def test_listeners_have_a_quota_too(ctx):
    first, second = ({"parents": [{"name": "my-hotel", "sectionName": name}]} for name in ("http", "other"))
    both = gateway("my-hotel", "default", listener("http", 80), listener("other", 8080))
    view = hotel(both, asking(1, 1, **first), asking(2, 1, **second))
    assert "need 2 of the quota 'Listeners per service'" in told(view, 2, ctx).message


def test_unknown_quotas_are_tried(ctx):
    ctx.quotas.now = Quotas()
    assert served(hotel(asking(1, 30), asking(2, 30)), ctx) == ["r1", "r2"]


def test_when_one_goes_all_who_were_refused_are_asked_again(ctx):
    young, old = asking(2, 3, annotations=PROGRAMMED), asking(1, 3)
    view = hotel(old, young)
    assert told(view, 1, ctx).reason == "QuotaExceeded"
    after = view.without(young)
    touched = keys_for_change("HTTPRoute", young, None, after, ctx)
    assert RouteRef("HTTPRoute", "default", "r1").key in touched
    assert told(after, 1, ctx).status == "True"


def test_what_is_configured_counts_whatever_is_read():
    known = KnownQuotas({"rules_per_listener": 5})
    listed = [
        {"QuotaCode": "L-CF78395E", "Value": 10.0},
        {"QuotaCode": "L-D64E952E", "Value": 2.0},
        {"QuotaCode": "L-1"},
    ]
    assert known.learn(listed)
    assert known.now == Quotas(rules_per_listener=5, listeners_per_service=2)
    assert not known.learn(listed)
