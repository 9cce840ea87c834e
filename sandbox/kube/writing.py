"""Creating and changing objects: the path from a request's body to a stored object.

The order is the API server's: shape (unknown fields, types, defaults), the parts that a request may not set, what the
kind fills in, admission by the namespace, validation, the optimistic lock, and only then the store. A change that
changes nothing is no change: no new version, no event.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from sandbox.kube import errors
from sandbox.kube.conformity import completed
from sandbox.kube.deletion import Deleter, terminating
from sandbox.kube.envelope import check_envelope
from sandbox.kube.errors import ApiError, Cause, Json, Problems
from sandbox.kube.managers import Manager, track
from sandbox.kube.objects import check_metadata, copy, same, timestamp, unqualified_finalizers
from sandbox.kube.resource import Environment, Registry, Resource
from sandbox.kube.schema import default, drop_nulls, prune
from sandbox.kube.store import Key, Store, Stored
from sandbox.kube.validation import validate

_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_MAX_GENERATED = 63
_OBJECT_LIMIT = 1536 * 1024
_BLOCKING = frozenset(f"FieldValue{part}" for part in ("Required", "TypeInvalid", "NotSupported", "TooLong", "TooMany"))
_UNCHECKED = Cause(
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation",
    "<nil>",
)
"""Told of kinds with rules beyond their schema, which are only asked about objects that fit it."""
_COMMON = frozenset({"apiVersion", "kind"})
_APART = _COMMON | {"status"}
"""What is no part of what is wanted: generations do not count its changes."""


@dataclass(slots=True)
class WriteOptions:
    """How a write is to be done; `warnings` collects what the client is told beside the answer."""

    manager: Manager = field(default_factory=lambda: Manager("unknown"))
    dry_run: bool = False
    strictness: str = "Warn"
    """`fieldValidation`: Strict, Warn or Ignore."""
    duplicates: tuple[str, ...] = ()
    """What to say of the fields that the body has more than once."""
    patch: bool = False
    """Whether the object came by a patch: what cannot be decoded is then a 422, else a 400."""
    warnings: list[str] = field(default_factory=list)


def new_uid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


class Writer:
    def __init__(self, store: Store, registry: Registry, env: Environment, deleter: Deleter) -> None:
        self._store = store
        self._registry = registry
        self._env = env
        self._deleter = deleter

    def create(self, resource: Resource, namespace: str, obj: Json, options: WriteOptions) -> Stored:
        """Creates the object, which becomes the store's.

        Raises:
            ApiError: 400, 403, 404 (namespace), 409 or 422.
        """
        meta = check_envelope(resource, obj, namespace)
        if meta.get("resourceVersion"):
            raise errors.ApiError(500, "", "resourceVersion should not be set on objects to be created")
        in_order = self.shape(resource, obj, options, fresh=True)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = self._generate_name(resource, namespace, meta["generateName"])
        obj = resource.store(obj)
        meta = obj["metadata"]
        for part in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            meta.pop(part, None)
        now = timestamp(self._env.clock())
        meta["uid"], meta["creationTimestamp"] = new_uid(self._env.random), now
        if resource.strategy.generation:
            meta["generation"] = 1
        resource.strategy.prepare_create(obj)
        resource.strategy.complete(obj)
        self._admit(resource, namespace, meta.get("name", ""))
        self._check(resource, obj, None, set(), in_order=in_order)
        resource.strategy.warn(obj, options.warnings)
        key = (namespace, meta["name"])
        collection = self._store.collection(resource.storage)
        if collection.get(key) is not None:
            raise errors.already_exists(resource.name, meta["name"])
        track(obj, None, self._stored_schema(resource), options.manager, now)
        resource.strategy.allocate(obj)
        draft = self._draft(key, obj)
        if options.dry_run:
            resource.strategy.released(obj)
            del meta["resourceVersion"]
            return Stored(obj, key, 0)
        return self._store.create(collection, draft)

    def update(
        self,
        resource: Resource,
        key: Key,
        change: Callable[[Stored], Json],
        options: WriteOptions,
        *,
        subresource: str = "",
        must_version: bool = False,
    ) -> Stored:
        """Replaces an object by what `change` makes of it, in the resource's version.

        `must_version`: the result has to carry the version that it replaces, where the kind asks for that.

        Raises:
            ApiError: 400, 404, 409, 422, or what `change` raises.
        """
        collection = self._store.collection(resource.storage)
        current = collection.get(key)
        if current is None:
            raise errors.not_found(resource.name, key[1])
        old = current.obj
        obj = change(current)
        meta = check_envelope(resource, obj, key[0], name=key[1], patched=options.patch)
        if must_version and not resource.strategy.unconditional and not meta.get("resourceVersion"):
            cause = Cause(
                "FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion"
            )
            raise errors.invalid(resource.group, resource.plural, key[1], [cause])
        if meta.get("resourceVersion") not in {None, "", old["metadata"]["resourceVersion"]}:
            raise errors.modified(resource.name, key[1])
        if meta.get("uid") not in {None, "", old["metadata"]["uid"]}:
            if options.patch:
                raise errors.immutable_uid(resource.group, resource.kind, key[1], meta["uid"])
            why = (
                f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['metadata']['uid']}"
            )
            raise errors.conflict(resource.name, key[1], why)
        if resource.status and not subresource:
            _restore(obj, {"status": copy(old["status"])} if "status" in old else {}, "status")
        in_order = self.shape(resource, obj, options)
        obj = resource.store(obj)
        put_back = self._settle(resource, obj, old, subresource)
        changed = _changed(obj, old)
        if resource.strategy.generation and _counts(resource, changed, obj["metadata"], old["metadata"]):
            obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        self._check(resource, obj, old, changed, in_order=in_order and not put_back)
        resource.strategy.warn(obj, options.warnings)
        if not subresource:
            resource.strategy.allocate(obj)
        same, now = not changed and _same_metadata(obj, old), timestamp(self._env.clock())
        tracked = track(obj, old, self._stored_schema(resource), options.manager, now)
        if same and (options.dry_run or not tracked):
            return current
        draft = self._draft(key, obj)
        if options.dry_run:
            obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            return Stored(obj, key, current.version)
        if terminating(obj) and not obj["metadata"].get("finalizers") and terminating(old):
            obj["metadata"].pop("finalizers", None)
            return self._deleter.finish(resource, current, obj)
        return self._store.replace(collection, current, draft)

    def _draft(self, key: Key, obj: Json) -> Stored:
        """The object as it will be stored.

        Raises:
            ApiError: 500 for what etcd could not hold; the upkeep of managedFields gives way before that, as it does
                there.
        """
        draft = self._store.draft(key, obj)
        if len(draft.raw) > _OBJECT_LIMIT:
            obj["metadata"].pop("managedFields", None)
            draft = self._store.draft(key, obj)
        if len(draft.raw) > _OBJECT_LIMIT:
            raise errors.object_too_large()
        return draft

    def _stored_schema(self, resource: Resource) -> Resource:
        """The resource in whose version the objects are stored: its schema knows the stored fields."""
        if not resource.storage_version or resource.storage_version == resource.api_version:
            return resource
        return self._registry.by_storage(resource.storage) or resource

    def shape(self, resource: Resource, obj: Json, options: WriteOptions, *, fresh: bool = False) -> bool:
        """Unknown fields, duplicates, defaults and types, before anything else is looked at. A `fresh` object starts
        without the status that it may bring. Says whether the object is known to be valid.

        What a kind's Go type and its tags would check on decoding is checked for built-in kinds here, so that their
        strategies meet well-formed objects only; custom resources are validated when they are complete.
        """
        schema, unknown = resource.schema, list[str]()
        if fresh and resource.status and resource.plural != "nodes" and "status" in obj:
            unknown = prune(schema, {"status": obj.pop("status")})
        in_order = completed(schema, obj)
        if not in_order:
            unknown = prune(schema, obj) + unknown
        unknown += resource.strategy.prune(obj)
        complaints = [*options.duplicates, *(f'unknown field "{path}"' for path in unknown)]
        if complaints and options.strictness == "Strict":
            raise _strict_error(resource, complaints, options)
        if options.strictness == "Warn":
            options.warnings += complaints
        if resource.deprecation and resource.deprecation not in options.warnings:
            options.warnings.append(resource.deprecation)
        if not in_order:
            self._mend(resource, obj, options)
        if resource.custom:
            _warn_of_finalizers(obj, options)
        return in_order

    @staticmethod
    def _mend(resource: Resource, obj: Json, options: WriteOptions) -> None:
        """What is to be done with an object that is not in order at once."""
        if resource.custom:
            _drop_nulls(obj["metadata"])
            drop_nulls(resource.schema, obj)
        else:
            _drop_nulls(obj)
        default(resource.schema, obj)
        problems = Problems()
        if resource.custom:
            validate(resource.schema_of("metadata"), obj["metadata"], "metadata", problems)
        else:
            validate(resource.schema, obj, "", problems)
        wrong_types = [cause for cause in problems.causes if cause.reason == "FieldValueTypeInvalid"]
        if wrong_types:
            listed = ", ".join(f"{cause.field}: {cause.message}" for cause in wrong_types)
            if options.patch:
                raise errors.unfit_patch(listed)
            raise errors.bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {listed}'
            )
        if problems.causes:
            raise errors.invalid(resource.kind_group, resource.kind, obj["metadata"].get("name", ""), problems.causes)

    def _settle(self, resource: Resource, obj: Json, old: Json, subresource: str) -> bool:
        """Puts back what this request may not change, and lets the kind complete the rest. Says whether anything but
        metadata was put back.
        """
        before = old["metadata"]
        put_back = False
        if subresource == "status":
            for part in obj.keys() | old.keys():
                if part not in {"status", "metadata"}:
                    put_back = put_back or not same(obj.get(part), old.get(part))
                    _restore(obj, old, part)
            managed = obj["metadata"].get("managedFields")
            obj["metadata"] = dict(before)
            if managed is not None:
                obj["metadata"]["managedFields"] = managed
        else:
            for part in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
                         "selfLink"):  # fmt: skip
                _restore(obj["metadata"], before, part)
            resource.strategy.prepare_update(obj, old)
            resource.strategy.complete(obj)
        obj["metadata"]["resourceVersion"] = before["resourceVersion"]
        return put_back

    def _check(self, resource: Resource, obj: Json, old: Json | None, changed: set[str], *, in_order: bool) -> None:
        problems = Problems()
        strategy = resource.strategy
        check_metadata(
            obj,
            namespaced=resource.namespaced,
            custom=resource.custom,
            name_rule=strategy.name_rule,
            problems=problems,
        )
        if resource.custom and not in_order:
            before = {} if old is None else {"old": resource.show(old)}
            validate(resource.schema, resource.show(obj), "", problems, **before)
        if strategy.has_rules and any(cause.reason in _BLOCKING for cause in problems.causes):
            problems.causes.append(_UNCHECKED)
        if old is None and not problems.causes:
            strategy.check(obj, problems)
        elif old is not None and not problems.causes:
            strategy.check_again(obj, changed, problems)
            if not problems.causes:
                _check_finalizers(obj, old, problems)
                strategy.check_update(obj, old, problems)
        if problems.causes:
            raise errors.invalid(resource.kind_group, resource.kind, obj["metadata"].get("name", ""), problems.causes)

    def _admit(self, resource: Resource, namespace: str, name: str) -> None:
        if not resource.namespaced:
            return
        spaces = self._registry.find("", "v1", "namespaces")
        assert spaces is not None
        found = self._store.collection(spaces.storage).get(("", namespace))
        if found is None:
            raise errors.not_found(spaces.name, namespace)
        if terminating(found.obj):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
            raise errors.forbidden(resource.name, name, why, [cause])

    def _generate_name(self, resource: Resource, namespace: str, base: str) -> str:
        collection = self._store.collection(resource.storage)
        while True:
            suffix = "".join(self._env.random.choices(_NAME_ALPHABET, k=5))
            name = base[: _MAX_GENERATED - 5] + suffix
            if collection.get((namespace, name)) is None:
                return name


def _strict_error(resource: Resource, complaints: list[str], options: WriteOptions) -> ApiError:
    listed = ", ".join(complaints)
    if options.patch:
        return errors.unfit_patch(f"strict decoding error: {listed}")
    return errors.bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: strict decoding '
        f"error: {listed}"
    )


def _drop_nulls(value: object) -> None:
    """Built-in kinds are decoded into structs, where null is the same as nothing."""
    if isinstance(value, dict):
        for key in [key for key, item in value.items() if item is None]:
            del value[key]
        for item in value.values():
            _drop_nulls(item)
    elif isinstance(value, list):
        for item in value:
            _drop_nulls(item)


def _warn_of_finalizers(obj: Json, options: WriteOptions) -> None:
    why = "prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
    options.warnings += [f'metadata.finalizers: "{name}": {why}' for name in unqualified_finalizers(obj)]


def _restore(obj: Json, old: Json, part: str) -> None:
    if part in old:
        obj[part] = old[part]
    else:
        obj.pop(part, None)


def _changed(obj: Json, old: Json) -> set[str]:
    """The names of the object's fields, beside its metadata, that are not as they were; the others become the old ones
    themselves, which is seen at a glance from then on.
    """
    changed: set[str] = set()
    for part in obj.keys() | old.keys():
        if part == "metadata":
            continue
        if part in obj and part in old and same(obj[part], old[part]):
            obj[part] = old[part]
        else:
            changed.add(part)
    return changed


def _counts(resource: Resource, changed: set[str], meta: Json, before: Json) -> bool:
    """Whether a change makes a new generation."""
    if changed - (_APART if resource.status else _COMMON):
        return True
    return any(_blank(meta.get(part)) != _blank(before.get(part)) for part in resource.strategy.counted)


def _same_metadata(obj: Json, old: Json) -> bool:
    meta, before = obj["metadata"], old["metadata"]
    return all(
        _blank(meta.get(part)) == _blank(before.get(part))
        for part in meta.keys() | before.keys()
        if part != "managedFields"
    )


def _blank(value: object) -> object:
    """Empty labels and the like are the same as none."""
    return None if value in ({}, [], "") else value


def _check_finalizers(obj: Json, old: Json, problems: Problems) -> None:
    if not terminating(old):
        return
    added = [
        name
        for name in obj["metadata"].get("finalizers") or ()
        if name not in (old["metadata"].get("finalizers") or ())
    ]
    if added:
        problems.forbidden(
            "metadata.finalizers",
            "no new finalizers can be added if the object is being deleted, found new finalizers "
            f"[]string{{{', '.join(map(errors.show, added))}}}",
        )
