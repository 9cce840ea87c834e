"""What VPC Lattice has to hold, said a second time: slowly, obviously, and without a line of the controller.

It reads Kubernetes objects as the API server has them, plain dictionaries, and goes through the Gateway API's rules one
after the other, looking at everything each time. `services` and `groups` describe what there has to be, in the form in
which `observed` describes what there is; `answer` says what a request has to meet, by the route's own matches and the
specification's precedence, knowing nothing of Lattice's rules.

It covers what the random routes use: HTTP listeners, all the matches that Lattice has, hostnames with and without
wildcards, several parents, cross-namespace backends, hostnames that several routes share or contend for.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, NamedTuple

from tests.e2e.harness import CONTROLLER, PREFIX, Json

Match = tuple[str | None, str, str, tuple[tuple[str, str], ...]]
"""Method, exact or prefix, path, headers with their names in lower case."""
Backend = tuple[str, str, int]
"""Namespace, name and port of a Service."""
Action = int | tuple[tuple[str, int], ...]
"""A status, or labels of groups with weights."""


KINDS = ("GatewayClass", "Gateway", "HTTPRoute", "ReferenceGrant", "Service", "EndpointSlice")


class Request(NamedTuple):
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]


class Place(NamedTuple):
    """Where a route is served under one hostname."""

    hostname: str
    ports: dict[int, str]
    networks: set[str]


class Member(NamedTuple):
    """A route in a service, by its place there."""

    route: Json
    place: Place


class Shared(NamedTuple):
    """A service, by those who share it, oldest first: mostly one."""

    members: list[Member]

    @property
    def hostname(self) -> str:
        return self.members[0].place.hostname

    @property
    def label(self) -> str:
        return label(self.members[0].route, self.hostname)

    @property
    def networks(self) -> list[str]:
        return sorted(self.members[0].place.networks)

    @property
    def ports(self) -> dict[int, str]:
        return {port: protocol for member in self.members for port, protocol in member.place.ports.items()}

    def at(self, port: int) -> list[Member]:
        """Those who are served at a port."""
        return [member for member in self.members if port in member.place.ports]


class Reference:
    """`all_of` gives all objects of a kind, and is asked once; `owner` is the controller's owner tag."""

    def __init__(self, all_of: Callable[[str], list[Json]], owner: str) -> None:
        self._owner = owner
        self._objects = {kind: {_identity(obj): obj for obj in all_of(kind)} for kind in KINDS}
        self._placed: dict[str, list[Place]] = {}

    def _all(self, kind: str) -> list[Json]:
        return list(self._objects[kind].values())

    def _one(self, kind: str, namespace: str, name: str) -> Json | None:
        return self._objects[kind].get((namespace, name))

    # What there has to be

    def services(self) -> dict[str, Json]:
        """Services by label, with all that hangs below them."""
        found = {}
        for shared in self.shared():
            owner = shared.members[0].route
            found[shared.label] = {
                "domain": shared.hostname or None,
                # A service keeps the name that it was born with; only that of one without a hostname is certain.
                "name": None if shared.hostname else service_name(owner),
                "networks": shared.networks,
                "tags": {
                    f"{PREFIX}ManagedBy": self._owner,
                    f"{PREFIX}RouteName": owner["metadata"]["name"],
                    f"{PREFIX}RouteNamespace": owner["metadata"]["namespace"],
                    f"{PREFIX}RouteType": "http",
                },
                "listeners": {
                    port: {"protocol": protocol, "default": 404, "rules": self._rules(shared, port)}
                    for port, protocol in shared.ports.items()
                },
            }
        return found

    def groups(self) -> dict[str, Json]:
        """Target groups by label, with their targets."""
        return labelled(self._found_groups())

    def _found_groups(self) -> Iterator[tuple[str, Json]]:
        for shared in self.shared():
            for backend in self._used(shared):
                tags, targets = self._group_tags(shared, backend), self._targets(*backend)
                yield (
                    group_label(tags, shared.hostname, targets),
                    {
                        "service": shared.label,
                        "tags": {f"{PREFIX}ManagedBy": self._owner, **tags},
                        "config": ("HTTP", "HTTP1", 80, "IPV4"),
                        "targets": targets,
                    },
                )

    def answer(self, shared: Shared, port: int, request: Request) -> Action:
        """What a request meets, by the specification's precedence: the route's age counts before the rule's place."""
        fitting = [
            (rank(match), age, rule_index, match_index, member.route, rule)
            for age, member in enumerate(shared.at(port))
            for rule_index, rule in enumerate(member.route["spec"]["rules"])
            if supported(rule)
            for match_index, match in enumerate(rule.get("matches") or [{}])
            if fits(match, request)
        ]
        if not fitting:
            return 404
        *_, route, rule = min(fitting, key=lambda each: each[:4])
        return self._action(shared, route, rule)

    # Routes and where they are served

    def routes(self) -> list[Json]:
        """All routes that stay, oldest first."""
        return sorted(
            (route for route in self._all("HTTPRoute") if "deletionTimestamp" not in route["metadata"]),
            key=lambda route: (
                route["metadata"]["creationTimestamp"],
                f"{route['metadata']['namespace']}/{route['metadata']['name']}",
            ),
        )

    def shared(self) -> list[Shared]:
        """All services. The oldest route with a hostname has it; a younger one shares it if it is served in the same
        networks and wants no port with another protocol, and has it for itself if no network is in common."""
        found: list[Shared] = []
        for route in self.routes():
            for place in self._places(route):
                rivals = [
                    other
                    for other in found
                    if place.hostname
                    and other.hostname == place.hostname
                    and (place.networks == set(other.networks) or place.networks & set(other.networks))
                ]
                if not rivals:
                    found.append(Shared([Member(route, place)]))
                elif set(rivals[0].networks) == place.networks and all(
                    rivals[0].ports.get(port, protocol) == protocol for port, protocol in place.ports.items()
                ):
                    rivals[0].members.append(Member(route, place))
        return found

    def _places(self, route: Json) -> list[Place]:
        """Where it would be served if it were alone."""
        uid = route["metadata"]["uid"]
        if uid not in self._placed:
            self._placed[uid] = self._find_places(route)
        return self._placed[uid]

    def _find_places(self, route: Json) -> list[Place]:
        if not any(supported(rule) for rule in route["spec"]["rules"]):
            return []
        places: dict[str, Place] = {}
        for parent in route["spec"]["parentRefs"]:
            for gateway, listener in self._accepting(route, parent):
                for hostname in hostnames(listener.get("hostname"), route["spec"].get("hostnames") or []):
                    place = places.setdefault(hostname, Place(hostname, {}, set()))
                    place.ports[listener["port"]] = listener["protocol"]
                    if not standalone(route, gateway):
                        place.networks.add(gateway["metadata"]["name"])
        order = {hostname: index for index, hostname in enumerate(route["spec"].get("hostnames") or [])}
        return sorted(places.values(), key=lambda place: order.get(place.hostname, len(order)))

    def _accepting(self, route: Json, parent: Json) -> Iterator[tuple[Json, Json]]:
        """The listeners that a parentRef selects and that take the route, whatever their hostnames."""
        namespace = parent.get("namespace", route["metadata"]["namespace"])
        gateway = self._one("Gateway", namespace, parent["name"])
        if gateway is None:
            return
        gateway_class = self._one("GatewayClass", "", gateway["spec"]["gatewayClassName"])
        if gateway_class is None or gateway_class["spec"]["controllerName"] != CONTROLLER:
            return
        for listener in gateway["spec"]["listeners"]:
            if parent.get("sectionName") not in {None, listener["name"]}:
                continue
            if parent.get("port") not in {None, listener["port"]}:
                continue
            if listener["protocol"] != "HTTP" or conflicted(listener, gateway["spec"]["listeners"]):
                continue
            allowed = listener.get("allowedRoutes", {}).get("namespaces", {}).get("from", "Same")
            if allowed == "All" or (allowed == "Same" and namespace == route["metadata"]["namespace"]):
                yield gateway, listener

    # Rules, backends, groups

    def _rules(self, shared: Shared, port: int) -> list[tuple[Match, Action]]:
        found = [(match, self._action(shared, route, rule)) for match, route, rule in effective(shared.at(port))]
        return sorted(found, key=str)

    def _action(self, shared: Shared, route: Json, rule: Json) -> Action:
        backends = list(self._backends(route, rule))
        if not any(weight for _, weight in backends):
            return 500
        weights: dict[str, int] = {}
        for backend, weight in backends:
            group = group_label(self._group_tags(shared, backend), shared.hostname, self._targets(*backend))
            weights[group] = weights.get(group, 0) + weight
        return tuple(sorted(weights.items()))

    def _backends(self, route: Json, rule: Json) -> Iterator[tuple[Backend, int]]:
        """Namespace, name and port of those backends that can be followed, with their weights."""
        for ref in rule.get("backendRefs", []):
            namespace = ref.get("namespace", route["metadata"]["namespace"])
            service = self._one("Service", namespace, ref["name"])
            if not self._granted(route, namespace, ref["name"]) or service is None:
                continue
            if any(port["port"] == ref["port"] for port in service["spec"]["ports"]):
                yield (namespace, ref["name"], ref["port"]), ref.get("weight", 1)

    def _granted(self, route: Json, namespace: str, name: str) -> bool:
        own = route["metadata"]["namespace"]
        return namespace == own or any(
            grant["metadata"]["namespace"] == namespace
            and any(source["kind"] == "HTTPRoute" and source["namespace"] == own for source in grant["spec"]["from"])
            and any(target["kind"] == "Service" and target.get("name", name) == name for target in grant["spec"]["to"])
            for grant in self._all("ReferenceGrant")
        )

    def _used(self, shared: Shared) -> dict[Backend, Json]:
        """The backends of rules that some request can reach and that forward, each with the oldest route that has it
        in a rule that forwards."""
        reached = {
            backend
            for port in shared.ports
            for _, route, rule in effective(shared.at(port))
            for backend in self._forwarded(route, rule)
        }
        return {
            backend: next(
                member.route
                for member in shared.members
                if any(backend in self._forwarded(member.route, rule) for _, _, rule in effective([member]))
            )
            for backend in reached
        }

    def _forwarded(self, route: Json, rule: Json) -> set[Backend]:
        backends = list(self._backends(route, rule))
        return {backend for backend, _ in backends} if any(weight for _, weight in backends) else set()

    def _group_tags(self, shared: Shared, backend: Backend) -> dict[str, str]:
        namespace, name, _ = backend
        route = self._used(shared)[backend]
        tags = {
            "ClusterName": self._owner.split("/")[1],
            "ServiceName": name,
            "ServiceNamespace": namespace,
            "SourceTypeKey": "HTTPRoute",
            "ProtocolVersion": "HTTP1",
            "RouteName": route["metadata"]["name"],
            "RouteNamespace": route["metadata"]["namespace"],
        }
        return {PREFIX + key: value for key, value in tags.items()}

    def _targets(self, namespace: str, name: str, port: int) -> list[tuple[str, int]]:
        service = self._one("Service", namespace, name)
        assert service is not None
        wanted = next(entry.get("name", "") for entry in service["spec"]["ports"] if entry["port"] == port)
        targets = set()
        for piece in self._all("EndpointSlice"):
            meta = piece["metadata"]
            if meta["namespace"] != namespace or meta["labels"].get("kubernetes.io/service-name") != name:
                continue
            for entry in piece["ports"]:
                if wanted in {"", entry.get("name", "")}:
                    targets.update(
                        (address, entry["port"])
                        for endpoint in piece["endpoints"] or []
                        if not endpoint.get("conditions", {}).get("terminating")
                        for address in endpoint["addresses"]
                    )
        return sorted(targets)


