"""`partisan` in several shells: nodes that form a cluster, a script that uses it, and commands that look at it."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import partisan_actors as pa
from partisan_actors.cli.main import run
from partisan_actors.node.rundir import running_clusters
from tests.integration.programs import Program, Programs, wait_until, workers_of
from tests.integration.shells import Shells

SCRIPT = """
    import os, sys, time
    import partisan_actors as pa

    @pa.actor
    class Where:
        def pid(self):
            return os.getpid()

    with pa.init(address=sys.argv[1], name="script"):
        while sum(row["state"] == "up" for row in pa.nodes()) < 3:
            time.sleep(0.01)
        actors = [Where.options(placement="spread").remote() for _ in range(4)]
        named = Where.options(name="the-one").remote()
        pids = {pa.get(actor.pid.remote()) for actor in [*actors, named]}
        print("ready", *sorted(pids), flush=True)
        sys.stdin.readline()
"""


@dataclass(frozen=True, slots=True)
class TwoShells:
    """Two shells with a node each, and a script in a third that has actors on both."""

    shells: Shells
    first: Program
    second: Program
    script: Program
    address: str
    actor_pids: list[int]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoShells]:
    """One cluster for all tests that only look at it."""
    folder = tmp_path_factory.mktemp("shells")
    with Programs(folder) as programs:
        shells = Shells(programs, folder)
        first, address = shells.start("--name", "first", "--label", "zone=a")
        second, _ = shells.start("--name", "second", "--join", address)
        script = shells.script(SCRIPT, address)
        pids = [int(word) for word in script.wait_for("ready").split()[1:]]
        yield TwoShells(shells, first, second, script, address, pids)


@pytest.fixture
def shells(programs: Programs, tmp_path: Path) -> Iterator[Shells]:
    """Shells of this test's own, in which nothing runs yet."""
    own = Shells(programs, tmp_path)
    yield own
    own.end()


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


# ---- looking at a cluster ------------------------------------------------------------------------------------------


def test_a_script_in_a_third_shell_runs_actors_on_the_nodes_of_both_others(two: TwoShells) -> None:
    assert two.actor_pids == sorted([two.first.process.pid, two.second.process.pid])


def test_members_names_every_node_and_the_script_as_a_driver(two: TwoShells) -> None:
    text = two.shells.partisan("members").stdout
    members = {row["name"]: row for row in two.shells.facts("members")["members"]}

    assert sorted(members) == ["first", "script", "second"]
    assert members["first"]["addresses"] == [two.address]
    assert members["first"]["labels"] == {"zone": "a"}
    assert members["script"]["hosts_actors"] is False
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["first", "script", "second"]


def test_status_adds_up_what_every_node_says_of_itself(two: TwoShells) -> None:
    def calm() -> Any:
        """What is said while nobody is slow to answer."""
        facts = two.shells.facts("status")
        return facts if facts["nodes"]["up"] == facts["answered"] == 3 else None

    facts = wait_until(calm, "all to answer")
    text = two.shells.partisan("status").stdout

    assert facts["nodes"] == {"up": 3, "suspect": 0, "down": 0, "left": 0}, facts
    assert facts["asked"] == facts["answered"] == 3 and facts["unanswered"] == []
    assert facts["totals"]["actors"] == 5
    assert facts["resources"]["total"]["num_cpus"] == 2.0
    assert {row["pid"] for row in facts["node_status"]} >= set(two.actor_pids)
    assert text.startswith(f"cluster {facts['cluster']}: 3 nodes up, overlay hyparview\n")


def test_overlay_shows_who_is_whose_neighbour(two: TwoShells) -> None:
    def mutual() -> Any:
        facts = two.shells.facts("overlay")
        return facts["nodes"] if len(facts["nodes"]) == 3 and not facts["one_sided"] else None

    nodes = {row["name"]: row for row in wait_until(mutual, "links to be mutual")}
    text = two.shells.partisan("overlay").stdout

    assert sorted(nodes) == ["first", "script", "second"]
    for name, row in nodes.items():
        assert all(name in nodes[other]["active"] for other in row["active"]), "active neighbours are mutual"
        assert name not in row["active"] + row["passive"]
    assert "active" in text.splitlines()[1] and "passive" in text.splitlines()[1]


