"""Partial views, full reach: every node reaches every other one through the overlay alone."""

from __future__ import annotations

import random
from typing import Any, Final

import pytest

from tests.nodes import overlay, until
from tests.ring_example import load

NAMES: Final = tuple("abcdefghijkl")
MESSAGES: Final = 1000
# Views of SCAMP grow with the cluster's size: among twelve, most are neighbours.
FAR_MIN: Final = {"scamp_v1": 50, "scamp_v2": 50}
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "hyparview": {"active_max": 3, "active_min": 2, "shuffle_period_s": 0.5},
    "xbot": {"active_max": 3, "active_min": 2, "shuffle_period_s": 0.5, "optimisation_period_s": 0.5},
    "scamp_v1": {},
    "scamp_v2": {},
    "client_server": {},
    "ring:Ring": {"gossip_period_s": 0.2},
}


@pytest.mark.parametrize("name", OPTIONS)
async def test_a_thousand_messages_of_random_pairs_all_arrive_over_relay_alone(name: str) -> None:
    load()  # by its path the ring is importable now
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    async with overlay(*NAMES, overlay=name, overlay_options=OPTIONS[name], routing="relay") as made:
        await until(lambda: all(node.neighbours() for node in made), "everybody to have a neighbour")
        expected: dict[str, list[tuple[str, int]]] = {node.me.name: [] for node in made}
        far = 0

        for number in range(MESSAGES):
            one, other = rng.sample(made, 2)
            far += other.me not in one.neighbours()
            one.tell(other, [one.me.name, number])
            expected[other.me.name].append((one.me.name, number))
            if number % 100 == 99:
                total = sum(map(len, expected.values()))
                await until(lambda total=total: sum(len(node.told) for node in made) == total, "what was sent arrives")

        for node in made:
            told = [tuple(each) for each in node.told]
            assert sorted(told) == sorted(expected[node.me.name])
            for sender in NAMES:
                numbers = [number for name, number in told if name == sender]
                assert numbers == sorted(numbers), "what one node sends another arrives in order"
        assert far > FAR_MIN.get(name, MESSAGES // 3), "enough of the pairs are no neighbours"
