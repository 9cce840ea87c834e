"""The bundled definitions against the real ones, and the real ones against the server, where they are at hand."""

import pytest

from sandbox.kube import KubeServer, bundled_crds
from tests.support.definitions import definitions as real

COMPARED = (
    "type", "format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "maxProperties", "default", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
)  # fmt: skip


def differences(ours, theirs, path):
    for key in COMPARED:
        one, other = ours.get(key), theirs.get(key)
        if one != other and not (key == "minLength" and other == 0):
            yield f"{path}: {key} is {one!r}, not {other!r}"
    for key in ("required", "enum"):
        if sorted(ours.get(key) or (), key=str) != sorted(theirs.get(key) or (), key=str):
            yield f"{path}: {key}"
    one, other = ours.get("properties", {}), theirs.get("properties", {})
    yield from (f"{path}: {name} is in one only" for name in one.keys() ^ other.keys())
    for name in one.keys() & other.keys():
        yield from differences(one[name], other[name], f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in ours and key in theirs:
            yield from differences(ours[key], theirs[key], f"{path}[{key}]")
        elif key in ours or key in theirs:
            yield f"{path}: {key} is in one only"


@pytest.mark.parametrize(
    "plural", ["gatewayclasses", "gateways", "httproutes", "grpcroutes", "tlsroutes", "referencegrants"]
)
def test_a_bundled_definition_says_what_the_real_one_says(plural):
    theirs = next(crd for crd in real("gateway-api-v1.6.1") if crd["spec"]["names"]["plural"] == plural)
    ours = next(crd for crd in bundled_crds() if crd["spec"]["names"]["plural"] == plural)
    assert ours["spec"]["names"] == theirs["spec"]["names"]
    versions = {version["name"]: version for version in theirs["spec"]["versions"]}
    for version in ours["spec"]["versions"]:
        other = versions[version["name"]]
        assert version["storage"] == other["storage"]
        assert [(c["name"], c["jsonPath"], c.get("priority", 0)) for c in version["additionalPrinterColumns"]] == [
            (c["name"], c["jsonPath"], c.get("priority", 0)) for c in other["additionalPrinterColumns"]
        ]
        schemas = version["schema"]["openAPIV3Schema"], other["schema"]["openAPIV3Schema"]
        assert list(differences(*schemas, plural)) == []


@pytest.mark.parametrize("folder", ["gateway-api-v1.6.1", "application-networking"])
def test_the_real_definitions_can_be_installed(folder):
    definitions = real(folder)
    server = KubeServer(crds=definitions)
    for definition in definitions:
        spec = definition["spec"]
        for version in spec["versions"]:
            served = server.api.registry.find(spec["group"], version["name"], spec["names"]["plural"])
            assert (served is not None) == version["served"]