def test_overlay_shows_the_broadcast_tree_of_a_node(two: TwoShells) -> None:
    def whole() -> Any:
        """What is said once everybody is everybody's neighbour."""
        facts = two.shells.facts("overlay", "--tree", "first")
        return facts if [len(row["eager"] + row["lazy"]) for row in facts["nodes"]] == [2, 2, 2] else None

    facts = wait_until(whole, "each to have the two others")
    text = two.shells.partisan("overlay", "--tree", "first").stdout
    unknown = two.shells.partisan("overlay", "--tree", "nobody")

    nodes = {row["name"]: row for row in facts["nodes"]}
    assert sorted(nodes) == ["first", "script", "second"] and facts["root"] == "first"
    for name, row in nodes.items():
        assert sorted(row["eager"] + row["lazy"]) == sorted(set(nodes) - {name})
    assert "broadcast tree of first" in text.splitlines()[0] and "eager" in text.splitlines()[1]
    assert unknown.returncode == 2 and "there are first, script, second" in unknown.stderr


def test_actors_shows_each_with_its_node_and_what_it_has_done(two: TwoShells) -> None:
    rows = two.shells.facts("actors")["actors"]
    on_first = two.shells.facts("actors", "--node", "first")["actors"]

    assert len(rows) == 5 and {row["class"] for row in rows} == {"Where"}
    assert {row["node"] for row in rows} == {"first", "second"}
    assert [row["name"] for row in rows if row["name"]] == ["the-one"]
    assert all(row["processed"] == 1 and row["mailbox"] == 0 for row in rows)
    assert on_first == [row for row in rows if row["node"] == "first"]


def test_looking_leaves_no_trace_among_the_members(two: TwoShells) -> None:
    two.shells.facts("overlay")

    names = {row["name"] for row in two.shells.facts("members", "--all")["members"]}

    assert names == {"first", "second", "script"}


def test_the_address_of_any_node_will_do(two: TwoShells) -> None:
    first, second = (row["addresses"][0] for row in two.shells.facts("members")["members"] if row["hosts_actors"])

    assert first != second
    assert two.shells.facts("members", "--address", second)["cluster"] == two.shells.facts("members")["cluster"]
    assert two.shells.partisan("members", PARTISAN_ADDRESS=second).returncode == 0


def test_init_finds_the_only_cluster_by_itself(two: TwoShells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTISAN_RUN_DIR", str(two.shells.run_dir))

    with pa.init(address="auto") as session:
        assert session.cluster == two.shells.facts("members")["cluster"]


def test_another_cookie_is_refused_with_one_line_and_its_own_exit_code(two: TwoShells, tmp_path: Path) -> None:
    cookie = tmp_path / "cookie"
    cookie.write_text("not the one they use")
    cookie.chmod(0o600)

    looking = two.shells.partisan("status", "--cookie-file", str(cookie))
    joining = two.shells.partisan("start", "--join", two.address, "--cookie-file", str(cookie))

    for result in (looking, joining):
        assert result.returncode == 4
        (line,) = result.stderr.splitlines()
        assert "the cookies differ" in line and "--cookie-file" in line


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(("--overlay", "full_mesh"), "expected hyparview"), (("--name", "first"), "has this one")],
)
def test_a_node_that_does_not_fit_is_told_why_at_once(two: TwoShells, arguments: tuple[str, ...], text: str) -> None:
    result = two.shells.partisan("start", "--join", two.address, *arguments)

    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert text in line


def test_a_node_that_does_not_answer_is_reported_and_the_others_are_shown(
    two: TwoShells, capsys: pytest.CaptureFixture[str]
) -> None:
    def look() -> tuple[int, str, str] | None:
        wait_until(lambda: len(two.shells.facts("overlay")["nodes"]) == 3, "all to answer")
        two.second.send(signal.SIGSTOP)
        try:
            # In this process: one that has to be started first may find that the node is known to be down.
            code = run(["overlay", "--address", two.address])
        finally:
            two.second.send(signal.SIGCONT)
        shown, remarks = capsys.readouterr()
        return (code, shown, remarks) if "2 of 3 nodes" in remarks else None

    code, shown, remarks = wait_until(look, "the command to be in time", timeout_s=100.0)

    assert code == 0
    assert "no answer from second" in remarks
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["first", "script", "second"]


