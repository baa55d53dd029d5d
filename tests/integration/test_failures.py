"""Sudden ends: killed workers, killed and interrupted drivers, drivers that leave, sessions used after their end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import partisan_actors as pa
from partisan_actors.node.workers import SPAWN, forks_workers
from tests.integration.programs import SOON, Programs, children, wait_until, workers_of


@pa.actor
class Survivor:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    def pid(self) -> int:
        return os.getpid()

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def block(self, path: str) -> str:
        Path(path).touch()
        time.sleep(20)
        return "done"

    def make(self) -> Any:
        return Survivor.remote(7)


@pa.task
def pid_after(path: str) -> int:
    """Marks that it began; the first attempt is then killed while it waits."""
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    if len(Path(path).read_text().split()) == 1:
        time.sleep(20)
    return os.getpid()


@pytest.fixture
def workers() -> Iterator[pa.Session]:
    """A session of its own for each test here: they break it."""
    with pa.init(workers=3) as session:
        yield session


# ---- killed workers --------------------------------------------------------------------------------------------------


def test_calls_to_an_actor_on_a_killed_worker_fail_promptly(workers: pa.Session, tmp_path: Path) -> None:
    actor = Survivor.remote()
    victim = pa.get(actor.pid.remote())
    running = actor.block.remote(str(tmp_path / "began"))
    waiting = actor.add.remote(1)
    wait_until((tmp_path / "began").exists, "the call to begin")
    states: list[str] = []
    workers.runtime.node.directory.on_change.append(
        lambda record: record.pid == victim and states.append(record.state_name)
    )

    os.kill(victim, signal.SIGKILL)

    for ref in (running, waiting):
        with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
            pa.get(ref, timeout=30)
    with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
        pa.get(actor.add.remote(1), timeout=30)
    wait_until(lambda: isinstance(actor.add.remote(1).exception(30), pa.ActorNodeDown), "everybody to know")
    assert "suspect" not in states, "nobody waited for it to fall silent"


def test_a_restartable_actor_comes_back_elsewhere_until_its_restarts_are_used_up(workers: pa.Session) -> None:
    actor = Survivor.options(max_restarts=2, name="phoenix").remote(5)
    pids = [pa.get(actor.pid.remote())]
    assert pa.get(actor.add.remote(1)) == 6

    for _ in range(2):
        os.kill(pids[-1], signal.SIGKILL)
        pids.append(wait_until(lambda: _pid_or_none(actor), "the actor to be restarted"))
        assert pa.get(pa.get_actor("phoenix").add.remote(1), timeout=30) == 6

    assert len(set(pids)) == 3
    os.kill(pids[-1], signal.SIGKILL)
    with pytest.raises((pa.NodeDown, pa.ActorStopped, pa.ActorUnavailable)):
        pa.get(actor.pid.remote(), timeout=30)


def _pid_or_none(actor: Any) -> int | None:
    try:
        return int(pa.get(actor.pid.remote(), timeout=30))
    except (pa.NodeDown, pa.ActorUnavailable):
        return None


def test_a_method_that_kills_its_process_fails_its_own_call(workers: pa.Session) -> None:
    actor = Survivor.remote()

    with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
        pa.get(actor.die.remote(), timeout=30)


def test_a_task_on_a_killed_worker_runs_again_elsewhere(workers: pa.Session, tmp_path: Path) -> None:
    path = tmp_path / "pids"
    path.touch()
    ref = pid_after.remote(str(path))
    victim = int(wait_until(lambda: path.read_text().strip(), "the task to begin"))

    os.kill(victim, signal.SIGKILL)

    assert pa.get(ref, timeout=30) != victim


def test_a_task_that_must_not_run_twice_fails_with_its_worker(workers: pa.Session, tmp_path: Path) -> None:
    path = tmp_path / "pids"
    path.touch()
    ref = pid_after.options(max_retries=0).remote(str(path))
    victim = int(wait_until(lambda: path.read_text().strip(), "the task to begin"))

    os.kill(victim, signal.SIGKILL)

    with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
        pa.get(ref, timeout=30)


def test_the_name_of_an_actor_on_a_killed_worker_is_free_again(workers: pa.Session) -> None:
    actor = Survivor.options(name="mortal").remote()

    os.kill(pa.get(actor.pid.remote()), signal.SIGKILL)

    again = wait_until(lambda: _make_or_none("mortal"), "the name to be free")
    assert pa.get(again.add.remote(1), timeout=30) == 1


def _make_or_none(name: str) -> Any:
    try:
        return Survivor.options(name=name).remote()
    except pa.ActorExists:
        return None


def test_an_object_of_a_killed_worker_is_lost_with_the_reason(workers: pa.Session) -> None:
    @pa.actor
    class Owner:
        def own(self) -> list[Any]:
            return [pa.put(list(range(10)))]

        def pid(self) -> int:
            return os.getpid()

    owner = Owner.remote()
    (ref,) = pa.get(owner.own.remote())

    os.kill(pa.get(owner.pid.remote()), signal.SIGKILL)

    with pytest.raises(pa.ObjectLost, match=r"owned by node .*-w\d.*, is lost: its owner cannot be reached"):
        pa.get(ref, timeout=30)


def test_new_work_goes_to_the_workers_that_are_left(workers: pa.Session) -> None:
    victim = workers.worker_pids[0]
    os.kill(victim, signal.SIGKILL)

    actors = [Survivor.options(placement="spread").remote() for _ in range(6)]

    pids = {wait_until(lambda actor=actor: _pid_or_none(actor), "a place") for actor in actors}
    assert pids == set(workers.worker_pids[1:])


def test_a_worker_that_hangs_is_given_up(workers: pa.Session) -> None:
    actor = Survivor.remote()
    victim = psutil.Process(pa.get(actor.pid.remote()))
    ref = actor.add.remote(1)
    pa.get(ref)

    victim.suspend()
    try:
        with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
            pa.get(actor.add.remote(1), timeout=90)
    finally:
        victim.resume()


# ---- killed drivers --------------------------------------------------------------------------------------------------

DRIVER = """
    import os, signal, sys, time
    import partisan_actors as pa

    @pa.actor
    class Busy:
        def work(self):
            while True:
                sum(range(10_000))
        async def pid(self):
            return os.getpid()

    @pa.task
    def sleep():
        time.sleep(60)

    if __name__ == "__main__":
        with pa.init(workers=2):
            busy = [Busy.options(placement="spread").remote() for _ in range(2)]
            print("pids", *sorted(pa.get([actor.pid.remote() for actor in busy])), flush=True)
            refs = [actor.work.remote() for actor in busy] + [sleep.remote()]
            print("ready", flush=True)
            pa.get(refs)
