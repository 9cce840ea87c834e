"""Whose turn it is: what one key uses becomes another's only between two passes, and nobody loses it without hearing.

The queue keeps two passes of one key apart, and each resource has one key. But which key that is may change: the
service of a hostname has another one when the networks change through which it is offered, a target group when its
route changes a backend's port. If the new key began while the old one is still in its pass, two plans that know nothing
of each other would be run on one resource, and nobody would look at what the later one left.

So a key that wants what a key in its pass uses is turned away, and woken when that pass has ended. What is taken from a
key that rests wakes that key, to see what it has now. A service is read before it is known whether it may be taken;
whose it is begins no work on it meanwhile, or what was read would be out of date and be believed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.api.keys import Key
from controller.lattice.inventory.mirror import Claimant, Claims


class TakenError(Exception):
    """Another key uses in its present pass what this one wants; this one is woken when that pass has ended."""

    def __init__(self, key: Key, holder: Key) -> None:
        super().__init__(key, holder)
        self.key = key
        self.holder = holder

    def __str__(self) -> str:
        return f"{self.holder} is at work on it"


class Turns:
    """`wake` adds a key to its queue."""

    def __init__(self, wake: Callable[[Key], None]) -> None:
        self._wake = wake
        self._passing: dict[Key, dict[Key, None]] = {}
        """Keys in their passes, each with those that wait for its end."""
        self._readers: dict[str, Key] = {}
        """Who reads what at present, by ids."""

    @contextmanager
    def pass_of(self, key: Key) -> Iterator[None]:
        """While a key makes its pass, nobody takes from it what it claims."""
        self._passing[key] = {}
        try:
            yield
        finally:
            for waiting in self._passing.pop(key):
                self._wake(waiting)

    def ask(self, claims: Claims[Claimant], key: Claimant, ident: str) -> None:
        """Whether the key may have it. Raises TakenError if not now."""
        other = self._at_work(claims, key, ident)
        if other is not None:
            self._passing[other][key] = None
            raise TakenError(key, other)

    def _at_work(self, claims: Claims[Claimant], key: Claimant, ident: str) -> Key | None:
        """Another key in its pass, which uses or reads it."""
        others = (claims.key_of(ident), self._readers.get(ident))
        return next((one for one in others if one is not None and one != key and one in self._passing), None)

    @contextmanager
    def reading(self, key: Key, ident: str) -> Iterator[None]:
        """Around reading what the key may have (`ask`): nobody else works on it meanwhile."""
        self._readers[ident] = key
        try:
            yield
        finally:
            self._readers.pop(ident, None)

    def take(self, claims: Claims[Claimant], key: Claimant, ident: str) -> None:
        """Claim it. Raises TakenError."""
        self.ask(claims, key, ident)
        holder: Key | None = claims.key_of(ident)
        claims.claim(key, ident)
        if holder is not None and holder != key:
            self._wake(holder)

    def keep(self, claims: Claims[Claimant], key: Claimant, ident: str) -> None:
        """Claim what the key has just made, unless another one has met its name meanwhile and is at work on it."""
        if self._at_work(claims, key, ident) is None:
            self.take(claims, key, ident)
