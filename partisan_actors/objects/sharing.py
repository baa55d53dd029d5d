"""Large buffers between nodes of one host: mapped over there instead of sent.

The rules this file keeps:

1. What a message takes along is copied once, when it is encoded: into a segment, if together it is SHARED_BYTES_MIN or
   more and may be for a node of this host. `bytes` are not, because there they would have to be copied again.
2. A node of this host is one whose place for segments is seen here, beside our own: it has made that itself, under the
   id it proved in its handshake. Nobody is asked, so this holds from the first message on.
3. A message says which pieces of its sender's own segments it stands for, never a path. It is small, and keeps its
   place in its lane. The sender keeps the pieces until the receiver says that it has them, or is down.
4. What cannot be mapped is told like anything that was lost on the way; after that the two nodes do without.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from partisan_actors.actors.outbound import as_sent, copies_of
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import PartisanError, ProtocolError
from partisan_actors.ids import NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.objects.places import Place, memory_base, sweep, sweep_place
from partisan_actors.objects.segments import Piece, Segments
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.mapped import mapped

__all__ = ["SHARED_BYTES_MIN", "Sharing"]

logger = logging.getLogger(__name__)

SHARED_BYTES_MIN: Final = 1024 * 1024


class Sharing:
    """The shared memory of one node, once `start` has found some. Everything belongs to the loop but `copy`."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._node = system.node
        self.segments: Segments | None = None
        self._mates: set[NodeId] = set()
        self._strangers: set[NodeId] = set()
        self._numbers = itertools.count(1)
        # What was sent and not yet taken, by receiver and number.
        self._handed: dict[NodeId, dict[int, list[memoryview]]] = {}
        self.mapped_count = 0
        self.failed_count = 0

    def start(self, bytes_max: int, base: Path | None = None) -> None:
        """Make a place for segments, of at most so many bytes; without one, everything is sent.

        Once the cluster is known. What nodes have left behind that are gone is swept away.
        """
        base = base or memory_base()
        try:
            sweep(base)
            place = Place(base, self._node.cluster, self._system.me)
        except OSError as error:
            self._node.troubles.tell("shared memory", f"there is none: values are sent instead ({error})", error)
            return
        if "shm" not in base.parts and not os.environ.get("PARTISAN_SHM_DIR"):
            logger.warning("there is no /dev/shm: what nodes of this host share is in files in %s", base)
        self.segments = Segments(place, bytes_max)
        system = self._system
        system.copy_buffers = self.copy
        self._node.router.share = self.send
        system.dispatch[Kind.MAPPED] = self.on_mapped
        system.dispatch[Kind.MAPPED_TAKEN] = self.on_taken
        self._node.directory.on_down.append(self._node_down)
        self._node.on_sweep.append(self.segments.trim)

    def close(self) -> None:
        """Give all of it back. What others have mapped stays theirs."""
        segments, self.segments = self.segments, None
        self._handed.clear()
        if segments is not None:
            segments.close()

    def is_mate(self, peer: Peer) -> bool:
        """Whether that node can map our segments, and we its: it is this one, or one on this host. From any thread."""
        node, segments = peer.node, self.segments
        if peer.is_self or node in self._mates:
            return segments is not None
        if segments is None or node in self._strangers or not (segments.path.parent / str(node)).is_dir():
            return False
        self._mates.add(node)
        return True

    # ---- leaving ----------------------------------------------------------------------------------------------

    def copy(self, views: Sequence[memoryview], peer: Peer | None) -> list[Any]:
        """These buffers as they are now, for a message to `peer`, or to nobody knows whom yet. From any thread."""
        segments = self.segments
        large = [view for view in views if not _is_bytes(view)]
        if segments is None or sum(view.nbytes for view in large) < SHARED_BYTES_MIN:
            return copies_of(views, peer)
        if peer is not None and not self.is_mate(peer):
            return copies_of(views, peer)
        new = [view for view in large if segments.find(view) is None]
        copies = segments.copy(new) if sum(view.nbytes for view in new) >= SHARED_BYTES_MIN else None
        if copies is None:
            return copies_of(views, peer)
        by_view = dict(zip(map(id, new), copies, strict=True))
        return [by_view.get(id(view)) or as_sent(view) for view in views]

    def send(
        self, peer: Peer, message: bytes, buffers: Sequence[Any], channel: str, affinity: int, in_order: bool
    ) -> bool:
        """Send a message with pieces of our segments in place of those of its buffers that are such pieces.

        False, and nothing is sent, if none is, or the peer is not of this host. Raises NodeDown, NoRoute, Overloaded.
        """
        segments = self.segments
        if segments is None:
            return False
        pieces = [segments.find(each) if type(each) is memoryview else None for each in buffers]
        if not any(pieces) or not self.is_mate(peer):
            return False
        number = next(self._numbers)
        handed = self._handed.setdefault(peer.node, {})
        handed[number] = [each for each, piece in zip(buffers, pieces, strict=True) if piece is not None]
        rest = [each for each, piece in zip(buffers, pieces, strict=True) if piece is None]
        message = mapped(message, number, [None if piece is None else list(piece) for piece in pieces])
        try:
            if not rest:
                peer.send(message, channel, affinity)
            elif in_order:
                peer.send_large(message, rest, channel, affinity)
            else:
                peer.reply_large(message, rest, channel, affinity)
        except PartisanError:
            handed.pop(number, None)
            raise
        self.mapped_count += 1
        return True

    def on_taken(self, peer: Peer, m: list[Any], buffers: Any = None) -> None:
        """A receiver has what a message stood for; or, with False, has not, and never will."""
        _, number, has_them = m
        handed = self._handed.get(peer.node, {}).pop(number, None)
        if handed is not None and not has_them:
            self._mates.discard(peer.node)
            self._strangers.add(peer.node)

    def _node_down(self, record: NodeRecord, why: str) -> None:
        for views in self._handed.pop(record.node, {}).values():
            for view in views:
                if self.segments is not None:
                    self.segments.condemn(view)  # it may be slow, and not down
        self._mates.discard(record.node)
        self._strangers.discard(record.node)
        if self.segments is not None and record.host == self._node.world.host_name():
            place = self.segments.path.parent / str(record.node)
            threading.Thread(target=sweep_place, args=(place,), name="sweep", daemon=True).start()

    # ---- arriving ---------------------------------------------------------------------------------------------

    def on_mapped(self, peer: Peer, m: list[Any], buffers: Sequence[Any] | None = None) -> None:
        """A message arrived with pieces of its sender's segments for buffers."""
        _, number, count, *fields = m
        inner, told = fields[: len(fields) - count], fields[len(fields) - count :]
        if not inner or type(inner[0]) is not int or len(told) != count:
            raise ProtocolError("a message with pieces of segments that is none")
        try:
            views = iter(self._views(peer, number, [Piece(*each) for each in told if each is not None]))
        except (OSError, ValueError, TypeError) as error:
            self.failed_count += 1
            logger.warning("a segment of node %s cannot be mapped: %s", peer.node, error)
            self._say_taken(peer, number, has_them=False)
            self._node.interleaving.message_lost(peer, inner, f"its shared memory cannot be mapped here: {error}")
            return
        self._say_taken(peer, number, has_them=True)
        rest = iter(buffers or ())
        whole = [next(rest if each is None else views) for each in told]
        self._system.dispatch[inner[0]](peer, inner, whole)

    def _views(self, peer: Peer, number: int, pieces: Sequence[Piece]) -> Iterable[memoryview]:
        segments = self.segments
        if segments is None:
            raise ValueError("this node shares no memory")
        if peer.is_self:
            return self._handed[peer.node][number]
        for piece in pieces:
            if not all(type(field) is int for field in piece):
                raise ValueError(f"{piece} is none")
        return segments.adopt(segments.path.parent / str(peer.node), pieces)

    def _say_taken(self, peer: Peer, number: int, *, has_them: bool) -> None:
        if peer.is_self:
            self._handed[peer.node].pop(number, None)
            return
        with suppress(PartisanError):  # then it is down for us, and we soon are for it
            peer.send(pack([Kind.MAPPED_TAKEN, number, has_them]))


def _is_bytes(view: memoryview) -> bool:
    return isinstance(view.obj, bytes) and len(view.obj) == view.nbytes
