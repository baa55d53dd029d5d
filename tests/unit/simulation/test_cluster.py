"""Whole nodes in virtual time: what users' code sees there, faults, and that every run can be repeated."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

import partisan_actors as pa
from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import Crash, Cut, Join, Leave, Loss, Reset, Restart, Slow, Stall
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.ids import NodeId
from partisan_actors.node.dialling import Dialling
from partisan_actors.simulation.cluster import DRIVER, SimulatedCluster
from tests.ring_example import load
from tests.unit.simulation.counting import (
    TRIES,
    UNWOUND,
    Counter,
    add_until_done,
    compute_for_ever,
    outlive_nodes,
    square,
    sum_of_squares,
)


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster(seed=1, nodes=3) as made:
        yield made


def blocking_program() -> tuple[int, int, int, float]:
    before = time.monotonic()
    counter = Counter.options(name="hits").remote(10)
    same = pa.get_actor("hits")
    value = pa.put([1, 2, 3])
    ready, _ = pa.wait([counter.add.remote(1)], timeout=5.0)
    return pa.get(ready[0]) + len(pa.get(value)), pa.get(same.add.remote(0)), pa.get(sum_of_squares.remote(4)), before


async def story(cluster: SimulatedCluster) -> list[int]:
    counters = [Counter.remote() for _ in range(5)]
    await asyncio.gather(*[add_until_done(counter, 1) for counter in counters])
    home = await counters[0].home.remote()
    cluster.crash(home)
    await asyncio.gather(*[add_until_done(counter, random.randrange(10)) for counter in counters])
    cluster.restart(home)
    cut = cluster.partition("n1")
    await asyncio.sleep(15.0)
    cluster.heal(cut)
    await cluster.until(cluster.is_complete, 60.0)
    return await asyncio.gather(*[add_until_done(counter, 1) for counter in counters])


def trace(seed: int, **settings: object) -> tuple[str, list[int]]:
    with SimulatedCluster(seed, nodes=4, **settings) as cluster:
        result = cluster.run(story(cluster), 600.0)
        return cluster.trace_hash, result


# ---- what users' code sees ------------------------------------------------------------------------------------------


def test_blocking_code_runs_as_on_a_real_cluster_and_takes_virtual_time(cluster: SimulatedCluster) -> None:
    began = time.process_time()
    added, again, squares, before = cluster.run(blocking_program)

    assert (added, again, squares) == (14, 11, 14)
    assert cluster.now_s - before > 1.0
    assert time.process_time() - began < 30.0


def test_an_hour_passes_at_once_for_coroutines_and_for_methods(cluster: SimulatedCluster) -> None:
    async def main() -> float:
        await asyncio.sleep(300.0)
        return await Counter.remote().sleep.remote(300.0)

    before = cluster.now_s
    assert cluster.run(main()) == pytest.approx(300.0)
    assert cluster.now_s - before == pytest.approx(600.0, abs=1.0)


def test_users_errors_come_through_as_they_are(cluster: SimulatedCluster) -> None:
    async def main() -> None:
        await Counter.remote().fail.remote()

    with pytest.raises(ZeroDivisionError, match="as it was asked"):
        cluster.run(main())
    with pytest.raises(KeyError):
        cluster.run(lambda: {}["missing"])


def test_a_thread_of_asyncio_may_block(cluster: SimulatedCluster) -> None:
    async def main() -> tuple[int, float]:
        before = time.monotonic()
        both = asyncio.gather(asyncio.to_thread(time.sleep, 2.0), asyncio.to_thread(lambda: pa.get(square.remote(3))))
        return (await both)[1], time.monotonic() - before

    result, took_s = cluster.run(main())

    assert result == 9
    assert took_s == pytest.approx(2.0, abs=0.1)


def test_a_coroutine_that_blocks_its_loop_holds_up_only_its_node(cluster: SimulatedCluster) -> None:
    async def main() -> float:
        counter = Counter.remote()
        await counter.add.remote(1)
        time.sleep(2.0)  # noqa: ASYNC251 - the planted mistake
        await asyncio.sleep(0)
        return cluster.now_s

    before = cluster.now_s
    assert cluster.run(main()) >= before + 2.0


def test_chance_comes_from_the_seed_and_goes_on_from_run_to_run() -> None:
    def draw() -> tuple[float, str, float]:
        return random.random(), str(uuid.uuid4()), time.time()

    drawn = []
    for seed in (1, 1, 2):
        state = random.getstate()
        with SimulatedCluster(seed, nodes=1) as cluster:
            drawn.append([cluster.run(draw), cluster.run(draw)])
        assert random.getstate() == state

    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0][0] != drawn[0][1]
    assert abs(time.time() - drawn[0][0][2]) > 1e6, "real time is back"


def test_nodes_are_listed_as_on_a_real_cluster(cluster: SimulatedCluster) -> None:
    async def main() -> list[tuple[str, str]]:
        return [(row["name"], row["state"]) for row in pa.nodes()]

    assert cluster.run(main()) == [(name, "up") for name in (DRIVER, "n0", "n1", "n2")]


# ---- faults -------------------------------------------------------------------------------------------------------


def test_a_restartable_actor_comes_back_elsewhere_when_its_node_crashes(cluster: SimulatedCluster) -> None:
    async def main() -> tuple[str, str, float]:
        counter = Counter.remote(100)
        first = await counter.home.remote()
        before = cluster.now_s
        cluster.crash(first)
        assert await add_until_done(counter, 1) == 101
        return first, await counter.home.remote(), cluster.now_s - before

    first, second, took_s = cluster.run(main())

    assert first != second
    assert took_s < 5.0
    assert cluster.live == [name for name in ("n0", "n1", "n2") if name != first]


def test_a_task_is_tried_again_elsewhere(cluster: SimulatedCluster) -> None:
    TRIES.clear()

    async def main() -> str:
        ref = outlive_nodes.remote()
        await cluster.until(lambda: bool(TRIES))
        cluster.crash(TRIES[0])
        return await ref

    assert cluster.run(main()) == TRIES[-1] != TRIES[0]


def test_a_node_that_is_cut_off_is_down_after_a_while_and_up_again_when_the_cut_heals(
    cluster: SimulatedCluster,
) -> None:
    async def main() -> tuple[float, list[int]]:
        counters = {await counter.home.remote(): counter for counter in [Counter.remote() for _ in range(9)]}
        cluster.partition("n1")
        before = cluster.now_s
        with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
            await counters["n1"].add.remote(1)
        took_s = cluster.now_s - before
        cluster.heal()
        await cluster.until(cluster.is_complete, 60.0)
        return took_s, [await add_until_done(counter, 1) for counter in counters.values()]

    took_s, counts = cluster.run(main())

    assert 1.0 < took_s < 30.0
    assert len(counts) == 3


def test_a_short_hold_delays_and_breaks_nothing(cluster: SimulatedCluster) -> None:
    async def main() -> float:
        counters = [Counter.remote() for _ in range(6)]
        await asyncio.gather(*[counter.add.remote(1) for counter in counters])
        before = cluster.now_s
        held = cluster.hold("n0", "n1", "n2")
        calls = asyncio.gather(*[counter.add.remote(1) for counter in counters])
        await asyncio.sleep(1.0)
        assert not calls.done()
        cluster.heal(held)
        assert await calls == [2] * 6
        return cluster.now_s - before

    assert 1.0 < cluster.run(main()) < 1.5


def test_delays_and_losses_make_calls_slow_and_lose_none(cluster: SimulatedCluster) -> None:
    async def main() -> tuple[float, int]:
        counter = Counter.remote()
        await counter.add.remote(0)
        cluster.delay(0.05, 0.05)
        cluster.lose(0.1)
        before = cluster.now_s
        counts = await asyncio.gather(*[counter.add.remote(1) for _ in range(50)])
        return cluster.now_s - before, max(counts)

    took_s, count = cluster.run(main())

    assert count == 50
    assert took_s > 0.1


def test_every_operation_of_a_plan_happens_to_whole_nodes() -> None:
    plan = FaultPlan((
        Loss(0.5, 5.0, 0.05), Slow(1.0, 5.0, "1 random", 0.002), Stall(2.0, 3.0, "1 random"), Reset(4.0, "1 random"),
        Cut(5.0, 25.0, ("n1",), one_way=True), Crash(6.0, ("n2",)), Restart(30.0), Join(32.0, 2), Leave(40.0, ("n3",)),
    ))  # fmt: skip
    with SimulatedCluster(seed=3, nodes=4) as cluster:
        cluster.start_plan(plan)
        cluster.run_for(7.0)
        assert "n2" not in cluster.live
        cluster.run_for(40.0)
        cluster.run_until(cluster.is_complete, 60.0)

        assert sorted(cluster.live) == ["n0", "n1", "n2", "n4", "n5"]


@pytest.mark.parametrize(
    "overlay", ["hyparview", *(pytest.param(name, marks=pytest.mark.slow) for name in ("xbot", "scamp_v2", "static"))]
)
def test_nobody_dials_a_former_life_of_a_node_that_is_back(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[NodeId | None] = []
    dial = Dialling.open

    async def spy(self: Dialling, address: str, channel: str, index: int, node: NodeId | None, *more: float) -> object:
        dialled.append(node)
        return await dial(self, address, channel, index, node, *more)

    monkeypatch.setattr(Dialling, "open", spy)
    with SimulatedCluster(seed=1, nodes=10, overlay=overlay) as cluster:
        former = cluster.runtime("n3").node.me
        cluster.crash("n3")
        cluster.run_for(90.0)
        assert former in dialled, "it was tried again"
        cluster.restart("n3")
        cluster.run_until(cluster.is_complete)
        dialled.clear()
        cluster.run_for(300.0)

        assert former not in dialled
        for name in cluster.live:
            views = cluster.runtime(name).node.driver.stack.views.values()
            assert not any(former in view for view in views)


def test_a_crash_stops_code_dead_and_leaves_no_thread_in_the_end() -> None:
    before = set(threading.enumerate())
    UNWOUND.clear()

    async def main(cluster: SimulatedCluster) -> None:
        counter = Counter.remote()
        home = await counter.home.remote()
        waiting = counter.sleep_for_ever.remote(home)
        await asyncio.sleep(1.0)
        cluster.crash(home)
        with pytest.raises(pa.PartisanError):
            await waiting
        await asyncio.sleep(30.0)
        assert UNWOUND == []

    with SimulatedCluster(seed=1, nodes=2) as cluster:
        cluster.run(main(cluster))
    assert len(UNWOUND) == 1

    for thread in set(threading.enumerate()) - before:
        thread.join(60.0)
        assert not thread.is_alive(), thread


@pytest.mark.parametrize("where", ["job", "method", "method that waits"])
def test_ctrl_c_ends_a_run_at_once_whatever_computes_or_waits(where: str) -> None:
    before = set(threading.enumerate())

    def ask() -> None:
        counter = Counter.remote()
        if where == "method that waits":
            counter.sleep_for_ever.remote("")
            compute_for_ever()
        pa.get(counter.compute_for_ever.remote())

    began = time.process_time()
    with pytest.raises(KeyboardInterrupt), SimulatedCluster(seed=1, nodes=2) as cluster:
        cluster.run(compute_for_ever if where == "job" else ask)

    assert set(threading.enumerate()) <= before
    assert time.process_time() - began < 10.0


# ---- repeatability ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "overlay",
    ["hyparview", "full_mesh", "xbot", "scamp_v1", "scamp_v2", "client_server", "static", "ring:Ring"],
)
def test_one_seed_is_one_run_and_another_seed_another(overlay: str) -> None:
    load()  # by its path the ring is importable now
    first, again, other = trace(1, overlay=overlay), trace(1, overlay=overlay), trace(2, overlay=overlay)

    assert first == again
    assert first[0] != other[0]


def test_a_run_does_not_depend_on_how_python_hashes_text() -> None:
    program = "from tests.unit.simulation.test_cluster import trace\nprint(*trace(5))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."},
            capture_output=True, text=True, timeout=80, check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }  # fmt: skip

    assert len(outputs) == 1, outputs


@pytest.mark.slow
def test_ten_minutes_of_twenty_nodes_are_a_few_real_seconds() -> None:
    began = time.process_time()
    with SimulatedCluster(seed=1, nodes=20) as cluster:

        async def main() -> None:
            counters = [Counter.remote() for _ in range(10)]
            for _ in range(60):
                await asyncio.gather(*[counter.add.remote(1) for counter in counters])
                await asyncio.sleep(10.0)

        cluster.run(main())

    assert time.process_time() - began < 60.0, "about 8 s on a quiet machine"


# ---- misuse -------------------------------------------------------------------------------------------------------


def test_what_makes_no_sense_is_refused_with_what_is_allowed(cluster: SimulatedCluster) -> None:
    with pytest.raises(ConfigError, match="n0, n1, n2"):
        cluster.crash("n7")
    with pytest.raises(ConfigError, match="n0, n1, n2"):
        cluster.crash(DRIVER)
    with pytest.raises(ConfigError, match="there is none"):
        cluster.restart("n1")
    with pytest.raises(ConfigError, match="driver, n0, n1, n2"):
        cluster.partition("elsewhere")
    with pytest.raises(ConfigError, match="only bytes"):
        cluster.start_plan(FaultPlan((Loss(0.0, 1.0, 0.5, kinds=("plumtree.graft",)),)))
    with pytest.raises(ConfigError, match=r"operations\[1\].nodes\[0\] = 'n4' .* n0, n1, n2, n3$"):
        cluster.start_plan(FaultPlan((Join(0.0), Crash(1.0, ("n4",)))))
    with pytest.raises(ConfigError, match="'driver'"):
        cluster.start_plan(FaultPlan((Crash(1.0, (DRIVER,)),)))
    cluster.start_plan(FaultPlan((Cut(1.0, 2.0, (DRIVER,)),)))
    for job in (3, story):
        with pytest.raises(ConfigError, match="a coroutine"):
            cluster.run(job)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({"nodes": 0}, "from 1 to"),
        ({"nodes": ["a", "a"]}, "names that differ"),
        ({"nodes": [DRIVER]}, "names that differ"),
        ({"seed": "one"}, "a whole number"),
        ({"cookie": b"mine"}, "left to the simulation"),
        ({"overlay": "ring"}, "hyparview"),
        ({"overlay_options": {"wrong": 1}}, "wrong"),
    ],
)
def test_a_cluster_that_cannot_be_says_so_before_anything_runs(settings: dict[str, object], allowed: str) -> None:
    with pytest.raises(ConfigError, match=allowed), SimulatedCluster(**{"seed": 1, "nodes": 2, **settings}):
        pass


def test_run_is_not_for_use_inside_of_itself_nor_before_nor_after(cluster: SimulatedCluster) -> None:
    async def main() -> None:
        cluster.run(asyncio.sleep(1.0))

    with pytest.raises(RuntimeError, match="await what is to be waited for"):
        cluster.run(main())
    with pytest.raises(RuntimeError, match="not started"):
        SimulatedCluster(seed=1).run(asyncio.sleep(1.0))
    cluster.close()
    cluster.close()
    with pytest.raises(RuntimeError, match="has been closed"):
        cluster.run(asyncio.sleep(1.0))


def test_a_job_that_takes_too_long_is_told_where_it_waits(cluster: SimulatedCluster) -> None:
    async def wait_for_godot() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError, match=r"20 virtual seconds.*wait_for_godot\(\) at .*test_cluster\.py"):
        cluster.run(wait_for_godot(), 20.0)
    with pytest.raises(TimeoutError, match=r"20 virtual seconds.*sleep_in_vain\(\) at .*test_cluster\.py"):
        cluster.run(sleep_in_vain, 20.0)
    assert cluster.run(lambda: 3) == 3, "it can be used afterwards"


def sleep_in_vain() -> None:
    time.sleep(1e6)


def test_nodes_can_have_names_and_new_ones_get_free_ones() -> None:
    with SimulatedCluster(seed=1, nodes=["ann", "n0"]) as cluster:
        assert cluster.add_new() == "n1"
        cluster.run_until(cluster.is_complete)

        assert cluster.live == ["ann", "n0", "n1"]
