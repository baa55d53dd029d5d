"""Calls between nodes that are not neighbours, or cannot be dialled at all: they go through others, or say why not."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.ids import NodeId
from partisan_actors.protocols.delivery import stream
from partisan_actors.wire.envelope import Envelope
from tests.integration.nodes import Nodes, nodes, until
from tests.integration.programs import Programs
from tests.nodes import quiet
from tests.otlp_receiver import OtlpReceiver, check_spans
from tests.traces import CLIENT, INTERNAL, SERVER, Forest, Node

NAMES = tuple("abcdefghij")
SMALL_VIEWS = {"active_max": 3, "active_min": 2, "shuffle_period_s": 0.5}
RELAYED = {"routing": "relay", "overlay_options": SMALL_VIEWS}


@pa.actor(num_cpus=0)
class Echo:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def back(self, value: Any) -> Any:
        return value

    async def digest(self, data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    async def note(self, value: Any) -> None:
        self.seen.append(value)

    async def noted(self) -> list[Any]:
        return self.seen

    async def never(self) -> None:
        await asyncio.get_running_loop().create_future()


async def echo_on(cluster: Nodes, name: str) -> Any:
    """An actor that lives on that node, and was made by it."""
    with cluster.at(name):
        echo = Echo.options(placement=pa.NodeAffinity(name), lifetime="detached").remote()
    await echo.back.remote(0)
    return echo


def known_to(cluster: Nodes, name: str, handle: Any) -> Any:
    """The handle as it arrives on that node."""
    with cluster.at(name):
        return pickle.loads(pickle.dumps(handle))


def strangers(cluster: Nodes) -> list[tuple[str, str]]:
    """Pairs of nodes that are not neighbours now."""
    return [
        (a, b) for a, b in permutations(cluster.runtimes, 2) if cluster[b].node.me not in cluster[a].node.neighbours()
    ]


async def cut_off_from_each_other(cluster: Nodes) -> tuple[str, str]:
    """Two nodes that have no connection and can make none, although all others can dial either of them."""
    for a, b in strangers(cluster):
        doors = {a: b, b: a}
        for name, other in doors.items():
            cluster.transports[name].forbidden = (cluster[other].node.address,)
        await quiet()  # a connection that was being made is open now, or never will be
        if not any(cluster[name].node.router.peer(cluster[other].node.me).open for name, other in doors.items()):
            return a, b
        for name in doors:
            cluster.transports[name].forbidden = ()
    raise AssertionError("every node is connected to every other one")


def watch_neighbours(cluster: Nodes) -> set[tuple[str, str]]:
    """Every pair of nodes that are neighbours from now on, for however short a time: the overlay moves under a test."""
    seen: set[tuple[str, str]] = set()
    for name, runtime in cluster.runtimes.items():

        def note(name: str = name, runtime: Any = runtime) -> None:
            for other in runtime.node.neighbours():
                seen.update(((name, other.name), (other.name, name)))

        note()
        runtime.node.on_neighbours.append(note)
    return seen


async def test_with_small_views_every_node_calls_every_other_one_without_dialling_it() -> None:
    async with nodes(*NAMES, **RELAYED) as cluster:
        were_neighbours = watch_neighbours(cluster)
        echoes = {name: await echo_on(cluster, name) for name in NAMES}
        pairs = list(permutations(NAMES, 2))
        assert len(strangers(cluster)) >= len(pairs) // 2

        refs = [known_to(cluster, a, echoes[b]).back.remote([a, b]) for a, b in pairs]

        assert await asyncio.wait_for(asyncio.gather(*refs), 30) == [[a, b] for a, b in pairs]
        never_neighbours = [pair for pair in pairs if pair not in were_neighbours]
        assert never_neighbours
        for a, b in never_neighbours:
            assert cluster[a].node.router.peer(cluster[b].node.me).calls is None


async def test_large_arguments_and_results_pass_through_other_nodes_whole() -> None:
    data = os.urandom(5_000_000)
    async with nodes(*NAMES[:6], **RELAYED) as cluster:
        a, b = strangers(cluster)[0]
        far = known_to(cluster, a, await echo_on(cluster, b))

        digest, back = await asyncio.wait_for(asyncio.gather(far.digest.remote(data), far.back.remote(data)), 30)

        assert digest == hashlib.sha256(data).hexdigest()
        assert bytes(back) == data


async def test_messages_keep_their_order_when_a_connection_opens_while_others_are_lost_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "GIVE_UP_S", 60.0)
    async with nodes(*NAMES, **{**RELAYED, "routing": "auto"}) as cluster:
        a, b = await cut_off_from_each_other(cluster)
        far = known_to(cluster, a, await echo_on(cluster, b))
        peer = cluster[a].node.router.peer(cluster[b].node.me)
        assert await far.back.remote("through others") == "through others"
        lost: list[bytes] = []
        for name in cluster.runtimes:
            if name not in (a, b):
                swallow(cluster, name, lost)
        for number in range(100):
            far.note.tell(number)
        await until(lambda: len(lost) >= 100)
        assert not peer.open

        cluster.transports[a].forbidden = ()
        peer.relay_until = 0.0  # as if the time to dial again had come
        for number in range(100, 200):
            far.note.tell(number)

        assert await asyncio.wait_for(far.noted.remote(), 30) == list(range(200))
        assert peer.calls is not None


@pytest.mark.parametrize("victim", NAMES[:4])
async def test_when_a_node_in_between_crashes_no_call_between_the_others_is_lost(victim: str) -> None:
    async with nodes(*NAMES, **RELAYED, keep_alive_s=0.5) as cluster:
        echoes = {name: await echo_on(cluster, name) for name in NAMES}
        others = [name for name in NAMES if name != victim]
        handles = {(a, b): known_to(cluster, a, echoes[b]) for a, b in permutations(NAMES, 2)}
        refs = []
        for turn in range(6):
            refs += [handles[pair].back.remote(turn) for pair in permutations(others, 2)]
            if turn == 2:
                lost = [handles[a, victim].never.remote() for a in others]
                await asyncio.sleep(0)
                await cluster.crash(victim)

        answers = await asyncio.wait_for(asyncio.gather(*refs, return_exceptions=True), 30)
        errors = await asyncio.wait_for(asyncio.gather(*lost, return_exceptions=True), 30)

        # Only what was under way on a connection that broke can be uncertain, and none of these was the victim's.
        assert [answer for answer in answers if isinstance(answer, BaseException)] == []
        assert all(isinstance(error, (pa.NodeDown, pa.NoRoute, pa.ActorUnavailable)) for error in errors), errors


async def test_a_node_that_cannot_be_dialled_is_called_and_answers_through_others() -> None:
    async with nodes(*NAMES[:3]) as cluster:
        await cluster.add("x", advertise=("memory:1",))
        x = await echo_on(cluster, "x")

        answers = [await asyncio.wait_for(known_to(cluster, name, x).back.remote(name), 30) for name in NAMES[:3]]

        assert answers == list(NAMES[:3])


async def test_with_direct_routing_a_node_that_cannot_be_dialled_is_refused_at_once() -> None:
    async with nodes("a", "b") as cluster:
        await cluster.add("x", advertise=("memory:1",))
        await cluster.add("d", routing="direct")
        x = await echo_on(cluster, "x")

        with pytest.raises(pa.NoRoute, match="memory:1"):
            await asyncio.wait_for(known_to(cluster, "d", x).back.remote(1), 30)
        assert await known_to(cluster, "a", x).back.remote(2) == 2


async def test_a_call_whose_messages_are_all_swallowed_on_the_way_fails_within_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with nodes(*NAMES[:6], **RELAYED) as cluster:
        a, b = await cut_off_from_each_other(cluster)
        far = known_to(cluster, a, await echo_on(cluster, b))
        unanswered = far.never.remote()
        assert await far.back.remote(1) == 1
        monkeypatch.setattr(stream, "GIVE_UP_S", 1.0)
        for name in cluster.runtimes:
            if name not in (a, b):
                swallow(cluster, name)

        with pytest.raises(pa.ActorUnavailable, match="may or may not have run"):
            await asyncio.wait_for(far.back.remote(2), 30)
        with pytest.raises(pa.ActorUnavailable):
            await asyncio.wait_for(unanswered, 30)


def swallow(cluster: Nodes, name: str, lost: list[bytes] | None = None) -> None:
    """Have a node lose everything that it is to pass on, into `lost` if there is such a list.

    Signs of life still pass: it is about messages here, and nobody is to be believed down.
    """
    relay = cluster[name].node.relays
    pass_on = relay._pass_on

    def lose(envelope: Envelope, *arguments: Any) -> None:
        if not envelope.message or NodeId(*envelope.origin) == relay._host.me:
            pass_on(envelope, *arguments)
        elif lost is not None:
            lost.append(envelope.message)

    relay._pass_on = lose  # type: ignore[method-assign]  # a broken node


# ---- real processes --------------------------------------------------------------------------------------------------

CLUSTER = """
    import sys
    import time

    import partisan_actors as pa

    VIEWS = {"active_max": 3, "active_min": 2}


    @pa.actor(num_cpus=0)
    class Far:
        def measure(self, data):
            return [len(data), data[-1]]

        def note(self, text):
            self.noted = text

        def last(self):
            return self.noted


    @pa.actor(num_cpus=0)
    class Caller:
        def call(self, far, size):
            return pa.get(far.measure.remote(b"x" * size + b"!"))

        def tell(self, far):
            far.note.tell("from afar")
            return pa.get(far.last.remote())


    if __name__ == "__main__":
        if sys.argv[1:] and sys.argv[1] != "main":
            with pa.init(sys.argv[1], name="x", advertise="127.0.0.1:1", hosts_actors=True, resources={"far": 1},
                         overlay_options=VIEWS, tracing="hops"):
                print("joined", flush=True)
                sys.stdin.read()
        else:
            with pa.init(workers=4, name="d", overlay_options=VIEWS, tracing="hops") as session:
                print("address", session.address, flush=True)
                sys.stdin.readline()
                while len(pa.nodes()) < 6:
                    time.sleep(0.01)
                far = Far.options(resources={"far": 1}).remote()
                # More than the neighbours that the far one can have.
                places = [row["name"] for row in pa.nodes() if row["name"] not in ("d", "x")]
                callers = [Caller.options(placement=pa.NodeAffinity(name)).remote() for name in places]
                for size in (10, 3_000_000):
                    answers = pa.get([caller.call.remote(far, size) for caller in callers], timeout=90)
                    assert answers == [[size + 1, 33]] * 4, answers
                assert pa.get([caller.tell.remote(far) for caller in callers], timeout=90) == ["from afar"] * 4
                print("done", flush=True)
                sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def relayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forest]:
    """The spans of calls from four workers to a process that nobody can dial, which has dialled one or two of them."""
    with OtlpReceiver() as receiver, Programs(tmp_path_factory.mktemp("relayed")) as programs:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
        main = programs.start(CLUSTER, "main", stdin=-1, **variables)
        address = main.wait_for("address").split()[1]
        far = programs.start(CLUSTER, address, stdin=-1, **variables)
        far.wait_for("joined")
        assert main.process.stdin is not None and far.process.stdin is not None
        main.process.stdin.write("\n")
        main.process.stdin.flush()
        main.wait_for("done")
        main.process.stdin.close()
        assert main.wait() == 0, main.output
        far.process.stdin.close()
        assert far.wait() == 0, far.output
        forest = Forest(receiver.requests)
        problems = check_spans(receiver.requests)
        assert not problems, "\n".join([*problems, forest.text()])
        yield forest


