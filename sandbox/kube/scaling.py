"""The `scale` subresource: an object as an autoscaling/v1 Scale, to read and to set its number of replicas by.

Where an object has the number, how many there are, and by which labels they are found is said by its resource: built-in
kinds have a label selector of their own, a CustomResourceDefinition names a path for each of them.
"""

from dataclasses import dataclass
from typing import Any

from sandbox.kube import errors
from sandbox.kube.builtins import type_schema
from sandbox.kube.envelope import check_envelope
from sandbox.kube.errors import Cause, Json
from sandbox.kube.patch import PatchError, json_patch, merge_patch
from sandbox.kube.reading import Reader
from sandbox.kube.resource import Resource, ScalePaths
from sandbox.kube.selectors import from_object
from sandbox.kube.store import Key, Stored
from sandbox.kube.writing import WriteOptions, Writer

_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_AT = {True: (".spec.replicas", "should be a non-negative integer"),
       False: ("spec.replicas", "must be greater than or equal to 0")}  # fmt: skip
"""By whether the kind is a custom one: how a negative number is refused."""


@dataclass(frozen=True, slots=True)
class Scaler:
    """Reads and writes Scales of the objects of one resource that has them."""

    reader: Reader
    writer: Writer
    resource: Resource

    def get(self, key: Key) -> Json:
        """The Scale of an object.

        Raises:
            ApiError: 404, or 500 for a custom resource that does not say how many replicas it wants.
        """
        return self._shown(self.reader.get(self.resource, key), strict=True)

    def replace(self, key: Key, scale: Any, options: WriteOptions) -> Json:
        """Sets the number of replicas to that of a Scale.

        Raises:
            ApiError: as an update of the object, and for what is no Scale of it.
        """
        self._check(key, scale, options)
        replicas = scale["spec"]["replicas"]
        conditions = {part: scale["metadata"].get(part) for part in ("resourceVersion", "uid")}

        def change(stored: Stored) -> Json:
            obj = self.resource.show(stored.obj)
            _put(obj, self._paths.replicas, replicas)
            obj["metadata"] |= {part: value for part, value in conditions.items() if value}
            return obj

        return self._shown(self.writer.update(self.resource, key, change, options), strict=False)

    def patch(self, key: Key, patch: Any, options: WriteOptions, *, operations: bool) -> Json:
        """The same by a patch of the Scale: by the `operations` of a JSON patch, or else a merge patch. A strategic one
        is no other, as a Scale has no lists.

        Raises:
            ApiError: as `replace`, and 422 for a patch that does not fit.
        """
        options.patch = True
        scale = self._shown(self.reader.get(self.resource, key), strict=False)
        try:
            result = json_patch(scale, patch) if operations else merge_patch(scale, patch)
        except PatchError as wrong:
            raise errors.rejected_patch() from wrong
        if not isinstance(result, dict):
            raise errors.unfit_patch(f"it leaves no object but {errors.show(result)}")
        return self.replace(key, result, options)

    @property
    def _paths(self) -> ScalePaths:
        assert self.resource.scale is not None
        return self.resource.scale

    def _check(self, key: Key, scale: Any, options: WriteOptions) -> None:
        kind = Resource(
            group="autoscaling",
            version="v1",
            plural="scales",
            kind="Scale",
            namespaced=self.resource.namespaced,
            schema=type_schema("Scale"),
        )
        check_envelope(kind, scale, key[0], name=key[1], patched=options.patch)
        self.writer.shape(kind, scale, options)
        replicas = scale["spec"]["replicas"]
        if replicas < 0:
            path, why = _AT[self.resource.custom]
            cause = Cause("FieldValueInvalid", f"Invalid value: {replicas}: {why}", path)
            refused = self.resource if self.resource.custom else kind
            raise errors.invalid(refused.group, refused.kind, key[1], [cause])

    def _shown(self, stored: Stored, *, strict: bool) -> Json:
        obj, paths = self.resource.show(stored.obj), self._paths
        replicas = _found(obj, paths.replicas)
        if replicas is None and strict:
            raise errors.internal(f'the spec replicas field ".{".".join(paths.replicas)}" does not exist')
        status: Json = {"replicas": _found(obj, paths.status) or 0}
        selector = _found(obj, paths.selector) if paths.selector else None
        if isinstance(selector, dict):
            selector = _text(selector)
        if selector:
            status["selector"] = selector
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {part: obj["metadata"][part] for part in _KEPT if part in obj["metadata"]},
            "spec": {"replicas": replicas or 0},
            "status": status,
        }


def _found(obj: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj


def _put(obj: Json, path: tuple[str, ...], value: object) -> None:
    for name in path[:-1]:
        obj = obj.setdefault(name, {})
    obj[path[-1]] = value


def _text(selector: Json) -> str:
    """A label selector in the form of a query."""
    terms: list[str] = []
    for requirement in from_object(selector).requirements:
        values = sorted(requirement.values)
        if requirement.operator == "in" and len(values) == 1:
            terms.append(f"{requirement.key}={values[0]}")
        elif requirement.operator in {"in", "notin"}:
            terms.append(f"{requirement.key} {requirement.operator} ({','.join(values)})")
        else:
            terms.append(f"!{requirement.key}" if requirement.operator == "!" else requirement.key)
    return ",".join(terms)
