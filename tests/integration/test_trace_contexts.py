"""Whose child a span is: across threads, coroutines, generators, retries, tasks, values and nodes, in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

import partisan_actors as pa
from partisan_actors.actors.replies import Reply
from partisan_actors.api.runtime import Runtime
from partisan_actors.telemetry.context import SAMPLED, TRACE_STATE_CHARS_MAX, TraceContext
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.plain_span import PlainSpan
from partisan_actors.telemetry.quick_records import QuickEntry, entries_of, in_full
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.sampler import ALWAYS_ON, Sampler
from partisan_actors.telemetry.spans import spans_of
from partisan_actors.telemetry.wall_clock import WallClock
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.payload import encode_call
from tests.integration.nodes import Nodes, nodes, until


@pa.actor(num_cpus=0)
class Ledger:
    def __init__(self) -> None:
        self.failures = 0

    def append(self, amount: int) -> int:
        return amount

    def fail_twice(self) -> int:
        self.failures += 1
        if self.failures <= 2:
            raise ValueError("not yet")
        return self.failures

    def refuse(self) -> None:
        raise ValueError("no")


@pa.actor(num_cpus=0)
class Bank:
    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger

    def blocking(self) -> int:
        return int(pa.get(self.ledger.append.remote(1)))

    async def in_another_thread(self) -> int:
        return await asyncio.to_thread(lambda: pa.get(self.ledger.append.remote(2)))

    async def in_another_task(self) -> int:
        async def pay() -> int:
            await asyncio.sleep(0)
            return int(await self.ledger.append.remote(3))

        return await asyncio.create_task(pay())

    def stream(self) -> Iterator[int]:
        for number in range(3):
            yield pa.get(self.ledger.append.remote(number))

    async def async_stream(self) -> AsyncIterator[int]:
        for number in range(3):
            yield await self.ledger.append.remote(number)

    async def later(self) -> None:
        await asyncio.sleep(0)
        self.ledger.append.tell(4)

    async def fail(self) -> None:
        await self.ledger.refuse.remote()

    def value(self, holder: list[Any]) -> int:
        return len(pa.get(holder[0]))

    def unsendable(self) -> Any:
        return threading.Lock()

    async def unsendable_soon(self) -> Any:
        return threading.Lock()

    def kill(self, victim: Any) -> None:
        pa.kill(victim, no_restart=False)


@pa.actor(num_cpus=0)
class Till:
    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger

    async def count(self, number: Any) -> Any:
        return number

    async def nested(self) -> int:
        return int(await self.ledger.append.remote(1))

    async def nested_later(self) -> int:
        await asyncio.sleep(0)
        return int(await self.ledger.append.remote(1))

    async def fail(self) -> None:
        raise ValueError("no")

    async def refuse(self, number: Any) -> None:
        raise ValueError(number)


# One for each way in which an item travels: inside the envelope, as a pickle in it, and beside it.
ITEMS = (7, "text", {"key": (1, 2)}, bytes(100_000), ["x" * 100_000])


@pa.actor(num_cpus=0)
class Source:
    def give(self, fails: bool) -> Iterator[Any]:
        yield from ITEMS
        if fails:
            raise ValueError("no more")

    async def give_soon(self, fails: bool) -> AsyncIterator[Any]:
        for item in ITEMS:
            yield item
        if fails:
            raise ValueError("no more")

    async def give_for_ever(self) -> AsyncIterator[int]:
        number = 0
        while True:
            yield number
            number += 1
            await asyncio.sleep(0)


@pa.actor(num_cpus=0, max_restarts=1)
class Phoenix:
    async def never(self) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def never_at_first(self) -> bool:
        if begun.is_set():
            return True
        begun.set()
        await asyncio.Event().wait()
        return False


# Set when a call that will not end has begun.
begun = threading.Event()


@pa.actor(num_cpus=0, tracing="off")
class Quiet:
    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger

    def pay(self) -> int:
        return int(pa.get(self.ledger.append.remote(1)))


@pa.actor(num_cpus=0, tracing="full")
class Loud:
    async def pay(self) -> int:
        return 1

    def note(self) -> None: ...


@pa.task
def task_that_calls(bank: Any) -> int:
    return int(pa.get(bank.blocking.remote()))


@pa.task
def numbers(count: int) -> Iterator[int]:
    yield from range(count)


@pa.task
async def numbers_soon(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


class Traced:
    """What the nodes have recorded."""

    def __init__(self, cluster: Nodes) -> None:
        self.cluster = cluster
        self.kept: dict[str, RecentSpans] = {}

    def configure(self, runtime: Runtime, sampler: Sampler, **options: Any) -> None:
        runtime.recorder.configure(enabled=True, sampler=sampler, options=TracingOptions(**options))

    def spans(self) -> list[PlainSpan]:
        """All spans so far, by time."""
        for name, runtime in self.cluster.runtimes.items():
            recorder = runtime.recorder
            kept = self.kept.setdefault(name, RecentSpans(WallClock(recorder.clock, recorder.wall_clock)))
            kept.resource = {"partisan.node.name": name}
            for record in recorder.take(10_000):
                kept.add_records([record])
        spans = [span for kept in self.kept.values() for entry in kept.newest_first() for span in entry.spans()]
        return sorted(spans, key=lambda span: span["start_ns"])

    def path(self, span: PlainSpan) -> list[str]:
        """The names from the root of its trace to the span, and kinds."""
        by_id = {each["span_id"]: each for each in self.spans()}
        names = []
        at: PlainSpan | None = span
        while at is not None:
            names.append(f"{at['name']} {at['kind']}")
            at = by_id[at["parent_id"]] if at["parent_id"] is not None else None
        return names[::-1]

    async def found(self, name: str, kind: str, count: int = 1) -> list[PlainSpan]:
        """The spans of that name and kind, once there are so many."""

        def look() -> list[PlainSpan] | None:
            spans = [span for span in self.spans() if (span["name"], span["kind"]) == (name, kind)]
            return spans if len(spans) >= count else None

        spans: list[PlainSpan] = await until(look)
        assert len(spans) == count
        return spans


@asynccontextmanager
async def traced(
    *,
    sampler: Sampler = ALWAYS_ON,
    caller: str = "a",
    **options: Any,
) -> AsyncIterator[tuple[Traced, Any, Any]]:
    """Two nodes that trace, a ledger on one and a bank on the other; the running code is the first node's."""
    async with nodes("a", "b") as cluster:
        recorded = Traced(cluster)
        for runtime in cluster.runtimes.values():
            recorded.configure(runtime, sampler, **options)
        with cluster.at(caller):
            ledger = Ledger.options(placement=pa.NodeAffinity("b")).remote()
            bank = Bank.options(placement=pa.NodeAffinity("a")).remote(ledger)
            yield recorded, bank, ledger


