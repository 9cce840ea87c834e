"""The verbs of the API, without HTTP: one synchronous method for each, on objects and options.

This is the whole of the server's state and behaviour: the register of resources, the store, and the parts that
read, write and delete. The HTTP side translates requests into calls of it; fixtures may call it directly.
"""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from sandbox.kube import errors
from sandbox.kube.apply import applied_fields, check_typed, merge_applied
from sandbox.kube.builtins import builtin_resources, type_schema
from sandbox.kube.definitions import resources_of
from sandbox.kube.deletion import DeleteOptions, Deleter
from sandbox.kube.envelope import check_envelope
from sandbox.kube.errors import ApiError, Json
from sandbox.kube.managers import Manager
from sandbox.kube.objects import Clock, copy, timestamp
from sandbox.kube.patch import PatchError, json_patch, merge_patch, strategic_merge
from sandbox.kube.reading import Reader
from sandbox.kube.resource import Environment, Registry, Resource
from sandbox.kube.scaling import Scaler
from sandbox.kube.store import Event, Key, Store, Stored
from sandbox.kube.watch import Scope
from sandbox.kube.writing import WriteOptions, Writer

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class _DefinitionWatcher:
    """Keeps the register in step with the CustomResourceDefinitions in the store."""

    def __init__(self, api: "Api") -> None:
        self._api = api
        self._metadata = type_schema("ObjectMeta")

    def push(self, event: Event) -> None:
        definition = event.stored.obj
        spec = definition["spec"]
        group, plural = spec["group"], spec["names"]["plural"]
        if event.type == "DELETED":
            self._api.registry.remove(group, plural)
            self._api.store.drop(event.stored.key[1])
            return
        if event.before is not None and event.before.obj["spec"] == spec:
            return
        self._api.registry.remove(group, plural)
        for resource in resources_of(definition, self._metadata):
            self._api.registry.add(resource)

    def close(self) -> None:
        """The definitions of a server are never dropped themselves."""


