"""Acknowledged and causal calls of actors: on nodes in memory, whose connections break, and between processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api.drills import drills_of
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ActorStopped, ConfigError, MailboxFull, NodeDown
from partisan_actors.faults import DROP, Fault, Passing
from partisan_actors.scheduler.strategies import NodeAffinity
from partisan_actors.wire.codec import unpack
from partisan_actors.wire.frames import Kind
from tests.integration.nodes import Nodes, nodes, until

LABEL = "orders"


@pa.actor
class Log:
    """Writes down what it is told, and passes on what it is to pass on."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.gate = asyncio.Event()

    async def write(self, entry: Any) -> int:
        self.entries.append(entry)
        return len(self.entries)

    async def read(self) -> list[Any]:
        return self.entries

    async def wait(self) -> None:
        await self.gate.wait()

    async def open(self) -> None:
        self.gate.set()

    async def size(self, data: bytes) -> int:
        return len(data)

    async def send(self, *entries: tuple[pa.ActorHandle[Log], Any]) -> None:
        for other, entry in entries:
            other.write.options(causal=LABEL).tell(entry)

    async def answer(self, other: pa.ActorHandle[Log], entry: Any) -> None:
        """To be told under a label, too."""
        other.write.options(causal=LABEL).tell(entry)

    async def write_both(self, other: pa.ActorHandle[Log], entry: Any) -> None:
        other.write.tell(entry)


@pa.actor
class Slow:
    def __init__(self) -> None:
        self.done: list[int] = []

    def add(self, number: int) -> int:
        self.done.append(number)
        return number

    def read(self) -> list[int]:
        return self.done


@asynccontextmanager
async def three(**settings: Any) -> AsyncIterator[Nodes]:
    """Nodes a, b and c with a causal label; code in the block belongs to a."""
    delivery = {"causal_labels": [LABEL, "other"], "retransmit_s": 0.1}
    async with nodes("a", "b", "c", delivery=delivery, **settings) as cluster:
        with cluster.at("a"):
            yield cluster


def on(name: str, kind: Any = Log, **options: Any) -> Any:
    return kind.options(placement=NodeAffinity(name), **options).remote()


def break_connections(runtime: Runtime) -> None:
    for peer in list(runtime.node.router.peers.values()):
        for connection in peer.connections():
            connection.abort(ConnectionResetError("of the test"))


def hold_stamped(here: Runtime, sender: str) -> list[Any]:
    """From now on stamped messages of one node do not reach another; they are what this returns."""
    held: list[Any] = []
    on_acked = here.node.dispatch[Kind.ACKED]

    def look(peer: Any, message: list[Any], buffers: Any = None) -> None:
        if peer.node.name == sender and unpack(message[1])[2] == LABEL:
            held.append((peer, message))
        else:
            on_acked(peer, message) if buffers is None else on_acked(peer, message, buffers)

    here.node.dispatch[Kind.ACKED] = look
    return held


def let_through(here: Runtime) -> None:
    here.node.dispatch[Kind.ACKED] = here.node.delivery.on_acked


async def test_an_acknowledged_tell_tells_when_it_is_in_the_mailbox_and_not_when_it_has_run() -> None:
    async with three() as cluster:
        log = on("b", max_concurrency=1)
        await log.read.remote()
        waiting = log.wait.remote()

        assert await log.write.options(ack=True).tell("x") is None

        assert not waiting.done()
        cell = next(each for each in cluster["b"].system.local_cells() if each.mailbox_size)
        assert [message.method.name for message in cell.mailbox] == ["write"]


async def test_an_acknowledged_tell_that_does_not_come_into_the_mailbox_says_why() -> None:
    async with three() as cluster:
        full = on("b", max_concurrency=1, mailbox_max=2)
        await full.read.remote()
        full.wait.tell()
        results = [full.write.options(ack=True).tell(number) for number in range(3)]
        with pytest.raises(MailboxFull):
            await results[2]
        await results[1]

        gone = on("b")
        await gone.read.remote()
        cluster["b"].system.local_cells()[-1].stop("the test said so")
        with pytest.raises(ActorStopped, match="the test said so"):
            await gone.write.options(ack=True).tell(1)


