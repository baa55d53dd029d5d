"""No path goes round the rules: whatever one node sends another, a rule that drops everything keeps it away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api.drills import drills_of
from partisan_actors.faults import DROP, Fault, Passing
from partisan_actors.node import interception
from partisan_actors.wire.channels import check_channels
from partisan_actors.wire.envelope import Envelope
from partisan_actors.wire.frames import Kind
from tests.integration.nodes import Nodes, nodes, until
from tests.nodes import quiet, stop_the_clock

LABEL = "orders"
CHANNELS: Any = {"wide": 4, "newest": {"monotonic": True}}
LARGE = bytes(200_000)
# Nothing is sent that nobody asked for.
QUIET: dict[str, Any] = {"keep_alive_s": 0.0, "load_period_s": 1000.0, "last_record_s": 1000.0, "suspicion_s": 1000.0}


@pa.actor(num_cpus=0)
class Target:
    """Is on node b, and knows an actor on node a."""

    def __init__(self, other: Any = None) -> None:
        self.other = other

    async def hit(self, *arguments: Any) -> Any:
        return arguments

    def hit_on_thread(self) -> None:
        return None

    async def on_message(self, message: Any) -> None:
        return None

    async def value(self) -> list[Any]:
        return [pa.put("of b")]

    async def call_back(self, method: str, *arguments: Any) -> None:
        getattr(self.other, method).tell(*arguments)

    async def ask_back(self, method: str, *arguments: Any) -> None:
        getattr(self.other, method).remote(*arguments)

    async def large(self) -> bytes:
        return LARGE


@pa.task(num_cpus=0)
def work() -> None:
    return None


@dataclass
class Scene:
    """Nodes a and b, and between them what a path needs. What is done belongs to a."""

    cluster: Nodes
    target: Any
    ref: Any
    kept: list[Any] = field(default_factory=list)

    def keep(self, awaitable: Any) -> None:
        """Something that nobody will answer."""
        self.kept.append(awaitable)


def is_of(kind: str, method: str = "") -> Callable[[Passing], bool]:
    return lambda passing: passing.kind == kind and method in ("", passing.method)


def is_for(service: str) -> Callable[[Passing], bool]:
    return lambda passing: passing.actor == f"@{service}"


Act = Callable[[Scene], Any]
# What is done, and which message has to be seen to be dropped.
PATHS: dict[str, tuple[Act, Callable[[Passing], bool]]] = {
    "call": (lambda s: s.keep(s.target.hit.remote(1)), is_of("call", "hit")),
    "pickled call": (lambda s: s.keep(s.target.hit.remote({"a": [1]})), is_of("call", "hit")),
    "large call": (lambda s: s.keep(s.target.hit.remote(LARGE)), is_of("call", "hit")),
    "call with a deadline": (lambda s: s.keep(s.target.hit.options(timeout=60).remote(1)), is_of("call", "hit")),
    "call on another channel": (lambda s: s.keep(s.target.hit.options(channel="wide").remote(1)), is_of("call", "hit")),
    "tell": (lambda s: s.target.hit.tell(1), is_of("tell", "hit")),
    "large tell": (lambda s: s.target.hit.tell(LARGE), is_of("tell", "hit")),
    "tells on a monotonic channel": (
        lambda s: [s.target.hit.options(channel="newest").tell(number) for number in range(9)],
        is_of("tell", "hit"),
    ),
    "tell from a thread": (lambda s: asyncio.to_thread(s.target.hit.tell, 1), is_of("tell", "hit")),
    "acknowledged tell": (lambda s: s.keep(s.target.hit.options(ack=True).tell(1)), is_of("tell", "hit")),
    "acknowledged call": (lambda s: s.keep(s.target.hit.options(ack=True).remote(1)), is_of("call", "hit")),
    "causal tell": (lambda s: s.target.hit.options(causal=LABEL).tell(1), is_of("tell", "hit")),
    "causal call": (lambda s: s.keep(s.target.hit.options(causal=LABEL).remote(1)), is_of("call", "hit")),
    "forward": (lambda s: pa.forward(s.target, 1), is_of("tell", "on_message")),
    "forward to a name": (lambda s: pa.forward(("target", "b"), 1), is_of("tell", "on_message")),
    "forward to a node": (lambda s: pa.forward(s.cluster["b"].node.me, 1), is_for("inbox")),
    "monitor": (lambda s: s.keep(pa.monitor(s.target, s.kept.append)), is_of("call", "@watch")),
    "exit signal": (lambda s: pa.exit(s.target, "enough"), is_of("call", "@exit")),
    "a new actor": (lambda s: s.keep(Target.options(placement=pa.NodeAffinity("b")).remote()), is_for("scheduler")),
    "task": (lambda s: s.keep(work.options(placement=pa.NodeAffinity("b")).remote()), is_for("tasks")),
    "rpc": (lambda s: s.keep(pa.rpc("b", int)), is_for("rpc")),
    "fetch of a value": (lambda s: s.keep(asyncio.ensure_future(s.ref)), is_for("objects")),
    "broadcast": (lambda s: pa.broadcast("topic", 1), is_of("plumtree.gossip")),
}
# What b asks, so that a answers.
ANSWERS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "reply": ("hit", (1,)),
    "reply of a thread": ("hit_on_thread", ()),
    "large reply": ("large", ()),
}


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    settings = {**QUIET, "delivery": {"causal_labels": [LABEL]}, "channels": check_channels(CHANNELS)}
    async with nodes("a", "b", **settings) as cluster:
        with cluster.at("a"):
            mine = Target.options(placement=pa.NodeAffinity("a")).remote()
            target = Target.options(placement=pa.NodeAffinity("b"), name="target").remote(mine)
            await mine.hit.remote()
            for channel in ("calls", "wide", "bulk"):
                await target.hit.options(channel=channel).remote(LARGE if channel == "bulk" else 1)
            target.hit.options(channel="newest").tell(1)
            await target.call_back.remote("hit")
            (ref,) = await target.value.remote()
            with cluster.at("b"):
                pa.on_message(lambda message: None)
                pa.subscribe("topic", _ignore)
            stop_the_clock()
            await quiet(200)
            made = Scene(cluster, target, ref)
            yield made
            for waiting in made.kept:
                if isinstance(waiting, asyncio.Future):
                    waiting.cancel()


async def _ignore(value: Any) -> None:
    return None


def handled_from(cluster: Nodes, here: str, sender: str, only: set[int] | None = None) -> list[tuple[int, Any]]:
    """What the handlers of one node are given of another node's, from now on."""
    handled: list[tuple[int, Any]] = []
    dispatch = cluster[here].node.dispatch

    def spy(kind: int, handler: Callable[..., None]) -> Callable[..., None]:
        def handle(peer: Any, message: list[Any], *rest: Any) -> None:
            is_from = Envelope(*message).origin[0] == sender if kind == Kind.RELAY else peer.node.name == sender
            if is_from and (only is None or kind in only):
                handled.append((kind, message))
            handler(peer, message, *rest)

        return handle

    dispatch[:] = [spy(kind, handler) for kind, handler in enumerate(dispatch)]
    return handled


