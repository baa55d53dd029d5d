"""Nodes that no one knows: what a handle or a ref names that outlived its cluster, or came from another one.

Such a node cannot be dialled, and what is relayed to it gets lost, so whoever waits for its answer would wait for ever.
Its record may also just not have come here yet, which is why it is given STRANGER_S seconds.
"""

from __future__ import annotations

import asyncio
from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.node.directory import ANOTHER_LIFE, Directory
from partisan_actors.node.router import Peer, Router

__all__ = ["Strangers"]

# Longer than a record takes that a broadcast missed and only the comparison of maps brings (every 7.5 to 12.5 s).
STRANGER_S: Final = 15.0
# Looking takes time in proportion to the peers that were ever met: so long it rests for each of them, and at most.
REST_S: Final = 0.005
REST_S_MAX: Final = 5.0
# So many that are not in use are remembered, those that were met last.
STRANGERS_KEPT: Final = 1024


class Strangers:
    """Looks after the peers of one router that the directory has no record of."""

    def __init__(self, router: Router, directory: Directory, loop: asyncio.AbstractEventLoop) -> None:
        self._router = router
        self._directory = directory
        self._loop = loop
        self._since: dict[NodeId, float] = {}
        self._swept_at = float("-inf")

    def sweep(self) -> None:
        """Mark those down that somebody has waited for in vain. They are up again once their record comes."""
        now = self._loop.time()
        if now - self._swept_at < min(REST_S * len(self._router.peers), REST_S_MAX):
            return
        self._swept_at = now
        since: dict[NodeId, float] = {}
        for peer in list(self._router.peers.values()):
            node = peer.node
            is_waited_for = peer.pending and not peer.is_connected and peer.down is None and not peer.is_self
            if not is_waited_for or self._directory.find(node) is not None:
                continue
            record = self._directory.records.get(node.name)
            since[node] = self._since.get(node, now)
            if record is not None and record.node.incarnation > node.incarnation:
                self._router.mark_down(node, ANOTHER_LIFE)
            elif now - since[node] >= STRANGER_S:
                self._router.mark_down(node, "no node of this cluster knows it")
        self._since = since
        self._forget()

    def _forget(self) -> None:
        """Let go of those that nobody knows or talks to any more: former lives, and whoever just came by."""
        if len(self._router.peers) <= STRANGERS_KEPT:
            return
        unused = [peer for peer in self._router.peers.values() if self._is_unused(peer)]
        for peer in unused[:-STRANGERS_KEPT]:
            # For whoever holds it still, and for what is kept of it elsewhere.
            self._router.mark_down(peer.node, peer.down or "no node of this cluster has known it for long")
            self._router.forget(peer.node)

    def _is_unused(self, peer: Peer) -> bool:
        is_in_use = peer.open or peer.pending or peer.waiting or peer.is_held or peer.is_self
        return not is_in_use and self._directory.find(peer.node) is None