async def test_most_of_many_calls_are_written_down_briefly_and_say_what_the_others_say() -> None:
    async with traced(traces_per_second=None) as (recorded, _, ledger):
        till = Till.options(placement=pa.NodeAffinity("b")).remote(ledger)
        kept: dict[str, list[Any]] = {"a": [], "b": []}

        async def are_brief() -> bool:
            # One more argument than scalars, so that there are always calls on the long way, too.
            calls = [till.count.remote(number) for number in range(200)] + [till.count.remote([7])]
            await asyncio.wait_for(asyncio.gather(*calls), 30)
            for name, entries in kept.items():
                entries += entries_of(recorded.cluster[name].recorder.take_flat(10_000))
            return all(any(isinstance(entry, QuickEntry) for entry in entries) for entries in kept.values())

        async with asyncio.timeout(60):
            while not await are_brief():
                await asyncio.sleep(0)

    for entries in kept.values():
        calls = [entry for entry in entries if getattr(in_full(entry), "method", "") == "count"]
        brief = [spans_of(in_full(entry))[0] for entry in calls if isinstance(entry, QuickEntry)]
        long = [spans_of(entry)[0] for entry in calls if not isinstance(entry, QuickEntry)]
        assert {span.name for span in brief + long} == {"Till/count"} and brief and long
        keys = [{frozenset(span.attributes) for span in spans} for spans in (brief, long)]
        assert keys[0] == keys[1] and len(keys[0]) == 1
        same = ("rpc.method", "partisan.actor.id", "partisan.channel", "partisan.peer.node", "code.function.name")
        assert len({tuple(span.attributes.get(key) for key in same) for span in brief + long}) == 1
        assert len({span.context.trace_id for span in brief}) == len(brief)


