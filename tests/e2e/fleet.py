"""A fleet of routes that changes at random: what the authors of a busy cluster do, at a seed's discretion.

Each step is one author's act: a route created, changed in one of its parts or deleted, a pod that comes or goes, a
Service removed, a grant given, a Gateway's listener changed. Names and values come from small sets, so that acts meet:
routes contend for hostnames, share backends, lose and regain them.
"""

from collections.abc import Mapping
from random import Random
from typing import Any

from tests.e2e.harness import PREFIX, Json, World
from tests.e2e.objects import backend, gateway, gateway_class, grant, listener, namespace, parent, route, rule, service

NAMESPACES = ("default", "shop")
BACKENDS = ("blue", "green", "red", "grey", "wide")
PATHS = ("/", "/a", "/a/b", "/a/bc", "/cart", "/cart/items", "/health")
METHODS = ("GET", "POST", "PUT")
HEADERS = ("version", "canary")
SHARED_HOSTNAMES = ("shop.example.com", "api.example.com")
NETWORKS = ("public", "private")

OPEN = {"allowedRoutes": {"namespaces": {"from": "All"}}}
LISTENERS: Mapping[str, tuple[tuple[Json, ...], ...]] = {
    "public": (
        (listener("http", 80, **OPEN), listener("other", 8080, **OPEN)),
        (listener("http", 80, **OPEN), listener("other", 8080)),
        (listener("http", 80, **OPEN), listener("other", 8081, **OPEN)),
    ),
    "private": (
        (listener("http", 80, **OPEN), listener("example", 8080, hostname="*.example.com", **OPEN)),
        (listener("http", 80, **OPEN), listener("example", 8080, hostname="api.example.com", **OPEN)),
        (listener("http", 80, **OPEN),),
    ),
}
"""Of each Gateway, what its listeners may be."""


