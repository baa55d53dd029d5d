"""Causal delivery as Partisan v5 has it, to show that what tests it can fail."""

from __future__ import annotations

from partisan_actors.protocols.delivery.causal import Causality, Node, Stamp


class CausalityOfV5(Causality):
    """Messages carry the entry of their own destination only, and what others depend on is not merged."""

    def emit(self, destination: Node) -> Stamp | None:
        stamp = super().emit(destination)
        assert stamp is not None
        named = {to: clocks for to, clocks in stamp.dependencies.items() if to == destination}
        return Stamp(stamp.clock, named, stamp.before)

    def _merge(self, sender: Node, stamp: Stamp) -> None:
        """Computed and thrown away."""
