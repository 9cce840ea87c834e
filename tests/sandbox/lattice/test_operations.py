"""The tables in the documentation are those that the code and the tests give; what is not emulated is refused."""

import re
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from sandbox.lattice.control import ROUTES
from sandbox.lattice.dispatch import EMULATED, LATTICE_HANDLERS
from tests.sandbox.lattice.harness import Account
from tests.sandbox.lattice.operations import PAGE, written
from tests.sandbox.lattice.stories import STORIES

pytestmark = pytest.mark.anyio

MODEL = ServiceModel(Loader().load_service_model("vpc-lattice", "service-2"), "vpc-lattice")


def test_the_tables_of_the_page_are_up_to_date():
    """`python -m tests.sandbox.lattice.operations --write` makes them so."""
    page = PAGE.read_text()
    assert page == written(page)


def test_the_page_tells_of_every_control_address():
    page = PAGE.read_text()
    told = {
        (method, path)
        for row in re.findall(r"^\| ((?:`[A-Z][^|]*)) \|", page, re.MULTILINE)
        for path in [row.strip("`").rpartition(" ")[2]]
        for method in re.findall(r"GET|PUT|POST|DELETE", row)
    }
    assert told == {(method, path) for method, path in ROUTES if path}


def test_the_stories_tell_of_every_emulated_operation():
    told = {(step.service, step.operation) for steps in STORIES for step in steps}
    assert told == {(service, name) for service, names in EMULATED.items() for name in names}


def least(shape: Any) -> Any:
    """A value with the required members only."""
    if shape.type_name == "structure":
        return {name: least(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [least(shape.member)]
    if shape.type_name == "boolean":
        return True
    return shape.enum[0] if getattr(shape, "enum", None) else 1 if shape.type_name == "integer" else "x" * 20


@pytest.mark.parametrize("name", sorted(set(MODEL.operation_names) - LATTICE_HANDLERS.keys()))
async def test_an_operation_that_is_not_emulated_is_refused_by_its_name(account: Account, name):
    params = least(MODEL.operation_model(name).input_shape)
    with pytest.raises(ClientError, match=f"does not emulate {name}") as raised:
        await getattr(account.lattice, xform_name(name))(**params)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