"""


@pytest.mark.parametrize("within_s", SOON)
def test_soon_after_a_driver_is_killed_nothing_of_it_is_left(programs: Programs, within_s: float) -> None:
    driver = programs.start(DRIVER)
    driver.wait_for("ready")
    assert len(driver.survivors()) == 3 + forks_workers(os.environ)

    driver.send(signal.SIGKILL)
    driver.wait()

    driver.assert_nothing_left(within_s)


def test_ctrl_c_in_the_middle_of_get_ends_everything_with_one_keyboard_interrupt(programs: Programs) -> None:
    driver = programs.start(DRIVER)
    driver.wait_for("ready")

    driver.interrupt()
    status = driver.wait()

    assert status in (-signal.SIGINT, 1, 130)
    driver.assert_nothing_left()
    assert driver.output.count("KeyboardInterrupt") == 1
    assert "Exception ignored" not in driver.output
    assert "Task was destroyed" not in driver.output


def test_sigterm_ends_everything(programs: Programs) -> None:
    driver = programs.start(DRIVER)
    driver.wait_for("ready")

    driver.send(signal.SIGTERM)
    driver.wait()

    driver.assert_nothing_left()


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.25, 0.4])
def test_ctrl_c_while_the_cluster_starts_leaves_nothing(programs: Programs, delay_s: float) -> None:
    driver = programs.start(
        f"""
        import os, signal, threading
        import partisan_actors as pa

        def interrupt():
            os.killpg(0, signal.SIGINT)

        if __name__ == "__main__":
            threading.Timer({delay_s}, interrupt).start()
            with pa.init(workers=2):
                print("started", flush=True)
                threading.Event().wait()
        """
    )

    driver.wait()

    driver.assert_nothing_left()
    assert driver.output.count("KeyboardInterrupt") == 1, driver.output


def test_ctrl_c_in_asyncio_code_leaves_nothing(programs: Programs) -> None:
    driver = programs.start(
        """
        import asyncio
        import partisan_actors as pa

        @pa.actor
        class Slow:
            async def wait(self):
                await asyncio.Event().wait()

        async def main():
            async with pa.init(workers=2):
                ref = Slow.remote().wait.remote()
                print("ready", flush=True)
                await ref

        if __name__ == "__main__":
            asyncio.run(main())
        """
    )
    driver.wait_for("ready")

    driver.interrupt()
    driver.wait()

    driver.assert_nothing_left()
    assert driver.output.count("KeyboardInterrupt") <= 2
    assert "never awaited" not in driver.output


def test_a_program_that_never_shuts_down_leaves_nothing(programs: Programs) -> None:
    output = programs.run(
        """
        import partisan_actors as pa

        @pa.task
        def one():
            return 1

        if __name__ == "__main__":
            pa.init(workers=2)
            print(pa.get(one.remote()))
        """
    )

    assert output == "1"


def test_a_driver_that_raises_leaves_nothing_and_shows_its_error(programs: Programs) -> None:
    driver = programs.start(
        """
        import partisan_actors as pa

        if __name__ == "__main__":
            pa.init(workers=2)
            raise ValueError("by the user")
        """
    )

    assert driver.wait() == 1
    driver.assert_nothing_left()
    assert driver.lines[-1] == "ValueError: by the user"


def test_on_stop_runs_when_the_cluster_is_shut_down(programs: Programs, tmp_path: Path) -> None:
    programs.run(
        f"""
        import time
        import partisan_actors as pa

        @pa.actor
        class Careful:
            def ready(self):
                return True
            def on_stop(self):
                time.sleep(0.2)
                open({str(tmp_path / "saved")!r}, "w").write("saved")

        if __name__ == "__main__":
            with pa.init(workers=1):
                actor = Careful.remote()
                pa.get(actor.ready.remote())
        """
    )

    assert (tmp_path / "saved").read_text() == "saved"


def test_workers_outlive_the_thread_that_called_init(programs: Programs) -> None:
    output = programs.run(
        """
        import threading
        import partisan_actors as pa

        @pa.task
        def one():
            return 1

        if __name__ == "__main__":
            thread = threading.Thread(target=lambda: pa.init(workers=2))
            thread.start()
            thread.join()
            threading.Event().wait(0.2)
            print(pa.get([one.remote() for _ in range(10)], timeout=30), len(pa.nodes()))
            pa.shutdown()
        """
    )

    assert output == "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1] 3"


# ---- drivers that come and go ----------------------------------------------------------------------------------------

VISITOR = """
    import sys
    import partisan_actors as pa

    @pa.actor
    class Guest:
        def __init__(self, start=0):
            self.value = start
        def add(self, amount):
            self.value += amount
            return self.value
        def make(self, name):
            child = Guest.options(name=name).remote()
            pa.get(child.add.remote(1))

    if __name__ == "__main__":
        with pa.init(address=sys.argv[1]):
            stays = Guest.options(name="stays", lifetime="detached").remote(1)
            goes = Guest.options(name="goes").remote(1)
            print(pa.get([stays.add.remote(1), goes.add.remote(1), goes.make.remote("goes-too")]), flush=True)
            if "wait" in sys.argv:
                print("waiting", flush=True)
                import threading; threading.Event().wait()
