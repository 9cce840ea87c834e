"""How a Lattice call fails: four outcomes, by what the caller has to do next.

| error         | what it means                                            | what the caller does                      |
|---------------|----------------------------------------------------------|-------------------------------------------|
| RetryError    | nobody's fault: throttled, unreachable, 5xx, credentials | the key again, after `after` seconds      |
| TerminalError | it will fail again: invalid, no permission, a quota      | report it on the object; again when that  |
|               |                                                          | changes, or slowly                        |
| SuspectError  | contradicts what we believed: not found, conflict        | read and plan again, once; then back off  |
| FencedError   | we do not hold the lease long enough: this attempt was   | the key again, in some seconds: by then   |
|               | not sent                                                 | it is renewed, or this process is ending  |

A call may take several attempts, and what ended it is the last one's error only. Whether the call had an effect is
another question, and `undecided` answers it: a create that timed out, and was then refused, may have made something.

Messages are for the people who run the controller, and say what to change: they end in conditions, events and logs.

**Lease and fence.** One replica writes at a time: the holder of a Kubernetes Lease. A check at the start of a reconcile
would be worthless, because a call may wait for its turn, for credentials or for a connection while the lease runs out.
So the fence is asked as the last synchronous step before an attempt of a write is sent, and answers yes only if the
lease stays valid for longer than the attempt may take at all, its hard time-out. An attempt that the fence let pass has
therefore ended, one way or the other, before the lease can have a new holder; what it cannot do is recall bytes that
Lattice has received and works on. Such a late write is why a new holder reads again what it first touches. When a
renewal is slow the fence closes for a moment only, so the key must not be forgotten. Reads are never fenced.
"""


class LatticeError(Exception):
    """A call to AWS that did not succeed; always one of the four subclasses.

    `operation` is the API operation (`CreateService`), `code` AWS's error code or, for what never got an answer, a name
    of ours such as `Timeout`; `message` is for users; `request_id` is AWS's, None where there was no answer.
    """

    undecided: bool = False
    """Whether any attempt of the call, not only the last, may have had its effect or may have it still: it was sent,
    and no answer of AWS says that it was refused."""

    def __init__(self, operation: str, code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(operation, code, message, request_id)
        self.operation = operation
        self.code = code
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.operation}: {self.message}"


class RetryError(LatticeError):
    """Worth trying again later; the client has already tried for a while.

    `after` is how many seconds AWS asked to wait, or None; `throttled` tells that the account's API limits were the
    cause, which is no failure of the key; `quota_code` names the limit where AWS says so.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str,
        request_id: str | None = None,
        *,
        after: float | None = None,
        throttled: bool = False,
        quota_code: str | None = None,
    ) -> None:
        super().__init__(operation, code, message, request_id)
        self.after = after
        self.throttled = throttled
        self.undecided = not throttled
        self.quota_code = quota_code


class TerminalError(LatticeError):
    """Refused for good: validation, missing permission, or a quota, whose code is then in `quota_code`."""

    def __init__(
        self, operation: str, code: str, message: str, request_id: str | None = None, *, quota_code: str | None = None
    ) -> None:
        super().__init__(operation, code, message, request_id)
        self.quota_code = quota_code


class SuspectError(LatticeError):
    """What we believe of Lattice is wrong: the resource is gone, or something conflicts with the change.

    `resource_type` and `resource_id` name what AWS complains about, as it names them, where it does.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str,
        request_id: str | None = None,
        *,
        resource_type: str | None = None,
        resource_id: str | None = None,
    ) -> None:
        super().__init__(operation, code, message, request_id)
        self.resource_type = resource_type
        self.resource_id = resource_id

    @property
    def not_found(self) -> bool:
        """Whether the resource does not exist, which is what a delete wants; otherwise it is a conflict."""
        return self.code == "ResourceNotFoundException"


class FencedError(LatticeError):
    """This replica does not hold the lease long enough for the call's whole time-out, and sends nothing (more)."""

    def __init__(self, operation: str) -> None:
        super().__init__(
            operation,
            "Fenced",
            "nothing more is sent: this replica does not hold the leader election lease long enough",
        )