@pytest.mark.parametrize("method", ["nested", "nested_later", "fail"])
async def test_what_quick_calls_call_and_raise_is_in_their_trace(method: str) -> None:
    async with traced(traces_per_second=None) as (recorded, _, ledger):
        till = Till.options(placement=pa.NodeAffinity("b")).remote(ledger)
        calls = [getattr(till, method).remote() for _ in range(100)]
        answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 30)

        clients = {span["span_id"]: span for span in await recorded.found(f"Till/{method}", "client", 100)}
        servers = {span["span_id"]: span for span in await recorded.found(f"Till/{method}", "server", 100)}
        assert {span["parent_id"] for span in servers.values()} == clients.keys()
        if method == "fail":
            assert all(isinstance(answer, ValueError) for answer in answers)
            ends = [*clients.values(), *servers.values()]
            assert {(span["status"], span["attributes"]["error.type"]) for span in ends} == {("error", "ValueError")}
        else:
            assert answers == [1] * 100
            inner = await recorded.found("Ledger/append", "client", 100)
            assert {span["parent_id"] for span in inner} == servers.keys()


@pytest.mark.parametrize("method", ["blocking", "in_another_thread", "in_another_task"])
async def test_a_nested_call_is_a_child_wherever_in_the_method_it_is_made(method: str) -> None:
    async with traced() as (recorded, bank, _):
        await asyncio.wait_for(getattr(bank, method).remote(), 30)

        (appended,) = await recorded.found("Ledger/append", "server")

        assert recorded.path(appended) == [
            f"Bank/{method} client", f"Bank/{method} server", "Ledger/append client", "Ledger/append server",
        ]  # fmt: skip


@pytest.mark.parametrize("method", ["stream", "async_stream"])
async def test_a_stream_is_one_pair_of_spans_with_what_is_called_between_its_items_inside(method: str) -> None:
    async with traced() as (recorded, bank, _):
        items = [await ref async for ref in getattr(bank, method).remote()]

        assert items == [0, 1, 2]
        client, server = [(await recorded.found(f"Bank/{method}", kind))[0] for kind in ("client", "server")]
        appended = await recorded.found("Ledger/append", "client", 3)
        assert {span["parent_id"] for span in appended} == {server["span_id"]}
        assert server["parent_id"] == client["span_id"]
        assert client["attributes"]["partisan.stream.items"] == server["attributes"]["partisan.stream.items"] == 3
        assert server["attributes"]["partisan.stream.bytes"] > 3


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("method", ["give", "give_soon"])
@pytest.mark.parametrize("place", ["a", "b"])
async def test_both_spans_of_a_stream_say_how_many_items_and_bytes_there_were(
    method: str, fails: bool, place: str
) -> None:
    async with traced() as (recorded, _, _):
        source = Source.options(placement=pa.NodeAffinity(place)).remote()
        refs = [ref async for ref in getattr(source, method).remote(fails)]
        items = await asyncio.gather(*refs, return_exceptions=True)

        assert tuple(items[: len(ITEMS)]) == ITEMS and len(items) == len(ITEMS) + fails
        client, server = [(await recorded.found(f"Source/{method}", kind))[0] for kind in ("client", "server")]
        for span in (client, server):
            assert span["attributes"]["partisan.stream.items"] == len(ITEMS)
            assert span["status"] == ("error" if fails else "unset")
        assert 200_000 < client["attributes"]["partisan.stream.bytes"] < 202_000
        assert server["attributes"]["partisan.stream.bytes"] == client["attributes"]["partisan.stream.bytes"]