"""


@pytest.mark.parametrize("end", ["leaves", "is killed"])
def test_the_actors_of_a_driver_that_goes_end_unless_they_are_detached(
    workers: pa.Session, programs: Programs, end: str
) -> None:
    visitor = programs.start(VISITOR, workers.address, *(["wait"] if end == "is killed" else []))
    visitor.wait_for("[2, 2, None]")
    if end == "is killed":
        visitor.wait_for("waiting")
        visitor.send(signal.SIGKILL)
    visitor.wait()

    wait_until(lambda: not _is_named("goes"), "the driver's actor to end")
    wait_until(lambda: not _is_named("goes-too"), "the actor that its actor made to end")
    wait_until(lambda: _is_named("stays"), "the name of the detached actor to be told again")
    assert pa.get(pa.get_actor("stays").add.remote(1), timeout=30) == 3


def _is_named(name: str) -> bool:
    try:
        pa.get_actor(name)
    except pa.ActorNotFound:
        return False
    return True


def test_a_second_driver_joins_through_any_node_and_shares_names(workers: pa.Session, programs: Programs) -> None:
    shared = Survivor.options(name="shared").remote(10)
    pa.get(shared.add.remote(1))
    addresses = [row["addresses"][0] for row in pa.nodes()]

    outputs = [
        programs.run(
            """
            import sys
            import partisan_actors as pa

            with pa.init(address=sys.argv[1]) as session:
                print(pa.get(pa.get_actor("shared").add.remote(1)), session.cluster)
            """,
            address,
        )
        for address in addresses
    ]

    assert outputs == [f"{12 + number} {workers.cluster}" for number in range(len(addresses))]


# ---- before, after and twice -----------------------------------------------------------------------------------------


def test_everything_of_a_session_fails_clearly_after_its_end() -> None:
    with pa.init(workers=1) as session:
        actor = Survivor.remote()
        done, pending = actor.add.remote(1), actor.block.remote("/dev/null")
        assert pa.get(done) == 1

    assert pa.get(done) == 1
    with pytest.raises((pa.NotYetConnected, pa.NodeDown, pa.ActorStopped)):
        pa.get(pending, timeout=30)
    with pytest.raises(pa.NotYetConnected, match=r"has stopped; call init\(\) again"):
        pa.get(actor.add.remote(1), timeout=30)
    for use in (Survivor.remote, lambda: pa.put(1), pa.nodes, lambda: pa.get_actor("x"), pid_after.remote):
        with pytest.raises((pa.NotYetConnected, TypeError), match=r"call init\(\) again|missing a required"):
            use()
    with pytest.raises(pa.NotYetConnected, match=r"call init\(\) again"):
        session.__enter__()
    pa.kill(actor)
    actor.add.tell(1)
    pa.shutdown()
    assert not pa.is_initialized()


def test_a_session_can_be_followed_by_another() -> None:
    for turn in range(3):
        with pa.init(workers=1):
            assert pa.get(Survivor.remote(turn).add.remote(1)) == turn + 1
    assert not workers_of(os.getpid())


def test_a_second_init_is_refused_and_harms_nothing() -> None:
    with pa.init(workers=1) as session:
        with pytest.raises(RuntimeError, match=r"has a session already: call shutdown\(\) first"):
            pa.init(workers=1)
        assert pa.init(ignore_reinit_error=True) is session
        assert pa.get(Survivor.remote(1).add.remote(1)) == 2


@pytest.mark.parametrize(
    ("spawns", "why"),
    [("1", r"worker process \d+ ended with exit status 1"), ("0", "the template process has ended")],
    ids=["started by itself", "forked"],
)
def test_a_worker_that_dies_at_its_start_is_an_error_and_no_hang(
    monkeypatch: pytest.MonkeyPatch, spawns: str, why: str
) -> None:
    monkeypatch.setenv(SPAWN, spawns)
    if spawns == "0" and not forks_workers(os.environ):
        pytest.skip("workers are not forked on this system")
    for name in ("WORKER_MODULE", "TEMPLATE_MODULE"):
        monkeypatch.setattr(f"partisan_actors.api.workers.{name}", "partisan_actors.no_such_module")
    before = children()

    with pytest.raises((pa.NotYetConnected, pa.ConfigError), match=f"{why}|as many processes as this machine can"):
        pa.init(workers=2)

    assert not pa.is_initialized()
    wait_until(lambda: children() <= before, "no child to be left")


# ---- monitors over processes -----------------------------------------------------------------------------------------


@pa.actor(trap_exit=True)
class Mourner:
    """Monitors and links what it is given, and writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def watch(self, actor: Any) -> None:
        pa.monitor(actor)
        pa.link(actor)

    def on_down(self, down: pa.Down) -> None:
        self.told.append(("down", down.reason))

    def on_exit(self, signal: pa.Exit) -> None:
        self.told.append(("exit", signal.reason))

    def seen(self) -> list[tuple[str, str]]:
        return self.told


def test_a_killed_process_fires_every_monitor_and_link_of_its_actors_once(workers: pa.Session) -> None:
    names = [row["name"] for row in pa.nodes() if row["hosts_actors"]]
    victims = [Survivor.options(placement=pa.NodeAffinity(names[0])).remote() for _ in range(5)]
    mourners = [Mourner.options(placement=pa.NodeAffinity(names[1])).remote() for _ in range(5)]
    pa.get([m.watch.remote(v) for m, v in zip(mourners, victims, strict=True)])
    refs = [pa.monitor(victim) for victim in victims]
    pid = pa.get([victim.pid.remote() for victim in victims])[0]

    os.kill(pid, signal.SIGKILL)

    assert all(ref.result(timeout=60).reason.startswith("node down: ") for ref in refs)
    for mourner in mourners:
        told = wait_until(lambda m=mourner: len(t := pa.get(m.seen.remote())) == 2 and t, "both signals")
        assert {kind for kind, _ in told} == {"down", "exit"}
        assert all(reason.startswith("node down: ") for _, reason in told)
