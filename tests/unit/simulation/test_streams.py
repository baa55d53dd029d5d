"""stream: independent random numbers per node and purpose."""

from __future__ import annotations

from partisan_actors.ids import NodeId
from partisan_actors.simulation.streams import stream


def test_a_stream_depends_on_seed_node_and_purpose_and_on_nothing_else() -> None:
    names = [(1, 0, "a"), (2, 0, "a"), (1, 1, "a"), (1, 0, "b"), (1, NodeId("n", 1), "a")]

    first = [stream(*name).random() for name in names]
    again = [stream(*name).random() for name in names]

    assert first == again
    assert len(set(first)) == len(names)