async def test_the_span_of_a_stream_that_nobody_wants_any_more_says_what_has_come_of_it() -> None:
    async with traced() as (recorded, _, _):
        source = Source.options(placement=pa.NodeAffinity("b")).remote()
        stream = source.give_for_ever.options(generator_backpressure=4).remote()
        for number in range(10):
            assert await (await anext(stream)) == number
        stream.close()

        client, server = [(await recorded.found("Source/give_for_ever", kind))[0] for kind in ("client", "server")]
        came, given = client["attributes"], server["attributes"]
        assert 10 <= came["partisan.stream.items"] <= given["partisan.stream.items"] <= 20
        assert 10 <= came["partisan.stream.bytes"] <= given["partisan.stream.bytes"]
        assert server["parent_id"] == client["span_id"]


@pytest.mark.parametrize("method", ["unsendable", "unsendable_soon"])
async def test_a_result_that_cannot_be_sent_is_an_error_of_both_spans(method: str) -> None:
    async with traced() as (recorded, bank, _):
        with pytest.raises(pa.SerializationError):
            await getattr(bank, method).remote()

        for kind in ("client", "server"):
            (span,) = await recorded.found(f"Bank/{method}", kind)
            assert span["status"] == "error"
            for key in ("error.type", "rpc.response.status_code"):
                assert span["attributes"][key] == "SERIALIZATION_ERROR", kind


async def test_a_plain_call_says_nothing_of_a_stream() -> None:
    async with traced() as (recorded, bank, _):
        assert await bank.blocking.remote() == 1

        for kind in ("client", "server"):
            (span,) = await recorded.found("Bank/blocking", kind)
            assert not [key for key in span["attributes"] if key.startswith("partisan.stream")]


@pytest.mark.parametrize("generator", [numbers, numbers_soon])
async def test_a_task_that_is_a_generator_is_one_pair_of_spans_that_says_how_much_it_gave(generator: Any) -> None:
    async with traced() as (recorded, _, _):
        stream = generator.options(placement=pa.NodeAffinity("b")).remote(3)
        assert [await ref async for ref in stream] == [0, 1, 2]

        name = f"task/{generator.__name__}"
        client, server = [(await recorded.found(name, kind))[0] for kind in ("client", "server")]

        assert client["attributes"]["partisan.stream.items"] == server["attributes"]["partisan.stream.items"] == 3
        assert server["attributes"]["partisan.stream.bytes"] == client["attributes"]["partisan.stream.bytes"] > 3
        assert server["parent_id"] == client["span_id"]


async def test_a_tell_inside_an_async_method_is_a_child_and_so_is_what_it_does() -> None:
    async with traced() as (recorded, bank, _):
        await asyncio.wait_for(bank.later.remote(), 30)

        (processed,) = await recorded.found("process Ledger", "consumer")

        assert recorded.path(processed)[1:] == ["Bank/later server", "send Ledger producer", "process Ledger consumer"]


async def test_all_attempts_of_a_call_are_one_client_span_and_each_a_server_span_inside() -> None:
    async with traced() as (recorded, _, ledger):
        retried = ledger.fail_twice.options(max_task_retries=5, retry_exceptions=True)
        assert await asyncio.wait_for(retried.remote(), 30) == 3

        (client,) = await recorded.found("Ledger/fail_twice", "client")
        servers = await recorded.found("Ledger/fail_twice", "server", 3)

        assert client["attributes"]["partisan.attempt"] == 3 and client["status"] == "unset"
        assert [server["status"] for server in servers] == ["error", "error", "unset"]
        assert {server["parent_id"] for server in servers} == {client["span_id"]}


async def test_what_a_task_calls_is_inside_of_the_task() -> None:
    async with traced() as (recorded, bank, _):
        assert await asyncio.wait_for(task_that_calls.remote(bank), 30) == 1

        (appended,) = await recorded.found("Ledger/append", "server")

        assert recorded.path(appended)[:3] == [
            "task/task_that_calls client", "task/task_that_calls server", "Bank/blocking client",
        ]  # fmt: skip


