"""Spans of the overlay: one for each message of the membership protocol that a node gets, and each suspicion it has.

Off unless the scope ``overlay`` is asked for. Protocols carry no context, so each span is a short trace of its own;
what the node's views are afterwards stands in it. Keep-alives are left out: they say that nothing happens.
"""

from __future__ import annotations

from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.messages import tag_of
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import OverlayMessage

__all__ = ["OverlaySpans"]

_OTHERS: Final = ("plumtree.", "flood.", "exchange.", "handlers.")
_QUIET: Final = ("keep_alive",)


class OverlaySpans:
    """What one node writes down of its overlay."""

    def __init__(self, recorder: Recorder, stack: ProtocolStack) -> None:
        self._recorder = recorder
        self._stack = stack

    @property
    def is_on(self) -> bool:
        """Whether anything is written down."""
        return self._recorder.overlay_enabled

    def begin(self) -> int:
        """The time, for `heard`."""
        return self._recorder.clock() if self._recorder.overlay_enabled else 0

    def heard(self, begun_ns: int, peer: NodeId, message: object) -> None:
        """A message of `peer` has been handled, if it is one of the membership protocol."""
        tag = tag_of(message) or ""
        name = tag.rpartition(".")[2]
        if begun_ns and name and not tag.startswith(_OTHERS) and name not in _QUIET:
            ttl = getattr(message, "ttl", None)
            self._write(begun_ns, name, peer, ttl if isinstance(ttl, int) else None)

    def suspected(self, peer: NodeId) -> None:
        """This node suspects `peer` to be down."""
        if self._recorder.overlay_enabled:
            self._write(self._recorder.clock(), "suspect", peer, None)

    def _write(self, begun_ns: int, what: str, peer: NodeId, ttl: int | None) -> None:
        recorder, views = self._recorder, self._stack.views
        context = recorder.new_trace()
        if context is not None:
            passive = len(views.get("passive", ()))
            active = sum(map(len, views.values())) - passive
            recorder.record(OverlayMessage(context, begun_ns, recorder.clock(), what, peer, active, passive, ttl))
