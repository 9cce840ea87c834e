"""Weights: from the Gateway API's 0-1,000,000 to VPC Lattice's 0-999, with the shares as near as they can be.

What two values can be in the end is a best rational approximation, found directly. Of more values the largest becomes
the largest that there is, and the others follow by rounding: within half a step of the finest scale.

Source: Gateway API v1.6, `BackendRef.weight`; VPC Lattice API reference, `WeightedTargetGroup`.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import gcd
from typing import Final

MAX_WEIGHT: Final = 999


def scale(weights: Sequence[int]) -> tuple[int, ...]:
    """Weights that Lattice takes. Those that it takes already stay as they are; only zero becomes zero."""
    largest = max(weights, default=0)
    if largest <= MAX_WEIGHT:
        return tuple(weights)
    divisor = gcd(*weights)
    if largest // divisor <= MAX_WEIGHT:
        return tuple(weight // divisor for weight in weights)
    return _fit(weights, largest, _top(weights, largest))


def _top(weights: Sequence[int], largest: int) -> int:
    """What the largest weight becomes."""
    others = {weight for weight in weights if weight not in {0, largest}}
    if len(others) != 1:
        return MAX_WEIGHT
    ratio = Fraction(others.pop(), largest).limit_denominator(MAX_WEIGHT)
    return ratio.denominator if ratio else MAX_WEIGHT


def _fit(weights: Sequence[int], largest: int, top: int) -> tuple[int, ...]:
    """The weights in proportion, the largest becoming `top`."""
    return tuple(max(1, (2 * weight * top + largest) // (2 * largest)) if weight else 0 for weight in weights)
