"""Ingest of 20,000 HTTPRoutes: from the bytes of list pages to an indexed store.

The way is the informer's: page by page, each item decoded alone into its struct, then all of it put into a store with
the indexes of routes. The reference is msgspec's decoding of the same bytes with nothing around it, once into the
same structs and once into plain dicts; the goal is held against the first, which is the quicker one.
"""

import msgspec

from controller.api.gateway import HTTPRoute
from controller.api.meta import Struct
from controller.api.resources import HTTP_ROUTES
from controller.kube.decode import Decoder
from controller.kube.reflector import PAGE_SIZE
from controller.kube.store import Store
from controller.reconcile.view import INDEXERS
from perf.measure import Measurement, best, timed
from perf.samples import list_page, route

ROUTES = 20_000
ROUNDS = 7
GOAL_RATIO = 3.0


class _List(Struct, frozen=True):
    items: list[HTTPRoute]


def measure() -> list[Measurement]:
    """Run it, for some seconds."""
    pages = [
        list_page("HTTPRoute", "gateway.networking.k8s.io/v1", map(route, range(start, start + PAGE_SIZE)))
        for start in range(0, ROUTES, PAGE_SIZE)
    ]
    bare = msgspec.json.Decoder(_List)

    def ingest() -> Store[HTTPRoute]:
        decoder = Decoder(HTTP_ROUTES)
        store: Store[HTTPRoute] = Store(INDEXERS[HTTP_ROUTES])
        store.replace([obj for page in pages for obj in decoder.page(page).objects], "1")
        return store

    assert len(ingest().by_index("namespace", "namespace-0")) == ROUTES // 100
    value, typed, plain = best(
        ROUNDS,
        timed(ingest),
        timed(lambda: [bare.decode(page) for page in pages]),
        timed(lambda: [msgspec.json.decode(page) for page in pages]),
    )
    name = f"{ROUTES:,} HTTPRoutes ({sum(map(len, pages)) / 1e6:.0f} MB) into an indexed store"
    return [
        Measurement(
            name,
            value,
            "msgspec, bare, into the structs",
            typed,
            f"ratio ≤ {GOAL_RATIO:g}",
            value / typed <= GOAL_RATIO,
        ),
        Measurement(
            name, value, "msgspec, bare, into dicts", plain, f"ratio ≤ {GOAL_RATIO:g}", value / plain <= GOAL_RATIO
        ),
    ]
