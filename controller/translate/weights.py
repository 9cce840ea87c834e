"""Weights: from the Gateway API's 0-1,000,000 to VPC Lattice's 0-999, with the shares as near as they can be.

Source: Gateway API v1.6, `BackendRef.weight`; VPC Lattice API reference, `WeightedTargetGroup`.
"""

from collections.abc import Sequence
from math import gcd
from typing import Final

MAX_WEIGHT: Final = 999


def scale(weights: Sequence[int]) -> tuple[int, ...]:
    """Weights that Lattice takes. Those that it takes already stay as they are; only zero becomes zero."""
    largest = max(weights, default=0)
    if largest <= MAX_WEIGHT:
        return tuple(weights)
    divisor = gcd(*weights)
    reduced = tuple(weight // divisor for weight in weights)
    if largest // divisor <= MAX_WEIGHT:
        return reduced
    return min((_fit(reduced, top) for top in range(1, MAX_WEIGHT + 1)), key=lambda scaled: _error(reduced, scaled))


def _fit(weights: Sequence[int], top: int) -> tuple[int, ...]:
    """The weights in proportion, the largest becoming `top`."""
    largest = max(weights)
    return tuple(max(1, (2 * weight * top + largest) // (2 * largest)) if weight else 0 for weight in weights)


def _error(wanted: Sequence[int], scaled: Sequence[int]) -> float:
    """By how much the share of traffic differs where it differs most."""
    all_wanted, all_scaled = sum(wanted), sum(scaled)
    return max(abs(a / all_wanted - b / all_scaled) for a, b in zip(wanted, scaled, strict=True))