def test_at_a_terminal_the_table_has_colour_and_stop_asks_first(two: TwoShells) -> None:
    code, shown = two.shells.at_terminal("members")
    declined, question = two.shells.at_terminal("stop", typed="n\n")

    assert code == 0 and "first" in shown and "\x1b[32mup" in shown
    assert declined == 1 and "Stop the whole cluster" in question and "nothing was stopped" in question
    assert two.first.process.poll() is None


def test_init_without_a_cluster_to_find_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTISAN_RUN_DIR", str(tmp_path))

    with pytest.raises(pa.NotYetConnected, match="partisan start"):
        pa.init(address="auto")

    monkeypatch.setenv("PARTISAN_ADDRESS", "127.0.0.1:1")
    with pytest.raises(pa.NotYetConnected, match=r"127\.0\.0\.1:1"):
        pa.init(address="auto")


# ---- stopping ------------------------------------------------------------------------------------------------------


def test_stop_ends_every_node_waits_for_it_and_leaves_programs_alone(shells: Shells) -> None:
    first, address = shells.start("--name", "first", "--nodes", "2")
    second, _ = shells.start("--name", "second", "--join", "auto")
    script = shells.script(SCRIPT, address)
    script.wait_for("ready")

    result = shells.facts("stop")

    assert result["stopped"] == ["first", "first-w1", "second"] and result["failed"] == []
    assert [row["name"] for row in result["left_running"]] == ["script"]
    assert not workers_of(first.process.pid)
    assert first.wait() == 0 and second.wait() == 0
    assert list(shells.run_dir.glob("*.json")) == []
    assert script.process.poll() is None
    assert shells.partisan("status").returncode == 3


def test_stop_of_one_node_takes_its_worker_processes_along_and_nobody_else(shells: Shells) -> None:
    first, address = shells.start("--name", "first", "--nodes", "2")
    second, _ = shells.start("--name", "second", "--join", address)

    unknown = shells.partisan("stop", "--node", "nobody")
    known = shells.partisan("stop", "--node", "first")

    assert unknown.returncode == 2 and "there are first, first-w1, second" in unknown.stderr
    assert known.returncode == 0 and "1 node stopped: first" in known.stdout
    assert first.wait() == 0
    first.assert_nothing_left()
    second.wait_for("node first is gone: it left the cluster")
    assert second.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_the_node_leave_the_cluster(shells: Shells, number: signal.Signals) -> None:
    first, address = shells.start("--name", "first")
    second, _ = shells.start("--name", "second", "--join", address, "--nodes", "2")

    if number is signal.SIGINT:
        second.interrupt()  # as a terminal does: to the worker process, too
    else:
        second.send(number)

    assert second.wait() == 0
    second.assert_nothing_left()
    first.wait_for("node second is gone: it left the cluster")
    assert second.lines[-2:] == ["leaving the cluster", "stopped"]


def test_a_second_signal_ends_a_node_that_cannot_leave(shells: Shells) -> None:
    node, _ = shells.start("--nodes", "2")
    (worker,) = workers_of(node.process.pid)
    worker.suspend()  # it will never answer

    node.send(signal.SIGINT)
    node.wait_for("leaving the cluster")
    # Signals that come close together are one; this goes on until one of them is not.
    wait_until(lambda: node.process.poll() is not None or node.send(signal.SIGINT), "the end")

    assert node.wait() == 130
    node.assert_nothing_left()


def test_after_a_kill_nothing_runs_and_nothing_is_believed_to(shells: Shells) -> None:
    node, _ = shells.start("--nodes", "2")

    node.send(signal.SIGKILL)
    node.wait()

    node.assert_nothing_left()
    assert shells.partisan("status").returncode == 3
    assert list(shells.run_dir.glob("*.json")) == []


def test_a_worker_process_that_dies_is_told_and_the_node_goes_on(shells: Shells) -> None:
    node, _ = shells.start("--name", "first", "--nodes", "2")
    (worker,) = workers_of(node.process.pid)

    worker.kill()

    node.wait_for(f"node first-w1: worker process {worker.pid} ended")
    assert shells.facts("status")["totals"]["actors"] == 0


# ---- starting ------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_told_with_what_to_do(shells: Shells) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        here = shells.partisan("start", "--port", str(port), "--nodes", "2")
        behind = shells.partisan("start", "--port", str(port), "--detach")

    for result in (here, behind):
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert f"127.0.0.1:{port} is in use" in line and "--bind 127.0.0.1:0" in line


