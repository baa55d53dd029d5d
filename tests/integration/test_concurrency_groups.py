"""Calls that run beside each other: concurrency groups, and blocking methods on several threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.programs import wait_until

pytestmark = pytest.mark.usefixtures("cluster")


class Busy:
    """Counts how many calls are inside at once; a file lets them out."""

    def __init__(self, folder: str = "") -> None:
        self.folder = Path(folder)
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.order: list[int] = []
        self.threads: set[int] = set()
        self.barrier = threading.Barrier(3)

    def enter(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.get_ident())

    def leave(self) -> None:
        with self.lock:
            self.now -= 1

    def _hold(self, name: str) -> str:
        self.enter()
        deadline = time.monotonic() + 60
        while not (self.folder / name).exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.leave()
        return name


@pa.actor
class Threaded(Busy):
    def hold(self, name: str) -> str:
        return self._hold(name)

    def meet(self) -> int:
        return self.barrier.wait(timeout=60)

    def add(self, number: int) -> None:
        with self.lock:
            self.order.append(number)

    def seen(self) -> tuple[int, int, int]:
        return self.now, self.most, len(self.threads)

    def read(self) -> list[int]:
        return self.order

    def many(self, count: int) -> Iterator[int]:
        yield from range(count)

    def quit(self) -> None:
        pa.exit_actor("enough")


@pa.actor(concurrency_groups={"io": 2, "compute": 1})
class Grouped(Busy):
    @pa.method(concurrency_group="io")
    def read(self, name: str) -> str:
        return self._hold(name)

    @pa.method(concurrency_group="io")
    async def read_soon(self, name: str) -> str:
        self.enter()
        while not (self.folder / name).exists():
            await asyncio.sleep(0.005)
        self.leave()
        return name

    @pa.method(concurrency_group="compute")
    def compute(self, number: int) -> int:
        self.order.append(number)
        return number

    @pa.method(concurrency_group="compute")
    def compute_long(self, name: str) -> str:
        return self._hold(name)

    def plain(self) -> str:
        return "plain"

    async def plain_soon(self) -> str:
        return "plain"

    async def computed(self) -> list[int]:
        return self.order

    async def inside(self) -> tuple[int, int]:
        return self.now, self.most

    @pa.method(concurrency_group="compute")
    def numbers(self, count: int) -> Iterator[int]:
        yield from range(count)


@pytest.fixture
def grouped(tmp_path: Path) -> Iterator[Any]:
    made = Grouped.remote(str(tmp_path))
    yield made
    (tmp_path / "go").touch()
    pa.kill(made)


# ---- threads ---------------------------------------------------------------------------------------------------------


def test_three_blocking_methods_of_an_actor_with_three_threads_meet() -> None:
    actor = Threaded.options(max_concurrency=3).remote()

    assert sorted(pa.get([actor.meet.remote() for _ in range(3)], timeout=60)) == [0, 1, 2]


def test_no_more_run_at_once_than_an_actor_allows(tmp_path: Path) -> None:
    actor = Threaded.options(max_concurrency=4).remote(str(tmp_path))
    refs = [actor.hold.remote("go") for _ in range(12)]
    watcher = Watcher.remote(str(tmp_path))
    pa.get(watcher.wait_a_little.remote())

    (tmp_path / "go").touch()

    assert pa.get(refs) == ["go"] * 12
    now, most, threads = pa.get(actor.seen.remote())
    assert now == 0 and most <= 4 and threads <= 4


@pa.actor
class Watcher:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    async def wait_a_little(self) -> None:
        await asyncio.sleep(0.1)


def test_thousands_of_calls_do_not_make_thousands_of_threads() -> None:
    actor = Threaded.options(max_concurrency=5).remote()

    refs = [actor.add.remote(number) for number in range(5000)]

    pa.get(refs)
    assert sorted(pa.get(actor.read.remote())) == list(range(5000))
    assert pa.get(actor.seen.remote())[2] <= 5


def test_an_actor_with_one_thread_runs_its_calls_in_order() -> None:
    actor = Threaded.remote()

    for number in range(500):
        actor.add.tell(number)

    assert pa.get(actor.read.remote()) == list(range(500))


def test_a_threaded_actor_streams_ends_itself_and_is_killed_like_any_other(tmp_path: Path) -> None:
    actor = Threaded.options(max_concurrency=2).remote(str(tmp_path))
    assert [pa.get(ref) for ref in actor.many.remote(50)] == list(range(50))
    held = [actor.hold.remote("go") for _ in range(4)]
    wait_until(lambda: unanswered(held) == 4, "the calls to be sent")

    pa.kill(actor)

    for ref in held:
        with pytest.raises(pa.ActorStopped):
            pa.get(ref, timeout=60)
    (tmp_path / "go").touch()
    other = Threaded.options(max_concurrency=2).remote(str(tmp_path))
    with pytest.raises(pa.ActorStopped, match="enough"):
        pa.get(other.quit.remote())


def unanswered(refs: list[Any]) -> int:
    return sum(not ref.done() for ref in refs)


# ---- groups ----------------------------------------------------------------------------------------------------------


def test_a_group_that_is_full_holds_up_no_other(grouped: Any) -> None:
    held = [grouped.read.remote("go") for _ in range(3)]
    wait_until(lambda: pa.get(grouped.inside.remote())[0] == 2, "the group to be full")

    assert pa.get([grouped.compute.remote(1), grouped.plain.remote(), grouped.plain_soon.remote()], timeout=60) == [
        1,
        "plain",
        "plain",
    ]
    assert unanswered(held) == 3
    assert pa.get(grouped.inside.remote()) == (2, 2)


def test_coroutines_and_blocking_methods_of_a_group_share_its_places(grouped: Any, tmp_path: Path) -> None:
    held = [grouped.read_soon.remote("go"), grouped.read.remote("go"), grouped.read_soon.remote("go")]
    wait_until(lambda: pa.get(grouped.inside.remote())[0] == 2, "the group to be full")

    (tmp_path / "go").touch()

    assert pa.get(held) == ["go"] * 3
    assert pa.get(grouped.inside.remote()) == (0, 2)


def test_calls_of_one_caller_to_a_group_start_in_order(grouped: Any) -> None:
    for number in range(300):
        grouped.compute.tell(number)
        grouped.plain.tell()

    pa.get(grouped.compute.remote(300))
    assert pa.get(grouped.computed.remote()) == list(range(301))


def test_a_single_call_may_choose_its_group(grouped: Any) -> None:
    blocked = grouped.compute_long.remote("go")
    wait_until(lambda: pa.get(grouped.inside.remote())[0] == 1, "the group to be busy")

    assert pa.get(grouped.compute.options(concurrency_group="io").remote(7), timeout=60) == 7
    grouped.compute.options(concurrency_group="io").tell(8)
    wait_until(lambda: pa.get(grouped.computed.remote()) == [7, 8], "the tell to run")
    waiting = grouped.plain.options(concurrency_group="compute").remote()
    assert pa.get(grouped.plain.remote(), timeout=60) == "plain"
    assert unanswered([blocked, waiting]) == 2


def test_a_group_that_is_not_there_is_named_with_those_that_are(grouped: Any) -> None:
    with pytest.raises(pa.ConfigError, match=r"concurrency_group of Grouped\.plain = 'disk' .*expected io, compute"):
        grouped.plain.options(concurrency_group="disk")

    class Lost:
        @pa.method(concurrency_group="io")
        def read(self) -> None: ...

    with pytest.raises(pa.ConfigError, match=r"concurrency_group of .*Lost\.read = 'io'"):
        pa.actor(Lost).remote()


def test_generators_run_in_their_group(grouped: Any) -> None:
    assert [pa.get(ref) for ref in grouped.numbers.remote(20)] == list(range(20))


def test_what_waits_or_runs_in_a_group_can_be_cancelled(grouped: Any) -> None:
    running = [grouped.read.remote("go"), grouped.read_soon.remote("go")]
    waiting = grouped.read.remote("go")
    wait_until(lambda: pa.get(grouped.inside.remote())[0] == 2, "the group to be full")

    for ref in (waiting, *running):
        pa.cancel(ref)

    for ref in (waiting, *running):
        with pytest.raises(pa.TaskCancelled):
            pa.get(ref, timeout=60)
    assert pa.get(grouped.compute.options(concurrency_group="io").remote(1), timeout=60) == 1


def test_a_mailbox_that_is_full_refuses_what_comes_to_a_group(tmp_path: Path) -> None:
    actor = Grouped.options(mailbox_max=3).remote(str(tmp_path))
    held = [actor.read.remote("go") for _ in range(2)]
    wait_until(lambda: pa.get(actor.inside.remote())[0] == 2, "the group to be full")
    waiting = [actor.read.remote("go") for _ in range(3)]

    with pytest.raises(pa.MailboxFull):
        pa.get(actor.read.remote("go"), timeout=60)

    (tmp_path / "go").touch()
    assert pa.get([*held, *waiting]) == ["go"] * 5
