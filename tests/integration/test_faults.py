"""Faults on real nodes: rules bind every path and leave nothing behind, and plans are those of the simulator."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import partisan_actors as pa
from partisan_actors.cli.simulate.command import simulate
from partisan_actors.faults import CORRUPT, DROP, DUPLICATE, Fault, Passing, delay, reorder
from partisan_actors.faults.operations import Crash, Cut, Duplicate, Hold, Join, Loss, Reset
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.simulation.cluster import SimulatedCluster
from partisan_actors.transport.connection import Connection
from tests.integration.nodes import Nodes, nodes, until
from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells

FAST = {"dial_timeout_s": 0.2}


@pa.actor
class Target:
    """Counts what reaches it."""

    def __init__(self) -> None:
        self.hits: list[int] = []

    async def hit(self, number: int, _: bytes = b"") -> int:
        self.hits.append(number)
        return number

    def hit_on_thread(self, number: int) -> int:
        self.hits.append(number)
        return number

    async def seen(self) -> list[int]:
        return self.hits


@pa.actor
class Relaying:
    """Hits another one, so often and so slowly that a plan is over before the last."""

    async def pass_on(self, target: Any, count: int) -> None:
        for number in range(count):
            await target.hit.options(ack=True).remote(number)
            await asyncio.sleep(0.05)


def at(node: str) -> dict[str, Any]:
    return {"placement": pa.NodeAffinity(node)}


def drop_hits(direction: str, seen: Counter[str]) -> Any:
    def rule(message: Passing) -> Fault | None:
        if message.direction == direction and message.method.startswith("hit"):
            seen[f"{message.kind}{' relayed' if message.is_relayed else ''}"] += 1
            return DROP
        return None

    return rule


async def hit_in_every_way(target: Any, count: int) -> None:
    """Calls and tells: plain, from a thread, with kwargs, large, to a blocking method."""
    large = bytes(100_000)
    for number in range(count):
        target.hit.tell(number)
        target.hit.tell(number, large)
        target.hit_on_thread.tell(number)
        target.hit.remote(number)
        target.hit.remote(number, _=b"x")
        target.hit_on_thread.remote(number)
        await asyncio.to_thread(target.hit.tell, number)


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("routing", ["direct", "relay"])
async def test_no_message_bypasses_a_rule(direction: str, routing: str) -> None:
    async with nodes("a", "b", "c", "d", "e", routing=routing, overlay="hyparview", **FAST) as cluster:
        with cluster.at("a"):
            targets = [Target.options(**at(name)).remote() for name in "abcde"]
            for each in targets:
                await each.seen.remote()
        seen: Counter[str] = Counter()
        with cluster.at("a"), pa.faults(drop_hits("out", seen) if direction == "out" else lambda message: None):
            rules = [_installed(cluster, name, drop_hits("in", seen)) for name in "abcde" if direction == "in"]
            for each in targets[direction == "out" :]:
                await hit_in_every_way(each, 20)
            for each in targets:
                assert await each.seen.remote() == []
            for end in rules:
                end()
        assert seen["call"] + seen["call relayed"] > 0 and seen["tell"] + seen["tell relayed"] > 0
        with cluster.at("a"):
            for each in targets:
                assert await each.hit.remote(7) == 7


def _installed(cluster: Nodes, name: str, rule: Any) -> Any:
    from partisan_actors.api.drills import drills_of

    return drills_of(cluster[name].system).begin(rule, 0)


async def test_without_rules_nodes_are_as_before() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            node = cluster["a"].node
            before = list(node.dispatch)
            with pa.faults(lambda message: None):
                assert node.dispatch != before
                assert all(type(each) is not Connection for each in node.dialling.connections())
                with pa.faults(lambda message: None):
                    pass
                assert node.dispatch != before
            assert node.dispatch == before
            assert all(type(each) is Connection for each in node.dialling.connections())
            assert node.dialling.on_made is node.dialling.refuses is None
            target = Target.options(**at("b")).remote()
            assert await target.hit.remote(1) == 1


async def test_delays_keep_the_order_and_reordering_does_not() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            target = Target.options(**at("b")).remote()
            await target.seen.remote()

            def late(fault: Any) -> Any:
                is_late = iter([True] + [False] * 10_000)
                return lambda m: fault if m.direction == "out" and m.method == "hit" and next(is_late) else None

            with pa.faults(late(delay(0.1))):
                assert [await ref for ref in [target.hit.remote(number) for number in range(20)]] == list(range(20))
            assert await target.seen.remote() == list(range(20))
            with pa.faults(late(reorder(2.0))):  # by then all the others have arrived, on any machine
                await asyncio.gather(*[target.hit.remote(100 + number) for number in range(20)])
            assert (await target.seen.remote())[20:] == [*range(101, 120), 100]


async def test_what_is_held_goes_on_when_the_rules_end() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            target = Target.options(**at("b")).remote()
            await target.seen.remote()
            with pa.faults(lambda m: delay(3600) if m.method == "hit" else None) as faults:
                refs = [target.hit.remote(number) for number in range(5)]
                await until(lambda: faults.counts.get("delay") == 5)

            assert [await ref for ref in refs] == list(range(5))


async def test_duplicates_arrive_twice_and_a_rule_that_raises_lets_pass(caplog: pytest.LogCaptureFixture) -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            target = Target.options(**at("b")).remote()
            await target.seen.remote()
            with pa.faults(lambda m: DUPLICATE if m.direction == "out" and m.method == "hit" else None):
                await target.hit.remote(1)
            with pa.faults(lambda m: 1 / 0):  # type: ignore[arg-type, return-value]  # on purpose
                await target.hit.remote(2)
                await target.hit.remote(3)
            assert await target.seen.remote() == [1, 1, 2, 3]
            assert caplog.text.count("a fault rule failed") == 1
            wrong: Any = 7
            with pytest.raises(TypeError, match="a fault rule is a function"), pa.faults(wrong):
                pass


async def test_rules_are_told_what_passes() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            target = Target.options(name="it", **at("b")).remote()
            await target.seen.remote()
            seen: list[Passing] = []
            with pa.faults(seen.append):  # type: ignore[arg-type]  # None lets it pass
                await target.hit.remote(1, bytes(50_000))
                pa.broadcast("topic", 1)
                await until(lambda: any(each.kind.startswith("plumtree") for each in seen))
            (call,) = [each for each in seen if each.method == "hit"]
            assert (call.direction, call.kind, call.sender, call.receiver) == ("out", "call", "a", "b")
            assert "Target 'it'" in call.actor and call.size > 50_000 and call.channel and not call.is_relayed
            assert any(each.kind == "reply" and each.direction == "in" for each in seen)


async def test_a_plan_cuts_real_nodes_and_they_come_together_again() -> None:
    async with nodes("a", "b", "c", overlay="full_mesh", suspicion_s=0.5, **FAST) as cluster:
        plan = FaultPlan((Cut(0.0, 600.0, ("a",)), Loss(0.0, 1.0, 0.5, ("b",), ("c",))))
        ends = [_installed(cluster, name, plan) for name in "abc"]
        a, b = cluster["a"], cluster["b"]
        await until(lambda: not a.node.router.peer(b.node.me).is_connected)
        await until(lambda: a.node.directory.live_count == 1 and b.node.directory.live_count == 2)
        for end in ends:
            end()
        await until(lambda: a.node.directory.live_count == b.node.directory.live_count == 3, 60)
        assert all(not len(cluster[name].system.extensions["faults"].interception) for name in "abc")
        with cluster.at("a"):
            assert await pa.rpc("b", int) == 0


async def test_a_plan_holds_repeats_and_resets() -> None:
    async with nodes("a", "b", "c", overlay="full_mesh", **FAST) as cluster:
        with cluster.at("a"):
            target = Target.options(**at("b")).remote()
            await target.seen.remote()
            with pa.faults(FaultPlan((Hold(0.0, 600.0, ("b",)),))) as faults:
                ref = target.hit.remote(1)
                await until(lambda: faults.counts.get("delay"))
                assert not ref.done()
            assert await ref == 1
            connections = set(cluster["a"].node.dialling.connections())
            with pa.faults(FaultPlan((Reset(0.0, ("a",)),))):
                await until(lambda: not connections & set(cluster["a"].node.dialling.connections()))
            end = _installed(cluster, "b", FaultPlan((Duplicate(0.0, 60.0, 1.0, 0.0, kinds=("tell",)),)))
            counts = cluster["b"].system.extensions["faults"].interception.counts
            numbers = itertools.count(100)
            # The plan begins in a moment, and what was told before that is told once.
            await until(lambda: target.hit.tell(next(numbers)) or counts["duplicate"] >= 1)
            end()
            assert max(Counter(await target.seen.remote()).values()) == 2


async def test_damage_is_found_and_mended_where_frames_are_checked() -> None:
    async with nodes("a", "b", checksums=True, **FAST) as cluster:
        with cluster.at("a"):
            target = Target.options(**at("b")).remote()
            await target.seen.remote()
            odd = iter(range(1000))
            rule = lambda m: CORRUPT if m.direction == "out" and m.method == "hit" and next(odd) % 5 == 0 else None  # noqa: E731 - one line
            with pa.faults(rule) as faults:
                for number in range(30):
                    assert await target.hit.remote(number) == number
                assert faults.counts["corrupt"] == 6
            assert await target.seen.remote() == list(range(30))
            assert cluster["b"].node.sessions.damaged_frames == 6


def test_what_cannot_be_done_to_a_running_node_is_refused_with_its_place() -> None:
    with pa.init(workers=0):
        for operation, why in ((Join(1.0), "partisan start"), (Crash(1.0, "all"), "a program's own")):
            with pytest.raises(pa.ConfigError, match=why) as caught, pa.faults(FaultPlan((Loss(0, 1, 0.5), operation))):
                pass
            assert caught.value.field == "operations[1].do"


def install_on_worker(installed: str) -> None:
    """In a worker: replies of blocking methods leave by their threads, unless there are rules."""
    faults = pa.faults(lambda m: DROP if m.direction == "out" and m.kind == "reply" and m.size < 40 else None)
    faults.__enter__()
    HELD.append(faults)
    Path(installed).touch()


HELD: list[Any] = []


def test_replies_that_threads_write_are_judged_too(tmp_path: Path) -> None:
    with pa.init(workers=1):
        (worker,) = [row["name"] for row in pa.nodes() if row["hosts_actors"]]
        target = Target.options(**at(worker)).remote()
        for number in range(20):
            assert pa.get(target.hit_on_thread.remote(number)) == number
        installed = tmp_path / "installed"
        pa.rpc(worker, install_on_worker, str(installed))  # its own reply is dropped, too
        wait_until(installed.exists, "the rule to be there")
        assert all(_times_out(target) for _ in range(5))


def _times_out(target: Any) -> bool:
    try:
        pa.get(target.hit_on_thread.options(timeout=0.2).remote(1))
    except pa.CallTimeout:
        return True
    return False


PLAN = """{"version": 1, "operations": [
    {"do": "cut", "at_s": 0.2, "until_s": 0.8, "side": ["n0"], "other": ["n1"]},
    {"do": "loss", "at_s": 0.2, "until_s": 0.8, "rate": 0.3, "senders": ["n0"], "receivers": ["n2"]},
    {"do": "delay", "at_s": 0, "until_s": 0.8, "delay_s": 0.01, "senders": ["n2"]},
    {"do": "reset", "at_s": 0.9, "side": ["n0"], "other": ["n2"]}]}"""


async def write_and_read() -> list[int]:
    """Acknowledged messages from n0 to n1, while a plan cuts the two off from each other."""
    target = Target.options(**at("n1")).remote()
    relay = Relaying.options(**at("n0")).remote()
    await relay.pass_on.remote(target, 20)
    return await target.seen.remote()


async def test_one_plan_file_is_carried_out_by_real_nodes_whole_simulated_ones_and_bare_machines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(PLAN)
    plan = FaultPlan.from_json(path.read_bytes())
    names = ("n0", "n1", "n2")

    async with nodes(*names, overlay="full_mesh", suspicion_s=60.0, **FAST) as cluster:
        ends = [_installed(cluster, name, plan) for name in names]
        with cluster.at("n2"):
            on_real_nodes = await write_and_read()
        for end in ends:
            end()
        suffered = [cluster[name].system.extensions["faults"].interception.counts for name in names]
    with SimulatedCluster(1, list(names), overlay="full_mesh", suspicion_s=60.0) as simulated:
        simulated.start_plan(plan)
        in_virtual_time = simulated.run(write_and_read())
    bare = CliRunner().invoke(simulate, ["run", "--nodes", "3", "--plan", str(path)])

    assert on_real_nodes == in_virtual_time == list(range(20))
    assert sum(counts["delay"] for counts in suffered), "what n2 sends"
    assert "every check held" in bare.output, bare.output


def test_commands_add_list_and_clear_faults_where_that_is_allowed(programs: Programs, tmp_path: Path) -> None:
    shells = Shells(programs, tmp_path)
    try:
        program, address = shells.start("--name", "first", "--allow-faults")
        shells.start("--name", "second", "--join", address)
        plan = tmp_path / "plan.json"
        plan.write_text(FaultPlan((Loss(0.0, 600.0, 0.0),)).to_json())

        added = shells.partisan("faults", "add", "delay", "until_s=600.5", "delay_s=0.01", "--json")
        assert added.returncode == 0, added.stderr
        assert json.loads(added.stdout) == {"nodes": ["first"], "operations": 1, "end_s": 600.5}
        assert "not on second: " in added.stderr and "--allow-faults" in added.stderr
        assert shells.partisan("faults", "plan", str(plan)).returncode == 0
        listed = shells.partisan("faults", "list")
        assert '"do": "delay"' in listed.stdout and '"do": "loss"' in listed.stdout, listed.stdout
        status = shells.partisan("status")
        assert "WARNING: faults are injected on first" in status.stdout, status.stdout
        wrong = shells.partisan("faults", "add", "loss", "until_s=1", "rate=2")
        assert wrong.returncode == 2 and "rate = 2 is not valid" in wrong.stderr and "Traceback" not in wrong.stderr
        refused = shells.partisan("faults", "add", "join")
        assert refused.returncode == 2 and "start nodes with `partisan start`" in refused.stderr

        cleared = shells.partisan("faults", "clear")
        assert cleared.stdout == "ended 2 plans on 1 node\n", cleared.stdout
        assert "WARNING" not in shells.partisan("status").stdout
        crashed = shells.partisan("faults", "add", "crash", 'nodes=["first"]')
        assert crashed.returncode == 0, crashed.stderr
        assert program.wait() == -signal.SIGKILL
    finally:
        shells.end()
