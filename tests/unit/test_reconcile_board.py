"""What the keys tell each other, as a specification."""

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.reconcile.board import Board
from controller.translate.outcomes import Failed, Pending, Programmed

RATES, OTHER = RouteRef("HTTPRoute", "default", "rates"), RouteRef("HTTPRoute", "default", "other")
SERVICE = ServiceKey("HTTPRoute", route=RATES)
GROUP = TargetGroupKey(owner=SERVICE, namespace="default", service="parking", port=80)
SECOND = TargetGroupKey(owner=SERVICE, namespace="default", service="review", port=80)
PROGRAMMED = Programmed(domain="rates.example.com", arn="arn:rates")
REFUSED = Failed(reason="Invalid", message="refused", transient=False)
LATER = Failed(reason="Pending", message="later", transient=True)


def test_of_what_nobody_told_nothing_is_decided() -> None:
    board = Board()
    assert board.outcome(SERVICE) == Pending()
    assert board.outcomes((SERVICE,)) == {SERVICE: Pending()}
    assert board.programmed(SERVICE) is None


def test_an_outcome_is_news_only_when_it_differs() -> None:
    board = Board()
    assert board.post_service(SERVICE, PROGRAMMED)
    assert not board.post_service(SERVICE, PROGRAMMED)
    assert board.programmed(SERVICE) == PROGRAMMED
    assert board.post_service(SERVICE, REFUSED)
    assert board.programmed(SERVICE) is None
    assert board.post_service(SERVICE, None)
    assert board.outcome(SERVICE) == Pending()


def test_the_failure_of_a_group_is_that_of_a_service_that_waits_for_it() -> None:
    board = Board()
    assert board.post_group(GROUP, REFUSED)
    assert board.outcome(SERVICE) == REFUSED
    assert board.post_group(GROUP, None)
    assert board.outcome(SERVICE) == Pending()


def test_a_group_that_is_tried_again_does_not_hide_that_its_service_serves() -> None:
    board = Board()
    board.post_service(SERVICE, PROGRAMMED)
    assert not board.post_group(GROUP, LATER)
    assert board.outcome(SERVICE) == PROGRAMMED


def test_a_group_that_is_refused_for_good_is_told_although_its_service_serves() -> None:
    board = Board()
    board.post_service(SERVICE, PROGRAMMED)
    assert board.post_group(GROUP, REFUSED)
    assert board.outcome(SERVICE) == REFUSED
    assert board.programmed(SERVICE) == PROGRAMMED


def test_whether_a_key_failed_is_known_until_it_did_better() -> None:
    board = Board()
    assert not board.failed(SERVICE)
    assert not board.failed(GROUP)
    board.post_service(SERVICE, LATER)
    board.post_group(GROUP, REFUSED)
    assert board.failed(SERVICE)
    assert board.failed(GROUP)
    board.post_service(SERVICE, PROGRAMMED)
    board.post_group(GROUP, None)
    assert not board.failed(SERVICE)
    assert not board.failed(GROUP)
    assert not board.failed(RATES.key)


def test_of_several_groups_that_fail_one_is_told_until_none_is_left() -> None:
    board = Board()
    board.post_group(GROUP, REFUSED)
    board.post_group(SECOND, LATER)
    assert board.outcome(SERVICE) == REFUSED
    assert board.post_group(GROUP, None)
    assert board.outcome(SERVICE) == LATER
    assert board.post_group(SECOND, None)
    assert board.outcome(SERVICE) == Pending()


def test_a_group_that_is_well_is_no_news() -> None:
    assert not Board().post_group(GROUP, None)


def test_a_resource_is_held_by_the_route_that_was_last_noted() -> None:
    board = Board()
    assert board.holder(SERVICE) is None
    board.hold(SERVICE, RATES)
    board.hold(SERVICE, None)
    assert board.holder(SERVICE) == RATES
    assert board.let_go(SERVICE) == RATES
    assert board.let_go(SERVICE) is None


def test_a_resource_that_passes_to_another_route_tells_which_it_left() -> None:
    board = Board()
    assert board.hold(SERVICE, RATES) is None
    assert board.hold(SERVICE, RATES) is None
    assert board.hold(SERVICE, OTHER) == RATES


def test_success_is_worth_telling_once_for_all_the_calls_that_led_to_it() -> None:
    board = Board()
    assert not board.rested(SERVICE)
    board.worked(SERVICE)
    board.worked(SERVICE)
    assert board.rested(SERVICE)
    assert not board.rested(SERVICE)


def test_who_waits_is_released_once_in_the_order_of_waiting() -> None:
    board = Board()
    board.wait(SERVICE, GROUP)
    board.wait(SECOND, GROUP)
    board.wait(SERVICE, GROUP)
    assert board.released_by(GROUP) == (SERVICE, SECOND)
    assert board.released_by(GROUP) == ()


def test_a_route_is_held_up_until_the_last_pass_for_it_has_ended() -> None:
    board = Board()
    assert not board.holds_up(RATES)
    board.begin(SERVICE, [RATES])
    board.begin(GROUP, [RATES, OTHER])
    assert board.holds_up(RATES)
    assert board.end(SERVICE, [RATES]) == []
    assert board.end(GROUP, [RATES, OTHER]) == [RATES]
    assert not board.holds_up(RATES)


def test_a_route_that_nobody_asked_for_is_not_told_that_it_is_free() -> None:
    board = Board()
    board.begin(SERVICE, [RATES])
    assert board.end(SERVICE, [RATES]) == []


def test_a_service_is_complete_for_the_routes_that_it_was_complete_for_until_they_leave_it() -> None:
    board = Board()
    assert board.complete(SERVICE, (OTHER,)) == (OTHER,)
    assert board.complete(SERVICE, (OTHER,)) == ()
    assert not board.was_complete(SERVICE, RATES)
    board.begin(SERVICE, [OTHER, RATES])
    assert board.was_complete(SERVICE, OTHER)
    assert not board.was_complete(SERVICE, RATES)
    assert board.complete(SERVICE, (OTHER, RATES)) == (RATES,)
    board.begin(GROUP, [OTHER])
    assert board.was_complete(SERVICE, RATES)
    board.begin(SERVICE, [OTHER])
    assert not board.was_complete(SERVICE, RATES)
    board.let_go(SERVICE)
    assert not board.was_complete(SERVICE, OTHER)


def test_what_stays_is_found_by_its_hostname_and_by_each_route_for_which_it_does() -> None:
    board = Board()
    shop = ServiceKey("HTTPRoute", networks=("my-hotel",), hostname="shop.example.com")
    assert board.stay(shop, (RATES, OTHER)) == (RATES, OTHER)
    assert board.stay(SERVICE, (RATES,)) == (RATES,)
    assert board.stay(shop, (RATES, OTHER)) == ()
    assert board.staying("shop.example.com") == (shop,)
    assert board.staying("") == ()
    assert set(board.staying_for(RATES)) == {shop, SERVICE}
    assert board.stay(shop, (RATES,)) == (OTHER,)
    assert board.staying_for(OTHER) == ()
    assert board.end_stay(shop) == (RATES,)
    assert board.end_stay(shop) == ()
    assert (board.staying("shop.example.com"), board.staying_for(RATES)) == ((), (SERVICE,))
    assert board.stays(SERVICE)
    assert not board.stays(shop)
