"""Actors: order, mailboxes, deadlines, hooks, names, killing, and what callers are told at each end of an actor."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.programs import wait_until

pytestmark = pytest.mark.usefixtures("cluster")


@pa.actor
class Log:
    def __init__(self) -> None:
        self.entries: list[Any] = []

    def note(self, entry: Any) -> None:
        self.entries.append(entry)

    async def note_soon(self, entry: Any) -> None:
        self.entries.append(entry)

    def read(self) -> list[Any]:
        return self.entries


@pa.actor
class Gate:
    """A method that blocks until a file is there, so that tests decide when it ends."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    def wait_for(self, name: str) -> str:
        Path(self.folder, f"waits for {name}").touch()
        deadline = time.monotonic() + 60
        while not os.path.exists(os.path.join(self.folder, name)) and time.monotonic() < deadline:
            time.sleep(0.005)
        return name

    async def wait_for_soon(self, name: str) -> str:
        while not os.path.exists(os.path.join(self.folder, name)):
            await asyncio.sleep(0.005)
        return name

    async def endless(self, folder: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            Path(folder, "cancelled").touch()

    def thread(self) -> int:
        return threading.get_ident()

    def ready(self) -> bool:
        return True

    async def ready_soon(self) -> bool:
        return True


# ---- order and bounds ------------------------------------------------------------------------------------------------


def test_calls_and_tells_of_one_caller_run_in_the_order_they_were_made() -> None:
    log = Log.remote()

    for number in range(300):
        if number % 3 == 0:
            log.note.tell(number)
        elif number % 3 == 1:
            log.note.remote(number)
        else:
            log.note_soon.remote([number][0] if number % 2 else {"n": number}["n"])

    assert pa.get(log.read.remote()) == list(range(300))


def test_calls_made_before_the_actor_has_a_place_run_in_order() -> None:
    log = Log.remote()
    for number in range(50):
        log.note.tell(number)

    assert pa.get(log.read.remote()) == list(range(50))


def test_large_and_small_arguments_stay_in_order() -> None:
    log = Log.remote()

    for number in range(20):
        log.note.tell(bytes(200_000) + bytes([number]) if number % 2 else bytes([number]))

    assert [entry[-1] for entry in pa.get(log.read.remote())] == list(range(20))


def test_blocking_methods_run_one_at_a_time_on_one_thread() -> None:
    gate = Gate.remote()

    assert len(set(pa.get([gate.thread.remote() for _ in range(50)]))) == 1


def test_a_full_mailbox_refuses_calls_and_loses_none_it_took(tmp_path: Path) -> None:
    gate = Gate.options(mailbox_max=4).remote(str(tmp_path))
    gate.wait_for.remote("open")
    wait_until((tmp_path / "waits for open").exists, "the call to begin")

    refs = [gate.ready.remote() for _ in range(12)]
    refused, taken = pa.wait(refs, num_returns=8, timeout=30)
    (tmp_path / "open").touch()

    assert len(refused) == 8
    assert pa.get(taken) == [True] * 4
    for ref in refused:
        with pytest.raises(pa.MailboxFull, match=r"Gate .* is full \(4 messages\)"):
            pa.get(ref)


def test_max_concurrency_bounds_the_coroutines_in_progress(tmp_path: Path) -> None:
    gate = Gate.options(max_concurrency=2).remote(str(tmp_path))
    slow = [gate.wait_for_soon.remote("open") for _ in range(2)]
    third = gate.ready_soon.remote()

    assert pa.wait([third], timeout=0.2) == ([], [third])
    (tmp_path / "open").touch()

    assert pa.get([*slow, third], timeout=30) == ["open", "open", True]


# ---- deadlines -------------------------------------------------------------------------------------------------------


def test_a_call_with_a_deadline_fails_when_it_has_passed(tmp_path: Path) -> None:
    gate = Gate.remote(str(tmp_path))
    pa.get(gate.ready.remote())

    with pytest.raises(pa.CallTimeout, match=r"Gate .*no answer within 0\.1 s") as caught:
        pa.get(gate.wait_for.options(timeout=0.1).remote("later"))
    (tmp_path / "later").touch()

    assert isinstance(caught.value, TimeoutError)
    assert pa.get(gate.ready.options(timeout=30).remote())


def test_a_deadline_also_counts_while_the_actor_has_no_place() -> None:
    blockers = [Gate.options(num_cpus=1).remote() for _ in range(2)]
    pa.get([gate.ready.remote() for gate in blockers])
    waiting = Gate.options(num_cpus=1).remote()

    with pytest.raises(pa.CallTimeout):
        pa.get(waiting.ready.options(timeout=0.2).remote())

    for actor in (*blockers, waiting):
        pa.kill(actor)


def test_get_gives_up_in_time_and_the_call_goes_on(tmp_path: Path) -> None:
    gate = Gate.remote(str(tmp_path))
    ref = gate.wait_for.remote("open")

    with pytest.raises(pa.CallTimeout):
        pa.get(ref, timeout=0.05)
    (tmp_path / "open").touch()

    assert pa.get(ref, timeout=30) == "open"


# ---- hooks -----------------------------------------------------------------------------------------------------------


@pa.actor
class Hooked:
    def __init__(self, folder: str, fail: bool = False) -> None:
        self.folder, self.fail = folder, fail
        self.story = ["__init__"]

    def on_start(self) -> None:
        self.story.append("on_start")
        if self.fail:
            raise OSError("no connection")

    async def on_stop(self) -> None:
        await asyncio.sleep(0)
        Path(self.folder, "stopped").write_text(" ".join(self.story))

    def read(self) -> list[str]:
        return self.story


@pa.actor
class HookedOnLoop:
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.story = ["__init__"]

    async def on_start(self) -> None:
        await asyncio.sleep(0.01)
        self.story.append("on_start")

    def on_stop(self) -> None:
        Path(self.folder, "stopped").write_text(" ".join(self.story))

    async def read(self) -> list[str]:
        return self.story


@pytest.mark.parametrize("kind", [Hooked, HookedOnLoop])
def test_hooks_run_first_and_last(kind: Any, tmp_path: Path) -> None:
    actor = kind.remote(str(tmp_path))

    assert pa.get(actor.read.remote()) == ["__init__", "on_start"]
    pa.kill(actor)

    assert (tmp_path / "stopped").read_text() == "__init__ on_start"


def test_an_on_start_that_raises_ends_the_actor_with_its_reason(tmp_path: Path) -> None:
    actor = Hooked.remote(str(tmp_path), fail=True)

    with pytest.raises(OSError, match="no connection") as caught:
        pa.get(actor.read.remote())

    assert isinstance(caught.value, pa.ActorStopped)


# ---- names -----------------------------------------------------------------------------------------------------------


def test_a_named_actor_is_found_by_its_name() -> None:
    log = Log.options(name="found").remote()
    pa.get(log.note.remote("hello"))

    found = pa.get_actor("found")

    assert found == log
    assert pa.get(found.read.remote()) == ["hello"]
    pa.kill(log)


def test_a_name_is_free_again_once_its_actor_has_ended() -> None:
    for turn in range(5):
        log = Log.options(name="reused").remote()
        pa.get(log.note.remote(turn))
        assert pa.get(pa.get_actor("reused").read.remote()) == [turn]
        pa.kill(log)

    with pytest.raises(pa.ActorNotFound, match="'reused'"):
        pa.get_actor("reused")


def test_of_many_claims_of_one_name_one_wins() -> None:
    def claim(_: int) -> Any:
        try:
            return Log.options(name="contested").remote()
        except pa.ActorExists as error:
            return error

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(claim, range(6)))

    winners = [outcome for outcome in outcomes if isinstance(outcome, pa.ActorHandle)]
    assert len(winners) == 1
    assert winners[0] == pa.get_actor("contested")
    pa.kill(winners[0])


