"""Names that VPC Lattice takes, checked against the API's own model."""

import re
from functools import cache

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.keys import RouteRef
from controller.translate import names

LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
SUBDOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


@cache
def shapes() -> dict:
    """The shapes of the API as botocore ships them, with the patterns that botocore itself does not read."""
    return (
        botocore.session.get_session()
        .get_component("data_loader")
        .load_service_model("vpc-lattice", "service-2")["shapes"]
    )


def takes(shape: str, value: str) -> bool:
    limits = shapes()[shape]
    return limits["min"] <= len(value) <= limits["max"] and bool(re.fullmatch(limits["pattern"], value))


def test_a_service_is_called_after_its_route():
    assert names.service_name(RouteRef("HTTPRoute", "default", "inventory")) == "inventory-default"


def test_long_names_are_cut_and_hyphens_at_the_cut_go():
    ref = RouteRef("HTTPRoute", "a-very-long-namespace-name", "abcdefghijklmnopqrs-tuv")
    assert names.service_name(ref) == "abcdefghijklmnopqrs-a-very-long-namesp"


def test_a_listener_is_called_after_its_service_port_and_protocol():
    assert names.listener_name(RouteRef("HTTPRoute", "default", "inventory"), 80, "HTTP") == "inventory-default-80-http"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ab", "3 to 40"),
        ("x" * 41, "3 to 40"),
        ("svc-mine", "svc-"),
        ("my.route", "single hyphens"),
        ("my--route", "single hyphens"),
        ("My-Route", "single hyphens"),
        ("-route", "single hyphens"),
    ],
)
def test_a_name_that_lattice_refuses_has_a_problem(name, problem):
    assert problem in (names.service_name_problem(name) or "")


@given(st.text(alphabet="abc1-.svA", max_size=45))
def test_the_judgement_on_service_names_is_lattices(name):
    assert (names.service_name_problem(name) is None) == takes("ServiceName", name)


@given(LABEL, SUBDOMAIN, st.integers(1, 65535), st.sampled_from(["HTTP", "HTTPS"]))
def test_every_listener_name_is_taken(namespace, route, port, protocol):
    assert takes("ListenerName", names.listener_name(RouteRef("HTTPRoute", namespace, route), port, protocol))


@given(LABEL, LABEL, st.text())
def test_every_target_group_name_is_taken(namespace, service, identity):
    assert takes("TargetGroupName", names.target_group_name(namespace, service, identity))


def test_target_group_names_are_told_apart_by_identity():
    first = names.target_group_name("default", "parking", "one")
    assert re.fullmatch(r"k8s-default-parking-[a-z]{10}", first)
    assert first == names.target_group_name("default", "parking", "one")
    assert first != names.target_group_name("default", "parking", "two")


@given(LABEL, st.one_of(SUBDOMAIN, SUBDOMAIN.map(lambda name: f"svc-{name}")))
def test_a_further_hostname_gets_a_name_of_its_own_that_is_taken(namespace, route):
    ref = RouteRef("HTTPRoute", namespace, route)
    found = [names.further_service_name(ref, hostname) for hostname in ("a.example.com", "b.example.com")]
    assert found[0] != found[1]
    assert takes("ServiceName", found[0])
