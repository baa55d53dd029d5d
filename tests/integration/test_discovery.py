"""Every node learns of every other one, and of its end: by a kill, by a stop, before and after its record came."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import Nodes, nodes, until
from tests.integration.programs import Program, Programs, wait_until
from tests.nodes import quiet

NAMES = ("a", "b", "c", "d", "e", "f")


@pa.actor(num_cpus=0)
class Counter:
    def __init__(self) -> None:
        self.value = 0

    async def add(self, amount: int) -> int:
        self.value += amount
        return self.value


@pa.actor(num_cpus=0, placement="spread")
class Viewer:
    def view(self) -> dict[str, tuple[Any, ...]]:
        """What the node that this runs on knows of every node."""
        from partisan_actors.actors.context import current_system

        system: Any = current_system.get()
        return {
            known.node.name: (known.node.incarnation, known.addresses, dict(known.total), known.pid, known.state_name)
            for known in system.node.directory
        }

    def pid(self) -> int:
        return os.getpid()


@pytest.fixture(scope="module")
def session() -> Iterator[pa.Session]:
    with pa.init(workers=4) as started:
        yield started


def test_every_node_knows_every_node_and_where_it_is_and_what_it_has(session: pa.Session) -> None:
    viewers = [Viewer.remote() for _ in range(4)]

    def common_view() -> Any:
        # A node whose process had to wait for a processor is suspected now and then.
        first, *others = pa.get([viewer.view.remote() for viewer in viewers])
        is_calm = all(state == "up" for *_, state in first.values())
        return first if is_calm and len(first) == 5 and all(view == first for view in others) else None

    view = wait_until(common_view, "all to know the same")

    assert len(set(pa.get([viewer.pid.remote() for viewer in viewers]))) == 4
    assert set(view) == {session.node_name, *(f"{session.node_name}-w{number}" for number in (1, 2, 3, 4))}
    assert {pid for _, _, _, pid, _ in view.values()} == {os.getpid(), *session.worker_pids}
    for name, (incarnation, addresses, total, _, _) in view.items():
        assert incarnation > 0 and addresses
        assert bool(total.get("num_cpus")) == (name != session.node_name)


def test_a_killed_node_is_down_everywhere_within_seconds(session: pa.Session) -> None:
    viewers = {pa.get(viewer.pid.remote()): viewer for viewer in [Viewer.remote() for _ in range(4)]}
    victim, *others = sorted(viewers)
    name = next(name for name, entry in pa.get(viewers[victim].view.remote()).items() if entry[3] == victim)

    os.kill(victim, signal.SIGKILL)

    def is_down_everywhere() -> bool:
        views = pa.get([viewers[pid].view.remote() for pid in others])
        here = {row["name"]: row["state"] for row in pa.nodes()}
        return {here[name], *(view[name][4] for view in views)} == {"down"}

    wait_until(is_down_everywhere, "all others to know")
    with pytest.raises(pa.NodeDown, match=name):
        pa.get(viewers[victim].view.remote())


NODE = """
    import asyncio
    import sys

    from partisan_actors.api.runtime import Runtime
    from partisan_actors.node.config import NodeConfig


    async def main(name, contacts):
        config = NodeConfig(name=name, cluster="stop", cookie=b"cookie", keep_alive_s=0.2,
                            suspicion_s=1.0, dial_timeout_s=0.3)
        runtime = Runtime(config)
        directory = runtime.node.directory
        directory.on_up.append(lambda record: print("up", record.node.name, flush=True))
        directory.on_down.append(lambda record, why: print("down", record.node.name, why, flush=True))
        await runtime.start(contacts)
        print("address", runtime.node.address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runtime.close()


    asyncio.run(main(sys.argv[1], sys.argv[2:]))
"""


def start_nodes(programs: Programs, *names: str) -> dict[str, Program]:
    """Nodes in processes of their own, each of which has heard of all of them."""
    started: dict[str, Program] = {}
    contacts: list[str] = []
    for name in names:
        started[name] = programs.start(NODE, name, *contacts, stdin=-1)
        contacts = contacts or [started[name].wait_for("address").split()[1]]
    for program in started.values():
        for name in names:
            program.wait_for(f"up {name}")
    return started


def end(started: dict[str, Program]) -> None:
    for program in started.values():
        assert program.process.stdin is not None
        program.process.stdin.close()
    for program in started.values():
        assert program.wait() == 0, program.output


def test_a_stopped_node_is_down_everywhere_within_seconds_and_back_when_it_goes_on(programs: Programs) -> None:
    started = start_nodes(programs, "a", "b", "c")
    victim = started["b"]

    victim.send(signal.SIGSTOP)
    wait_until(lambda: last_news(started, of="b") == {"down"}, "it to be down")

    victim.send(signal.SIGCONT)
    wait_until(lambda: last_news(started, of="b") == {"up"}, "it to be up again")
    end(started)


def last_news(started: dict[str, Program], of: str) -> set[str]:
    """What the others were last told of a node."""
    news = {name: [line.split() for line in program.lines] for name, program in started.items() if name != of}
    return {
        [words[0] for words in lines if words[1] == of and words[0] in ("up", "down")][-1] for lines in news.values()
    }


def test_a_node_that_is_killed_as_soon_as_it_has_joined_is_not_up_for_ever(programs: Programs) -> None:
    started = start_nodes(programs, "a", "b")
    address = started["a"].wait_for("address").split()[1]
    newcomer = programs.start(NODE, "x", address, stdin=-1)
    newcomer.wait_for("address")

    newcomer.send(signal.SIGKILL)

    wait_until(
        lambda: all(each.output.count("up x") == each.output.count("down x") for each in started.values()),
        "whoever has heard of it to hear of its end",
    )
    newcomer.wait()
    end(started)


async def test_two_halves_that_were_cut_apart_become_one_cluster_again() -> None:
    quick = {"redial": quick_redial(), "shuffle_period_s": 0.2}
    async with nodes(*NAMES, overlay_options=quick, dial_timeout_s=0.2) as cluster:
        halves = set(NAMES[:3]), set(NAMES[3:])
        await cut(cluster, *halves)

        mend(cluster)

        await until(lambda: all(live(cluster, name) == set(NAMES) for name in NAMES))


async def test_actors_of_a_node_that_was_taken_to_be_down_have_ended_when_it_is_back() -> None:
    quick = {"redial": quick_redial(), "shuffle_period_s": 0.2}
    async with nodes(*NAMES[:4], overlay_options=quick, dial_timeout_s=0.2) as cluster:
        with cluster.at("a"):
            steady = Counter.options(placement=pa.NodeAffinity("d")).remote()
            restarted = Counter.options(placement=pa.NodeAffinity("d", soft=True), max_restarts=1).remote()
        assert await steady.add.remote(1) == await restarted.add.remote(1) == 1
        await cut(cluster, set("abc"), {"d"})
        assert await restarted.add.remote(10) == 10

        mend(cluster)

        await until(lambda: all(live(cluster, name) == set("abcd") for name in "abcd"))
        await until(lambda: cluster.where()["d"] == 0)
        assert await restarted.add.remote(1) == 11
        with pytest.raises(pa.NodeDown):
            await steady.add.remote(1)


def quick_redial() -> Any:
    """A back-off that is short enough for a test."""
    from partisan_actors.protocols.membership.redial import RedialOptions

    return RedialOptions(first_s=0.1, longest_s=0.5, tries_max=100)


def live(cluster: Nodes, name: str) -> set[str]:
    """Who is up, as one node knows it."""
    return {record.node.name for record in cluster[name].node.directory.live()}


async def cut(cluster: Nodes, one: set[str], other: set[str]) -> None:
    """Break every connection between the two, let none be made, and return when both know."""
    for name, transport in cluster.transports.items():
        transport.forbidden = {cluster[each].node.address for each in (other if name in one else one)}
    await quiet()  # what is being dialled opens first
    for name in cluster.transports:
        for each in other if name in one else one:
            for connection in list(cluster[name].node.router.peer(cluster[each].node.me).open):
                connection.abort(ConnectionResetError("cut"))
    await until(lambda: all(live(cluster, name) == half for half in (one, other) for name in half))


def mend(cluster: Nodes) -> None:
    """Let everybody dial everybody again."""
    for transport in cluster.transports.values():
        transport.forbidden = set()