async def test_calls_that_are_acknowledged_run_once_and_in_order_while_connections_break() -> None:
    async with three(keep_alive_s=1000.0) as cluster:
        log, slow = on("b"), on("c", Slow)
        await asyncio.gather(log.read.remote(), slow.read.remote())
        write, add = log.write.options(ack=True), slow.add.options(ack=True)
        refs: list[Any] = []
        for number in range(300):
            refs += [write.remote(number) if number % 2 else write.tell(number), add.remote(number)]
            if number % 30 == 7:
                await asyncio.sleep(0)
                break_connections(cluster["a" if number % 60 == 7 else "b"])

        values = await asyncio.gather(*refs)

        assert await log.read.remote() == list(range(300))
        assert await slow.read.remote() == list(range(300))
        assert values[1::2] == list(range(300))
        assert sum(runtime.node.delivery.sent_again for runtime in cluster.runtimes.values()) > 0


async def test_large_arguments_and_results_are_acknowledged_like_small_ones() -> None:
    async with three() as cluster:
        log = on("b")
        await log.read.remote()
        size = log.size.options(ack=True)

        ref = size.remote(b"x" * 3_000_000)
        await asyncio.sleep(0)
        break_connections(cluster["a"])

        assert await ref == 3_000_000
        assert len((await log.write.options(ack=True).remote(b"y" * 100_000), await log.read.remote())[1][0]) == 100_000


async def test_a_call_whose_node_goes_down_is_not_waited_for() -> None:
    async with three(keep_alive_s=0.1, suspicion_s=0.3) as cluster:
        log = on("b")
        await log.read.remote()
        ref = log.wait.options(ack=True).remote()
        await until(lambda: not cluster["a"].node.delivery.outstanding)

        await cluster.crash("b")

        with pytest.raises(NodeDown):
            await ref


async def test_in_the_triangle_of_actors_the_slow_message_is_written_first() -> None:
    async with three() as cluster:
        a, b, c = on("a"), on("b"), on("c")
        await asyncio.gather(*(each.read.remote() for each in (a, b, c)))
        hold_stamped(cluster["c"], "a")

        c.write.options(causal=LABEL).tell("the question")
        b.answer.options(causal=LABEL).tell(c, "the answer")
        await until(lambda: cluster["c"].node.delivery.labels.is_waiting)
        await c.write.remote("plain")
        await c.write.options(ack=True).remote("acknowledged")
        await c.write.options(causal="other").remote("of another label")
        let_through(cluster["c"])

        others = ["plain", "acknowledged", "of another label"]
        assert await until_written(c, 5) == [*others, "the question", "the answer"]


async def test_a_class_may_be_causal_and_answers_are_too() -> None:
    async with three() as cluster:
        b, c = on("b", causal=LABEL), on("c", causal=LABEL)
        assert await c.write.remote("first") == 1
        hold_stamped(cluster["c"], "a")

        c.write.tell("the question")
        await b.write_both.remote(c, "the answer")
        await until(lambda: cluster["c"].node.delivery.labels.is_waiting)
        let_through(cluster["c"])
        await until(lambda: not cluster["c"].node.delivery.labels.is_waiting)

        assert await c.read.remote() == ["first", "the question", "the answer"]


async def test_what_is_sent_to_an_actor_without_a_place_yet_is_not_overtaken_under_its_label() -> None:
    async with three() as cluster:
        b = on("b")
        await b.read.remote()
        c = on("c")  # it has no place yet

        c.write.options(causal=LABEL).tell("the question")
        b.answer.options(causal=LABEL).tell(c, "the answer")

        await until(lambda: not cluster["a"].system.acked._held and not cluster["a"].node.delivery.outstanding)
        assert await until_written(c, 2) == ["the question", "the answer"]


