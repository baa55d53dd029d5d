"""What is said of work that waits: by `why`, by the command, and in the log."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors.context import current_system
from partisan_actors.api import pending
from tests.integration.nodes import nodes, until


@pa.task
async def wait_for(folder: str) -> None:
    Path(folder, "begun").touch()
    while not Path(folder, "go").exists():
        await asyncio.sleep(0.005)


@pa.task
async def after(value: Any) -> Any:
    return value


@pa.actor
class Holder:
    async def here(self) -> None: ...


async def asked(target: Any) -> pa.Why:
    return await asyncio.to_thread(pa.why, target)


async def test_a_queued_task_says_where_and_behind_whom_and_a_running_one_that_it_runs(tmp_path: Path) -> None:
    async with nodes("a", resources={"num_cpus": 1.0}) as cluster:
        with cluster.at("a") as runtime:
            running = wait_for.options(name="blocker").remote(str(tmp_path))
            await until((tmp_path / "begun").exists)
            queued = [after.remote(1) for _ in range(2)]
            await until(lambda: runtime.executor.queued == 2)

            first, last = await asked(running), await asked(queued[1])

            assert (first.what.split()[0], first.state, first.reasons) == ("blocker", "runs on node a", ())
            assert last.state == "is queued on node a"
            assert last.reasons[0] == "1 task is before it"
            assert last.reasons[1].startswith("it needs 1 CPU; free: no CPU; held by blocker (task:a~")
            assert "is queued on node a\n  - 1 task is before it\n" in str(last)
            (tmp_path / "go").touch()
            await asyncio.wait_for(asyncio.gather(running, *queued), 30)
            assert (await asked(running)).state == "finished"


async def test_what_no_node_has_room_for_says_why_for_each(tmp_path: Path) -> None:
    async with nodes("a", "b", resources={"num_cpus": 1.0}) as cluster:
        await cluster.add("c", resources={"num_cpus": 2.0}, labels={"zone": "x"})
        guest = await cluster.add("guest", hosts_actors=False)
        with cluster.at("guest"):
            holder = Holder.options(num_cpus=2, labels={"zone": "x"}).remote()
            await holder.here.remote()
            await until(lambda: guest.node.directory.records["c"].available.get("num_cpus", 0) == 0)

            actor = Holder.options(num_cpus=2, labels={"zone": "x"}).remote()
            task = after.options(num_cpus=2, placement=pa.NodeAffinity("c")).remote(1)
            await until(lambda: guest.scheduler.placing)

            for said in (await asked(actor), await asked(task)):
                assert said.state == "looks for a node"
                assert said.reasons[2] == "node c has no CPU free; actors hold 2 CPU for life"
            assert (await asked(actor)).reasons[0] == "node a has not the labels: no label zone"
            assert (await asked(task)).reasons[1] == "node b is not the node asked for, c"
            assert (await asked(holder)).state == "is alive on node c"
            pa.kill(holder)
            await asyncio.wait_for(actor.here.remote(), 30)
            pa.kill(actor)
            assert await asyncio.wait_for(task, 30) == 1


async def test_a_task_says_which_of_its_arguments_are_not_ready_and_so_does_a_borrowed_ref(tmp_path: Path) -> None:
    async with nodes("a", "b", resources={"num_cpus": 4.0}) as cluster:
        with cluster.at("a"):
            slow = wait_for.remote(str(tmp_path))
            waiting = after.remote(slow)
            await until((tmp_path / "begun").exists)
            assert f"its argument {slow.id} is not ready" in (await asked(waiting)).reasons
            borrowed = cluster["b"].objects.adopt(slow.id)
            with cluster.at("b"):
                assert (await asked(borrowed)).state.startswith("runs on node ")
            (tmp_path / "go").touch()
            await asyncio.wait_for(waiting, 30)


async def test_what_waits_for_long_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with nodes("a", resources={"num_cpus": 1.0}) as cluster:
        with cluster.at("a") as runtime, caplog.at_level(logging.WARNING, logger=pending.__name__):
            running = wait_for.remote(str(tmp_path))
            await until((tmp_path / "begun").exists)
            monkeypatch.setattr(pending, "WARN_S", 0.2)
            queued = after.options(name="patient").remote(1)
            actor = Holder.options(num_cpus=1).remote()
            begun = runtime.node.loop.time()

            await until(lambda: len(caplog.messages) >= 2)
            await until(lambda: runtime.node.loop.time() > begun + 1.0)

            said = sorted(caplog.messages)
            assert [text.split()[0] for text in said] == ["Holder", "patient"]
            assert "has waited for 0.2 s: it looks for a node. node a has no CPU free" in said[0]
            (tmp_path / "go").touch()
            await asyncio.wait_for(asyncio.gather(running, queued, actor.here.remote()), 30)


async def test_why_takes_refs_and_handles_and_never_blocks_the_loop() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a") as runtime:
            ref = after.remote(1)
            with pytest.raises(RuntimeError, match=r"to_thread\(pa.why"):
                pa.why(ref)
            with pytest.raises(TypeError, match="not a str"):
                pa.why("task")  # type: ignore[arg-type]  # the mistake
            assert await ref == 1
            assert current_system.get() is runtime.system
