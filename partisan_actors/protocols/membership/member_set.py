"""`MemberSet`: who belongs to the cluster, as a replicated set in which adding wins over removing at the same time.

Every name has one entry: the life it is about (a `NodeId` carries its incarnation) and a *length*, which is odd while
that life is a member and even once it is removed. Merging keeps, for each name, the greater (incarnation, length), so
it is commutative, associative and idempotent, and a later life replaces a former one. The rules:

1. Only the node itself adds its name, and every `add` makes the length greater, also that of a present member. A
   removal exceeds just what its author had seen, so an `add` it had not seen wins. Nobody else could promise that.
2. Whoever removes names a life: a later life that it did not know of is untouched.
3. Of removed entries only the `removed_max` latest to become so here are kept. Beyond that, a replica that still had
   the member as present could bring it back; the strategy removes it again when it cannot be reached.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import Peer

__all__ = ["Change", "MemberSet", "life_of", "name_of"]


@dataclass(frozen=True, slots=True)
class Change:
    """A merge changed the entry of a name: it is now about `peer`, of this `length`; `former` was present before."""

    peer: Peer
    length: int
    former: Peer | None

    @property
    def present(self) -> bool:
        return self.length % 2 == 1


class MemberSet:
    """One replica. Names keep the order in which they came to this replica."""

    __slots__ = ("_entries", "_removed", "_removed_max")

    def __init__(self, removed_max: int) -> None:
        """Raises ValueError when `removed_max` is less than 1."""
        if removed_max < 1:
            raise ValueError(f"removed_max = {removed_max!r} is not valid: expected an int of at least 1")
        self._removed_max = removed_max
        self._entries: dict[Peer, tuple[Peer, int]] = {}
        self._removed: dict[Peer, None] = {}  # names whose entry is even, the latest last

    def __len__(self) -> int:
        return len(self._entries) - len(self._removed)

    def __contains__(self, peer: Peer) -> bool:
        known, length = self._entries.get(name_of(peer), (None, 0))
        return known == peer and length % 2 == 1

    @property
    def members(self) -> list[Peer]:
        """Those who are in."""
        return [peer for peer, length in self._entries.values() if length % 2 == 1]

    def entries(self) -> list[tuple[Peer, int]]:
        """Everything another replica needs to merge this one, removed members included."""
        return list(self._entries.values())

    def length(self, peer: Peer) -> int:
        """The length of this life's entry, or 0 when the set has none or one of another life."""
        known, length = self._entries.get(name_of(peer), (None, 0))
        return length if known == peer else 0

    def add(self, peer: Peer, longer_than: int = 0) -> tuple[Peer, int]:
        """The new entry of `peer`, for `peer` itself to send to others.

        It exceeds what this replica knows of this life, and `longer_than`, which `peer` remembers from before it left.
        """
        length = max(self.length(peer), longer_than) + 1
        entry = (peer, length if length % 2 == 1 else length + 1)
        self.merge([entry])
        return entry

    def remove(self, peer: Peer) -> tuple[Peer, int] | None:
        """The entry that removes this life of `peer`, to be sent to others, or None when it is not a member."""
        if peer not in self:
            return None
        entry = (peer, self.length(peer) + 1)
        self.merge([entry])
        return entry

    def merge(self, entries: Iterable[tuple[Peer, int]]) -> list[Change]:
        """Take over what is newer in `entries`, and say what that was."""
        changes = []
        for peer, length in entries:
            name = name_of(peer)
            known = self._entries.get(name)
            if length < 1 or (known is not None and (life_of(peer), length) <= (life_of(known[0]), known[1])):
                continue
            former = known[0] if known is not None and known[1] % 2 == 1 else None
            self._entries[name] = (peer, length)
            changes.append(Change(peer, length, former))
            self._removed.pop(name, None)
            if length % 2 == 0:
                self._removed[name] = None
        while len(self._removed) > self._removed_max:
            oldest = next(iter(self._removed))
            del self._removed[oldest], self._entries[oldest]
        return changes


def name_of(peer: Peer) -> Peer:
    """What all lives of a node share."""
    return peer.name if isinstance(peer, NodeId) else peer


def life_of(peer: Peer) -> int:
    """Which life of its name this is: greater is later."""
    return peer.incarnation if isinstance(peer, NodeId) else 0
