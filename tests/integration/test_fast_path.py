"""What a plain call may cost, in counts: no background job, no effect, no machine, one write for each turn of the loop.

Times differ from machine to machine; a way that was taken by mistake shows here.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api.runtime import Runtime
from partisan_actors.node.delivery import Delivery
from partisan_actors.node.driver import Driver
from partisan_actors.node.parties import Outgoing
from partisan_actors.node.relay import Relay
from partisan_actors.node.router import Router
from partisan_actors.protocols.delivery import causal, retransmission
from partisan_actors.scheduler.strategies import NodeAffinity
from partisan_actors.transport.connection import Connection
from tests.integration.nodes import Nodes, nodes, until
from tests.nodes import quiet, stop_the_clock

CALLS = 40
# Nothing else happens on its own for so long.
QUIET = {"keep_alive_s": 0.0, "load_period_s": 1000.0, "last_record_s": 1000.0}


@pa.actor
class Adder:
    async def add(self, a: int, b: int) -> int:
        return a + b

    async def on_message(self, message: int) -> None:
        return None


@pa.task(num_cpus=0.01)
def doubled(number: int) -> int:
    return 2 * number


@asynccontextmanager
async def two() -> AsyncIterator[Nodes]:
    """Nodes a and b; code in the block belongs to a."""
    async with nodes("a", "b", delivery={"causal_labels": ["x"]}, **QUIET) as cluster:
        with cluster.at("a"):
            yield cluster


def counted(patch: pytest.MonkeyPatch, counts: Counter[str], owner: Any, *names: str) -> None:
    """From now on, count the calls of those functions."""
    for name in names:
        original: Callable[..., Any] = getattr(owner, name)

        def count(*args: Any, _original: Any = original, _name: str = name, **kwargs: Any) -> Any:
            counts[f"{owner.__name__}.{_name}"] += 1
            return _original(*args, **kwargs)

        patch.setattr(owner, name, count)


def watched(patch: pytest.MonkeyPatch, cluster: Nodes) -> Counter[str]:
    """What happens from now on beside plain calls, and how often each node writes to the other."""
    counts: Counter[str] = Counter()
    counted(patch, counts, Driver, "carry_out", "_tell")
    counted(patch, counts, Delivery, "send", "ask", "_tick")
    counted(patch, counts, Outgoing, "push", "transmit")
    counted(patch, counts, Relay, "send", "on_relay")
    counted(patch, counts, Router, "send_otherwise")
    counted(patch, counts, retransmission.Outbox, "push")
    counted(patch, counts, causal.Causality, "emit")
    loop = asyncio.get_running_loop()
    stop_the_clock()

    def make(loop: asyncio.AbstractEventLoop, job: Any, **options: Any) -> asyncio.Task[Any]:
        counts["tasks"] += 1
        return asyncio.Task(job, loop=loop, **options)

    patch.setattr(loop, "_task_factory", make)
    for name, other in (("a", "b"), ("b", "a")):
        counted_writes(patch, counts, name, calls_lane(cluster[name], cluster[other]))
    return counts


def counted_writes(patch: pytest.MonkeyPatch, counts: Counter[str], name: str, connection: Any) -> None:
    write = connection._transport.write

    def count(data: Any) -> None:
        counts[f"writes of {name}"] += 1
        write(data)

    patch.setattr(connection._transport, "write", count)


def calls_lane(here: Runtime, there: Runtime) -> Any:
    connection = here.node.router.peer(there.node.me).calls
    assert connection is not None
    return connection


async def test_plain_calls_pass_no_machine_and_make_no_job_and_one_write_for_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with two() as cluster:
        adder = Adder.options(placement=NodeAffinity("b")).remote()
        await adder.add.remote(1, 2)
        await quiet()
        counts = watched(monkeypatch, cluster)

        refs = [adder.add.remote(number, 1) for number in range(CALLS)]
        for ref in refs:
            await ref

        assert [ref.result() for ref in refs] == list(range(1, CALLS + 1))
        assert counts == {"writes of a": 1, "writes of b": 1}


async def test_plain_tasks_make_no_job_on_either_side_and_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nodes("b", **QUIET) as cluster:
        await cluster.add("a", hosts_actors=False, **QUIET)
        with cluster.at("a"):
            assert await doubled.remote(1) == 2  # b has the function now
            await quiet()
            counts = watched(monkeypatch, cluster)

            refs = [doubled.remote(number) for number in range(CALLS)]
            for ref in refs:
                await ref

            assert [ref.result() for ref in refs] == [2 * number for number in range(CALLS)]
            assert (counts["tasks"], counts["writes of a"]) == (0, 1)


@pytest.mark.parametrize("way", ["tell", "forward", "forward to an id", "forward to a name there"])
async def test_plain_messages_of_any_kind_pass_no_machine_either(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    async with two() as cluster:
        adder = Adder.options(placement=NodeAffinity("b"), name="adder").remote()
        await adder.add.remote(1, 2)
        await quiet()
        counts = watched(monkeypatch, cluster)
        references: dict[str, Any] = {
            "forward": adder,
            "forward to an id": adder._location.actor,
            "forward to a name there": ("adder", "b"),
        }

        for number in range(CALLS):
            if way == "tell":
                adder.add.tell(number, 1)
            else:
                pa.forward(references[way], number)
        cell = next(iter(cluster["b"].system.local_cells()))
        await until(lambda: cell.processed == CALLS + 1)

        assert counts == {"writes of a": 1}


async def test_a_call_from_a_thread_is_written_with_whatever_else_comes_in_the_meantime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with two() as cluster:
        adder = Adder.options(placement=NodeAffinity("b")).remote()
        await adder.add.remote(1, 2)
        await quiet()
        counts = watched(monkeypatch, cluster)
        context = contextvars.copy_context()
        refs: list[Any] = []

        def call() -> None:
            refs.extend(adder.add.remote(number, 1) for number in range(CALLS))

        thread = threading.Thread(target=context.run, args=(call,))
        thread.start()
        thread.join()  # this loop stands still, so that all of them wait for it
        for ref in refs:
            await ref

        assert [ref.result() for ref in refs] == list(range(1, CALLS + 1))
        assert counts == {"writes of a": 1, "writes of b": 1}


def wrappers(cluster: Nodes) -> list[object]:
    """Whatever stands between plain messages and their handlers, or their connections, on either node."""
    found: list[object] = []
    for runtime in cluster.runtimes.values():
        node = runtime.node
        found += [each for each in node.dispatch if isinstance(each, functools.partial)]
        found += [type(each) for each in node.dialling.connections() if type(each) is not Connection]
        found += [each for each in (node.dialling.on_made, node.dialling.refuses) if each is not None]
        found += [each for each in (runtime.system.extensions.get("faults"),) if each is not None]
    return found


async def test_nothing_stands_in_the_way_where_there_has_never_been_a_rule() -> None:
    async with two() as cluster:
        adder = Adder.options(placement=NodeAffinity("b")).remote()
        await adder.add.remote(1, 2)

        assert wrappers(cluster) == []
        with pa.faults(lambda message: None):
            assert len(wrappers(cluster)) > 3, "and it would be seen"


async def test_the_counters_see_what_an_acknowledged_and_a_causal_call_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two() as cluster:
        adder = Adder.options(placement=NodeAffinity("b")).remote()
        await adder.add.remote(1, 2)
        await quiet()
        counts = watched(monkeypatch, cluster)

        assert await adder.add.options(ack=True, causal="x").remote(1, 2) == 3

        assert counts["Delivery.ask"] == 1
        assert counts["Outgoing.push"] == counts["Outbox.push"] == counts["Causality.emit"] == 2
        assert counts["tasks"] == 0


async def test_a_call_to_an_actor_of_the_same_node_touches_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two() as cluster:
        remote, local = (Adder.options(placement=NodeAffinity(name)).remote() for name in "ba")
        await asyncio.gather(remote.add.remote(1, 2), local.add.remote(1, 2))
        await quiet()
        counts = watched(monkeypatch, cluster)

        for number in range(CALLS):
            assert await local.add.remote(number, 1) == number + 1

        assert {name: count for name, count in counts.items() if name.startswith("writes")} == {}
        assert counts["tasks"] == 0