class Fleet:
    """Acts on the world, and remembers what it asked for, to change it."""

    def __init__(self, world: World, rng: Random) -> None:
        self._world = world
        self._rng = rng
        self._routes: dict[tuple[str, str], Json] = {}
        self._pods: dict[tuple[str, str], list[str]] = {}
        self._granted = False
        self._made = 0
        self._acts = (
            *(self._change_route,) * 6,
            *(self._change_pods,) * 6,
            *(self._delete_route,) * 2,
            self._change_service,
            self._change_grant,
            self._change_gateway,
        )

    @property
    def made(self) -> int:
        """How many routes were created so far."""
        return self._made

    async def found(self) -> None:
        """Make what the routes need: networks, Gateways, namespaces, Services with pods."""
        for name in NETWORKS:
            self._world.make_network(name)
            await self._world.apply(gateway(name, *LISTENERS[name][0]))
        await self._world.apply(gateway_class(), *(namespace(name) for name in NAMESPACES if name != "default"))
        for where in NAMESPACES:
            for name in BACKENDS:
                await self._world.apply(_service(name, where))
                self._pods[where, name] = [self._address() for _ in range(self._rng.randrange(4))]
                await self._world.apply(_endpoints(name, where, self._pods[where, name]))

    async def create_route(self) -> None:
        """One more route."""
        name, where = f"route-{self._made}", self._rng.choice(NAMESPACES)
        self._made += 1
        self._routes[where, name] = route(
            name,
            *(self._rule(where) for _ in range(self._rng.randint(1, 3))),
            namespace=where,
            parents=self._parents(),
            hostnames=self._hostnames(name),
            annotations=self._annotations(),
        )
        await self._world.apply(self._routes[where, name])

    async def act(self) -> None:
        """One act of somebody's."""
        await self._rng.choice(self._acts)()

    async def delete_all_routes(self) -> None:
        for where, name in tuple(self._routes):
            await self._world.delete("HTTPRoute", name, namespace=where)
        self._routes.clear()

    async def _change_route(self) -> None:
        if not self._routes:
            return
        where, name = self._rng.choice(sorted(self._routes))
        changed = self._routes[where, name]
        spec = changed["spec"]
        match self._rng.randrange(7):
            case 0:
                spec["rules"].append(self._rule(where))
                del spec["rules"][:-4]
            case 1 if len(spec["rules"]) > 1:
                spec["rules"].pop(self._rng.randrange(len(spec["rules"])))
            case 2:
                spec["rules"][self._rng.randrange(len(spec["rules"]))] = self._rule(where)
            case 3:
                spec["parentRefs"] = self._parents()
            case 4:
                spec["hostnames"] = self._hostnames(name)
            case 5:
                changed["metadata"]["annotations"] = self._annotations()
            case _:
                for entry in self._rng.choice(spec["rules"])["backendRefs"]:
                    entry["weight"] = self._rng.randrange(100)
        await self._world.apply(changed)

    async def _delete_route(self) -> None:
        if self._routes:
            where, name = self._rng.choice(sorted(self._routes))
            del self._routes[where, name]
            await self._world.delete("HTTPRoute", name, namespace=where)

    async def _change_pods(self) -> None:
        where, name = self._rng.choice(sorted(self._pods))
        pods = self._pods[where, name]
        if pods and self._rng.random() < 0.5:
            pods.pop(self._rng.randrange(len(pods)))
        else:
            pods.append(self._address())
        await self._world.apply(_endpoints(name, where, pods))

    async def _change_service(self) -> None:
        where, name = self._rng.choice(sorted(self._pods))
        if self._world.get("Service", name, namespace=where) is None:
            await self._world.apply(_service(name, where))
        else:
            await self._world.delete("Service", name, namespace=where)

    async def _change_grant(self) -> None:
        if self._granted:
            await self._world.delete("ReferenceGrant", "routes", namespace="shop")
        else:
            await self._world.apply(grant("shop", "default", name="routes"))
        self._granted = not self._granted

    async def _change_gateway(self) -> None:
        name = self._rng.choice(NETWORKS)
        await self._world.apply(gateway(name, *self._rng.choice(LISTENERS[name])))

    def _address(self) -> str:
        return f"10.{self._rng.randrange(256)}.{self._rng.randrange(256)}.{self._rng.randrange(1, 255)}"

    def _parents(self) -> list[Json]:
        names = self._rng.choice([("public",), ("private",), ("public", "private"), ("public",), ("missing", "public")])
        sections: list[Json] = [{}, {}, {"sectionName": "http"}, {"port": 8080}, {"sectionName": "nowhere"}]
        return [parent(name, namespace="default", **self._rng.choice(sections)) for name in names]

    def _hostnames(self, name: str) -> list[str]:
        draw = self._rng.random()
        if draw < 0.6:
            return []
        own = [f"{name}.example.com", f"{name}.example.org"]
        if draw < 0.8:
            return self._rng.sample(own, self._rng.randint(1, 2))
        return self._rng.sample([*own, *SHARED_HOSTNAMES, "*.example.com"], self._rng.randint(1, 3))

    def _annotations(self) -> dict[str, str]:
        return {f"{PREFIX}standalone": "true"} if self._rng.random() < 0.1 else {}

    def _rule(self, where: str) -> Json:
        refs = [self._backend(where) for _ in range(self._rng.choice((0, 1, 1, 1, 2, 2, 3)))]
        return rule(*refs, matches=[self._match() for _ in range(self._rng.choice((1, 1, 2)))])

    def _backend(self, where: str) -> Json:
        name, more = self._rng.choice([*BACKENDS, "missing"]), dict[str, Any]()
        if self._rng.random() < 0.15:
            more["namespace"] = self._rng.choice(NAMESPACES)
        port = self._rng.choice((80, 8080)) if name == "wide" else 80
        return backend(name, port=port, weight=self._rng.choice((0, 1, 1, 10, 90)), **more)

    def _match(self) -> Json:
        match: Json = {}
        if self._rng.random() < 0.9:
            kind = self._rng.choice(("PathPrefix", "PathPrefix", "Exact"))
            match["path"] = {"type": kind, "value": self._rng.choice(PATHS)}
        if self._rng.random() < 0.3:
            match["method"] = self._rng.choice(METHODS)
        if self._rng.random() < 0.3:
            names = self._rng.sample(HEADERS, self._rng.randint(1, 2))
            match["headers"] = [{"name": name, "value": self._rng.choice("12")} for name in names]
        if self._rng.random() < 0.03:
            match["queryParams"] = [{"name": "q", "value": "1"}]
        return match


def _service(name: str, where: str) -> Json:
    made = service(name, namespace=where)
    if name == "wide":
        made["spec"]["ports"] = [
            {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8090},
            {"name": "admin", "port": 8080, "protocol": "TCP", "targetPort": 9090},
        ]
    return made


def _endpoints(name: str, where: str, addresses: list[str]) -> Json:
    ports: list[Json] = [{"name": "http", "port": 8090, "protocol": "TCP"}]
    if name == "wide":
        ports.append({"name": "admin", "port": 9090, "protocol": "TCP"})
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": where, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": index % 2 == 0}} for index, address in enumerate(addresses)
        ],
    }
