"""Streams: generators of actors, whose items are there while they still run."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api import session
from partisan_actors.telemetry.records import AskFinished, AskServed
from partisan_actors.wire.channels import check_channels
from tests.integration.nodes import nodes, until
from tests.integration.programs import wait_until

pytestmark = pytest.mark.usefixtures("cluster")


@pa.actor
class Source:
    def __init__(self, folder: str = "") -> None:
        self.folder = Path(folder)
        self.made = 0
        self.ended = ""

    def count(self, most: int) -> Iterator[int]:
        for number in range(most):
            self.made = number + 1
            yield number

    async def count_soon(self, most: int) -> AsyncIterator[int]:
        for number in range(most):
            self.made = number + 1
            yield number

    def held(self, name: str) -> Iterator[str]:
        yield "first"
        deadline = time.monotonic() + 60
        while not (self.folder / name).exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        yield "second"

    async def held_soon(self, name: str) -> AsyncIterator[str]:
        yield "first"
        while not (self.folder / name).exists():
            await asyncio.sleep(0.005)
        yield "second"

    def breaks(self) -> Iterator[Any]:
        yield 1
        yield ValueError("a value")
        raise KeyError("the end")

    async def breaks_soon(self) -> AsyncIterator[Any]:
        yield 1
        yield ValueError("a value")
        raise KeyError("the end")

    def unsendable(self) -> Iterator[Any]:
        yield 1
        yield threading.Lock()

    def large(self, count: int, size: int) -> Iterator[bytes]:
        for number in range(count):
            yield bytes([number % 256]) * (size if number % 2 else 10)

    def endless(self) -> Iterator[int]:
        try:
            while True:
                self.made += 1
                yield self.made
        finally:
            (self.folder / "closed").touch()

    async def endless_soon(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            if self.folder != Path():
                (self.folder / "closed").touch()

    async def how_many(self) -> int:
        return self.made

    async def twice(self, ref: int) -> AsyncIterator[int]:
        yield ref
        yield 2 * ref

    def named(self, *, start: int = 1) -> Iterator[int]:
        yield start


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Any]:
    made = Source.remote(str(tmp_path))
    yield made
    pa.kill(made)


def unanswered() -> int:
    """How many replies this process waits for."""
    return sum(len(peer.pending) for peer in list(session.system().node.router.peers.values()))


# ---- items -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["count", "count_soon"])
def test_items_come_in_order_and_each_once(source: Any, name: str) -> None:
    stream = getattr(source, name).remote(3000)

    assert [pa.get(ref) for ref in stream] == list(range(3000))
    assert stream.is_finished() and pa.get(stream.completed()) is None
    assert list(stream) == []


@pytest.mark.parametrize("name", ["held", "held_soon"])
def test_the_first_item_is_there_while_its_producer_goes_on(source: Any, name: str, tmp_path: Path) -> None:
    stream = getattr(source, name).remote("go")

    assert pa.get(next(stream)) == "first"
    assert not stream.next_ready() and not stream.is_finished() and not stream.completed().done()
    (tmp_path / "go").touch()
    assert [pa.get(ref) for ref in stream] == ["second"]


async def test_a_coroutine_iterates_with_async_for(source: Any) -> None:
    values = [await ref async for ref in source.count.remote(50)]

    assert values == list(range(50))


def test_several_streams_of_one_actor_do_not_mix(source: Any) -> None:
    streams = [source.count_soon.remote(200) for _ in range(5)]

    for group in zip(*streams, strict=True):
        assert len({pa.get(ref) for ref in group}) == 1


def test_large_items_keep_their_place_among_small_ones(source: Any) -> None:
    values = [pa.get(ref) for ref in source.large.remote(40, 400_000)]

    assert [value[0] for value in values] == list(range(40))
    assert {len(value) for value in values} == {10, 400_000}


def test_arguments_are_refs_keywords_and_defaults_as_in_other_calls(source: Any) -> None:
    assert [pa.get(ref) for ref in source.twice.remote(pa.put(4))] == [4, 8]
    assert [pa.get(ref) for ref in source.named.remote(start=3)] == [3]
    assert [pa.get(ref) for ref in source.named.remote()] == [1]


def test_a_tell_runs_a_generator_to_its_end(source: Any) -> None:
    source.count.tell(5000)

    wait_until(lambda: pa.get(source.how_many.remote()) == 5000, "the generator to end")


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["breaks", "breaks_soon"])
def test_what_a_generator_raises_is_its_last_item(source: Any, name: str) -> None:
    stream = getattr(source, name).remote()
    refs = list(stream)

    assert len(refs) == 3 and pa.get(refs[0]) == 1
    assert isinstance(pa.get(refs[1]), ValueError)  # given, not raised
    with pytest.raises(KeyError, match="the end"):
        pa.get(refs[2])
    with pytest.raises(KeyError):
        pa.get(stream.completed())


def test_an_item_that_cannot_be_sent_ends_its_stream_with_the_reason(source: Any) -> None:
    first, last = source.unsendable.remote()

    assert pa.get(first) == 1
    with pytest.raises(pa.SerializationError, match=r"cannot send item 1 of Source\.unsendable"):
        pa.get(last)


def test_a_stream_of_an_actor_that_has_ended_has_the_reason_as_its_only_item() -> None:
    source = Source.remote()
    pa.kill(source)

    (ref,) = source.count.remote(3)

    with pytest.raises(pa.ActorStopped):
        pa.get(ref)


def test_killing_the_actor_ends_its_streams(source: Any) -> None:
    stream = source.endless_soon.remote()
    assert pa.get(next(stream)) == 1

    pa.kill(source)

    with pytest.raises(pa.ActorStopped):
        pa.get(next(stream), timeout=30)
    assert stream.is_finished()


def test_a_stream_stays_in_the_process_that_called(source: Any) -> None:
    stream = source.count.remote(1)

    for use in (pickle.dumps, copy.copy, pa.put, source.twice.remote):
        with pytest.raises(TypeError, match="cannot be sent or pickled: it belongs to the process that called"):
            use(stream)
    for refused in (lambda: stream.send(1), lambda: stream.throw(ValueError)):
        with pytest.raises(NotImplementedError):
            refused()


def test_a_generator_called_without_its_class_says_what_is_needed(source: Any) -> None:
    handle: Any = pa.parse_ref(str(source))

    with pytest.raises(TypeError, match="only a handle that knows the class of its actor can call it"):
        pa.get(handle.count.remote(3))


# ---- back-pressure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [1, 2, 3, 7, 15])
@pytest.mark.parametrize("name", ["count", "count_soon"])
def test_a_producer_is_never_further_ahead_than_it_may_be(name: str, ahead: int) -> None:
    source = Source.remote()
    stream = getattr(source, name).options(generator_backpressure=ahead).remote(40)

    for taken in range(40):
        wait_until(stream.next_ready, "an item")
        if name == "count_soon":  # its actor answers meanwhile
            made = pa.get(source.how_many.remote())
            assert made <= taken + ahead
        assert pa.get(next(stream)) == taken

    assert list(stream) == []
    pa.kill(source)


def test_a_producer_whose_items_nobody_takes_stops_at_the_bound(source: Any) -> None:
    stream = source.count_soon.options(generator_backpressure=5).remote(1000)

    wait_until(lambda: pa.get(source.how_many.remote()) == 5, "the producer to be as far ahead as it may be")
    for _ in range(20):
        assert pa.get(source.how_many.remote()) == 5
    assert sum(1 for _ in stream) == 1000


# ---- waiting, cancelling, dropping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["endless", "endless_soon"])
def test_a_stream_that_nobody_wants_any_more_is_no_unanswered_call(name: str, tmp_path: Path) -> None:
    source = Source.options(max_pending_calls=1).remote(str(tmp_path))
    stream = getattr(source, name).remote()
    pa.get(next(stream))
    with pytest.raises(pa.TooManyCalls):
        source.how_many.remote()

    stream.close()

    def is_heard() -> bool:
        try:
            pa.get(source.how_many.remote())
        except pa.TooManyCalls:
            return False
        return True

    wait_until(is_heard, "the call of the generator to be answered")
    pa.kill(source)


def test_wait_takes_streams_beside_refs(source: Any, tmp_path: Path) -> None:
    stream = source.held_soon.remote("go")
    pa.get(next(stream))
    ref = source.how_many.remote()

    assert pa.wait([stream, ref], timeout=30) == ([ref], [stream])
    (tmp_path / "go").touch()
    assert pa.wait([stream], timeout=30) == ([stream], [])


@pytest.mark.parametrize("name", ["endless", "endless_soon"])
def test_a_stream_that_is_cancelled_ends_and_so_does_its_generator(source: Any, name: str, tmp_path: Path) -> None:
    stream = getattr(source, name).remote()
    pa.get(next(stream))

    pa.cancel(stream)

    with pytest.raises(pa.TaskCancelled):
        pa.get(list(stream), timeout=30)
    wait_until((tmp_path / "closed").exists, "the generator to be closed")


@pytest.mark.parametrize("name", ["endless", "endless_soon"])
def test_a_stream_that_is_dropped_stops_its_generator(source: Any, name: str, tmp_path: Path) -> None:
    stream = getattr(source, name).remote()
    pa.get(next(stream))

    del stream

    wait_until((tmp_path / "closed").exists, "the generator to be closed")
    assert pa.get(source.how_many.remote()) >= 0


def test_a_stream_that_is_dropped_before_its_first_item_never_runs(source: Any, tmp_path: Path) -> None:
    first = source.held.remote("go")
    pa.get(next(first))
    waiting = source.endless.remote()
    outcome = waiting.completed()

    del waiting

    with pytest.raises(pa.TaskCancelled):
        pa.get(outcome, timeout=30)
    wait_until(lambda: unanswered() == 1, "the call to be cancelled there")
    (tmp_path / "go").touch()
    assert len(list(first)) == 1
    assert not (tmp_path / "closed").exists()


# ---- nodes -----------------------------------------------------------------------------------------------------------


async def test_a_lost_node_ends_its_streams_with_an_error() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            source = Source.options(placement=pa.NodeAffinity("b")).remote()
            stream = source.endless_soon.remote()
        assert await (await anext(stream)) == 1

        await cluster.crash("b")

        *_, last = [ref async for ref in stream]
        assert isinstance(last.exception(), (pa.NodeDown, pa.ActorUnavailable))
        assert cluster["a"].system.streams.count == 0


async def test_a_lost_consumer_ends_what_it_had_called(tmp_path: Path) -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            source = Source.options(placement=pa.NodeAffinity("b"), lifetime="detached").remote(str(tmp_path))
            stream = source.endless_soon.remote()
        assert await (await anext(stream)) == 1

        await cluster.crash("a")

        await until((tmp_path / "closed").exists)
        await until(lambda: cluster["b"].system.streams.count == 0)


async def test_streams_of_a_node_that_is_reached_by_relay_are_in_order() -> None:
    async with nodes("a", "b", "c", routing="relay") as cluster:
        with cluster.at("a"):
            sources = [Source.options(placement=pa.NodeAffinity(name)).remote() for name in ("b", "c")]
            streams = [source.large.remote(30, 40_000) for source in sources]
        for stream in streams:
            values = [(await ref)[0] async for ref in stream]
            assert values == list(range(30))


async def test_streams_are_in_order_over_several_lanes() -> None:
    async with nodes("a", "b", channels=check_channels({"calls": 4})) as cluster:
        with cluster.at("a"):
            source = Source.options(placement=pa.NodeAffinity("b")).remote()
            streams = [source.count_soon.remote(500) for _ in range(3)]
            large = source.large.remote(20, 300_000)
        for stream in streams:
            assert [await ref async for ref in stream] == list(range(500))
        assert [(await ref)[0] async for ref in large] == list(range(20))


async def test_the_loop_of_a_node_cannot_block_for_the_next_item() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            source = Source.remote()
            stream = source.endless_soon.remote()
        with pytest.raises(RuntimeError, match="async for"):
            next(stream)
        stream.close()
        with contextlib.suppress(pa.TaskCancelled):
            await stream.completed()


# ---- traces ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["count", "count_soon"])
async def test_a_stream_is_one_span_at_each_end_and_says_how_many_items_it_had(name: str) -> None:
    async with nodes("a", "b") as cluster:
        recorders = {each: cluster[each].recorder for each in ("a", "b")}
        for recorder in recorders.values():
            recorder.configure(enabled=True)
        with cluster.at("a"):
            source = Source.options(placement=pa.NodeAffinity("b")).remote()
            stream = getattr(source, name).remote(20)
        assert len([await ref async for ref in stream]) == 20
        await until(lambda: all(recorder.waiting for recorder in recorders.values()))

        records = {each: recorder.take(1000) for each, recorder in recorders.items()}
        (asked,) = [record for record in records["a"] if isinstance(record, AskFinished)]
        (served,) = [record for record in records["b"] if isinstance(record, AskServed)]
        assert (asked.method, asked.stream_items, asked.attempt, asked.failure) == (name, 20, 1, None)
        assert (served.method, served.stream_items, served.failure) == (name, 20, None)
        assert asked.context.trace_id == served.context.trace_id
        for recorder in recorders.values():
            recorder.configure(enabled=False)