def test_get_if_exists_gives_everybody_the_same_actor() -> None:
    with ThreadPoolExecutor(6) as pool:
        handles = list(pool.map(lambda _: Log.options(name="shared", get_if_exists=True).remote(), range(6)))

    assert len(set(handles)) == 1
    pa.kill(handles[0])


@pa.actor
class Finder:
    def find(self, name: str) -> Any:
        return pa.get(pa.get_actor(name).read.remote())

    async def find_soon(self, name: str) -> Any:
        return await (await pa.get_actor_async(name)).read.remote()

    async def find_or_make(self, name: str) -> Any:
        return Log.options(name=name, get_if_exists=True).remote()


def test_names_work_inside_actors() -> None:
    log = Log.options(name="inside").remote()
    pa.get(log.note.remote(1))
    finder = Finder.remote()

    assert pa.get(finder.find.remote("inside")) == [1]
    assert pa.get(finder.find_soon.remote("inside")) == [1]
    assert pa.get(finder.find_or_make.remote("inside")) == log
    pa.kill(log)


# ---- ends ------------------------------------------------------------------------------------------------------------


def test_killing_fails_what_runs_and_what_waits_and_what_comes_later(tmp_path: Path) -> None:
    gate = Gate.remote(str(tmp_path))
    running, waiting = gate.wait_for.remote("never"), gate.ready.remote()
    wait_until((tmp_path / "waits for never").exists, "the call to begin")

    pa.kill(gate)

    for ref in (running, waiting, gate.ready.remote()):
        with pytest.raises(pa.ActorStopped, match=r"Gate .*killed"):
            pa.get(ref, timeout=30)
    (tmp_path / "never").touch()


