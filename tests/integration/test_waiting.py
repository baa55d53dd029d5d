"""Refs are futures: for threads, for coroutines, for the standard library; alone, in lists, and as they come."""

from __future__ import annotations

import asyncio
import concurrent.futures
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api import session
from partisan_actors.objects.store import ObjectStore
from tests.integration.programs import wait_until

pytestmark = pytest.mark.usefixtures("cluster")


@pa.actor(placement="spread")
class Worker:
    """Its methods are coroutines, so that several may wait at once."""

    async def when(self, path: str, value: Any) -> Any:
        """`value`, once there is a file at `path`."""
        while not Path(path).exists():
            await asyncio.sleep(0.005)
        return value

    async def give(self, value: Any) -> Any:
        return value

    async def fail(self) -> None:
        raise ValueError("wrong")

    async def keep(self, box: list[Any]) -> None:
        self.kept = box
        await box[0]

    async def box(self, path: str) -> list[Any]:
        """A ref of ours whose value comes once there is a file at `path`."""
        return [pa.current_actor().when.remote(path, "late")]


@pytest.fixture(scope="module")
def worker(cluster: pa.Session) -> Any:
    made = Worker.remote()
    pa.get(made.give.remote(1))
    return made


def test_a_list_of_refs_is_got_in_its_order(worker: Any) -> None:
    assert pa.get([worker.give.remote(number) for number in (3, 1, 2)]) == [3, 1, 2]
    assert pa.get([]) == []


def test_an_error_is_raised_while_others_are_not_ready(worker: Any, tmp_path: Path) -> None:
    never = worker.when.remote(str(tmp_path / "open"), 1)

    with pytest.raises(ValueError, match="wrong"):
        pa.get([never, worker.fail.remote(), never], timeout=60)

    assert not never.done()
    (tmp_path / "open").touch()
    assert pa.get(never, timeout=30) == 1


def test_timeout_0_takes_what_is_ready_and_waits_for_nothing(worker: Any, tmp_path: Path) -> None:
    ready, late = pa.put(1), worker.when.remote(str(tmp_path / "open"), 2)

    assert pa.get(ready, timeout=0) == 1
    assert pa.get([ready, ready], timeout=0) == [1, 1]
    with pytest.raises(pa.CallTimeout, match="1 of 2 refs"):
        pa.get([ready, late], timeout=0)
    with pytest.raises(pa.CallTimeout):
        pa.get(late, timeout=0)
    assert pa.wait([late, ready], timeout=0) == ([ready], [late])
    (tmp_path / "open").touch()


def test_wait_keeps_the_order_and_gives_no_more_than_was_asked(worker: Any, tmp_path: Path) -> None:
    late = worker.when.remote(str(tmp_path / "open"), 0)
    refs = [late, *(pa.put(number) for number in range(3))]

    assert pa.wait(refs, num_returns=2, timeout=30) == (refs[1:3], [late, refs[3]])
    (tmp_path / "open").touch()
    assert pa.wait(refs, num_returns=4, timeout=30) == (refs, [])
    assert pa.wait([]) == ([], [])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda ref: pa.get((ref, ref)), TypeError, r"not tuple: write list\(refs\)"),
        (lambda ref: pa.get([ref, 5]), TypeError, "the list holds a int"),
        (lambda ref: pa.get(ref, timeout=-1), ValueError, "must not be negative"),
        (lambda ref: pa.get([ref], timeout="soon"), TypeError, "a number of seconds or None, not str"),
        (lambda ref: pa.wait([ref, ref]), ValueError, "each ref once"),
        (lambda ref: pa.wait([ref], num_returns=2), ValueError, "from 1 to the number of refs, 1"),
        (lambda ref: pa.wait([ref], num_returns=0), ValueError, "from 1 to the number of refs, 1"),
        (lambda ref: pa.wait([ref], timeout=-0.1), ValueError, "must not be negative"),
        (lambda ref: pa.wait(ref), TypeError, "wait takes a list of ObjectRefs"),
        (lambda ref: pa.as_completed([ref, 1]), TypeError, "as_completed takes ObjectRefs"),
        (lambda ref: pa.object_locations(ref), TypeError, "object_locations takes a list"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(pa.put(1))


def test_refs_come_as_they_are_completed(worker: Any, tmp_path: Path) -> None:
    late = worker.when.remote(str(tmp_path / "open"), "late")
    failed = worker.fail.remote()
    refs = [late, worker.give.remote("soon"), failed]

    seen = []
    for ref in pa.as_completed(refs, timeout=60):
        seen.append(ref)
        if len(seen) == 2:
            (tmp_path / "open").touch()

    assert set(seen[:2]) == set(refs[1:])
    assert seen[2] is late
    assert isinstance(failed.exception(), ValueError)
    assert list(pa.as_completed([])) == []


def test_who_waits_for_completion_is_told_when_time_is_up(worker: Any, tmp_path: Path) -> None:
    late = worker.when.remote(str(tmp_path / "open"), 1)
    ready = pa.put(1)

    completed = pa.as_completed([late, ready], timeout=0)
    assert next(completed) is ready
    with pytest.raises(pa.CallTimeout, match="1 of 2 refs"):
        next(completed)
    (tmp_path / "open").touch()


def test_coroutines_of_any_loop_await_gather_and_go_through_refs(worker: Any, tmp_path: Path) -> None:
    async def main() -> tuple[Any, ...]:
        late = worker.when.remote(str(tmp_path / "open"), "late")
        gathered = await asyncio.gather(*(worker.give.remote(number) for number in range(5)))
        seen = []
        async for ref in pa.as_completed([late, worker.give.remote("soon")], timeout=60):
            seen.append(await ref)
            (tmp_path / "open").touch()
        with pytest.raises(pa.CallTimeout):
            async for _ in pa.as_completed([worker.when.remote(str(tmp_path / "never"), 1)], timeout=0):
                pass
        (tmp_path / "never").touch()
        return gathered, seen

    assert asyncio.run(main()) == ([0, 1, 2, 3, 4], ["soon", "late"])


def test_a_ref_may_be_awaited_again_after_a_wait_that_was_cancelled(worker: Any, tmp_path: Path) -> None:
    async def main() -> list[Any]:
        ref = worker.when.remote(str(tmp_path / "open"), "late")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ref, 0.01)
        waiting = asyncio.ensure_future(ref)
        await asyncio.sleep(0)
        waiting.cancel()
        future = ref.as_future()
        future.cancel()
        (tmp_path / "open").touch()
        return [await ref, await ref.as_future(), await asyncio.wrap_future(ref.future())]

    assert asyncio.run(main()) == ["late"] * 3


