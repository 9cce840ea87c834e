"""How the sandbox behaves during a load test: latency, creation times, throttling; all of it seeded."""

import math
from collections.abc import Mapping

import msgspec

from sandbox.lattice import Rate, Timings

Span = tuple[float, float]


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds; a span is the least and the greatest."""

    seed: int = 1
    latency: float = 0.02
    """Of each AWS call."""
    resource_span: Span = (0.5, 1.5)
    """Creating or deleting a service or a target group."""
    association_span: Span = (0.5, 2.0)
    """Creating or deleting an association."""
    throttles: str = "4"
    """Rates beyond which the sandbox throttles in the phase that is about it, as `parse_rates` reads them."""

    def timings(self) -> Timings:
        """For the sandbox. Raises ValueError for what is no span."""
        resource, association = self.resource_span, self.association_span
        return Timings(
            service_create=resource,
            service_delete=resource,
            target_group_create=resource,
            target_group_delete=resource,
            service_association_create=association,
            service_association_delete=association,
            vpc_association_create=association,
            vpc_association_update=association,
            vpc_association_delete=association,
        )


def parse_rates(text: str) -> Mapping[str, Rate]:
    """`[operation=]calls a second[:calls at once]`, separated by commas; "*" stands for operations not named.

    This is the form of the controller's LATTICE_API_RATES. Raises ValueError.
    """
    rates: dict[str, Rate] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        operation, _, numbers = item.rpartition("=")
        per_second, colon, burst = numbers.partition(":")
        rate = float(per_second)
        if not rate < math.inf:
            raise ValueError(f"{item}: a rate is finite")
        rates[operation.strip() or "*"] = Rate(rate, float(burst) if colon else max(1.0, rate))
    return rates