def test_killing_cancels_coroutines(tmp_path: Path) -> None:
    gate = Gate.remote()
    endless = gate.endless.remote(str(tmp_path))
    pa.get(gate.ready_soon.remote())

    pa.kill(gate)

    with pytest.raises(pa.ActorStopped):
        pa.get(endless, timeout=30)
    wait_until((tmp_path / "cancelled").exists, "the coroutine to be cancelled")


def test_killing_twice_and_killing_an_actor_that_never_had_a_place_does_nothing_bad() -> None:
    blockers = [Gate.options(num_cpus=1).remote() for _ in range(2)]
    pa.get([gate.ready.remote() for gate in blockers])
    waiting = Gate.options(num_cpus=1).remote()
    call = waiting.ready.remote()

    pa.kill(waiting)
    pa.kill(waiting)

    with pytest.raises(pa.ActorStopped, match="before it had a place"):
        pa.get(call, timeout=30)
    for gate in blockers:
        pa.kill(gate)
    after = Gate.options(num_cpus=1).remote()
    assert pa.get(after.ready.remote(), timeout=30)
    pa.kill(after)


def test_killing_a_pending_actor_frees_its_name() -> None:
    blockers = [Gate.options(num_cpus=1).remote() for _ in range(2)]
    pa.get([gate.ready.remote() for gate in blockers])
    pending = Gate.options(name="pending", num_cpus=1).remote()
    call = pending.ready.remote()

    pa.kill(pending)
    again = Gate.options(name="pending").remote()

    with pytest.raises(pa.ActorStopped):
        pa.get(call, timeout=30)
    assert pa.get(again.ready.remote())
    for gate in (*blockers, again):
        pa.kill(gate)


def _found(name: str) -> Any:
    try:
        return pa.get_actor(name)
    except pa.ActorNotFound:
        return None


@pa.actor
class Suicidal:
    def end(self, me: Any) -> None:
        pa.kill(me)

    async def end_soon(self, me: Any) -> None:
        pa.kill(me)

    def nothing(self) -> None:
        return None


@pytest.mark.parametrize("method", ["end", "end_soon"])
def test_an_actor_may_kill_itself(method: str) -> None:
    actor = Suicidal.remote()

    getattr(actor, method).remote(actor)

    wait_until(lambda: isinstance(actor.nothing.remote().exception(30), pa.ActorStopped), "the actor to be gone")


def test_an_actor_killed_from_another_actor_ends_for_everybody() -> None:
    @pa.actor
    class Killer:
        def kill(self, victim: Any) -> None:
            pa.kill(victim)

    log, killer = Log.remote(), Killer.remote()
    pa.get(killer.kill.remote(log))

    with pytest.raises(pa.ActorStopped):
        pa.get(log.read.remote(), timeout=30)


def test_a_constructor_that_raises_leaves_neither_name_nor_resources() -> None:
    @pa.actor(num_cpus=1)
    class Unlucky:
        def __init__(self, code: int) -> None:
            raise ValueError(f"bad luck {code}")

        def ready(self) -> bool:
            return True

    for code in range(4):
        unlucky = Unlucky.options(name="unlucky").remote(code)
        for _ in range(2):
            with pytest.raises(ValueError, match=rf"(?s)Unlucky\.__init__ on node .*bad luck {code}") as caught:
                pa.get(unlucky.ready.remote(), timeout=30)
            assert isinstance(caught.value, pa.ActorStopped)
        wait_until(lambda: _found("unlucky") is None, "the name to be free")

    wait_until(lambda: pa.available_resources()["num_cpus"] == 2.0, "the CPUs to be free")
