"""References across namespaces (Gateway API v1.6, `ReferenceGrant`)."""

import pytest

from controller.api.gateway import ReferenceGrant
from controller.gateway.references import is_permitted
from controller.gateway.view import UnknownError
from tests.support.view import FakeView, grant


def permitted(view: FakeView, namespace: str = "web", name: str = "api") -> bool:
    return is_permitted(view, "HTTPRoute", namespace, "", "Service", "backend", name)


def test_within_a_namespace_no_grant_is_needed():
    assert permitted(FakeView([], unknown=[ReferenceGrant]), namespace="backend")


def test_without_a_grant_nothing_is_permitted():
    assert not permitted(FakeView([]))


def test_a_grant_in_the_target_namespace_permits():
    assert permitted(FakeView([grant("backend", "web")]))


@pytest.mark.parametrize(
    "other",
    [
        grant("web", "web"),
        grant("backend", "other"),
        grant("backend", "web", to={"kind": "Secret"}),
        grant("backend", "web", to={"group": "example.com"}),
        grant("backend", "web", to={"name": "another"}),
        grant("backend", "web", from_kind="GRPCRoute"),
    ],
)
def test_a_grant_that_names_something_else_does_not(other):
    assert not permitted(FakeView([other]))


def test_a_grant_may_name_the_one_object():
    assert permitted(FakeView([grant("backend", "web", to={"name": "api"})]))


def test_unknown_grants_are_not_taken_for_absent():
    with pytest.raises(UnknownError):
        permitted(FakeView([], unknown=[ReferenceGrant]))
