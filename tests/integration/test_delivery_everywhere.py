"""Acknowledgement and causal order keep their promises: direct, over TLS, over three hops, and after a crash."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api.drills import drills_of
from partisan_actors.api.runtime import Runtime
from partisan_actors.faults import DROP, Fault, Passing
from partisan_actors.wire.codec import unpack
from partisan_actors.wire.frames import Kind
from tests.integration import ways
from tests.integration.nodes import Nodes, until
from tests.integration.ways import WAYS, check_way

LABEL = "orders"
MESSAGES = 100
DELIVERY: dict[str, Any] = {"causal_labels": [LABEL], "retransmit_s": 0.1, "give_up_s": 120.0}


@pa.actor
class Log:
    def __init__(self) -> None:
        self.entries: list[Any] = []

    async def write(self, entry: Any) -> int:
        self.entries.append(entry)
        return len(self.entries)

    async def read(self) -> list[Any]:
        return self.entries

    async def pass_on(self, other: Any, entry: Any) -> None:
        other.write.options(causal=LABEL).tell(entry)


def four(way: str, folder: Path, **settings: Any) -> AbstractAsyncContextManager[Nodes]:
    return ways.four(way, folder, delivery=DELIVERY, **settings)


async def log_on(node: str, **options: Any) -> Any:
    log = Log.options(placement=pa.NodeAffinity(node, soft=True), **options).remote()
    await log.read.remote()
    return log


def lossy(every: int) -> Any:
    """A rule that drops every so-and-so-manieth acknowledged message, and acknowledgement."""
    count = itertools.count(1)

    def rule(message: Passing) -> Fault | None:
        concerns = message.direction == "in" and (message.kind == "ack" or message.method == "write")
        return DROP if concerns and next(count) % every == 0 else None

    return rule


@pytest.mark.parametrize("way", WAYS)
async def test_with_losses_acknowledged_messages_run_once_and_in_order(way: str, tmp_path: Path) -> None:
    async with four(way, tmp_path) as cluster:
        log = await log_on("d")
        check_way(way, cluster)
        ends = [drills_of(cluster[name].system).begin(lossy(15 if way == "three hops" else 5), 0) for name in "ad"]

        write = log.write.options(ack=True)
        refs = [write.remote(number) if number % 2 else write.tell(number) for number in range(MESSAGES)]
        values = await asyncio.gather(*refs)
        await until(lambda: not cluster["a"].node.delivery.outstanding and not cluster["d"].node.delivery.outstanding)
        dropped = sum(drills_of(cluster[name].system).interception.counts["drop"] for name in "ad")
        for end in ends:
            end()

        assert await log.read.remote() == list(range(MESSAGES))
        assert values == [number + 1 if number % 2 else None for number in range(MESSAGES)]
        assert dropped > 0
        check_way(way, cluster)


def hold_stamped(here: Runtime, sender: str) -> Any:
    """From now on stamped messages of one node do not reach another, until what is returned is called."""
    dispatch, on_acked = here.node.dispatch, here.node.dispatch[Kind.ACKED]

    def look(peer: Any, message: list[Any], buffers: Any = None) -> None:
        if peer.node.name != sender or unpack(message[1])[2] != LABEL:
            on_acked(peer, message) if buffers is None else on_acked(peer, message, buffers)

    def let_go() -> None:
        dispatch[Kind.ACKED] = on_acked

    dispatch[Kind.ACKED] = look
    return let_go


async def triangle(cluster: Nodes, b: Any, d: Any) -> None:
    """a asks d, and tells b, who answers to d. What a has sent is held back, until the answer waits for it."""
    let_go = hold_stamped(cluster["d"], "a")
    d.write.options(causal=LABEL).tell("the question")
    b.pass_on.options(causal=LABEL).tell(d, "the answer")
    await until(lambda: cluster["d"].node.delivery.labels.is_waiting)
    let_go()
    await until(lambda: not cluster["d"].node.delivery.labels.is_waiting)


@pytest.mark.parametrize("way", WAYS)
async def test_a_message_that_is_held_back_comes_before_its_answer_all_the_same(way: str, tmp_path: Path) -> None:
    async with four(way, tmp_path) as cluster:
        b, d = await log_on("b"), await log_on("d")
        check_way(way, cluster)

        await triangle(cluster, b, d)

        assert await d.read.remote() == ["the question", "the answer"]
        check_way(way, cluster)


async def fate(ref: Any) -> str:
    """What became of an acknowledged tell."""
    try:
        await ref
    except (pa.NodeDown, pa.ActorUnavailable):
        return "unknown"
    return "written"


async def written(method: Any, entry: Any) -> None:
    """Tell it until it is in the mailbox."""
    async with asyncio.timeout(90):
        while await fate(method.tell(entry)) != "written":
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("way", WAYS)
async def test_after_a_crash_acknowledgements_and_causal_order_go_on_with_the_next_lives(
    way: str, tmp_path: Path
) -> None:
    settings = {"keep_alive_s": 0.1, "suspicion_s": 0.5}
    async with four(way, tmp_path, **settings) as cluster:
        b, log = await log_on("b"), await log_on("d", max_restarts=-1)
        write = log.write.options(ack=True)
        assert await asyncio.gather(*(write.tell(number) for number in range(20))) == [None] * 20

        in_flight = [fate(write.tell(number)) for number in range(20, 40)]
        address, tls = cluster["d"].node.address, cluster["d"].config.tls
        await cluster.crash("d")
        fates = await asyncio.gather(*in_flight)
        more = {"overlay": "static", "routing": "relay"} if way == "three hops" else {"tls": tls}
        await cluster.add("d", contact="c", delivery=DELIVERY, **settings, **more)
        assert cluster["d"].node.address != address
        await written(write, "again")
        assert await asyncio.gather(*(write.tell(number) for number in range(40, 60))) == [None] * 20

        entries = await log.read.remote()
        assert len(fates) == 20 and entries[-21:] == ["again", *range(40, 60)]
        assert entries[:-21] == sorted(entries[:-21]) and len(set(map(str, entries[:-21]))) == len(entries) - 21
        d = await log_on("d")
        await triangle(cluster, b, d)
        assert await d.read.remote() == ["the question", "the answer"]
        check_way(way, cluster)