def test_the_standard_library_waits_for_refs(worker: Any, tmp_path: Path) -> None:
    late = worker.when.remote(str(tmp_path / "open"), "late").future()
    soon, failed = worker.give.remote("soon").future(), worker.fail.remote().future()

    done, others = concurrent.futures.wait([late, soon, failed], 60, concurrent.futures.FIRST_EXCEPTION)
    assert failed in done
    assert late in others
    (tmp_path / "open").touch()

    order = list(concurrent.futures.as_completed([late, soon], timeout=60))
    assert {future.result() for future in order} == {"late", "soon"}
    with pytest.raises(ValueError, match="wrong"):
        failed.result(30)


def test_call_backs_are_called_once_done_or_at_once(worker: Any, tmp_path: Path) -> None:
    called: list[Any] = []
    ref = worker.when.remote(str(tmp_path / "open"), "late")
    ref.add_done_callback(lambda done: called.append(done.result()))
    assert called == []

    (tmp_path / "open").touch()
    wait_until(lambda: called, "the call-back")
    ref.add_done_callback(lambda done: called.append(2))

    assert called == ["late", 2]


def test_what_is_ready_elsewhere_need_not_be_fetched(worker: Any, tmp_path: Path) -> None:
    path = tmp_path / "open"
    (ref,) = pa.get(worker.box.remote(str(path)), timeout=30)

    assert pa.wait([ref], timeout=0, fetch_local=False) == ([], [ref])
    path.touch()
    assert pa.wait([ref], timeout=60, fetch_local=False) == ([ref], [])
    assert not ref.done()

    assert pa.wait([ref], timeout=60) == ([ref], [])
    assert ref.result() == "late"


def test_locations_name_the_owner_first_then_who_has_fetched(worker: Any, tmp_path: Path) -> None:
    store: ObjectStore = session.system().extensions["objects"]
    mine = pa.put(b"x" * 1_000_000)
    (theirs,) = pa.get(worker.box.remote(str(tmp_path / "open")), timeout=30)
    assert pa.object_locations([mine])[mine].nodes == (store.system.me,)
    assert pa.object_locations([theirs])[theirs].nodes == ()
    pa.get(worker.keep.remote([mine]), timeout=30)
    (tmp_path / "open").touch()
    assert pa.get(theirs, timeout=30) == "late"

    locations = pa.object_locations([mine, theirs])

    assert locations[mine].nodes == (store.system.me, theirs.id.node)
    assert locations[mine].size_bytes > 1_000_000
    assert not locations[mine].is_spilled
    assert locations[theirs].nodes == (theirs.id.node, store.system.me)
