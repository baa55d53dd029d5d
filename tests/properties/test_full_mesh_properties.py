"""A full mesh under schedules that hypothesis invents ends up equal everywhere, and silent."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partisan_actors.ids import NodeId
from partisan_actors.protocols.membership.full_mesh import FullMesh, FullMeshOptions
from partisan_actors.protocols.membership.redial import RedialOptions
from partisan_actors.testing.strategy_network import StrategyNetwork

OPTIONS = FullMeshOptions(RedialOptions(first_s=1.0, longest_s=8.0, tries_max=6, peers_max=64))
SETTLING_S = 200.0  # more than all tries of a failed member take

STEP = st.tuples(
    st.sampled_from(["join", "join", "deliver", "deliver", "timer", "kill", "leave", "rejoin", "tear"]),
    st.integers(0, 63),
    st.integers(0, 63),
)


class Mesh(StrategyNetwork):
    def __init__(self, seed: int, *, reorders: bool) -> None:
        super().__init__(lambda me, rng: FullMesh(me, OPTIONS, rng), seed, reorders=reorders)
        self.lives = 0

    def step(self, what: str, one: int, other: int) -> None:
        live = list(self.nodes)
        if what == "join":
            self.lives += 1
            node = NodeId(f"n{one % 12}", self.lives)  # names come back, as later lives
            for former in [peer for peer in live if isinstance(peer, NodeId) and peer.name == node.name]:
                self.kill(former)
            self.add(node)
            if contacts := [peer for peer in self.nodes if peer != node]:
                self.join(node, contacts[other % len(contacts)])
        elif what == "deliver":
            for _ in range(one):
                self.deliver_one()
        elif what == "timer":
            self.fire_next_timer()
        elif len(live) > 1:
            first, second = live[one % len(live)], live[(one + 1 + other % (len(live) - 1)) % len(live)]
            if what == "kill":
                self.kill(first)
            elif what == "leave":
                self.leave(first)
                self.kill(first)
            elif what == "rejoin":
                self.leave(first)
                self.join(first, second)
            elif what == "tear":
                self.tear(first, second, told=(first, second)[: 1 + one % 2])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, max_size=60), seed=st.integers(0, 2**32), reorders=st.booleans())
def test_after_any_history_those_who_join_know_each_other_and_nobody_else(
    steps: list[tuple[str, int, int]], seed: int, reorders: bool
) -> None:
    mesh = Mesh(seed, reorders=reorders)

    for step in steps:
        mesh.step(*step)
    mesh.run(SETTLING_S)
    live = list(mesh.nodes)
    for node in live[1:]:  # contacts may have died before they answered
        mesh.join(node, live[0])
    mesh.run(SETTLING_S)
    said = len(mesh.sent)
    mesh.run(10 * SETTLING_S)

    for node, strategy in mesh.nodes.items():
        others = sorted((peer for peer in live if peer != node), key=str)
        assert sorted(strategy.neighbours, key=str) == others
        assert sorted(strategy.views["members"], key=str) == others
    assert len(mesh.sent) == said, "a converged mesh is silent"
