"""The take-over as it goes on: what is noted for the next run, what is held, what is ours."""

import msgspec
import pytest

from controller.api.keys import RouteRef, ServiceKey
from controller.gateway.view import UnknownError
from controller.lattice.model import Identity
from controller.lattice.plan import Operation, Plan
from controller.reconcile.take_over import TakeOver
from controller.reconcile.view import view_of
from controller.translate.context import TranslateContext

RATES, OTHER = RouteRef("HTTPRoute", "default", "rates"), RouteRef("HTTPRoute", "default", "other")
KEY = ServiceKey("HTTPRoute", route=RATES)
IDENTITY = Identity(account="123456789012", region="us-west-2", cluster="hotel", vpc="vpc-0123456789abcdef0")
CTX = TranslateContext(controller_name="ours", identity=IDENTITY)
VIEW = view_of({})


def plan(description: str = "remove /a", name: str = "k8s-1-rule-5") -> Plan:
    operation = Operation(call="DeleteRule", arguments={"name": name}, resource="rule 5", description=description)
    return Plan(operations=(operation,))


@pytest.fixture
def noted() -> list[str]:
    return []


@pytest.fixture
def begun(noted: list[str]) -> TakeOver:
    take_over = TakeOver(noted.append)
    take_over.begin("*")
    return take_over


def judge(take_over: TakeOver, of: Plan, ctx: TranslateContext = CTX) -> tuple[int, bool]:
    """How many operations are held, and whether that is news."""
    held, news = take_over.judge(VIEW, ctx, KEY, [RATES], of, None)
    assert len(held.operations) + len(held.plan.operations) == len(of.operations)
    return len(held.operations), news


def test_before_it_begins_nothing_is_held(noted: list[str]) -> None:
    take_over = TakeOver(noted.append)
    assert judge(take_over, plan()) == (0, False)
    assert (str(take_over), noted) == ("", [])


def test_what_is_left_shrinks_route_by_route_and_is_noted_each_time(begun: TakeOver, noted: list[str]) -> None:
    begun.taken(RATES)
    assert begun.left.everything, "nobody can be taken out of what is not known"
    begun.narrow([RATES, OTHER])
    begun.taken(RATES)
    begun.taken(RATES)
    begun.taken(OTHER)
    both = "HTTPRoute/default/other,HTTPRoute/default/rates"
    assert noted == ["*", both, "HTTPRoute/default/other", ""]
    assert not begun.left


def test_a_run_that_goes_on_does_not_widen_what_is_left(noted: list[str]) -> None:
    take_over = TakeOver(noted.append)
    take_over.begin("HTTPRoute/default/other")
    take_over.narrow([RATES, OTHER])
    assert noted == ["HTTPRoute/default/other"]
    assert judge(take_over, plan()) == (0, False)


def test_it_is_news_only_where_people_are_told_something_else(begun: TakeOver) -> None:
    assert judge(begun, plan()) == (1, True)
    assert judge(begun, plan(name="k8s-2-rule-5")) == (1, False)
    assert judge(begun, plan("remove /b")) == (1, True)
    assert (begun.plans_held, begun.waits_for(KEY)) == (1, (RATES,))
    assert [operation.description for operation in begun.held_for(RATES)] == ["remove /b"]
    assert begun.held_for(OTHER) == ()
    assert judge(begun, Plan()) == (0, True)
    assert (begun.plans_held, begun.waits_for(KEY)) == (0, ())


def test_what_is_released_is_held_no_more(begun: TakeOver) -> None:
    judge(begun, plan())
    assert judge(begun, plan(), msgspec.structs.replace(CTX, take_over_released=True)) == (0, True)


def test_what_is_ours_is_never_held_again(begun: TakeOver) -> None:
    assert not begun.is_ours(KEY)
    assert begun.settled(KEY)
    assert not begun.settled(KEY)
    assert begun.is_ours(KEY)
    assert judge(begun, plan()) == (0, False)


def test_what_a_run_held_to_be_ours_the_next_one_judges_anew(noted: list[str], begun: TakeOver) -> None:
    begun.narrow([RATES])
    begun.settled(KEY)
    following = TakeOver()
    following.begin(noted[-1])
    assert judge(following, plan()) == (1, True)


def test_how_far_it_is_can_be_told(begun: TakeOver) -> None:
    assert str(begun) == "routes left: all, plans held back: 0"
    begun.narrow([RATES, OTHER])
    judge(begun, plan())
    assert str(begun) == "routes left: 2, plans held back: 1"


def test_while_it_is_not_known_who_has_released_it_nothing_is_decided(begun: TakeOver) -> None:
    class Unknown:
        def route(self, ref: RouteRef) -> None:
            raise UnknownError("HTTPRoute", "not listed yet")

    with pytest.raises(UnknownError):
        begun.judge(Unknown(), CTX, KEY, [RATES], plan(), None)  # type: ignore[arg-type]
