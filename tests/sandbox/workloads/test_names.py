"""Names as the Kubernetes controllers make them."""

import re
from random import Random

from sandbox.workloads.names import random_suffix, template_hash

from .builders import template


def test_equal_templates_have_equal_hashes_whatever_the_order_of_their_fields():
    one = {"a": 1, "b": [{"c": 2, "d": 3}]}
    other = {"b": [{"d": 3, "c": 2}], "a": 1}
    assert template_hash(one) == template_hash(other)
    assert template_hash(template("1")) != template_hash(template("2"))


def test_names_look_like_those_of_a_cluster():
    assert re.fullmatch(r"[456789bcdf]{1,10}", template_hash(template()))
    assert re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{5}", random_suffix(Random(1)))
