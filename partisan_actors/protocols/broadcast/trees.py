"""`Trees`: which links of one node are eager and which lazy, in one tree for all origins or in one for each.

A *shared* tree costs one set of links and serves every origin, over ways that suit the first one best. A tree *per
root* has the shortest ways from its own origin, and costs a set of links for each (Epidemic Broadcast Trees, section
3.8). A root's own links are made when it is first heard of, all eager, so its first message is a flood. Rules:

1. A new neighbour is eager in every tree, or lazy in every one, and no other link of any tree changes for it.
2. At most `roots_max` roots have links of their own. The next root takes the place of the one that was silent for
   longest, if that has been `root_idle_s`; otherwise it uses the common links, which all such roots share. Which roots
   those are may differ from node to node: that costs payloads or grafts, and no delivery.
"""

from __future__ import annotations

from partisan_actors.protocols.machine import Peer

__all__ = ["PER_ROOT", "SHARED", "TREES", "Links", "Trees"]

SHARED = "shared"
PER_ROOT = "per_root"
TREES = (SHARED, PER_ROOT)

# Neighbours in the order in which they came, and whether each is eager.
Links = dict[Peer, bool]


class Trees:
    """The links of one node, by root."""

    __slots__ = ("_idle_s", "_is_shared", "_roots", "_roots_max", "_used", "common")

    def __init__(self, kind: str, roots_max: int, root_idle_s: float) -> None:
        self._is_shared = kind == SHARED
        self._roots_max = roots_max
        self._idle_s = root_idle_s
        self.common: Links = {}
        self._roots: dict[Peer, Links] = {}
        self._used: dict[Peer, float] = {}  # when a root was last heard of, the longest ago first

    def __len__(self) -> int:
        """How many roots have links of their own."""
        return len(self._roots)

    def of(self, root: Peer, now: float) -> Links:
        """The links that messages of `root` use, for reading and for changing."""
        if self._is_shared:
            return self.common
        links = self._roots.get(root)
        if links is None:
            if len(self._roots) >= self._roots_max and not self._make_room(now):
                return self.common
            links = self._roots[root] = dict.fromkeys(self.common, True)
        self._used.pop(root, None)
        self._used[root] = now
        return links

    def look(self, root: Peer) -> Links:
        """The same, for people to look at: nothing is made."""
        return self._roots.get(root, self.common)

    def up(self, peer: Peer, *, eager: bool = True) -> None:
        """`peer` is a neighbour now."""
        self.common.setdefault(peer, eager)
        for links in self._roots.values():
            links.setdefault(peer, eager)

    def down(self, peer: Peer) -> bool:
        """`peer` is no neighbour any more; returns whether it was eager in any tree."""
        was_eager = any(links.get(peer, False) for links in (self.common, *self._roots.values()))
        self.common.pop(peer, None)
        for links in self._roots.values():
            links.pop(peer, None)
        return was_eager

    def _make_room(self, now: float) -> bool:
        quietest, used = next(iter(self._used.items()))
        if now - used < self._idle_s:
            return False
        del self._used[quietest], self._roots[quietest]
        return True