def served_through_others(forest: Forest, name: str) -> list[tuple[Node, Node]]:
    """The client and server spans of calls that were relayed."""
    return [
        (asked, served)
        for asked in forest.all(name, CLIENT)
        for served in asked.children
        if served.kind == SERVER and served.attributes["partisan.hop.count"]
    ]


def test_calls_to_a_process_that_cannot_be_dialled_are_relayed_by_its_neighbours(relayed: Forest) -> None:
    through_others = served_through_others(relayed, "Far/measure")

    assert through_others, relayed.text()
    assert all(served.node == "x" for _, served in through_others)


def test_every_hop_is_an_internal_span_of_the_caller_on_the_node_that_passed_the_message_on(relayed: Forest) -> None:
    for asked, served in served_through_others(relayed, "Far/measure"):
        hops = [span for span in asked.children if (span.name, span.kind) == ("relay calls", INTERNAL)]
        there = [hop for hop in hops if not hop.attributes["partisan.hop.from"].startswith("x~")]

        assert {hop.attributes["partisan.hop.index"] for hop in there} >= {1, served.attributes["partisan.hop.count"]}
        assert any(hop.attributes["partisan.hop.to"].startswith("x~") for hop in there)
        for hop in hops:
            came_from, sent_to = hop.attributes["partisan.hop.from"], hop.attributes["partisan.hop.to"]
            assert hop.node not in (asked.node, "x")
            assert not came_from.startswith(f"{hop.node}~") and not sent_to.startswith(f"{hop.node}~")
            assert hop.attributes["partisan.channel"] == "calls"
            assert hop.attributes["partisan.hop.reason"] in ("tree", "no_direct_link")
            assert hop.duration_ns > 0


def test_answers_that_are_relayed_leave_their_hops_in_the_same_trace(relayed: Forest) -> None:
    back = [
        hop
        for asked, _ in served_through_others(relayed, "Far/measure")
        for hop in asked.children
        if hop.kind == INTERNAL and hop.attributes["partisan.hop.from"].startswith("x~")
    ]

    assert back, relayed.text()
