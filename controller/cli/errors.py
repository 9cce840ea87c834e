"""Exceptions as a command line shows them."""

from collections.abc import Sequence


def leaves(group: BaseExceptionGroup[BaseException]) -> Sequence[BaseException]:
    """The exceptions themselves, without the groups that they got on their way through task groups."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
