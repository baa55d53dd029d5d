"""Monitors, links and exit signals between whole nodes in memory, on several overlays and through relays."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors.signals import Signals
from partisan_actors.wire.channels import check_channels
from tests.integration.nodes import Nodes, nodes, until

FAST = {"dial_timeout_s": 0.2}
HELD = threading.Event()


@pa.actor
class Worker:
    """Ends in as many ways as there are."""

    def __init__(self, error: str = "") -> None:
        if error:
            raise ValueError(error)

    async def ping(self) -> int:
        return 1

    async def leave(self, reason: str) -> None:
        pa.exit_actor(reason)

    def leave_on_thread(self, reason: str) -> None:
        pa.exit_actor(reason)

    async def greet_and_leave(self, whom: Any, count: int) -> None:
        for number in range(count):
            whom.greeted.tell(number)
        pa.exit_actor()

    def greet_on_thread_and_leave(self, whom: Any, count: int) -> None:
        for number in range(count):
            whom.greeted.tell(number)
        pa.exit_actor()


@pa.actor
class Watcher:
    """Writes down what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    async def watch(self, actor: Any) -> None:
        self.ref = pa.monitor(actor)

    def watch_on_thread(self, actor: Any) -> None:
        self.ref = pa.monitor(actor)

    async def forget(self) -> None:
        pa.demonitor(self.ref)

    async def join(self, actor: Any) -> None:
        pa.link(actor)

    async def part(self, actor: Any) -> None:
        pa.unlink(actor)

    async def greeted(self, number: int) -> None:
        self.told.append(number)

    async def on_down(self, down: pa.Down) -> None:
        assert down.monitor == self.ref
        self.told.append(down.reason)

    async def seen(self) -> list[Any]:
        return self.told


@pa.actor(trap_exit=True)
class Trapper(Watcher):
    """Is told of exit signals."""

    async def on_exit(self, signal: pa.Exit) -> None:
        self.told.append((signal.reason, signal.is_link))


def at(node: str) -> dict[str, Any]:
    return {"placement": pa.NodeAffinity(node)}


async def told(watcher: Any, count: int, within_s: float = 30.0) -> list[Any]:
    """What it was told, once that is so much."""
    async with asyncio.timeout(within_s):
        while len(seen := await watcher.seen.remote()) < count:
            await asyncio.sleep(0.005)
    return list(seen)


def signals(cluster: Nodes, name: str) -> Signals:
    found: Signals = cluster[name].system.extensions["signals"]
    return found


def nothing_is_left(cluster: Nodes) -> bool:
    return all(not len(signals(cluster, name).watching) and not len(signals(cluster, name).watched) for name in "ab")


@pytest.mark.parametrize("node", ["a", "b"])
async def test_a_monitor_tells_the_real_reason_once(node: str) -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            watcher = Watcher.options(**at("a")).remote()
            reasons = []
            for end in ("normal", "boom", "thread", "kill", "exit"):
                worker = Worker.options(**at(node)).remote()
                await watcher.watch.remote(worker)
                ref = pa.monitor(worker)
                if end == "kill":
                    pa.kill(worker)
                elif end == "exit":
                    pa.exit(worker, "told to")
                else:
                    method = worker.leave_on_thread if end == "thread" else worker.leave
                    with pytest.raises(pa.ActorStopped, match=f"it exited: {end}"):
                        await method.remote(end)
                down = await ref
                assert down.id == worker._location.actor and down.monitor == ref and not down.may_restart
                reasons.append(down.reason)
                assert (await told(watcher, len(reasons)))[-1] == down.reason
                with pytest.raises(pa.ActorStopped):
                    await worker.ping.remote()

            assert reasons == ["normal", "boom", "thread", "killed", "told to"]
            assert await watcher.seen.remote() == reasons
            await until(lambda: nothing_is_left(cluster))


async def test_who_has_ended_or_never_was_is_noproc_and_what_a_constructor_raised_is_told() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            ended = Worker.options(**at("b")).remote()
            assert await ended.ping.remote() == 1
            ended.leave.tell("normal")
            first = await pa.monitor(ended)
            assert first.reason in ("normal", "noproc")
            failed = Worker.options(**at("b")).remote("no")

            assert (await pa.monitor(ended)).reason == "noproc"
            assert (await pa.monitor(failed)).reason in ("ValueError: no", "noproc")


