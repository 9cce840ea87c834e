"""Objects as clients ask to see them: whole, as rows of a table, or only their metadata.

kubectl asks for `Table` and lays out what it gets; informers that need no more ask for `PartialObjectMetadata`. The
form is chosen by the `as` parameter of the Accept header (API documentation, "Receiving resources as Tables").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from sandbox.kube import errors
from sandbox.kube.errors import Json
from sandbox.kube.objects import Clock
from sandbox.kube.reading import Page
from sandbox.kube.resource import Resource
from sandbox.kube.store import Stored

_JSON_RANGES = {"application/json", "application/*", "*/*"}
_META_VERSIONS = {"v1", "v1beta1"}


@dataclass(frozen=True, slots=True)
class Form:
    """How objects are shown: `as_` is empty, `Table` or `PartialObjectMetadata`, of that version of meta.k8s.io."""

    as_: str = ""
    version: str = "v1"


def accepts_json(accept: str) -> bool:
    """Whether an Accept header allows JSON in any form."""
    return not accept or any(entry.split(";")[0].strip() in _JSON_RANGES for entry in accept.split(","))


def negotiate(accept: str, *, many: bool = False) -> Form:
    """The first form of the Accept header that can be served.

    Raises:
        ApiError: 406.
    """
    if not accept:
        return Form()
    for entry in accept.split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        if media_type not in _JSON_RANGES:
            continue
        values = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        as_ = values.get("as", "")
        if not as_:
            return Form()
        if values.get("g") != "meta.k8s.io" or values.get("v") not in _META_VERSIONS:
            continue
        if as_ == "Table":
            return Form("Table", values["v"])
        if as_ == ("PartialObjectMetadataList" if many else "PartialObjectMetadata"):
            return Form("PartialObjectMetadata", values["v"])
    raise errors.not_acceptable(["application/json"])


class Renderer:
    """Shows the objects of one resource in one form. `include` is the `includeObject` parameter of tables."""

    def __init__(self, resource: Resource, form: Form, clock: Clock, include: str = "Metadata") -> None:
        """Raises ApiError (400) for an `include` that is none."""
        if form.as_ == "Table" and include not in {"", "Metadata", "Object", "None"}:
            why = f"Invalid value: {errors.show(include)}: must be 'Metadata', 'Object', 'None', or empty"
            raise errors.bad_request(f"Unable to convert to Table as requested: includeObject: {why}")
        self._resource = resource
        self._form = form
        self._clock = clock
        self._include = include or "Metadata"

    def one(self, stored: Stored) -> bytes:
        """One object: the answer to a get, or the object of an event."""
        if not self._form.as_:
            return self._raw(stored)
        if self._form.as_ == "Table":
            return orjson.dumps(self._table([stored], self._version(stored)))
        return orjson.dumps(self._partial(stored.obj["metadata"]))

    def page(self, page: Page) -> bytes:
        """A list."""
        meta: Json = {"resourceVersion": str(page.version)}
        if page.continue_token:
            meta["continue"] = page.continue_token
        if page.remaining:
            meta["remainingItemCount"] = page.remaining
        if self._form.as_ == "Table":
            return orjson.dumps(self._table(page.items, meta))
        if self._form.as_:
            api_version, kind = f"meta.k8s.io/{self._form.version}", "PartialObjectMetadataList"
            items = [orjson.dumps(self._partial(stored.obj["metadata"])) for stored in page.items]
        else:
            api_version, kind = self._resource.api_version, self._resource.list_kind
            items = [self._raw(stored) for stored in page.items]
        head = orjson.dumps({"kind": kind, "apiVersion": api_version, "metadata": meta})
        return b"".join((head[:-1], b',"items":[', b",".join(items), b"]}"))

    def _raw(self, stored: Stored) -> bytes:
        return stored.encoded(self._resource.api_version, self._resource.show)

    @staticmethod
    def _version(stored: Stored) -> Json:
        return {"resourceVersion": str(stored.version or "")}

    def _table(self, items: Sequence[Stored], meta: Json) -> Json:
        now = self._clock()
        columns = self._resource.columns
        rows: list[Json] = []
        for stored in items:
            obj = stored.obj
            row: Json = {"cells": [column.value(obj, now) for column in columns]}
            if self._include == "Object":
                row["object"] = orjson.Fragment(self._raw(stored))
            elif self._include == "Metadata":
                row["object"] = self._partial(obj["metadata"])
            rows.append(row)
        definitions = [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            }
            for column in columns
        ]
        return {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{self._form.version}",
            "metadata": meta,
            "columnDefinitions": definitions,
            "rows": rows,
        }

    def _partial(self, metadata: Json) -> Json:
        return {
            "kind": "PartialObjectMetadata",
            "apiVersion": f"meta.k8s.io/{self._form.version}",
            "metadata": metadata,
        }