class Api:
    """`history` is the number of changes that each kind remembers for watches."""

    def __init__(self, *, clock: Clock, random: Random, history: int) -> None:
        self.env = Environment(clock, random)
        self.store = Store(history)
        self.registry = Registry(builtin_resources(self.env))
        self.reader = Reader(self.store)
        self.deleter = Deleter(self.store, self.registry, self.env)
        self.writer = Writer(self.store, self.registry, self.env, self.deleter)
        definitions = self.resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        self.store.collection(definitions.storage).watchers.add(_DefinitionWatcher(self))
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def resource(self, group: str, version: str, plural: str) -> Resource:
        """A resource that is known to be served."""
        found = self.registry.find(group, version, plural)
        assert found is not None, f"{plural}.{version}.{group} is not served"
        return found

    def apply(self, obj: Mapping[str, Any]) -> Json:
        """For fixtures: creates the object, or merges it into the one that is there (status too, through its
        subresource). Returns it as stored.

        Raises:
            ApiError: as the requests would get.
        """
        wanted = copy(dict(obj))
        resource = self.registry.by_kind(str(obj.get("apiVersion")), str(obj.get("kind")))
        if resource is None:
            raise errors.bad_request(f"no matches for kind {obj.get('kind')!r} in version {obj.get('apiVersion')!r}")
        meta = wanted.setdefault("metadata", {})
        namespace = meta.get("namespace", "default") if resource.namespaced else ""
        status = wanted.get("status")
        options = WriteOptions(Manager("sandbox"), strictness="Strict")
        key = (namespace, meta.get("name", ""))
        if self.store.collection(resource.storage).get(key) is None:
            stored = self.writer.create(resource, namespace, copy(wanted), options)
        else:
            stored = self.writer.update(
                resource, key, lambda current: merge_patch(resource.show(current.obj), wanted), options
            )
        if status is not None and resource.status:
            options = WriteOptions(Manager("sandbox", "status"), strictness="Strict")
            change = {"status": status}
            stored = self.writer.update(
                resource,
                stored.key,
                lambda current: merge_patch(resource.show(current.obj), change),
                options,
                subresource="status",
            )
        return stored.obj

    def apply_all(self, objects: Iterable[Mapping[str, Any]]) -> list[Json]:
        return [self.apply(obj) for obj in objects]

    def replace(
        self, resource: Resource, key: Key, obj: Json, options: WriteOptions, subresource: str
    ) -> tuple[Stored, bool]:
        """An update (PUT). Returns the object and whether it is new, as some kinds can be.

        Raises:
            ApiError: as a creation or an update would get.
        """
        missing = self.store.collection(resource.storage).get(key) is None
        if missing and resource.strategy.created_by_update and not subresource:
            return self.writer.create(resource, key[0], obj, options), True
        stored = self.writer.update(resource, key, lambda _: obj, options, subresource=subresource, must_version=True)
        return stored, False

    def patch(
        self, resource: Resource, key: Key, media_type: str, patch: Any, options: WriteOptions, subresource: str
    ) -> Stored:
        """A patch in one of the patch languages of the kind (`offered_patches`); server-side apply is `apply_patch`.

        Raises:
            ApiError: as an update.
        """
        options.patch = True

        def change(stored: Stored) -> Json:
            current = resource.show(stored.obj)
            try:
                if media_type == JSON_PATCH:
                    result = json_patch(current, patch)
                elif media_type == MERGE_PATCH:
                    result = merge_patch(current, patch)
                else:
                    result = strategic_merge(current, patch, resource.schema)
            except PatchError as wrong:
                raise errors.rejected_patch() if media_type == JSON_PATCH else ApiError(500, "", str(wrong)) from wrong
            if not isinstance(result, dict):
                raise errors.unfit_patch(f"it leaves no object but {errors.show(result)}")
            return result

        return self.writer.update(resource, key, change, options, subresource=subresource)

    def apply_patch(
        self, resource: Resource, key: Key, applied: Any, options: WriteOptions, subresource: str, *, force: bool
    ) -> tuple[Stored, bool]:
        """A server-side apply. Returns the object and whether it is new.

        Raises:
            ApiError: 400, 404, 409 (conflicts with other managers), 422, or 500 for what the schema does not know.
        """
        api_version, kind = str(applied.get("apiVersion") or ""), str(applied.get("kind") or "")
        if (api_version, kind) != (resource.api_version, resource.kind):
            group, _, version = api_version.rpartition("/")
            raise errors.bad_request(f"invalid object type: {group}/{version}, Kind={kind}")
        check_typed(applied, resource)
        exists = self.store.collection(resource.storage).get(key) is not None
        meta = check_envelope(resource, applied, key[0], name=key[1], patched=None if exists else False)
        if meta.get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        manager = Manager(options.manager.name, subresource, applied_fields(applied, resource.schema))
        options.manager, options.patch = manager, True
        if not exists:
            if subresource:
                raise errors.not_found(resource.name, key[1])
            if meta.get("uid"):
                why = f"the provided object specified uid {meta['uid']}, and no existing object was found"
                raise errors.conflict(resource.name, key[1], f"uid mismatch: {why}")
            meta.pop("resourceVersion", None)
            return self.writer.create(resource, key[0], applied, options), True
        now = timestamp(self.env.clock())

        def change(stored: Stored) -> Json:
            return merge_applied(resource.show(stored.obj), applied, resource.schema, manager, now, force=force)

        return self.writer.update(resource, key, change, options, subresource=subresource), False

    def delete_collection(self, scope: Scope, options: DeleteOptions) -> list[Stored]:
        """Deletes what the scope selects; what was already going is left alone."""
        objects = self.store.collection(scope.resource.storage).ordered(scope.namespace)
        selected = [stored for stored in objects if scope.selects(stored)]
        for stored in selected:
            if self.store.collection(scope.resource.storage).get(stored.key) is not None:
                self.deleter.delete(scope.resource, stored.key, options)
        return selected

    def scaler(self, resource: Resource) -> Scaler:
        """What reads and writes the Scales of a resource that has them."""
        return Scaler(self.reader, self.writer, resource)


def offered_patches(resource: Resource) -> list[str]:
    if resource.custom:
        return [JSON_PATCH, MERGE_PATCH, APPLY_PATCH]
    return [JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH]