@pytest.mark.parametrize("method", ["greet_and_leave", "greet_on_thread_and_leave"])
@pytest.mark.parametrize("channels", [{}, {"calls": 4}], ids=["one lane", "four lanes"])
@pytest.mark.parametrize("routing", ["direct", "relay"])
async def test_the_down_comes_after_the_last_message(method: str, channels: Any, routing: str) -> None:
    settings = {"channels": check_channels(channels), "routing": routing, "overlay": "hyparview", **FAST}
    async with nodes("a", "b", "c", **settings) as cluster:
        with cluster.at("a"):
            for _ in range(5):
                watcher = Watcher.options(**at("a")).remote()
                worker = Worker.options(**at("b")).remote()
                await watcher.watch.remote(worker)
                await until(lambda: len(signals(cluster, "b").watched) == 1)  # on other lanes it might be overtaken
                getattr(worker, method).tell(watcher, 200)

                assert await told(watcher, 201) == [*range(200), "normal"]


@pytest.mark.parametrize("overlay", ["hyparview", "full_mesh"])
async def test_the_death_of_a_node_fires_every_monitor_of_its_actors_once(overlay: str) -> None:
    async with nodes("a", "b", "c", overlay=overlay, **FAST) as cluster:
        with cluster.at("a"):
            watchers = [Watcher.options(**at("a")).remote() for _ in range(10)]
            workers = [Worker.options(**at("c")).remote() for _ in range(10)]
            restartable = Worker.options(max_restarts=1, placement=pa.NodeAffinity("c", soft=True)).remote()
            await asyncio.gather(*[w.watch.remote(each) for w, each in zip(watchers, workers, strict=True)])
            ref = pa.monitor(restartable)
            await restartable.ping.remote()

            await cluster.crash("c")

            for watcher in watchers:
                (reason,) = await told(watcher, 1)
                assert reason.startswith("node down: ")
            down = await ref
            assert down.reason.startswith("node down: ") and down.may_restart


async def test_no_down_comes_after_demonitor_and_nothing_is_left() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            watcher = Watcher.options(**at("a")).remote()
            worker = Worker.options(**at("b")).remote()
            await watcher.watch.remote(worker)
            ref = pa.monitor(worker)
            await until(lambda: len(signals(cluster, "b").watched) == 2)
            await watcher.forget.remote()
            pa.demonitor(ref)
            pa.demonitor(ref)
            with pytest.raises(pa.TaskCancelled):
                await ref
            await until(lambda: nothing_is_left(cluster))

            pa.kill(worker)
            await until(lambda: not cluster["b"].system.local_cells())
            assert (await pa.monitor(worker)).reason == "noproc"
            assert await watcher.seen.remote() == []


async def test_a_down_that_waits_in_the_mailbox_is_flushed() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            narrow = Watcher.options(max_concurrency=1, **at("a")).remote()
            worker = Worker.options(**at("b")).remote()
            await narrow.watch.remote(worker)
            ref = next(iter(signals(cluster, "a").watching.all()))
            blocked = Blocker.options(**at("a")).remote()
            await blocked.watch.remote(worker)
            mine = [each for each in signals(cluster, "a").watching.all() if each is not ref]
            held = blocked.hold.remote()
            await until(lambda: cluster["a"].system.cell(blocked._location.actor).is_blocked())
            pa.kill(worker)
            await until(lambda: all(each.is_over for each in mine) and len(signals(cluster, "a").watching) == 0)
            await until(lambda: cluster["a"].system.cell(blocked._location.actor).mailbox_size == 1)
            mine[0].is_flushed = True
            HELD.set()

            await held
            assert await blocked.seen.remote() == []
            assert await told(narrow, 1) == ["killed"]


@pa.actor
class Blocker(Watcher):
    """Blocks its own mailbox."""

    def hold(self) -> None:
        HELD.wait(120)


async def test_links_end_both_sides_and_normal_ends_only_one() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            first, second = Watcher.options(**at("a")).remote(), Watcher.options(**at("b")).remote()
            third = Worker.options(**at("b")).remote()
            trapper = Trapper.options(**at("a")).remote()
            await first.join.remote(second)
            await second.join.remote(third)
            await trapper.join.remote(third)
            await until(lambda: len(signals(cluster, "a").watching) + len(signals(cluster, "b").watching) == 6)
            with pytest.raises(pa.ActorStopped):
                await third.leave.remote("boom")

            assert await told(trapper, 1) == [("boom", True)]
            for each in (first, second):
                assert (await pa.monitor(each)).reason in ("boom", "noproc")

            quiet = Worker.options(**at("b")).remote()
            other = Watcher.options(**at("a")).remote()
            await other.join.remote(quiet)
            await trapper.join.remote(quiet)
            with pytest.raises(pa.ActorStopped):
                await quiet.leave.remote("normal")
            assert (await told(trapper, 2))[-1] == ("normal", True)
            assert await other.seen.remote() == []
            await until(lambda: nothing_is_left(cluster))