async def test_a_failure_is_an_error_of_every_span_that_it_went_through() -> None:
    async with traced() as (recorded, bank, _):
        with pytest.raises(ValueError, match="no"):
            await asyncio.wait_for(bank.fail.remote(), 30)

        (refused,) = await recorded.found("Ledger/refuse", "server")
        (client,) = await recorded.found("Bank/fail", "client")
        by_id = {span["span_id"]: span for span in recorded.spans()}
        at: PlainSpan | None = refused
        while at is not None:
            assert (at["status"], at["attributes"]["error.type"]) == ("error", "ValueError")
            at = by_id.get(at["parent_id"] or "")
        assert client["parent_id"] is None


async def test_a_value_of_another_node_is_waited_for_and_pulled_inside_of_the_method_that_gets_it() -> None:
    async with traced() as (recorded, _, ledger):
        value = pa.put(b"x" * 100_000)
        there = Bank.options(placement=pa.NodeAffinity("b")).remote(ledger)

        assert await asyncio.wait_for(there.value.remote([value]), 30) == 100_000

        (put,) = await recorded.found("put object", "internal")
        (pulled,) = await recorded.found("pull object", "client")
        assert recorded.path(pulled)[1:] == ["Bank/value server", "get object internal", "pull object client"]
        assert put["attributes"]["partisan.object.size"] >= 100_000
        assert pulled["attributes"]["partisan.object.id"] == put["attributes"]["partisan.object.id"]
        assert str(pulled["attributes"]["partisan.object.source"]).startswith("a~")
        assert pulled["scope"] == "partisan_actors.objects"


async def test_in_full_sending_waiting_and_running_have_spans_of_their_own() -> None:
    async with traced(level="full") as (recorded, _, ledger):
        await asyncio.wait_for(ledger.append.remote(1), 30)
        ledger.append.tell(1)

        (executed, told) = await recorded.found("execute Ledger.append", "internal", 2)
        sent = await recorded.found("enqueue calls", "internal", 2)

        assert recorded.path(executed)[-2] == "Ledger/append server"
        assert recorded.path(told)[-2] == "process Ledger consumer"
        assert recorded.path((await recorded.found("mailbox Ledger", "internal"))[0])[-2] == "Ledger/append server"
        assert [recorded.path(each)[-2] for each in sent] == ["Ledger/append client", "send Ledger producer"]
        assert executed["attributes"]["thread.name"] not in ("", threading.main_thread().name)


async def test_a_class_may_ask_for_everything_or_for_nothing() -> None:
    async with traced() as (recorded, _, ledger):
        loud, quiet = Loud.remote(), Quiet.remote(ledger)
        await asyncio.wait_for(loud.pay.remote(), 30)
        assert await asyncio.wait_for(quiet.pay.remote(), 30) == 1

        await recorded.found("execute Loud.pay", "internal")
        names = {span["name"] for span in recorded.spans()}

        assert "Quiet/pay" not in names and "Ledger/append" not in names and "create Quiet" not in names
        assert "create Loud" in names


async def test_a_task_may_ask_for_everything_or_for_nothing() -> None:
    async with traced(level="calls") as (recorded, bank, _):
        await asyncio.wait_for(task_that_calls.options(tracing="off").remote(bank), 30)
        await asyncio.wait_for(task_that_calls.options(tracing="full").remote(bank), 30)

        (execute,) = await recorded.found("execute task.task_that_calls", "internal")
        appended = await recorded.found("Ledger/append", "server", 2)

        assert recorded.path(execute)[-2:] == ["task/task_that_calls server", "execute task.task_that_calls internal"]
        # What the first one called was not traced; what that called in turn begins a trace.
        assert [recorded.path(each)[0] for each in appended] == ["Ledger/append client", "task/task_that_calls client"]


async def test_a_call_says_how_long_it_waited_for_a_connection_that_took_no_more() -> None:
    async with traced() as (recorded, _, ledger):
        await asyncio.wait_for(ledger.append.remote(1), 30)
        node, clock = recorded.cluster["a"].node, recorded.cluster["a"].recorder.clock
        connection = node.router.peer(recorded.cluster["b"].node.me).direct
        assert connection is not None
        begun = clock()

        connection.pause_writing()
        reply = ledger.append.remote(2)
        await until(lambda: clock() - begun > 5_000_000)
        connection.resume_writing()
        await asyncio.wait_for(reply, 30)

        first, second = await recorded.found("Ledger/append", "client", 2)
        assert "partisan.channel.queue.wait" not in first["attributes"]
        assert 0.004 < second["attributes"]["partisan.channel.queue.wait"] < 30


