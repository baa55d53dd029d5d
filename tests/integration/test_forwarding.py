"""`forward`: one message to whatever a reference means, with defaults for the node and options for the call."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors.acked import Manner
from partisan_actors.actors.context import current_system
from partisan_actors.api import timers as timers_module
from partisan_actors.errors import ActorNotFound, ActorStopped, ConfigError, NodeDown
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.wire.channels import check_channels
from tests.integration.nodes import Nodes, nodes, until

LABEL = "orders"
PAYLOADS = 1000
CHANNELS: Any = {"wide": 4, "newest": {"monotonic": True}}


@pa.actor
class Log:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    async def on_message(self, message: Any) -> None:
        self.entries.append(message)

    async def write(self, entry: Any) -> None:
        self.entries.append(["written", entry])

    async def read(self) -> list[Any]:
        return self.entries

    async def take_over(self) -> None:
        """Take what is sent to the node."""
        pa.on_message(self.write)

    async def pass_on(self, reference: Any, message: Any) -> None:
        pa.forward(reference, message)

    def pass_on_from_a_thread(self, reference: Any, message: Any) -> None:
        pa.forward(reference, message)


@pa.actor
class Deaf:
    async def read(self) -> None:
        return None


@asynccontextmanager
async def two(**settings: Any) -> AsyncIterator[Nodes]:
    """Nodes a and b, with a causal label and a channel of several lanes; code in the block belongs to a."""
    settings = {"delivery": {"causal_labels": [LABEL]}, "channels": check_channels(CHANNELS), **settings}
    async with nodes("a", "b", **settings) as cluster:
        with cluster.at("a"):
            yield cluster


async def log_on(node: str, **options: Any) -> Any:
    log = Log.options(placement=pa.NodeAffinity(node), **options).remote()
    await log.read.remote()
    return log


async def until_read(log: Any, count: int) -> list[Any]:
    entries: list[Any] = []
    async with asyncio.timeout(30):
        while len(entries) < count:
            entries = await log.read.remote()
    return entries


@pytest.mark.parametrize("where", ["a", "b"])
async def test_every_kind_of_reference_to_an_actor_reaches_it(where: str) -> None:
    async with two() as cluster:
        log = await log_on(where, name="the log")
        location = log._location
        life = cluster[where].node.me
        await until(lambda: all(runtime.scheduler.names.known("the log") for runtime in cluster.runtimes.values()))
        await until(lambda: cluster["a"].scheduler.names.known("the log")[1] == life)
        references: list[Any] = [
            log,
            location.actor,
            str(log),
            str(location.actor),
            "the log",
            ("the log", where),
            ("the log", life),
            ("the log", str(life)),
            log.on_message,
            log.write,
            log.on_message.options(ack=True),
        ]
        if where == "a":
            references.append(("the log", None))

        for number, reference in enumerate(references):
            pa.forward(reference, number)
            await until_read(log, number + 1)

        expected: list[Any] = list(range(len(references)))
        expected[references.index(log.write)] = ["written", references.index(log.write)]
        assert await log.read.remote() == expected


async def test_actors_forward_from_the_loop_and_from_their_threads() -> None:
    async with two() as cluster:
        log, sender = await log_on("b", name="the log"), await log_on("b")
        await until(lambda: cluster["b"].scheduler.names.known("the log"))
        for reference in (log, log._location.actor, "the log", ("the log", "b"), str(log)):
            await sender.pass_on.remote(reference, "loop")
            await sender.pass_on_from_a_thread.remote(reference, "thread")

        assert sorted(await until_read(log, 10)) == ["loop"] * 5 + ["thread"] * 5


@pytest.mark.parametrize("node", ["a", "b"])
async def test_what_is_sent_to_a_node_reaches_whoever_takes_it_there_in_order(node: str) -> None:
    async with two() as cluster:
        taken: list[Any] = []
        life = cluster[node].node.me
        with cluster.at(node):
            cancel = pa.on_message(taken.append)
            with pytest.raises(ConfigError, match="cancelled"):
                pa.on_message(taken.append)

        for message in (1, None, "text", {"map": [1, 2]}, bytes(200_000)):
            pa.forward(life, message)
            await until(lambda message=message: taken and taken[-1] == message)
        assert await pa.forward(str(life), "acked", ack=True) is None
        await until(lambda: taken[-1] == "acked")
        assert taken[1] is None

        cancel()
        await until(lambda: cluster[node].system.cells.get(b"@inbox") is None)
        before = cluster[node].system.dead_letters.count
        pa.forward(life, "nobody")
        await until(lambda: cluster[node].system.dead_letters.count == before + 1)
        with pytest.raises(ActorNotFound, match="on_message"):
            await pa.forward(life, "nobody", ack=True)


async def test_a_coroutine_function_and_an_actor_s_method_take_messages_of_their_node_too() -> None:
    async with two() as cluster:
        log, taken = await log_on("b"), []

        async def take(message: Any) -> None:
            taken.append(message)

        with cluster.at("b"):
            cancel = pa.on_message(take)
            pa.forward(cluster["b"].node.me, 1)
            await until(lambda: taken == [1])
            cancel()
            await until(lambda: b"@inbox" not in cluster["b"].system.cells)
            pa.on_message(log.write)

        pa.forward(cluster["b"].node.me, 2)

        assert await until_read(log, 1) == [["written", 2]]


async def test_a_name_on_a_node_is_meant_in_the_namespace_of_the_running_code() -> None:
    async with two() as cluster:
        other = await log_on("b", name="x", namespace="other")
        with pytest.raises(ActorNotFound):
            await pa.forward(("x", "b"), 1, ack=True)
        mine = await log_on("b", name="x")

        await pa.forward(("x", "b"), 2, ack=True)
        await other.pass_on.remote(("x", "b"), 3)

        assert await mine.read.remote() == [2]
        assert await until_read(other, 1) == [3]
        assert len(cluster["b"].system.local_cells()) == 2


async def test_an_actor_takes_messages_of_its_node_until_it_ends() -> None:
    async with two() as cluster:
        first, second = await log_on("b"), await log_on("b")
        await first.take_over.remote()
        with pytest.raises(ConfigError, match="cancelled"):
            await second.take_over.remote()
        await pa.forward(cluster["b"].node.me, 1, ack=True)
        assert await until_read(first, 1) == [["written", 1]]

        pa.kill(first)
        await until(lambda: b"@inbox" not in cluster["b"].system.cells)
        await second.take_over.remote()
        await pa.forward(cluster["b"].node.me, 2, ack=True)

        assert await until_read(second, 1) == [["written", 2]]


async def test_what_means_nobody_is_told_or_counted() -> None:
    async with two() as cluster:
        a, b = (cluster[name].system for name in "ab")
        gone = await log_on("b")
        actor = gone._location.actor
        pa.kill(gone)
        await until(lambda: gone._location.error is not None)

        with pytest.raises(ActorStopped):
            pa.forward(gone, 1)
        with pytest.raises(ActorNotFound, match="nobody"):
            pa.forward("nobody", 1)
        with pytest.raises(NodeDown, match="no node of that name"):
            pa.forward(("x", "nowhere"), 1)
        with pytest.raises(NodeDown, match="has followed"):
            pa.forward(NodeId("b", 1), 1)
        with pytest.raises(AttributeError, match="on_message"):
            pa.forward(Deaf.remote(), 1)
        before = b.dead_letters.count
        pa.forward(("nobody", "b"), 1)
        await until(lambda: b.dead_letters.count == before + 1)
        assert b.dead_letters.last[-1].whom == "actor named 'nobody'"
        with pytest.raises(ActorNotFound, match="named 'nobody'"):
            await pa.forward(("nobody", "b"), 1, ack=True)
        before = a.dead_letters.count
        pa.forward(ActorId(actor.node, 999_999), 1)  # nobody was ever called so: its maker says so
        await until(lambda: a.dead_letters.count == before + 1)


async def test_a_name_on_a_node_means_whoever_has_it_when_the_message_arrives() -> None:
    async with two() as cluster:
        first = await log_on("b", name="x")
        await pa.forward(("x", "b"), 1, ack=True)
        pa.kill(first)
        await until(lambda: not cluster["b"].system.local_cells())
        with pytest.raises(ActorNotFound):
            await pa.forward(("x", "b"), 2, ack=True)
        await until(lambda: cluster["a"].scheduler.names.known("x") is None)

        second = await log_on("b", name="x")
        await pa.forward(("x", "b"), 3, ack=True)

        assert await second.read.remote() == [3]
        assert len(cluster["b"].system.local_cells()) == 1, "it is counted once, though two keys lead to it"


@pytest.mark.parametrize(
    "reference",
    [None, 7, "", ("x",), ("x", 7), ("", "b"), "actor:nonsense", "monitor:n~1/2", ["x", "b", "c"], Log, b"x"],
)
async def test_what_is_no_reference_is_refused_with_what_is(reference: Any) -> None:
    async with two():
        with pytest.raises(ConfigError, match="reference"):
            pa.forward(reference, 1)


async def test_options_that_make_no_sense_are_refused() -> None:
    async with two():
        log = await log_on("b")
        for options, wrong in (
            ({"ack": 1}, "ack"),
            ({"channel": "nowhere"}, "channel"),
            ({"causal": "unheard-of"}, "causal"),
            ({"partition_key": -1}, "partition_key"),
            ({"channel": "newest", "ack": True}, "channel"),
        ):
            given: Any = options
            with pytest.raises(ConfigError, match=wrong):
                pa.forward(log, 1, **given)
        with pytest.raises(ConfigError, match="ack"):
            pa.forward(log.write.options(ack=True), 1, ack=False)
        with pytest.raises(pa.SerializationError):
            pa.forward(log, asyncio.get_running_loop())


def watched(patch: pytest.MonkeyPatch, cluster: Nodes, whom: str = "Log") -> list[tuple[Any, ...]]:
    """How each message of node a to `whom` is submitted from now on: its manner or channel, its lane among four."""
    seen: list[tuple[Any, ...]] = []
    outbound = cluster["a"].system.outbound
    submit = outbound._submit

    def spy(location: Any, number: Any, message: Any, buffers: Any, reply: Any, channel: Any, *rest: Any) -> None:
        sender = rest[1] if len(rest) > 1 else None
        if location.class_name.startswith(whom):
            label = channel.label if isinstance(channel, Manner) else None
            lane = None if sender is None else (location.affinity ^ sender) % 4
            seen.append((isinstance(channel, Manner) and reply is not None, label, str(channel), lane))
        submit(location, number, message, buffers, reply, channel, *rest)

    patch.setattr(outbound, "_submit", spy)
    return seen


async def test_defaults_of_the_node_are_in_effect_and_options_of_a_call_go_before_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward = {"ack": True, "causal": LABEL, "channel": "wide", "partition_key": 2}
    async with two(forward=forward) as cluster:
        log = await log_on("b")
        seen = watched(monkeypatch, cluster)

        assert await pa.forward(log, 1) is None  # type: ignore[misc]  # acknowledged, so there is a ref
        assert pa.forward(log, 2, ack=False) is None
        await pa.forward(log, 3, channel="calls", partition_key=3)  # type: ignore[misc]  # as above
        log.write.tell(4)

        assert seen == [
            (True, LABEL, "wide", 2),
            (False, LABEL, "wide", 2),
            (True, LABEL, "calls", 3),
            (False, None, "calls", None),
        ]
        assert await until_read(log, 4) == [1, 2, 3, ["written", 4]]


async def test_what_the_reference_says_itself_goes_before_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(
        forward={"causal": LABEL, "channel": "wide", "partition_key": 1},
        delivery={"causal_labels": [LABEL, "other"]},
    ) as cluster:
        log = await log_on("b", causal="other")
        seen = watched(monkeypatch, cluster)

        pa.forward(log, 1)
        pa.forward(log.write.options(channel="bulk", partition_key=3), 2)

        assert seen == [(False, "other", "wide", 1), (False, "other", "bulk", 3)]
        assert len(await until_read(log, 2)) == 2


async def test_without_options_and_defaults_a_message_is_a_plain_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two() as cluster:
        log = await log_on("b")
        seen = watched(monkeypatch, cluster)

        for reference in (log, log._location.actor, ("nobody", "b"), str(log)):
            assert pa.forward(reference, 1) is None

        assert {each[:3] for each in seen} == {(False, None, "calls")}


async def test_messages_through_one_reference_arrive_in_order() -> None:
    async with two() as cluster:
        log = await log_on("b", name="x")
        await until(lambda: cluster["a"].scheduler.names.known("x"))
        for reference in (log, ("x", "b"), "x", log._location.actor):
            already = len(await log.read.remote())
            for number in range(200):
                pa.forward(reference, number)
            assert (await until_read(log, already + 200))[already:] == list(range(200)), reference


def payload(rng: random.Random, depth: int = 0) -> Any:
    """Anything that can be sent: ids, texts that look like references, bytes, and containers of them."""
    kinds: list[Any] = [
        lambda: rng.choice([None, True, False, 0, -1, 2**63, 2**200, 1.5, float("inf")]),
        lambda: rng.randbytes(rng.randrange(0, 40)),
        lambda: "".join(rng.choices(string.printable + "äß→\0", k=rng.randrange(0, 20))),
        lambda: rng.choice(["actor:n1~5f3/2a", "monitor:n1~5f3/2", "n1~5f3", "@inbox", "=x", "a"]),
        lambda: rng.choice([ActorId(NodeId("a", 1), rng.randrange(9)), NodeId("b", rng.randrange(9))]),
        lambda: rng.choice([complex(1, 2), range(5), slice(1, 2), Ellipsis, frozenset({1, 2}), bytearray(b"x")]),
    ]
    if depth < 3:
        parts = lambda: [payload(rng, depth + 1) for _ in range(rng.randrange(0, 4))]  # noqa: E731 - one line
        kinds += [parts, lambda: tuple(parts()), lambda: {str(number): each for number, each in enumerate(parts())}]
    return rng.choice(kinds)()


async def test_payloads_arrive_as_they_were_whatever_they_look_like() -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    async with two():
        log = await log_on("b")
        sent = [payload(rng) for _ in range(PAYLOADS)]
        for message in sent:
            pa.forward(log, message)

        arrived = await until_read(log, PAYLOADS)

    assert arrived == sent
    assert [*map(repr, arrived)] == [*map(repr, sent)], "1 and True are equal, and are told apart here"


async def test_only_handles_and_refs_are_translated() -> None:
    async with two():
        log, other = await log_on("b"), await log_on("a", name="the other")
        pa.forward(log, [other, str(other), pa.put(7)])
        pa.forward(log, pa.put(8))

        (handle, text, ref), value = await until_read(log, 2)

        assert handle == other and text == str(other)
        assert await ref == 7
        assert value == 8, "a ref that is the message itself is replaced by its value, as in any call"


async def test_what_is_sent_later_is_sent_then_by_whoever_wanted_it_and_once() -> None:
    async with two() as cluster:
        log, other = await log_on("b", name="the log"), await log_on("a")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        timer = pa.send_after(0.2, log, "later", channel="wide", partition_key=3)
        await asyncio.to_thread(pa.send_after, 0.0, log, "from a thread")
        pa.send_after(0.0, log.write, "to a method")
        pa.send_after(0, ("the log", "b"), "by name")
        assert timer.is_pending

        entries = await until_read(log, 4)

        assert loop.time() - begun >= 0.2
        expected = ["from a thread", ["written", "to a method"], "by name", "later"]
        assert sorted(map(str, entries)) == sorted(map(str, expected))
        assert not timer.is_pending and not timer.cancel()
        assert await other.read.remote() == []
        assert not cluster["a"].system.extensions["timers"]


async def test_what_was_cancelled_is_not_sent_and_the_others_are() -> None:
    async with two() as cluster:
        log = await log_on("b")
        timers = [pa.send_after(3600.0, log, number) for number in range(100)]
        last = pa.send_after(0.05, log, "last")

        assert all(timer.cancel() for timer in timers[:50])
        assert await asyncio.to_thread(timers[50].cancel)
        assert not timers[0].cancel()

        assert await until_read(log, 1) == ["last"]
        assert not last.is_pending and len(cluster["a"].system.extensions["timers"]) == 49
    assert not any(timer.is_pending for timer in timers)
    assert not timers[99].cancel()


async def test_a_time_that_is_none_a_reference_that_means_nobody_and_too_many_timers_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timers_module, "TIMERS_MAX", 2)
    async with two() as cluster:
        log = await log_on("b")
        for after_s in (-1, "1", None, True, float("nan"), float("inf")):
            with pytest.raises(ConfigError, match="after_s"):
                pa.send_after(after_s, log, 1)  # type: ignore[arg-type]  # what is wrong on purpose
        with pytest.raises(ActorNotFound):
            pa.send_after(1.0, "nobody", 1)
        with pytest.raises(ConfigError, match="channel"):
            pa.send_after(1.0, log, 1, channel="no such")
        pa.send_after(1000.0, log, 1)
        pa.send_after(1000.0, log, 2)
        with pytest.raises(ConfigError, match="at most 2"):
            pa.send_after(1000.0, log, 3)

        assert len(cluster["a"].system.extensions["timers"]) == 2


async def test_what_comes_due_for_somebody_who_has_ended_is_a_dead_letter() -> None:
    async with two() as cluster:
        log = await log_on("b")
        down = pa.monitor(log)
        pa.kill(log)
        assert (await down).reason == "killed"

        pa.send_after(0.01, log, 1)
        pa.send_after(0.01, log, asyncio.get_running_loop())

        await until(lambda: sum(each.system.dead_letters.count for each in cluster.runtimes.values()) >= 2)


@asynccontextmanager
async def a_line(routing: str) -> AsyncIterator[Nodes]:
    """Nodes a, b and c, of which a and c have no connection and can make none; code in the block belongs to a."""
    settings = {"overlay": "static", "routing": routing, "dial_timeout_s": 0.2, "delivery": {"give_up_s": 2.0}}
    async with nodes("a", **settings) as cluster:
        await cluster.add("b", contact="a", **settings)
        await cluster.add("c", contact="b", **settings)
        for name, other in ("ac", "ca"):
            cluster.transports[name].forbidden = (cluster[other].node.address,)
            for connection in list(cluster[name].node.router.peer(cluster[other].node.me).open):
                connection.cut(ConnectionResetError("of the test"))
        await until(lambda: not cluster["a"].node.router.peer(cluster["c"].node.me).is_connected)
        with cluster.at("a"):
            yield cluster


async def _name() -> str:
    system = current_system.get()
    assert system is not None
    return str(system.me.name)


async def test_what_must_not_be_passed_on_has_no_route_where_other_messages_are_relayed() -> None:
    async with a_line("auto") as cluster:
        taken: list[Any] = []
        life = cluster["c"].node.me
        with cluster.at("c"):
            pa.on_message(taken.append)
        direct = {"transitive": False}

        assert await pa.forward(life, "relayed", ack=True) is None
        assert await pa.rpc("c", _name) == "c"
        with pytest.raises(pa.NoRoute):
            await pa.rpc("c", _name, forward=direct)
        with pytest.raises((pa.NoRoute, pa.Unacknowledged)):
            await pa.forward(life, "acked", ack=True, transitive=False)
        pa.forward(life, "told", transitive=False)
        assert await pa.rpc("b", _name, forward=direct) == "b"
        assert await pa.forward(life, "last", ack=True) is None

        await until(lambda: "last" in taken)
        assert taken == ["relayed", "last"]
        cluster.transports["a"].forbidden = ()
        assert await pa.forward(life, "direct", ack=True, transitive=False) is None
        assert cluster["a"].node.router.peer(life).is_connected


async def test_what_may_be_passed_on_is_where_the_node_itself_would_not() -> None:
    async with a_line("direct") as cluster:
        life = cluster["c"].node.me
        taken: list[Any] = []
        with cluster.at("c"):
            pa.on_message(taken.append)

        with pytest.raises(pa.NoRoute):
            await pa.rpc("c", _name)
        pa.forward(life, "by b", transitive=True)

        await until(lambda: taken == ["by b"])


async def test_defaults_and_options_of_the_call_hold_for_functions_on_nodes_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with two(forward={"ack": True, "channel": "wide", "partition_key": 3}) as cluster:
        assert await pa.rpc("b", _name) == "b"  # with the function's code
        seen = watched(monkeypatch, cluster, "service rpc")

        assert await pa.rpc("b", _name) == "b"
        assert await pa.rpc("b", _name, forward={"ack": False}) == "b"
        assert await pa.rpc("b", _name, forward={"causal": LABEL, "channel": "calls", "partition_key": 2}) == "b"
        assert await pa.rpc("b", _name, forward=pa.ForwardOptions()) == "b"
        (result,) = await pa.multicall_async(["b"], _name, forward={"ack": False})

        assert result.value == "b"
        assert seen == [
            (True, None, "wide", 3),
            (False, None, "wide", 3),
            (True, LABEL, "calls", 2),
            (False, None, "calls", 0),
            (False, None, "wide", 3),
        ]


async def test_options_of_functions_on_nodes_that_make_no_sense_are_refused() -> None:
    async with two():
        with pytest.raises(ConfigError, match="monotonic"):
            pa.rpc("b", _name, forward={"channel": "newest", "ack": True})
        with pytest.raises(ConfigError, match="causal"):
            pa.rpc("b", _name, forward={"causal": "unheard-of"})
        with pytest.raises(ConfigError, match="transitive"):
            pa.rpc("b", _name, forward={"transitive": 1})
        with pytest.raises(ConfigError, match="ForwardOptions"):
            pa.rpc("b", _name, forward={"hops": 3})
        with pytest.raises(ConfigError, match="transitive"):
            pa.forward(("nobody", "b"), 1, transitive=1)  # type: ignore[arg-type]  # what is wrong on purpose


@pytest.fixture(scope="module")
def processes() -> Iterator[pa.Session]:
    with pa.init(workers=1, forward={"ack": True}) as session:
        yield session


def test_between_processes_names_are_looked_up_and_workers_have_the_same_defaults(processes: pa.Session) -> None:
    log = Log.options(name="far").remote()
    refs = [pa.forward(reference, number) for number, reference in enumerate(("far", log, str(log)))]
    assert pa.get([ref for ref in refs if ref is not None]) == [None] * 3
    with pytest.raises(ActorNotFound):
        pa.forward("nobody", 1)

    taken: list[Any] = []
    pa.on_message(taken.append)
    home = pa.rpc(processes.node_name, str).result(30)  # it is up, and reached
    assert home == ""
    worker = Log.remote()
    me = next(node["id"] for node in pa.nodes() if node["name"] == processes.node_name)
    pa.get(worker.pass_on_from_a_thread.remote(me, "home"), timeout=30)
    ref = pa.forward(me, "last")
    assert ref is not None and ref.result(30) is None

    assert sorted(pa.get(log.read.remote())) == [0, 1, 2]
    deadline = 3000
    while len(taken) < 2 and deadline:
        pa.get(worker.read.remote(), timeout=30)
        deadline -= 1
    assert sorted(taken) == ["home", "last"]
