"""The same stacks when every message is bytes in between: nothing is shared, and tuples may come back as lists."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.simulation.checkers import (
    check_connected,
    check_converged,
    check_delivered_once,
    check_symmetric,
    eventually,
    measure_broadcast,
)
from partisan_actors.simulation.machines import Simulation
from partisan_actors.wire.codec import decode_message, encode_message, pack, unpacker
from tests.simulation.hyparview_cluster import complete


class NoAddresses:
    def addresses_of(self, node: NodeId) -> Sequence[str]:
        return ()

    def learn(self, node: NodeId, addresses: Sequence[str]) -> None: ...


def through_bytes(message: object) -> object:
    decoder = unpacker(max_bytes=1 << 20)
    decoder.feed(pack(encode_message(message, NoAddresses())))
    return decode_message(decoder.unpack(), NoAddresses())


@pytest.mark.parametrize("seed", [1, 2])
def test_a_cluster_whose_messages_are_bytes_agrees_and_repairs_itself(seed: int) -> None:
    simulation = Simulation(seed, carry=through_bytes)
    nodes = [NodeId(f"n{number}", number) for number in range(40)]
    simulation.grow(nodes, complete, contact=nodes[0])
    for node in nodes:
        simulation.write(node, f"node/{node.name}", (1,), {"node": node, "load": [0.5, None, b"x"]})
    simulation.cut(nodes[:20], nodes[20:])
    simulation.write(nodes[0], "k", (1,), "one side")
    simulation.write(nodes[30], "k", (1,), "other side")
    simulation.write(nodes[30], "node/n3", (2,), None)
    simulation.run_for(20.0)
    simulation.heal()

    eventually(simulation, check_connected, check_symmetric, check_converged, within_s=300.0)

    measure_broadcast(simulation, nodes[1], "news", ["a", 1], settle_s=3.0)
    check_delivered_once(simulation, "news", ["a", 1], nodes[1])
    exchange = simulation.stack(nodes[5]).exchange
    assert exchange is not None
    assert len(dict(exchange.items("node/"))) == 39
