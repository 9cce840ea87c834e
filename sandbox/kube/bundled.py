"""The CustomResourceDefinitions that come with the sandbox: Gateway API's, in a short form of our own.

Their schemas accept, refuse, default and show what the released ones do; descriptions, and the kinds that this project
does not use, are left out. So are the rules in CEL, which the sandbox cannot evaluate: `gatewayapi` has them by hand,
for these definitions and for the real ones. Whoever wants the real ones gives them to `KubeServer`, or applies them.
"""

from functools import cache
from importlib.resources import files

import orjson

from sandbox.kube.bodies import load_yaml
from sandbox.kube.errors import Json


def bundled_crds() -> list[Json]:
    """The definitions, the caller's own."""
    definitions: list[Json] = orjson.loads(_encoded())
    return definitions


@cache
def _encoded() -> bytes:
    folder = files("sandbox.kube").joinpath("crds")
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name)
    return orjson.dumps([document for entry in found for document in load_yaml(entry.read_bytes())])