def _identity(obj: Json) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


# Labels: what a service or a group is called in a difference that a person reads


def label(route: Json, hostname: str | None) -> str:
    return f"{route['metadata']['namespace']}/{route['metadata']['name']}@{hostname or 'any'}"


def group_label(tags: dict[str, str], hostname: str | None, targets: Iterable[tuple[str, int]]) -> str:
    """By the hostname of the service that uses it and the port of its targets: a group says these itself only where it
    had to be told apart when it was made."""

    def tag(name: str) -> str:
        return tags.get(PREFIX + name, "")

    ports = "".join(f":{port}" for port in sorted({port for _, port in targets}))
    backend = f"{tag('ServiceNamespace')}/{tag('ServiceName')}{ports}"
    return f"{tag('RouteNamespace')}/{tag('RouteName')}@{hostname or 'any'} to {backend}"


def labelled(entries: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    """By label; what is there twice has a label of its own."""
    found: dict[str, Json] = {}
    for label, entry in entries:
        found[f"{label} (again)" if label in found else label] = entry
    return found


def service_name(route: Json) -> str:
    name, namespace = route["metadata"]["name"], route["metadata"]["namespace"]
    return f"{name[:20].strip('-')}-{namespace[:18].strip('-')}"


# The specification, in small pieces


def probes(shared: Shared) -> list[Request]:
    """Requests at, below and beside each path of the routes, with each of their methods and sets of headers."""
    rules = [rule for member in shared.members for rule in member.route["spec"]["rules"]]
    matches = [match for rule in rules for match in rule.get("matches") or [{}]]
    values = {"/", "/elsewhere", *(path_of(match)[1] for match in matches)}
    paths = {
        path for value in values for path in (value, f"{value.rstrip('/')}/", f"{value.rstrip('/')}/x", f"{value}x")
    }
    methods = {"PATCH", *(match["method"] for match in matches if "method" in match)}
    headers = {(), *(headers_of(match) for match in matches)}
    return [Request(*each) for each in product(sorted(methods), sorted(paths), sorted(headers))]


def standalone(route: Json, gateway: Json) -> bool:
    name = f"{PREFIX}standalone"
    own = route["metadata"].get("annotations", {}).get(name)
    value = gateway["metadata"].get("annotations", {}).get(name) if own is None else own
    return (value or "").strip().lower() == "true"


def conflicted(listener: Json, listeners: list[Json]) -> bool:
    for other in listeners:
        if other is listener or other["port"] != listener["port"] or other["protocol"] not in {"HTTP", "HTTPS"}:
            continue
        if other["protocol"] != listener["protocol"] or other.get("hostname") == listener.get("hostname"):
            return True
    return False


def hostnames(listener: str | None, wanted: list[str]) -> list[str]:
    """What of the route's hostnames the listener serves; the empty one is any. No wildcards: Lattice has none."""
    if not wanted:
        common = [listener or ""]
    elif listener is None:
        common = wanted
    else:
        common = []
        for hostname in wanted:
            if covers(listener, hostname):
                common.append(hostname)
            elif covers(hostname, listener):
                common.append(listener)
    return [hostname for hostname in dict.fromkeys(common) if not hostname.startswith("*.")]


def covers(pattern: str, hostname: str) -> bool:
    if pattern.startswith("*."):
        return hostname == pattern or hostname.endswith(pattern[1:])
    return hostname == pattern


def supported(rule: Json) -> bool:
    return not any(
        match.get("queryParams") or match.get("path", {}).get("type") == "RegularExpression"
        for match in rule.get("matches") or [{}]
    )


def path_of(match: Json) -> tuple[str, str]:
    path = match.get("path", {})
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    return kind, value if kind == "Exact" else value.rstrip("/") or "/"


def headers_of(match: Json) -> tuple[tuple[str, str], ...]:
    headers: dict[str, str] = {}
    for header in match.get("headers", []):
        headers.setdefault(header["name"].lower(), header["value"])
    return tuple(sorted(headers.items()))


def rank(match: Json) -> tuple[Any, ...]:
    """The lower goes first: exact paths, then longer prefixes, then a method, then more headers."""
    kind, value = path_of(match)
    exact = kind == "Exact"
    return (not exact, 0 if exact else -len(value), match.get("method") is None, -len(headers_of(match)))


def fits(match: Json, request: Request) -> bool:
    kind, value = path_of(match)
    if kind == "Exact":
        path = request.path == value
    else:
        path = value == "/" or request.path == value or request.path.startswith(value + "/")
    return (
        path
        and match.get("method") in {None, request.method}
        and all(dict(request.headers).get(name) == wanted for name, wanted in headers_of(match))
    )


def effective(members: list[Member]) -> list[tuple[Match, Json, Json]]:
    """Lattice's matches that have to be there, each with the route and the rule that it serves.

    Of equal ones, only that of the highest precedence can be reached.
    """
    ranked = [
        (rank(match), age, rule_index, match_index, match, member.route, rule)
        for age, member in enumerate(members)
        for rule_index, rule in enumerate(member.route["spec"]["rules"])
        if supported(rule)
        for match_index, match in enumerate(rule.get("matches") or [{}])
    ]
    found: dict[Match, tuple[Json, Json]] = {}
    for *_, match, route, rule in sorted(ranked, key=lambda each: each[:4]):
        kind, value = path_of(match)
        operator = "exact" if kind == "Exact" else "prefix"
        found.setdefault((match.get("method"), operator, value, headers_of(match)), (route, rule))
    return [(match, route, rule) for match, (route, rule) in found.items()]
