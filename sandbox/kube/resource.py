"""What the API serves: resources and the register of them.

A `Resource` is one plural in one version of a group: `httproutes` in `gateway.networking.k8s.io/v1`. Resources that
differ only in the version share a collection of the store. What a kind does beyond its schema is its `Strategy`, in
the API server's sense: which parts a request may set, what is allocated, and what must hold.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from sandbox.kube.errors import Json, Problems, ResourceName
from sandbox.kube.objects import Clock, NameRule, subdomain_problem
from sandbox.kube.schema import ANYTHING, Schema
from sandbox.kube.selectors import FieldGetter, field_getter

READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")
ALL_VERBS = tuple(sorted((*READ, *WRITE)))


@dataclass(frozen=True, slots=True)
class Environment:
    """What a strategy may depend on beside the object."""

    clock: Clock
    random: Random


class Strategy:
    """A kind without peculiarities; others override what differs.

    `generation` says whether `metadata.generation` counts changes of the kind's objects, `counted` which changes of
    metadata count too, `unconditional` whether an update may come without a resourceVersion, `created_by_update`
    whether an update of what is not there creates it, and `has_rules` whether there are rules that are only asked about
    objects that fit their schema.
    """

    name_rule: NameRule = staticmethod(subdomain_problem)
    generation = False
    counted: tuple[str, ...] = ()
    unconditional = True
    created_by_update = False
    has_rules = False

    def prune(self, obj: Json) -> list[str]:  # noqa: ARG002 # for those that have such parts
        """Drops what nobody knows from parts that the schema leaves open, and tells the paths. The object may be
        malformed still.
        """
        return []

    def prepare_create(self, obj: Json) -> None:
        """Sets what a request may not choose, after the schema's defaults. `obj` is changed in place."""

    def prepare_update(self, obj: Json, old: Json) -> None:
        """The same for an update; `old` must not be changed."""

    def complete(self, obj: Json) -> None:
        """Fills in what the defaults of the schema cannot, after either of the two."""

    def check(self, obj: Json, problems: Problems) -> None:
        """What must hold of an object beyond its schema."""

    def check_again(self, obj: Json, changed: Set[str], problems: Problems) -> None:  # noqa: ARG002 # for those that look
        """The same for an object that was there before. Only the fields that have `changed` need be looked at: what has
        been let pass once passes, as in the API server ("Validation ratcheting").
        """
        self.check(obj, problems)

    def warn(self, obj: Json, warnings: list[str]) -> None:
        """Adds what a client is told beside the answer; the object is known to be valid."""

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        """What must hold between the new state and the old: immutable fields, mostly."""

    def allocate(self, obj: Json) -> None:
        """Takes what the object needs from the cluster, such as addresses, once it is known to be valid."""

    def released(self, obj: Json) -> None:
        """The object is gone; what was allocated for it is free again."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `value` gives its cell at a moment (ages count from it). A `priority` above 0: only in wide
    output."""

    name: str
    value: Callable[[Json, datetime], object]
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


_BASE_FIELDS: Mapping[str, FieldGetter] = {
    "metadata.name": field_getter("metadata.name"),
    "metadata.namespace": field_getter("metadata.namespace"),
}


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where the objects of a scalable resource have the number of replicas that is wanted, the number that there is,
    and the selector of their labels: an object or its text, or nowhere if the path is empty.
    """

    replicas: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Resource:
    """One resource in one version of its group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    schema: Schema
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    strategy: Strategy = field(default_factory=Strategy)
    columns: tuple[Column, ...] = ()
    status: bool = False
    scale: ScalePaths | None = None
    custom: bool = False
    """Defined by a CustomResourceDefinition."""
    verbs: tuple[str, ...] = ALL_VERBS
    fields: Mapping[str, FieldGetter] = field(default_factory=dict)
    storage_version: str = ""
    """The apiVersion under which the objects are stored; empty: this one."""
    to_storage: Callable[[Json], Json] | None = None
    from_storage: Callable[[Json], Json] | None = None
    deprecation: str = ""
    """A warning for those who still use this version; empty: none."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def name(self) -> ResourceName:
        return ResourceName(self.group, self.plural)

    @property
    def kind_group(self) -> str:
        """The group that an Invalid names: Events of the new group are checked as those of the old."""
        return self.group if self.to_storage is None else self.storage_version.rpartition("/")[0]

    @property
    def storage(self) -> str:
        """The name of the collection that holds the objects."""
        return "events" if self.kind == "Event" else str(self.name)

    @property
    def selectable(self) -> Mapping[str, FieldGetter]:
        return {**_BASE_FIELDS, **self.fields}

    def show(self, obj: Json) -> Json:
        """A stored object in this version. The result shares its parts with the stored one."""
        if obj.get("apiVersion") == self.api_version:
            return obj
        if self.from_storage is not None:
            return self.from_storage(obj)
        return {**obj, "apiVersion": self.api_version}

    def store(self, obj: Json) -> Json:
        """An object of this version as it is stored."""
        if not self.storage_version or self.storage_version == obj.get("apiVersion"):
            return obj
        if self.to_storage is not None:
            return self.to_storage(obj)
        return {**obj, "apiVersion": self.storage_version}

    def schema_of(self, name: str) -> Schema:
        """The schema of a field of the object, anything if it is not described."""
        return self.schema.properties.get(name, ANYTHING)


class Registry:
    """All resources that are served now; changes count in `generation`, so that documents made of it can be kept."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self.generation = 0
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        self._by_path[resource.group, resource.version, resource.plural] = resource
        self.generation += 1

    def remove(self, group: str, plural: str) -> None:
        for key in [key for key in self._by_path if key[0] == group and key[2] == plural]:
            del self._by_path[key]
        self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def is_built_in(self, group: str, version: str) -> bool:
        """Whether it is a version of the API server's own groups."""
        return any((r.group, r.version) == (group, version) and not r.custom for r in self._by_path.values())

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource for an object's apiVersion and kind."""
        return next((r for r in self._by_path.values() if r.kind == kind and r.api_version == api_version), None)

    def by_storage(self, storage: str) -> Resource | None:
        """One of the resources of a collection: the version in which it is stored, if that is served."""
        found = [resource for resource in self._by_path.values() if resource.storage == storage]
        found.sort(key=lambda resource: resource.storage_version not in {"", resource.api_version})
        return found[0] if found else None

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_path.values())
