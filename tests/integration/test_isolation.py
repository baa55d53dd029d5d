"""Isolated actors and tasks: processes of their own, how they crash, and what is around them."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.programs import Programs, is_gone, wait_until

pytestmark = pytest.mark.usefixtures("cluster")

FOUR = 4


@pa.actor(isolation="process")
class Alone:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    def pid(self) -> int:
        return os.getpid()

    def exit(self, code: int, last_words: str = "") -> None:
        if last_words:
            sys.stderr.write(last_words + "\n")
            sys.stderr.flush()
        os._exit(code)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def hold_the_loop(self, path: str) -> None:
        Path(path).touch()
        while True:
            pass

    def make(self) -> Any:
        return Alone.remote(7)

    def leave(self) -> None:
        pa.exit_actor("had enough")

    async def leave_soon(self) -> None:
        pa.exit_actor("had enough")

    def touch_at_exit(self, path: str, stays: bool = False) -> int:
        """Its process id, once a handler is registered that makes that file."""
        if stays:
            atexit.register(time.sleep, 600)
        atexit.register(Path(path).touch)
        return os.getpid()

    def start_a_child(self, leaves: bool = False) -> int:
        return subprocess.Popen(["sleep", "600"], start_new_session=leaves).pid

    def start_a_daemon(self) -> int:
        """Its parent ends at once, so it is nobody's child but the template's."""
        command = "setsid sleep 600 >/dev/null & echo $!"
        return int(subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=True).stdout)

    def environ(self, name: str) -> str | None:
        return os.environ.get(name)


@pa.actor
class Together:
    def here(self) -> int:
        return 1


@pa.actor(isolation="process")
class Unmakeable:
    def __init__(self) -> None:
        raise ValueError("not today")

    def here(self) -> bool:
        return True


@pa.task(isolation="process")
def process() -> int:
    return os.getpid()


@pa.task(isolation="process", max_retries=0)
def exit_task(code: int) -> None:
    os._exit(code)


@pa.task(isolation="process", max_retries=0)
def kill_task() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pa.task(isolation="process")
def crash_first(folder: str, crashes: int) -> int:
    """Leaves a file for each attempt, and crashes in the first of them."""
    attempt = len(os.listdir(folder))
    Path(folder, str(attempt)).touch()
    if attempt < crashes:
        os._exit(1)
    return attempt


@pa.task(isolation="process")
def hold(folder: str) -> None:
    """Says who it is, and holds its process, whatever is asked of that."""
    draft = Path(folder, f"{os.getpid()}.draft")
    draft.write_text(str(os.getpid()))
    draft.rename(Path(folder, "pid"))
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(600)


@pa.task(isolation="process")
def count(number: int) -> Iterator[int]:
    yield from range(number)


@pa.task(isolation="process")
def environ(name: str) -> str | None:
    return os.environ.get(name)


@pa.task(isolation="process")
def sum_of_children(count: int) -> int:
    return sum(pa.get([one.remote() for _ in range(count)]))


@pa.task
def one() -> int:
    return 1


# ---- a process for each actor --------------------------------------------------------------------------------------


class TestActors:
    def test_each_has_a_process_of_its_own_and_keeps_its_state(self, cluster: pa.Session) -> None:
        actors = [Alone.remote(number) for number in range(FOUR)]

        pids = pa.get([actor.pid.remote() for actor in actors])

        assert len(set(pids)) == FOUR
        assert not set(pids) & {os.getpid(), *cluster.worker_pids}
        assert pa.get([actor.add.remote(1) for actor in actors]) == [1, 2, 3, 4]
        assert pa.get([actor.add.remote(1) for actor in actors]) == [2, 3, 4, 5]

    def test_the_memory_of_its_process_is_told_while_it_runs(self) -> None:
        actor, shared = Alone.options(name="large").remote(), Together.options(name="shared").remote()
        pa.get([actor.add.remote(1), shared.here.remote()])

        (row,), (other,) = pa.list_actors(name="large"), pa.list_actors(name="shared")

        # An interpreter takes more than 5 MiB, and a test should not care for how much.
        assert 5 << 20 < row["memory_bytes"] < 1 << 40 and row["slowest_s"] > 0
        assert other["memory_bytes"] is None

    def test_an_exit_code_and_the_last_words_are_told_to_callers_of_then_and_later(self) -> None:
        actor = Alone.remote()

        with pytest.raises(pa.ActorStopped, match=r"ended with exit code 7(.|\n)*goodbye, cruel world"):
            pa.get(actor.exit.remote(7, "goodbye, cruel world"), timeout=60)

        with pytest.raises(pa.ActorStopped, match="ended with exit code 7"):
            pa.get(actor.add.remote(1), timeout=60)

    def test_a_signal_is_named_and_others_live_on(self) -> None:
        victim, other = Alone.remote(), Alone.remote()
        assert pa.get([victim.add.remote(1), other.add.remote(1)]) == [1, 1]

        with pytest.raises(pa.ActorStopped, match=r"signal 9 \(SIGKILL\)"):
            pa.get(victim.die.remote(), timeout=60)

        assert pa.get(other.add.remote(1)) == 2

    def test_a_monitor_is_told_how_it_ended(self) -> None:
        actor = Alone.remote()
        pa.get(actor.pid.remote())
        monitor = pa.monitor(actor)

        actor.die.tell()

        assert "signal 9 (SIGKILL)" in monitor.result(timeout=60).reason

    def test_a_restartable_one_is_made_again_as_often_as_it_may(self) -> None:
        actor = Alone.options(max_restarts=1).remote(10)
        first = pa.get(actor.pid.remote())
        assert pa.get(actor.add.remote(5)) == 15

        with pytest.raises(pa.ActorUnavailable, match="signal 9"):
            pa.get(actor.die.remote(), timeout=60)

        assert pa.get(actor.add.remote(1), timeout=60) == 11
        assert pa.get(actor.pid.remote()) != first
        with pytest.raises(pa.ActorStopped, match="signal 9"):
            pa.get(actor.die.remote(), timeout=60)

    def test_how_they_have_ended_is_listed(self) -> None:
        crashed, killed, dropped = Alone.remote(), Alone.remote(), Alone.remote()
        pa.get([each.pid.remote() for each in (crashed, killed, dropped)])
        wanted = {str(crashed._location.actor): "ended by a signal", str(killed._location.actor): "killed"}
        wanted[str(dropped._location.actor)] = "out of scope"

        crashed.die.tell()
        pa.kill(killed)
        del dropped
        gc.collect()

        def ends() -> dict[str, str]:
            kinds = {row["id"]: row["kind"] for row in pa.list_actors(state="stopped")}
            return {actor: kinds[actor] for actor in wanted if actor in kinds}

        wait_until(lambda: len(ends()) == 3, "all three to be listed as ended")
        found = ends()
        assert found == wanted or found == {**wanted, str(crashed._location.actor): "out of memory"}

    def test_killing_one_that_may_be_made_again_makes_it_again_in_another_process(self) -> None:
        actor = Alone.options(max_restarts=1).remote(20)
        first = pa.get(actor.pid.remote())

        pa.kill(actor, no_restart=False)

        assert wait_until(lambda: added(actor), "it to be made again") == 21
        assert pa.get(actor.pid.remote(), timeout=60) != first
        wait_until(lambda: is_gone(first), "its first process to end")

    def test_it_ends_with_its_last_handle(self) -> None:
        actor = Alone.remote()
        pid = pa.get(actor.pid.remote())

        del actor
        gc.collect()

        wait_until(lambda: is_gone(pid), "its process to end")

    def test_a_constructor_that_raises_is_told_as_elsewhere(self) -> None:
        with pytest.raises(pa.ActorStopped, match="ValueError: not today"):
            pa.get(Unmakeable.remote().here.remote(), timeout=60)

    def test_killing_one_ends_its_process(self) -> None:
        actor = Alone.remote()
        pid = pa.get(actor.pid.remote())

        pa.kill(actor)

        assert wait_until(lambda: is_gone(pid), "its process to end")
        with pytest.raises(pa.ActorStopped, match="killed"):
            pa.get(actor.add.remote(1), timeout=60)

    def test_one_that_holds_its_loop_can_be_killed(self, tmp_path: Path) -> None:
        actor = Alone.remote()
        pid = pa.get(actor.pid.remote())
        actor.hold_the_loop.tell(str(tmp_path / "begun"))
        wait_until((tmp_path / "begun").exists, "it to begin")

        pa.kill(actor)

        assert wait_until(lambda: is_gone(pid), "its process to end")

    @pytest.mark.parametrize("how", ["leave", "leave_soon", "last handle", "terminate"])
    def test_what_was_registered_for_the_exit_runs_when_it_ends_by_itself(self, tmp_path: Path, how: str) -> None:
        actor = Alone.remote()
        pid = pa.get(actor.touch_at_exit.remote(str(tmp_path / "left")))

        if how == "terminate":
            pa.terminate(actor)
        elif how != "last handle":
            with pytest.raises(pa.ActorStopped, match="it exited: had enough"):
                pa.get(getattr(actor, how).remote(), timeout=60)
        del actor
        gc.collect()

        wait_until(lambda: is_gone(pid), "its process to end")
        assert (tmp_path / "left").exists()

    def test_an_exit_handler_that_never_returns_is_not_waited_for_and_one_of_a_killed_process_does_not_run(
        self, tmp_path: Path
    ) -> None:
        stuck, killed = Alone.remote(), Alone.remote()
        pids = pa.get(
            [each.touch_at_exit.remote(str(tmp_path / name), True) for each, name in ((stuck, "a"), (killed, "b"))]
        )

        stuck.leave.tell()
        killed.die.tell()

        wait_until(lambda: all(map(is_gone, pids)), "both processes to end")
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_what_it_has_started_ends_with_it(self) -> None:
        actor = Alone.remote()
        child = pa.get(actor.start_a_child.remote())
        assert not is_gone(child)

        pa.kill(actor)

        assert wait_until(lambda: is_gone(child), "the child of the killed actor to end")

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody knows whose it is")
    def test_what_has_left_its_group_ends_with_it_as_well_and_that_of_others_does_not(self) -> None:
        actor, other = Alone.remote(), Alone.remote()
        left, daemon = pa.get([actor.start_a_child.remote(True), actor.start_a_daemon.remote()])
        others = pa.get([other.start_a_child.remote(True), other.start_a_daemon.remote()])

        pa.kill(actor)

        wait_until(lambda: is_gone(left) and is_gone(daemon), "what the killed actor had started to end")
        assert not any(map(is_gone, others))
        pa.kill(other)
        wait_until(lambda: all(map(is_gone, others)), "what the other one had started to end")

    def test_it_can_make_others_and_be_found_by_name(self) -> None:
        maker = Alone.options(name="maker").remote()

        made = pa.get(pa.get_actor("maker").make.remote(), timeout=60)

        assert pa.get(made.add.remote(1), timeout=60) == 8
        assert len({pa.get(maker.pid.remote()), pa.get(made.pid.remote())}) == 2

    def test_its_node_is_no_place_and_is_shown_when_asked_for(self) -> None:
        actor = Alone.remote()
        pid = pa.get(actor.pid.remote())

        rows = wait_until(
            lambda: [row for row in pa.nodes(processes=True) if row["pid"] == pid], "its node to be known here"
        )

        assert len(rows) == 1 and not rows[0]["hosts_actors"] and not rows[0]["resources"]
        assert rows[0]["hosted_by"] in {row["name"] for row in pa.nodes()}
        assert pid not in {row["pid"] for row in pa.nodes()}

    def test_what_it_prints_is_passed_on_with_its_name(self, programs: Programs) -> None:
        program = programs.start(
            """
            import os, sys
            import partisan_actors as pa

            @pa.actor(isolation="process")
            class Talker:
                def talk(self):
                    print("hello")
                    return os.getpid()

            if __name__ == "__main__":
                with pa.init(workers=1, name="here"):
                    print("pid", pa.get(Talker.remote().talk.remote()))
                    sys.stdin.readline()
            """,
            stdin=subprocess.PIPE,
        )

        pid = program.wait_for("pid ").split()[1]
        assert program.wait_for("hello") == f"(Talker pid={pid}, node=here-w1) hello"
        assert program.process.stdin is not None
        program.process.stdin.close()
        assert program.wait() == 0


# ---- tasks -----------------------------------------------------------------------------------------------------------


class TestTasks:
    def test_they_run_in_warm_processes_that_are_used_again(self, cluster: pa.Session) -> None:
        pids = {pa.get(process.remote()) for _ in range(10)}

        assert len(pids) <= 2, "one for each worker, at most"
        assert not pids & {os.getpid(), *cluster.worker_pids}

    def test_an_exit_code_is_told(self) -> None:
        with pytest.raises(pa.WorkerCrashed, match="exit code 3"):
            pa.get(exit_task.remote(3), timeout=60)

    def test_a_signal_is_named(self) -> None:
        with pytest.raises(pa.WorkerCrashed, match=r"signal 9 \(SIGKILL\)"):
            pa.get(kill_task.remote(), timeout=60)

    @pytest.mark.parametrize(("retries", "crashes"), [(0, 0), (1, 1), (3, 3)])
    def test_as_many_retries_as_crashes_are_enough(self, tmp_path: Path, retries: int, crashes: int) -> None:
        answer = pa.get(crash_first.options(max_retries=retries).remote(str(tmp_path), crashes), timeout=120)

        assert answer == crashes
        assert len(os.listdir(tmp_path)) == crashes + 1

    @pytest.mark.parametrize("retries", [0, 2])
    def test_one_crash_more_than_retries_is_told(self, tmp_path: Path, retries: int) -> None:
        with pytest.raises(pa.WorkerCrashed, match="exit code 1"):
            pa.get(crash_first.options(max_retries=retries).remote(str(tmp_path), 99), timeout=120)

        assert len(os.listdir(tmp_path)) == retries + 1

    def test_a_process_ends_after_max_calls(self, room_of_one: str) -> None:
        once = process.options(max_calls=1, placement=pa.NodeAffinity(room_of_one))

        pids = [pa.get(once.remote(), timeout=60) for _ in range(3)]

        assert len(set(pids)) == 3
        wait_until(lambda: all(map(is_gone, pids)), "the processes to end")

    def test_one_that_is_cancelled_by_force_is_gone_with_its_process(self, tmp_path: Path) -> None:
        ref = hold.remote(str(tmp_path))
        pid = int(wait_until(lambda: written(tmp_path / "pid"), "the task to run"))

        pa.cancel(ref, force=True)

        with pytest.raises(pa.TaskCancelled):
            pa.get(ref, timeout=60)
        wait_until(lambda: is_gone(pid), "its process to end")
        assert len(os.listdir(tmp_path)) == 1, "it is not tried again"

    def test_as_many_as_there_is_room_for_run_after_many_were_cancelled_by_force(self, tmp_path: Path) -> None:
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            refs = [hold.remote(str(folder)) for _ in range(4)]
            wait_until(lambda folder=folder: written(folder / "pid"), "one of them to run")
            for ref in refs:
                pa.cancel(ref, force=True)

        assert pa.get([one.remote() for _ in range(10)], timeout=60) == [1] * 10
        wait_until(lambda: pa.available_resources().get("num_cpus") == 2, "all that they held to be free")

    def test_a_generator_in_it_streams_to_its_caller(self) -> None:
        assert [pa.get(item, timeout=60) for item in count.remote(5)] == [0, 1, 2, 3, 4]

    def test_tasks_in_it_may_wait_for_tasks(self) -> None:
        assert pa.get(sum_of_children.remote(5), timeout=60) == 5

    def test_libraries_are_told_how_many_threads_to_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert pa.get(environ.options(num_cpus=1).remote("OMP_NUM_THREADS"), timeout=60) == "1"


def added(actor: Any) -> int | None:
    """What the actor answers, None while it cannot be reached."""
    try:
        return pa.get(actor.add.remote(1), timeout=60)
    except pa.ActorUnavailable:
        return None


def written(path: Path) -> str:
    """What is in a file, nothing while it is not there."""
    return path.read_text() if path.exists() else ""


@pytest.fixture
def room_of_one() -> str:
    """The name of one node that hosts actors."""
    return next(row["name"] for row in pa.nodes() if row["hosts_actors"])


# ---- what is around them ---------------------------------------------------------------------------------------------


class TestEnvironment:
    def test_variables_are_there_and_nowhere_else(self) -> None:
        colour = {"env_vars": {"COLOUR": "green"}}

        green = Alone.options(runtime_env=colour).remote()
        plain = Alone.remote()

        assert pa.get(green.environ.remote("COLOUR")) == "green"
        assert pa.get(plain.environ.remote("COLOUR")) is None
        assert pa.get(environ.options(runtime_env=colour).remote("COLOUR"), timeout=60) == "green"
        assert pa.get(environ.remote("COLOUR"), timeout=60) is None

    def test_what_has_a_runtime_env_is_isolated_without_saying_so(self, cluster: pa.Session) -> None:
        @pa.actor(runtime_env={"env_vars": {"COLOUR": "red"}})
        class Coloured:
            def look(self) -> tuple[str | None, int]:
                return os.environ.get("COLOUR"), os.getpid()

        colour, pid = pa.get(Coloured.remote().look.remote())

        assert colour == "red" and pid not in cluster.worker_pids

    def test_what_is_made_in_there_inherits_it(self) -> None:
        maker = Alone.options(runtime_env={"env_vars": {"COLOUR": "blue"}}).remote()

        made = pa.get(maker.make.remote(), timeout=60)

        assert pa.get(made.environ.remote("COLOUR"), timeout=60) == "blue"

    def test_a_working_directory_is_there_without_what_is_excluded(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "numbers.txt").write_text("1 2 3")
        (tmp_path / "data" / "large.bin").write_text("no")
        (tmp_path / "beside_the_data.py").write_text("ANSWER = 42")

        @pa.task(runtime_env={"working_dir": str(tmp_path), "excludes": ["*.bin"]})
        def look() -> tuple[str, int, list[str]]:
            import beside_the_data  # type: ignore[import-not-found]  # it is only there

            return Path("data/numbers.txt").read_text(), beside_the_data.ANSWER, sorted(os.listdir("data"))

        assert pa.get(look.remote(), timeout=60) == ("1 2 3", 42, ["numbers.txt"])

    def test_modules_are_there(self, tmp_path: Path) -> None:
        package = tmp_path / "a_package_of_this_test"
        package.mkdir()
        (package / "__init__.py").write_text("from a_package_of_this_test.inner import ANSWER")
        (package / "inner.py").write_text("ANSWER = 43")
        (tmp_path / "a_module_of_this_test.py").write_text("ANSWER = 44")

        @pa.task(runtime_env={"py_modules": [str(package), str(tmp_path / "a_module_of_this_test.py")]})
        def look() -> tuple[int, int]:
            import a_module_of_this_test  # type: ignore[import-not-found]  # both are only there
            import a_package_of_this_test  # type: ignore[import-not-found]  # and nowhere else

            return a_package_of_this_test.ANSWER, a_module_of_this_test.ANSWER

        assert pa.get(look.remote(), timeout=60) == (43, 44)

    def test_a_package_that_nobody_has_is_told(self, cluster: pa.Session) -> None:
        from partisan_actors.scheduler.environment import Environment

        runtime = cluster.runtime
        runtime.environment = Environment(working_dir="0" * 32, origin=runtime.node.me)
        try:
            actor, task = Alone.remote(), process.remote()
        finally:
            runtime.environment = Environment()

        with pytest.raises(pa.RuntimeEnvFailed, match="no node has it any more"):
            pa.get(actor.pid.remote(), timeout=60)
        with pytest.raises(pa.RuntimeEnvFailed, match="no node has it any more"):
            pa.get(task, timeout=60)
