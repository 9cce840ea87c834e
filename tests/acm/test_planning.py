"""What is done in ACM for a Secret, given what is there of it."""

from controller.acm.model import Held, ImportAnew, ImportAsNew, Remove, plan_import

A, B = Held(arn="a", fingerprint="1"), Held(arn="b", fingerprint="1")


def test_a_secret_without_a_certificate_gets_one() -> None:
    assert plan_import([], "1", wanted=True) == (ImportAsNew(),)


def test_what_is_there_and_the_same_is_left() -> None:
    assert plan_import([A], "1", wanted=True) == ()


def test_what_has_changed_is_imported_in_its_place() -> None:
    assert plan_import([A], "2", wanted=True) == (ImportAnew(arn="a"),)


def test_of_which_it_is_not_known_what_was_imported_is_imported_anew() -> None:
    assert plan_import([Held(arn="a")], "1", wanted=True) == (ImportAnew(arn="a"),)


def test_what_was_imported_twice_is_there_once_afterwards_whatever_the_order() -> None:
    assert plan_import([B, A], "1", wanted=True) == (Remove(arn="b"),)
    assert plan_import([A, B], "2", wanted=True) == (ImportAnew(arn="a"), Remove(arn="b"))


def test_a_secret_that_cannot_be_imported_leaves_what_was() -> None:
    assert plan_import([A], None, wanted=True) == ()
    assert plan_import([], None, wanted=True) == ()


def test_what_nobody_wants_goes() -> None:
    assert plan_import([A, B], "1", wanted=False) == (Remove(arn="a"), Remove(arn="b"))
    assert plan_import([], "1", wanted=False) == ()