def dropping(direction: str, shows: Callable[[Passing], bool], seen: Counter[str]) -> Any:
    def rule(passing: Passing) -> Fault | None:
        if passing.direction != direction or {passing.sender, passing.receiver} != {"a", "b"} or passing.sender != "a":
            return None
        seen["shown" if shows(passing) else passing.kind] += 1
        return DROP

    return rule


async def nothing_passes(s: Scene, direction: str, act: Act, shows: Callable[[Passing], bool]) -> None:
    """Drop all that a sends b where it leaves, or where it arrives, and do something."""
    # Where a message arrives, the parts of a large one are put together before it is judged.
    only = None if direction == "out" else set(interception._NAMES)
    handled, seen = handled_from(s.cluster, "b", "a", only), Counter[str]()
    end = drills_of(s.cluster["a" if direction == "out" else "b"].system).begin(dropping(direction, shows, seen), 0)
    try:
        done = act(s)
        if isinstance(done, Awaitable):
            await done
        await until(lambda: seen["shown"])
        await quiet(200)

        assert handled == [], (handled, seen)
    finally:
        end()


@pytest.mark.parametrize("direction", ["out", "in"])
@pytest.mark.parametrize("path", PATHS)
async def test_nothing_that_a_node_sends_goes_round_the_rules(path: str, direction: str) -> None:
    async with scene() as s:
        act, shows = PATHS[path]

        await nothing_passes(s, direction, act, shows)


@pytest.mark.parametrize("direction", ["out", "in"])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_nothing_that_a_node_answers_goes_round_the_rules(answer: str, direction: str) -> None:
    async with scene() as s:
        method, arguments = ANSWERS[answer]

        def act(s: Scene) -> None:
            with s.cluster.at("b"):
                cell = next(each for each in s.cluster["b"].system.local_cells() if each.options.name == "target")
                other = cell.instance.other
                s.keep(getattr(other, method).remote(*arguments))

        await nothing_passes(s, direction, act, is_of("reply"))


async def test_a_partition_lets_nothing_pass_either_way_on_any_path() -> None:
    async with scene() as s:
        from_a, from_b = handled_from(s.cluster, "b", "a"), handled_from(s.cluster, "a", "b")
        cut = pa.faults(lambda m: DROP if m.direction == "out" and m.sender != m.receiver else None)
        end = drills_of(s.cluster["b"].system).begin(lambda m: DROP if m.direction == "out" else None, 0)
        with cut as faults:
            from_a.clear()
            from_b.clear()
            for act, _ in PATHS.values():
                done = act(s)
                if isinstance(done, Awaitable):
                    await done
            await until(lambda: faults.counts["drop"] >= len(PATHS))
            await quiet(200)

            assert from_a == from_b == []
        end()