async def test_a_context_that_a_user_has_attached_is_kept_to_where_little_is_sampled() -> None:
    async with traced(sampler=Sampler(0.0)) as (recorded, _, ledger):
        for number in range(10):
            await asyncio.wait_for(ledger.append.remote(number), 30)
        came = NonRecordingSpan(SpanContext(7, 8, True, TraceFlags(TraceFlags.SAMPLED)))

        token = otel_context.attach(set_span_in_context(came))
        await asyncio.wait_for(ledger.append.remote(10), 30)
        otel_context.detach(token)
        await asyncio.wait_for(ledger.append.remote(11), 30)

        (client,) = await recorded.found("Ledger/append", "client")
        (server,) = await recorded.found("Ledger/append", "server")
        assert client["parent_id"] == f"{8:016x}" and client["trace_id"] == f"{7:032x}"
        assert server["parent_id"] == client["span_id"]


async def test_a_trace_is_whole_or_absent_whatever_is_nested() -> None:
    async with traced(sampler=Sampler(0.5)) as (recorded, bank, _):
        for _ in range(60):
            await asyncio.wait_for(bank.blocking.remote(), 30)
        await asyncio.wait_for(task_that_calls.remote(bank), 30)

        sampled = await until(
            lambda: (len(roots := [s for s in recorded.spans() if s["parent_id"] is None]) > 5 and roots) or None
        )
        nested = [span for span in recorded.spans() if span["name"] == "Ledger/append"]

        assert len(sampled) < 60
        assert not [span for span in sampled if span["name"] == "Ledger/append"]
        assert all(recorded.path(span)[0].split("/")[0] in ("Bank", "task") for span in nested)


async def test_the_share_of_a_class_decides_where_its_call_begins_a_trace() -> None:
    async with traced() as (recorded, _, _):
        never = Bank.options(placement=pa.NodeAffinity("a"), tracing=0.0).remote(None)
        await asyncio.wait_for(asyncio.gather(*(never.fail.remote() for _ in range(5)), return_exceptions=True), 30)
        always = Ledger.options(tracing=1.0).remote()
        await asyncio.wait_for(always.append.remote(1), 30)

        await recorded.found("Ledger/append", "server")

        assert not [span for span in recorded.spans() if span["name"] == "Bank/fail"]


async def test_what_failed_is_kept_late_on_every_node_it_went_through_and_the_rest_is_not() -> None:
    async with traced(sampler=Sampler(0.0), keep_failed=True) as (recorded, bank, ledger):
        await asyncio.wait_for(ledger.append.remote(1), 30)
        with pytest.raises(ValueError, match="no"):
            await asyncio.wait_for(bank.fail.remote(), 30)

        (refused,) = await recorded.found("Ledger/refuse", "server")
        await recorded.found("Bank/fail", "client")
        # Whoever waited in a mailbox for over a millisecond has a span for that, too.
        spans = [span for span in recorded.spans() if not span["name"].startswith("mailbox")]

        assert recorded.path(refused) == [
            "Bank/fail client", "Bank/fail server", "Ledger/refuse client", "Ledger/refuse server",
        ]  # fmt: skip
        assert all(span["attributes"]["partisan.sampled.late"] is True for span in spans)
        assert len(spans) == 4


async def test_what_takes_long_is_kept_late() -> None:
    async with traced(sampler=Sampler(0.0), keep_slower_s=0.000001) as (recorded, _, ledger):
        await asyncio.wait_for(ledger.append.remote(1), 30)

        client, server = [(await recorded.found("Ledger/append", kind))[0] for kind in ("client", "server")]

        assert server["parent_id"] == client["span_id"] and server["status"] == "unset"