def test_a_dead_address_cannot_be_joined(shells: Shells) -> None:
    result = shells.partisan("start", "--join", "127.0.0.1:1", "--nodes", "2")

    assert result.returncode == 3
    assert result.stderr.splitlines() == [
        "partisan: cannot reach 127.0.0.1:1: connection refused: nobody listens there"
    ]


def test_json_tells_the_start_and_the_end_as_objects(shells: Shells) -> None:
    program = shells.launch("--bind", "127.0.0.1:0", "--name", "first", "--json")
    started = json.loads(program.wait_for("started"))
    program.interrupt()

    assert program.wait() == 0
    assert started["name"] == "first" and started["pid"] == program.process.pid and started["nodes"] == ["first"]
    assert [json.loads(line)["event"] for line in program.lines] == ["started", "stopping", "stopped"]


def test_a_detached_node_outlives_the_command_and_writes_a_log(
    shells: Shells, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "node.log"
    started = shells.facts("start", "--detach", "--bind", "127.0.0.1:0", "--name", "behind", "--log-file", str(log))
    try:
        monkeypatch.setenv("PARTISAN_RUN_DIR", str(shells.run_dir))
        ((node,),) = running_clusters().values()

        assert (node.name, node.pid, node.address, node.log) == ("behind", started["pid"], started["address"], str(log))
        assert started["members"] == 1
        assert shells.facts("members")["members"][0]["name"] == "behind"
    finally:
        assert shells.partisan("stop").returncode == 0
    assert not _runs(started["pid"])
    assert log.read_text().splitlines()[-1] == "stopped"


def test_of_two_clusters_the_name_chooses(shells: Shells) -> None:
    shells.start("--cluster", "red")
    shells.start("--cluster", "blue")

    result = shells.partisan("members")

    assert result.returncode == 2 and "choose one with --cluster NAME: blue (at" in result.stderr
    assert shells.facts("members", "--cluster", "red")["cluster"] == "red"


def test_a_full_mesh_is_joined_without_saying_so(shells: Shells) -> None:
    _, address = shells.start("--overlay", "full_mesh", "--name", "first")
    shells.start("--join", address, "--name", "second")

    def found() -> dict[str, Any]:
        return {row["name"]: (row["overlay"], row["active"]) for row in shells.facts("overlay")["nodes"]}

    mesh = {"first": ("full_mesh", ["second"]), "second": ("full_mesh", ["first"])}
    wait_until(lambda: found() == mesh, "both to have a neighbour")


PENDING = """
    import os, sys
    import partisan_actors as pa

    @pa.actor
    class Holder:
        def here(self): ...

    with pa.init(address=sys.argv[1], name="script"):
        holder = Holder.options(num_cpus=1).remote()
        pa.get(holder.here.remote())
        second = Holder.options(num_cpus=1, name="second").remote()
        print("ready", flush=True)
        sys.stdin.readline()
"""


def test_why_tells_what_is_pending_and_what_each_node_says_to_it(shells: Shells) -> None:
    node, address = shells.start("--name", "first")
    assert "nothing pending" in shells.partisan("why").stdout
    script = shells.script(PENDING, address)
    script.wait_for("ready")

    # What a node has free is gossip, which takes a moment.
    wait_until(lambda: "no CPU free" in shells.partisan("why").stdout, "the script to hear that the node is full")
    text = shells.partisan("why").stdout
    (row,) = shells.facts("why", "second")["pending"]

    assert "1 pending" in text and "Holder 'second' looks for a node (submitted by script)" in text
    assert row["reasons"] == ["node first has no CPU free; actors hold 1 CPU for life"]
    assert shells.facts("why", "no such thing")["pending"] == []
    script.send(signal.SIGKILL)
    node.interrupt()


def test_drain_empties_a_node_and_what_it_started_and_ends_both(shells: Shells) -> None:
    _, address = shells.start("--name", "first")
    second, _ = shells.start("--name", "second", "--join", address, "--nodes", "2")

    unknown = shells.partisan("drain", "nobody", "--address", address)
    text = shells.partisan("drain", "second", "--address", address)

    assert unknown.returncode == 2 and "no node 'nobody' is up" in unknown.stderr
    assert text.returncode == 0, text.stderr
    assert "node second is drained: 0 actors moved, 0 ended, 0 tasks left; it ends" in text.stdout
    assert second.wait() == 0
    second.assert_nothing_left()
