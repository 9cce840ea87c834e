"""Released CustomResourceDefinitions of others, which are data to test against and no part of this repository.

The environment variable CRDS names the folder that has them: `gateway-api-v1.6.1` (the standard channel's definitions
of that release) and `application-networking` (those of the AWS Gateway API Controller). Tests that need what is not
there are skipped, and say so.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.kube.bodies import load_yaml

GATEWAY_API = "gateway-api-v1.6.1"
FOLDER = Path(os.environ.get("CRDS") or Path(__file__).parents[2].parent / "shared" / "crds")


@cache
def _read(path: Path) -> list[dict[str, Any]]:
    return [document for file in sorted(path.glob("*.yaml")) for document in load_yaml(file.read_bytes())]


def definitions(name: str) -> list[dict[str, Any]]:
    """The definitions in a folder of this name; skips the test that asks where there are none."""
    found = _read(FOLDER / name)
    if not found:
        pytest.skip(f"no definitions at {FOLDER / name}; the environment variable CRDS names another folder for {name}")
    return found