async def test_a_link_that_was_undone_by_either_side_does_nothing() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            first, second = Watcher.options(**at("a")).remote(), Watcher.options(**at("b")).remote()
            for undoer, other in ((first, second), (second, first)):
                await first.join.remote(second)
                await until(lambda: len(signals(cluster, "b").watching) == 1)
                await undoer.part.remote(other)
                await until(lambda: nothing_is_left(cluster))
            pa.exit(second, "boom")

            assert (await pa.monitor(second)).reason in ("boom", "noproc")
            assert await first.seen.remote() == []


async def test_exit_signals_are_trapped_except_kill() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            trapper, plain = Trapper.options(**at("b")).remote(), Worker.options(**at("b")).remote()
            ref = pa.monitor(trapper)
            pa.exit(trapper, "one")
            pa.exit(trapper)
            pa.exit(plain)
            assert await told(trapper, 2) == [("one", False), ("normal", False)]
            assert await plain.ping.remote() == 1

            pa.exit(trapper, "kill")
            assert (await ref).reason == "killed"


async def test_a_large_reason_arrives_whole() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            worker = Worker.options(**at("b")).remote()
            ref = pa.monitor(worker)
            reason = "x" * 1_000_000
            pa.exit(worker, reason)

            assert (await ref).reason == reason


async def test_ten_thousand_monitors_are_set_and_given_up_without_a_leak() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            workers = [Worker.options(**at("b")).remote() for _ in range(10)]
            await asyncio.gather(*[each.ping.remote() for each in workers])
            refs = [pa.monitor(each) for each in workers for _ in range(100)]
            await until(lambda: len(signals(cluster, "b").watched) == 1000)
            for ref in refs:
                pa.demonitor(ref)

            await until(lambda: nothing_is_left(cluster))


async def test_connections_that_break_lose_no_down() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            workers = [Worker.options(**at("b")).remote() for _ in range(20)]
            await asyncio.gather(*[each.ping.remote() for each in workers])
            refs = [pa.monitor(each) for each in workers]
            for number, worker in enumerate(workers):
                worker.leave.tell(f"r{number}")
                if number % 5 == 4:
                    for connection in cluster["a"].node.router.peer(cluster["b"].node.me).connections():
                        connection.abort(ConnectionResetError("cut by the test"))
                    await asyncio.sleep(0)
            await asyncio.sleep(0.3)
            for worker in workers:
                worker.leave.tell("late")  # for those whose first one was lost with a connection

            async with asyncio.timeout(30):
                reasons = [(await ref).reason for ref in refs]
            assert all(reason in (f"r{number}", "late") for number, reason in enumerate(reasons))
            await until(lambda: nothing_is_left(cluster))


async def test_programs_are_told_by_functions_and_bad_arguments_by_errors() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            heard: list[str] = []
            worker = Worker.options(**at("b")).remote()
            pa.monitor(worker, lambda down: heard.append(down.reason))
            foreign = pa.monitor(worker)
            pa.exit(worker, "done")
            await until(lambda: heard)
            assert heard == ["done"]

            for call in (pa.monitor, pa.link, pa.unlink, pa.exit):
                with pytest.raises(TypeError, match="takes an ActorHandle"):
                    call("no handle")  # type: ignore[operator]  # on purpose
            with pytest.raises(TypeError):
                pa.demonitor(7)  # type: ignore[arg-type]  # on purpose
            with pytest.raises(pa.ConfigError, match="reason"):
                pa.exit(worker, "")
            with pytest.raises(TypeError, match="methods of actors"):
                pa.exit_actor()
            for outside in (lambda: pa.link(worker), pa.current_actor):
                with pytest.raises(RuntimeError, match="methods of actors"):
                    outside()
            with pytest.raises(pa.ConfigError, match="on_exit"):
                Worker.options(trap_exit=True).remote()
            with pytest.raises(pa.ConfigError, match="channel"):
                pa.monitor(worker, channel="none")
        with cluster.at("b"), pytest.raises(pa.ConfigError, match="monitor of this node"):
            pa.demonitor(foreign)


async def test_a_name_is_free_again_when_the_down_comes() -> None:
    async with nodes("a", "b", "c", **FAST) as cluster:
        with cluster.at("a"):
            for number in range(10):
                worker = Worker.options(name="the one", **at("bc"[number % 2])).remote()
                assert await worker.ping.remote() == 1
                ref = pa.monitor(worker)
                worker.leave.tell(f"r{number}")
                assert (await ref).reason == f"r{number}"