async def test_no_more_traces_begin_in_a_second_than_there_may() -> None:
    async with traced(traces_per_second=0.001) as (recorded, bank, _):
        for _ in range(20):
            await asyncio.wait_for(bank.blocking.remote(), 30)

        spans = recorded.spans()

        assert {span["trace_id"] for span in spans if span["resource"]["partisan.node.name"] == "a"} != set()
        assert len([span for span in spans if span["parent_id"] is None and span["kind"] == "client"]) <= 1


async def test_a_tell_may_begin_a_trace_with_a_link_to_its_sender() -> None:
    async with traced(tell_correlation="link") as (recorded, _, ledger):
        ledger.append.tell(1)

        (sent,) = await recorded.found("send Ledger", "producer")
        (processed,) = await recorded.found("process Ledger", "consumer")

        assert processed["parent_id"] is None and processed["trace_id"] != sent["trace_id"]
        assert [(link["trace_id"], link["span_id"]) for link in processed["links"]] == [
            (sent["trace_id"], sent["span_id"])
        ]


async def test_scopes_that_are_left_out_leave_nothing_and_the_overlay_tells_when_it_is_asked() -> None:
    async with traced(scopes=("overlay",)) as (recorded, bank, _):
        await asyncio.wait_for(bank.blocking.remote(), 30)
        runtime = await recorded.cluster.add("c")
        recorded.configure(runtime, Sampler(), scopes=("overlay",))

        joined = await until(lambda: [span for span in recorded.spans() if span["name"] == "join"])

        assert {span["scope"] for span in recorded.spans()} == {"partisan_actors.overlay"}
        assert all(span["parent_id"] is None for span in recorded.spans())
        assert joined[0]["attributes"]["partisan.overlay.active.size"] >= 1
        assert str(joined[0]["attributes"]["partisan.peer.node"]).startswith("c~")


# ---- restarts and their causes -----------------------------------------------------------------------------------


def linked(span: PlainSpan) -> list[str]:
    return [link["span_id"] for link in span["links"]]


async def test_a_restart_is_linked_to_the_call_that_had_the_actor_killed_and_to_its_making() -> None:
    async with traced() as (recorded, bank, _):
        victim = Phoenix.remote()
        begun.set()
        assert await asyncio.wait_for(victim.never_at_first.remote(), 60)
        await asyncio.wait_for(bank.kill.remote(victim), 60)

        (restart,) = await recorded.found("restart Phoenix", "internal")
        (kill,) = await recorded.found("Bank/kill", "server")
        (create,) = await recorded.found("create Phoenix", "client")
        assert linked(restart) == [kill["span_id"], create["span_id"]]
        assert restart["parent_id"] is None and "killed" in restart["attributes"]["partisan.restart.reason"]
        assert restart["trace_id"] not in (kill["trace_id"], create["trace_id"])


@pytest.mark.parametrize("method", ["never", "never_at_first"])
async def test_a_restart_is_linked_to_the_call_that_failed_with_the_actor(method: str) -> None:
    """One that is sent again, and then succeeds, among them."""
    begun.clear()
    async with traced() as (recorded, _, _):
        soon = pa.NodeAffinity("b", soft=True)
        victim = Phoenix.options(scheduling_strategy=soon, max_task_retries=int(method != "never")).remote()
        call = getattr(victim, method).remote()
        assert await asyncio.to_thread(begun.wait, 60)
        recorded.spans()  # what node b has recorded would be gone with it
        await recorded.cluster.crash("b")
        if method == "never":
            with pytest.raises((pa.ActorUnavailable, pa.NodeDown)):
                await asyncio.wait_for(call, 60)
        else:
            assert await asyncio.wait_for(call, 60)

        (restart,) = await recorded.found("restart Phoenix", "internal")
        (failed,) = await recorded.found(f"Phoenix/{method}", "client")
        (create,) = await recorded.found("create Phoenix", "client")
        assert linked(restart) == [failed["span_id"], create["span_id"]]
        assert failed["status"] == ("error" if method == "never" else "unset")


# ---- contexts that make no sense ---------------------------------------------------------------------------------

