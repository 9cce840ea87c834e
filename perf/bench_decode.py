"""Decoding a list of EndpointSlices: the controller's structs and kubernetes-asyncio's models, from the same bytes."""

import asyncio
from types import SimpleNamespace

from kubernetes_asyncio.client import ApiClient

from controller.api.resources import ENDPOINT_SLICES
from controller.kube.decode import Decoder
from perf.measure import Measurement, best, timed
from perf.samples import endpoint_slice, list_page

SLICES = 500
ROUNDS = 5
GOAL_RATIO = 15.0


def measure() -> list[Measurement]:
    """Run it, for some seconds."""
    return asyncio.run(_measure())


async def _measure() -> list[Measurement]:
    body = list_page("EndpointSlice", "discovery.k8s.io/v1", map(endpoint_slice, range(SLICES)))
    answer = SimpleNamespace(data=body.decode())
    decoder = Decoder(ENDPOINT_SLICES)
    async with ApiClient() as client:
        models = client.deserialize(answer, "V1EndpointSliceList")
        assert len(decoder.page(body).objects) == len(models.items) == SLICES
        value, reference = best(
            ROUNDS,
            timed(lambda: decoder.page(body)),
            timed(lambda: client.deserialize(answer, "V1EndpointSliceList")),
        )
    return [
        Measurement(
            f"{SLICES} EndpointSlices from bytes",
            value,
            "kubernetes-asyncio's models",
            reference,
            f"≥ {GOAL_RATIO:g} × faster",
            reference / value >= GOAL_RATIO,
        )
    ]
