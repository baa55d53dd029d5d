"""Strategies whose links are checked now and then agree about them after stories with silent losses, too.

Beyond what the conformance suite tells: connections break without anybody's notice, messages of one connection overtake
each other, and nodes that left stay alive.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.scamp import ScampOptions, ScampV1, ScampV2
from partisan_actors.protocols.membership.star import ClientServer, ClientServerOptions
from partisan_actors.protocols.membership.static import Static, StaticOptions
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.testing.strategy_network import StrategyNetwork
from tests.seeds import quick_first

SETTLING_S = 1500.0  # longer than anything waits: ten tries of a peer, or a check of each link
NODES_MAX = 12


def tag_of(node: Peer) -> str:
    return "server" if isinstance(node, int) and node % 3 == 0 else "client"


BUILDERS: dict[str, Callable[[Peer, Random], MembershipStrategy]] = {
    "scamp_v1": lambda me, rng: ScampV1(me, ScampOptions(), rng),
    "scamp_v2": lambda me, rng: ScampV2(me, ScampOptions(), rng),
    "static": lambda me, rng: Static(me, StaticOptions(), rng),
    "servers": lambda me, rng: ClientServer(me, ClientServerOptions(tag="server"), rng),
    "star": lambda me, rng: ClientServer(me, ClientServerOptions(tag=tag_of(me)), rng),
}
WHATS = {"join": 6, "deliver": 64, "timer": 23, "kill": 2, "leave": 1, "again": 4, "tear": 2}


def story(build: Callable[[Peer, Random], MembershipStrategy], seed: int, *, reorders: bool) -> StrategyNetwork:
    network, rng, founded = StrategyNetwork(build, seed, reorders=reorders), Random(seed), 0
    for _ in range(rng.randrange(50, 300)):
        what, live = rng.choices(list(WHATS), list(WHATS.values()))[0], list(network.nodes)
        if what == "join" and len(live) < NODES_MAX:
            network.add(founded)
            if live:
                network.join(founded, rng.choice(live))
            founded += 1
        elif what == "deliver":
            for _ in range(rng.randrange(1, 8)):
                network.deliver_one()
        elif what == "timer":
            network.fire_next_timer()
        elif len(live) > 1:
            one, other = rng.sample(live, 2)
            if what == "kill":
                network.kill(one)
            elif what == "leave":
                network.leave(one)
            elif what == "again":
                network.join(one, other)
            elif what == "tear":
                network.tear(one, other, told=(one, other)[: rng.randrange(3)], copies=rng.randrange(1, 3))
    return network


SEEDS = quick_first(6, range(150))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("reorders", [False, True])
@pytest.mark.parametrize("strategy", BUILDERS)
def test_after_silent_losses_both_ends_agree_about_every_link(strategy: str, reorders: bool, seed: int) -> None:
    network = story(BUILDERS[strategy], seed, reorders=reorders)

    settled = network.run_until(lambda: not network.asymmetric(), SETTLING_S)
    network.run(100.0)

    assert settled, f"seed {seed}: {network.asymmetric()}"
    assert network.asymmetric() == [], "and they stay so"