GOOD = TraceContext(1 << 100, 1 << 50, SAMPLED).pack()
MALFORMED = {
    "empty": b"",
    "short": GOOD[:-1],
    "of an invalid version": b"\xff" + GOOD[1:],
    "without a trace": GOOD[:1] + bytes(16) + GOOD[17:],
    "without a span": GOOD[:17] + bytes(8) + GOOD[25:],
    "of nothing but zeros": bytes(26),
}
DUBIOUS = {
    "of a later version": b"\x07" + GOOD[1:] + b"what that has",
    "with a tracestate beyond all bounds": GOOD + b"a=b," * 100_000,
    "with a tracestate that is no text": GOOD + b"\xff\xfe=\x00",
    "with all flags": GOOD[:25] + b"\xff",
}


async def sent_raw(till: Any, kind: Kind, extras: Any, method: str = "count") -> Any:
    """The answer to ``till.count(7)``, or another method, in a message with these extras, as others may write it."""
    location = till._location
    system, number = till._system, till._system.outbound.next_number()
    reply: Reply[Any] = Reply(system.loop)
    location.peer.pending[number] = reply
    head = [kind, number, location.key, method, extras]
    payload = encode_call((7,), {}, "arguments").body
    location.peer.calls.send(pack([*head, 7] if kind == Kind.CALL_META else [*head, payload]))
    return await asyncio.wait_for(reply, 60)


@pytest.mark.parametrize("kind", [Kind.CALL_META, Kind.CALL_PICKLED], ids=["scalars", "pickled"])
@pytest.mark.parametrize("many", [1, 60], ids=["one", "many"])
async def test_a_context_that_makes_no_sense_costs_the_context_and_never_the_call(kind: Kind, many: int) -> None:
    async with traced(traces_per_second=None) as (recorded, _, ledger):
        till = Till.options(placement=pa.NodeAffinity("b")).remote(ledger)
        assert await till.count.remote(1) == 1
        await recorded.found("Till/count", "server")

        for wire in (*MALFORMED.values(), *DUBIOUS.values()):
            forms = [{"tc": wire}, {"tc": wire, "channel": 7, "lane": "x", "hops": 2}, wire]
            for extras in forms if kind == Kind.CALL_META else forms[:2]:
                # The first calls of a method go the long way, and most of many go the short one.
                assert await asyncio.gather(*(sent_raw(till, kind, extras) for _ in range(many))) == [7] * many
        for extras in ({"tc": 7}, {"tc": "text"}, {"tc": None}, {"tc": [GOOD]}, {}):
            assert await sent_raw(till, kind, extras) == 7
        assert await till.count.remote(2) == 2

        spans = [span for span in recorded.spans() if span["name"] == "Till/count" and span["kind"] == "server"]
        assert all(int(span["trace_id"], 16) and int(span["span_id"], 16) for span in spans)
        dubious = [span for span in spans if span["trace_id"] == f"{1 << 100:032x}"]
        assert len(dubious) >= len(DUBIOUS) * many
        assert {span["parent_id"] for span in dubious} == {f"{1 << 50:016x}"}
        assert all(len(span["trace_state"]) <= TRACE_STATE_CHARS_MAX for span in spans)


@pytest.mark.parametrize("wire", ["without a trace", "without a span", "of nothing but zeros"])
async def test_a_call_that_fails_in_a_context_without_ids_has_a_span_of_its_own_or_none(wire: str) -> None:
    async with traced(traces_per_second=None) as (recorded, _, ledger):
        till = Till.options(placement=pa.NodeAffinity("b")).remote(ledger)
        assert await till.count.remote(1) == 1

        for _ in range(60):  # most go the short way
            with pytest.raises(pa.TaskFailed):
                await sent_raw(till, Kind.CALL_META, MALFORMED[wire], "refuse")
        assert await till.count.remote(2) == 2

        spans = [span for span in recorded.spans() if span["name"].startswith("Till/")]
        assert all(int(span["trace_id"], 16) and int(span["span_id"], 16) for span in spans)
        assert not [span for span in spans if span["parent_id"] is not None and not int(span["parent_id"], 16)]
