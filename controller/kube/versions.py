"""Comparing resourceVersions.

A resourceVersion is opaque but for one promise: versions of one kind that are written in digits grow with time, and may
be compared as numbers. Any other text can only be told equal or different.

Source: KEP-5504, "Comparable Resource Version".
"""


def newer(version: str, than: str) -> bool | None:
    """Whether `version` was written after `than`; None where the two cannot be compared."""
    if version == than:
        return False
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return None
