"""Causal delivery between actors of whole nodes, in virtual time: under loss, connections that break, and crashes."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.scheduler.strategies import NodeAffinity
from partisan_actors.simulation.cluster import SimulatedCluster
from partisan_actors.wire.frames import Kind

LABEL = "gossip"
# By the name of an actor, which messages to it are known to have been sent: (sender, number).
Known = dict[str, list[tuple[str, int]]]


@pa.actor(causal=LABEL)
class Talker:
    """Answers what it hears by messages to others, and finds that something is missing which it should have heard."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.rng = random.Random(seed)
        self.others: dict[str, pa.ActorHandle[Talker]] = {}
        self.heard: list[tuple[str, int]] = []
        self.known: dict[str, set[tuple[str, int]]] = {}
        self.sent: list[tuple[str, str, int]] = []
        self.missing: list[tuple[str, int]] = []

    async def meet(self, others: dict[str, pa.ActorHandle[Talker]]) -> None:
        self.others = {name: other for name, other in others.items() if name != self.name}
        self.known = {name: set() for name in others}

    async def hear(self, sender: str, number: int, budget: int, known: Known) -> None:
        self.missing += set(known.get(self.name, ())) - set(self.heard)
        self.heard.append((sender, number))
        for name, messages in known.items():
            self.known[name].update(messages)
        for _ in range(self.rng.choice((0, 1, 1, 2)) if budget else 0):
            self.say(self.rng.choice(sorted(self.others)), budget - 1)

    async def begin(self, count: int, budget: int) -> None:
        for _ in range(count):
            self.say(self.rng.choice(sorted(self.others)), budget)

    def say(self, name: str, budget: int) -> None:
        number = len(self.sent)
        known = {other: sorted(messages) for other, messages in self.known.items()}
        self.sent.append((name, self.name, number))
        self.known[name].add((self.name, number))
        self.others[name].hear.tell(self.name, number, budget, known)

    async def report(self) -> dict[str, list[Any]]:
        return {"heard": self.heard, "sent": self.sent, "missing": self.missing}


def lose(cluster: SimulatedCluster, rate: float, seed: int) -> None:
    """From now on every node loses that part of the messages that are acknowledged, and of the acknowledgements."""
    for name in cluster.live:
        dispatch = cluster.runtime(name).node.dispatch
        rng = random.Random(f"{seed} {name}")
        for kind in (Kind.ACKED, Kind.ACK):

            def look(*arrived: Any, handler: Any = dispatch[kind], rng: random.Random = rng) -> None:
                if rng.random() >= rate:
                    handler(*arrived)

            dispatch[kind] = look


def cluster_of(seed: int) -> SimulatedCluster:
    return SimulatedCluster(seed, nodes=4, delivery={"causal_labels": [LABEL], "retransmit_s": 0.2})


async def talkers_of(cluster: SimulatedCluster, seed: int) -> dict[str, Any]:
    made = {
        name: Talker.options(placement=NodeAffinity(name)).remote(name, seed + number)
        for number, name in enumerate(cluster.live)
    }
    for talker in made.values():
        await talker.meet.remote(made)
    return made


def is_settled(cluster: SimulatedCluster, names: Iterable[str]) -> bool:
    deliveries = [cluster.runtime(name).node.delivery for name in names]
    return not any(each.outstanding or each.labels.is_waiting for each in deliveries)


@pytest.mark.parametrize("seed", [1, 2])
def test_with_a_fifth_of_all_messages_lost_nothing_is_missing_and_all_is_in_causal_order(seed: int) -> None:
    with cluster_of(seed) as cluster:

        async def main() -> list[dict[str, list[Any]]]:
            talkers = await talkers_of(cluster, seed)
            lose(cluster, 0.2, seed)
            for talker in talkers.values():
                await talker.begin.remote(6, 4)
            await cluster.until(lambda: is_settled(cluster, talkers), within_s=600)
            return [await talker.report.remote() for talker in talkers.values()]

        reports = cluster.run(main())

        sent = [each for report in reports for each in report["sent"]]
        heard = [each for report in reports for each in report["heard"]]
        assert len(sent) > 50
        assert sorted(heard) == sorted((sender, number) for _, sender, number in sent)
        assert [report["missing"] for report in reports] == [[]] * 4
        assert sum(cluster.runtime(name).node.delivery.sent_again for name in cluster.live) > 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_a_node_that_crashes_and_comes_back_holds_nobody_up_for_longer_than_it_takes_to_notice(seed: int) -> None:
    with cluster_of(seed) as cluster:

        async def main() -> list[dict[str, list[Any]]]:
            talkers = await talkers_of(cluster, seed)
            lose(cluster, 0.2, seed)
            for talker in talkers.values():
                await talker.begin.remote(6, 5)
            cluster.crash("n3")
            cluster.restart("n3")
            del talkers["n3"]
            begun_s = cluster.now_s
            await cluster.until(lambda: is_settled(cluster, talkers), within_s=600)
            assert cluster.now_s - begun_s < 20
            return [await talker.report.remote() for talker in talkers.values()]

        reports = cluster.run(main())

        sent = [each for report in reports for each in report["sent"] if each[0] != "n3"]
        heard = [each for report in reports for each in report["heard"] if each[0] != "n3"]
        missing = [each for report in reports for each in report["missing"] if each[0] != "n3"]
        assert sorted(heard) == sorted((sender, number) for _, sender, number in sent)
        assert missing == []
