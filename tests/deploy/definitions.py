"""The definitions under test: ours, the existing controller's where they are at hand, and what a server does with each.

Two definitions are the same to a cluster when their normal forms are equal, in which everything that only people read,
or that has no order, is gone. They are also the same when no object tells them apart, for which `submit` takes an
object the way of a server: pruned, defaulted, validated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.kube import KubeServer
from sandbox.kube.bodies import load_yaml
from sandbox.kube.errors import Problems
from sandbox.kube.objects import copy
from sandbox.kube.resource import Resource
from sandbox.kube.schema import default, prune
from sandbox.kube.validation import validate
from tests.support.definitions import FOLDER

GROUP = "application-networking.k8s.aws"
OURS = Path(__file__).parents[2] / "deploy" / "crds"
THEIRS = FOLDER / "application-networking"
KINDS = (
    "AccessLogPolicy",
    "IAMAuthPolicy",
    "ServiceExport",
    "ServiceImport",
    "ServiceNetwork",
    "TargetGroupPolicy",
    "VpcAssociationPolicy",
)

Json = dict[str, Any]


@cache
def definitions(folder: Path) -> dict[str, Json]:
    """The definitions of our group in a folder, by kind."""
    documents = (document for path in sorted(folder.glob("*.yaml")) for document in load_yaml(path.read_bytes()))
    found = [document for document in documents if document["kind"] == "CustomResourceDefinition"]
    return {crd["spec"]["names"]["kind"]: crd for crd in found if crd["spec"]["group"] == GROUP}


def schema(definition: Json) -> Json:
    """The schema of the only version."""
    (version,) = definition["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


@cache
def resource(folder: Path, kind: str) -> Resource:
    """The resource that a server makes of a definition."""
    definition = definitions(folder)[kind]
    registry = KubeServer(crds=[definition]).api.registry
    made = registry.find(GROUP, "v1alpha1", definition["spec"]["names"]["plural"])
    assert made is not None
    return made


@dataclass(frozen=True)
class Outcome:
    """What became of an object that was submitted."""

    obj: Json
    """Pruned and defaulted."""
    dropped: list[str]
    """The paths of the unknown fields."""
    refused: list[tuple[str, str]]
    """Path and reason of everything that is wrong; empty where the object is accepted."""


def submit(to: Resource, obj: Json) -> Outcome:
    given = copy(obj)
    dropped = sorted(prune(to.schema, given))
    default(to.schema, given)
    problems = Problems()
    validate(to.schema, given, "", problems)
    return Outcome(given, dropped, sorted((cause.field, cause.reason) for cause in problems.causes))


def nodes(raw: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every schema in a schema, itself included, with the path of what it describes."""
    yield path, raw
    for name, child in raw.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in raw:
        yield from nodes(raw["items"], f"{path}[]")


def normal_schema(raw: Json) -> Json:
    form: Json = {}
    for keyword, value in raw.items():
        match keyword:
            case "description":
                continue
            case "properties":
                form[keyword] = {name: normal_schema(child) for name, child in value.items()}
            case "items":
                form[keyword] = normal_schema(value)
            case "required" | "enum" | "x-kubernetes-list-map-keys":
                form[keyword] = sorted(value)
            case _:
                form[keyword] = value
    return form


def normal_form(definition: Json) -> Json:
    """All of a definition that a cluster acts upon. The order of columns is kept, as kubectl prints them in it."""
    spec = copy(definition["spec"])
    for unordered in ("shortNames", "categories"):
        spec["names"][unordered] = sorted(spec["names"].get(unordered, ()))
    for version in spec["versions"]:
        version["schema"]["openAPIV3Schema"] = normal_schema(version["schema"]["openAPIV3Schema"])
        for column in version.get("additionalPrinterColumns", ()):
            column.pop("description", None)
    return {"name": definition["metadata"]["name"], "spec": spec}
