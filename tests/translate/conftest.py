import pytest

from controller.lattice.model import Identity
from controller.translate.context import TranslateContext
from tests.support.view import CONTROLLER

IDENTITY = Identity(account="123456789012", region="us-west-2", cluster="hotel", vpc="vpc-0123456789abcdef0")


@pytest.fixture
def ctx() -> TranslateContext:
    return TranslateContext(controller_name=CONTROLLER, identity=IDENTITY)