async def test_what_waits_behind_an_actor_that_gets_no_place_is_sent_all_the_same() -> None:
    async with three():
        b = on("b")
        await b.read.remote()
        nowhere = Log.options(num_cpus=1000).remote()

        refused = nowhere.write.options(causal=LABEL).remote("x")
        after = b.write.options(causal=LABEL).remote("y")

        with pytest.raises(pa.Unplaceable):
            await refused
        assert await after == 1


async def until_written(log: Any, count: int) -> list[Any]:
    entries: list[Any] = []
    async with asyncio.timeout(60):
        while len(entries) < count:
            entries = await log.read.remote()
    return entries


async def test_on_its_own_node_it_is_the_same() -> None:
    async with three():
        here = on("a")

        assert await here.write.options(ack=True).tell("x") is None
        assert await here.write.options(ack=True, causal=LABEL).remote("y") == 2
        here.write.options(causal=LABEL).tell("z")

        assert await until_written(here, 3) == ["x", "y", "z"]


async def test_a_label_nobody_has_declared_is_refused_where_it_is_used() -> None:
    async with three():
        log = on("b")

        with pytest.raises(ConfigError, match="causal_labels"):
            log.write.options(causal="unheard-of")
        with pytest.raises(ConfigError, match="causal_labels"):
            Log.options(causal="unheard-of").remote()
        with pytest.raises(ConfigError, match="ack"):
            log.write.options(ack=1)

        assert await log.write.remote("goes on") == 1


async def test_a_label_that_the_other_node_does_not_have_is_an_error_of_the_call_alone() -> None:
    async with three() as cluster:
        log = on("b")
        await log.read.remote()
        del cluster["b"].node.delivery.labels._machines[LABEL]

        with pytest.raises(ConfigError, match="causal_labels"):
            await log.write.options(causal=LABEL).remote("x")
        with pytest.raises(ConfigError, match="causal_labels"):
            await log.write.options(causal=LABEL, ack=True).tell("x")
        log.write.options(causal=LABEL).tell("x")

        assert await log.write.options(causal="other").remote("y") == 1
        await until(lambda: cluster["b"].system.dead_letters.count)


async def test_plain_and_acknowledged_calls_of_one_caller_start_in_the_order_in_which_they_were_made() -> None:
    async with three():
        log = on("b")
        acked = log.write.options(ack=True)
        for number in range(0, 300, 3):
            log.write.tell(number)
            acked.tell(number + 1)
            log.write.remote(number + 2)

        assert await until_written(log, 300) == list(range(300))


@pytest.mark.parametrize("kind", ["tell", "ack"])
async def test_a_rule_binds_what_is_acknowledged_and_what_it_drops_arrives_once_all_the_same(kind: str) -> None:
    dropped: list[Passing] = []

    def rule(message: Passing) -> Fault | None:
        if message.direction == "in" and message.kind == kind and len(dropped) < 3:
            dropped.append(message)
            return DROP
        return None

    async with three() as cluster:
        log = on("b")
        await log.read.remote()
        drills = drills_of(cluster["b" if kind == "tell" else "a"].system)
        end = drills.begin(rule, 0)

        await log.write.options(ack=True).tell("x")
        await until(lambda: len(dropped) == 3)
        await until(lambda: not cluster["a"].node.delivery.outstanding)
        end()

        assert await log.read.remote() == ["x"]
        assert kind == "ack" or {each.method for each in dropped} == {"write"}


@pytest.fixture(scope="module")
def processes() -> Iterator[pa.Session]:
    with pa.init(workers=2, delivery={"causal_labels": [LABEL]}) as session:
        yield session


def test_between_processes_and_from_threads_acknowledged_and_causal_calls_work(processes: pa.Session) -> None:
    b, c = (Log.options(placement="spread", causal=LABEL).remote() for _ in range(2))

    refs = [c.write.options(ack=True).tell(number) for number in range(200)]
    assert pa.get(refs) == [None] * 200
    c.write.tell("the question")
    pa.get(b.write_both.remote(c, "the answer"))
    while len(entries := pa.get(c.read.remote())) < 202:
        assert entries == [*range(200), "the question"][: len(entries)]

    assert entries == [*range(200), "the question", "the answer"]
