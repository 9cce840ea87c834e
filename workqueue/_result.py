"""What a reconcile answers: whether, and when, it wants to see its key again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a reconcile that did not fail; `Result()` and None both say that there is nothing left to do.

    `requeue_after`: look at the key again after so many seconds, at the priority it has now. The key counts as
    succeeded, its failures are forgotten.

    `requeue`: try again as after a failure, rate limited, but without an error being reported. Ignored when
    `requeue_after` is given.
    """

    requeue_after: float | None = None
    requeue: bool = False
