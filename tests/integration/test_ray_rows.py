"""What a user of Ray relies on to the letter of docs/ray_checklist.md, where no other test shows all of it."""

from __future__ import annotations

import asyncio
import functools
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

import partisan_actors as pa
from tests.integration.nodes import nodes
from tests.integration.on_loop import on_loop
from tests.integration.programs import Programs, wait_until

pytestmark = pytest.mark.usefixtures("cluster")

PATIENCE_S = 60.0
SMALL, LARGE = 10, 2_000_000


def get(ref: Any) -> Any:
    return pa.get(ref, timeout=PATIENCE_S)


# ---- arguments and closures ------------------------------------------------------------------------------------------


@pa.task
def every(a: int, b: int = 2, *more: int, c: int, d: int = 4, **named: int) -> Any:
    return a, b, list(more), c, d, sorted(named.items())


@pa.actor
class Caller:
    """Makes the calls from inside of an actor."""

    def every(self) -> list[Any]:
        return [get(ref) for ref in calls()]

    async def every_soon(self) -> list[Any]:
        return [await ref for ref in calls()]

    def take(self, a: int, b: int = 2, *more: int, c: int, d: int = 4, **named: int) -> Any:
        return a, b, list(more), c, d, sorted(named.items())


@pa.task
def every_in_a_task() -> list[Any]:
    return [get(ref) for ref in calls()]


def calls() -> list[Any]:
    """One of each way to write arguments."""
    ways: list[tuple[tuple[int, ...], Any]] = [
        ((1,), {"c": 3}),
        ((), {"a": 1, "c": 3}),
        ((1, 5, 6, 7), {"c": 3, "e": 9}),
        ((1,), {"b": 8, "c": 3, "d": 0, "self": 10}),
    ]
    return [every.remote(*args, **kwargs) for args, kwargs in ways]


ARRIVED = [
    (1, 2, [], 3, 4, []),
    (1, 2, [], 3, 4, []),
    (1, 5, [6, 7], 3, 4, [("e", 9)]),
    (1, 8, [], 3, 0, [("self", 10)]),
]


def test_arguments_of_every_kind_arrive_from_programs_tasks_actors_threads_and_loops() -> None:
    caller = Caller.remote()

    assert [get(ref) for ref in calls()] == ARRIVED
    assert get(every_in_a_task.remote()) == ARRIVED
    assert get(caller.every.remote()) == ARRIVED
    assert get(caller.every_soon.remote()) == ARRIVED
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(lambda: [get(ref) for ref in calls()]).result(PATIENCE_S) == ARRIVED

    async def gather() -> list[Any]:
        return await asyncio.gather(*calls())

    assert asyncio.run(gather()) == ARRIVED
    assert get(caller.take.remote(1, 5, 6, c=3, e=9)) == (1, 5, [6], 3, 4, [("e", 9)])


OFFSET = 100


@pa.task
def is_even(number: int) -> bool:
    return number == 0 or bool(get(is_odd.remote(number - 1)))


@pa.task
def is_odd(number: int) -> bool:
    return number != 0 and bool(get(is_even.remote(number - 1)))


@pa.task
def apply(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def test_closures_hold_modules_values_tasks_and_handles_and_partials_are_arguments() -> None:
    box, caller = bytearray(b"abc"), Caller.remote()

    @pa.task
    def closure(number: int) -> Any:
        return functools.reduce(int.__add__, box), OFFSET + number, get(is_even.remote(number)), caller

    assert get(closure.remote(2)) == (sum(b"abc"), 102, True, caller)
    assert get(apply.remote(functools.partial(pow, 3), 2)) == 9
    assert get(apply.remote(lambda value: value + len(box), 4)) == 7
    assert get(is_even.remote(6)) and not get(is_odd.remote(4))


def test_what_is_defined_again_is_what_runs_from_then_on() -> None:
    def define(version: int) -> tuple[Any, Any]:
        @pa.task
        def defined() -> int:
            return version

        @pa.actor
        class Defined:
            def version(self) -> int:
                return version

        return defined, Defined

    answers = []
    for version in range(3):
        task, actor = define(version)
        answers.append((get(task.remote()), get(actor.remote().version.remote())))

    assert answers == [(0, 0), (1, 1), (2, 2)]


MAIN = """
    import partisan_actors as pa

    class Point:
        def __init__(self, x):
            self.x = x

        def __eq__(self, other):
            return type(other) is Point and other.x == self.x

    class Mistake(Exception):
        def __init__(self, point, *, why):
            super().__init__(why)
            self.point = point

    def helper(point):
        return Point(point.x + 1)

    @pa.task
    def move(point):
        return helper(point)

    @pa.task
    def fail(point):
        raise Mistake(point, why="on purpose")

    @pa.actor
    class Plotter:
        def plot(self, points):
            return [helper(point) for point in points]

    if __name__ == "__main__":
        with pa.init(workers=1):
            assert pa.get(move.remote(Point(1))) == Point(2)
            assert pa.get(Plotter.remote().plot.remote([Point(1)])) == [Point(2)]
            try:
                pa.get(fail.remote(Point(7)))
            except Mistake as mistake:
                assert mistake.point == Point(7)
                print("all as it should be")
"""


def test_functions_classes_and_exceptions_of_a_script_travel(programs: Programs) -> None:
    assert programs.run(MAIN) == "all as it should be"


def test_what_does_not_fit_is_refused_at_its_caller_and_no_message_leaves(cluster: pa.Session) -> None:
    task, other, actor = (cast(Any, each) for each in (every, is_even, Caller))
    caller, system = actor.remote(), cluster.runtime.system
    assert get(caller.take.remote(1, c=3))[0] == 1
    wrong = [
        lambda: task.remote(1),
        lambda: task.remote(c=1),
        lambda: other.remote(1, 2),
        lambda: other.remote(),
        lambda: other.remote(number=1, other=2),
        lambda: caller.take.remote(c=1),
        lambda: caller.every.remote(1),
        lambda: caller.every.tell(1),
        lambda: actor.remote(1),
    ]

    def sent() -> tuple[int, int]:
        """Messages that have left or wait to, and the number of the next call."""
        traffic = system.node.traffics.by_channel()["calls"]
        return traffic.sent_messages + traffic.queued_messages, system.outbound.next_number()

    def refused() -> tuple[tuple[int, int], tuple[int, int]]:
        # On the node's loop: nothing of the node's own is sent meanwhile.
        before = sent()
        for call in wrong:
            with pytest.raises(TypeError):
                call()
        return before, sent()

    (messages, number), after = on_loop(cluster, refused)

    assert after == (messages, number + 1)  # that of asking for it


# ---- refs as arguments -----------------------------------------------------------------------------------------------


class Beside:
    """Bytes that leave the pickle, as those of an array do."""

    def __init__(self, data: Any) -> None:
        self.data = bytes(data)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Beside, (pickle.PickleBuffer(self.data),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Beside) and other.data == self.data

    __hash__ = None  # type: ignore[assignment]  # nobody needs it


def made(size: int, is_beside: bool) -> Any:
    return Beside(bytes(range(256)) * (size // 256) + b"end") if is_beside else ["x" * size, size]


@pa.task
def make(size: int, is_beside: bool) -> Any:
    return made(size, is_beside)


@pa.task
def look(value: Any, nested: Any) -> tuple[Any, bool]:
    return value, type(nested[0]) is pa.ObjectRef and get(nested[0]) == value


@pa.task
def fail() -> None:
    raise LookupError("the first cause")


@pa.task
def same(first: Any, second: Any, *, third: Any) -> bool:
    return first is second is third


@pa.actor(placement="spread")
class Party:
    def make(self, size: int, is_beside: bool) -> Any:
        return made(size, is_beside)

    def look(self, value: Any, nested: Any) -> tuple[Any, bool]:
        return value, type(nested[0]) is pa.ObjectRef and get(nested[0]) == value

    async def look_soon(self, value: Any, nested: Any) -> tuple[Any, bool]:
        return value, type(nested[0]) is pa.ObjectRef and await nested[0] == value

    def fail(self) -> None:
        raise LookupError("the first cause")

    def same(self, first: Any, second: Any, *, third: Any) -> bool:
        return first is second is third


@pytest.mark.parametrize("is_beside", [False, True], ids=["in the pickle", "beside it"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_from_and_to_tasks_and_actors_a_ref_is_its_value_and_stays_one_inside_of_a_list(
    size: int, is_beside: bool
) -> None:
    source, target = Party.remote(), Party.remote()
    refs = [make.remote(size, is_beside), source.make.remote(size, is_beside)]

    for ref in refs:
        for consumer in cast(list[Any], [look, target.look, target.look_soon]):
            value, was_ref = get(consumer.remote(ref, [ref]))
            assert value == made(size, is_beside) and was_ref


def test_one_ref_given_several_times_is_one_object() -> None:
    for ref in (pa.put([1]), make.remote(SMALL, False), make.remote(LARGE, True), Party.remote().make.remote(1, False)):
        assert get(same.remote(ref, ref, third=ref))
        assert get(Party.remote().same.remote(ref, ref, third=ref))


def test_a_dependency_that_failed_fails_all_behind_it_and_its_cause_is_named() -> None:
    target = Party.remote()
    for failed in (fail.remote(), target.fail.remote()):
        through_one = look.remote(failed, [0])
        through_two = target.look.remote(through_one, [0])
        for ref in (through_one, through_two):
            with pytest.raises(LookupError, match="the first cause") as caught:
                get(ref)
            assert isinstance(caught.value, pa.TaskFailed) and "raise LookupError" in caught.value.remote_traceback


# ---- actors ----------------------------------------------------------------------------------------------------------

CALLS = 10_000


@pa.actor(placement="spread")
class Sequence:
    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {}

    def note(self, who: str, number: int) -> None:
        self.seen.setdefault(who, []).append(number)

    def in_order(self) -> dict[str, bool]:
        return {who: numbers == list(range(CALLS)) for who, numbers in self.seen.items()}


@pa.actor(placement="spread")
class Sender:
    def send(self, to: Any, who: str) -> None:
        pa.get([to.note.remote(who, number) for number in range(CALLS)])

    def keep(self, handle: Any) -> None:
        self.kept = handle

    def compare(self, handle: Any, other: Any) -> list[Any]:
        kept = self.kept
        return [
            kept is handle,
            kept == handle,
            hash(kept) == hash(handle),
            {kept: "found"}.get(handle),
            kept == other,
            kept == "kept",
            len({kept, handle, other}),
        ]


def test_ten_thousand_calls_of_each_of_two_callers_run_in_its_order() -> None:
    sequence, senders = Sequence.remote(), [Sender.remote(), Sender.remote()]

    get([sender.send.remote(sequence, str(number)) for number, sender in enumerate(senders)])

    assert get(sequence.in_order.remote()) == {"0": True, "1": True}


def test_handles_of_one_actor_are_equal_and_have_one_hash_wherever_they_meet() -> None:
    one, other, elsewhere = Sequence.remote(), Sequence.remote(), Sender.remote()
    get(elsewhere.keep.remote(one))
    by_pickle, by_value = pickle.loads(pickle.dumps(one)), get(pa.put([one]))[0]

    for handle in (one, by_pickle, by_value):
        is_same, *compared = get(elsewhere.compare.remote(handle, other))
        assert compared == [True, True, "found", False, False, 2], is_same
        assert {one: "found"}[handle] == "found"
        assert handle != other and handle != "one" and handle != 1 and handle is not None


@pa.actor
class Unborn:
    def __init__(self) -> None:
        raise OverflowError("never born")

    def here(self) -> None: ...


def test_the_first_call_of_an_actor_whose_constructor_raised_says_what_and_every_later_one() -> None:
    unborn = Unborn.remote()

    for _ in range(3):
        with pytest.raises(pa.ActorStopped, match="OverflowError: never born") as caught:
            get(unborn.here.remote())
        assert isinstance(caught.value, OverflowError) and isinstance(caught.value.__cause__, OverflowError)


class Rejected(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"rejected with {code}")
        self.code = code


@pa.task
def reject() -> None:
    raise Rejected(7)


@pa.task
def several() -> None:
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])


def test_an_exception_is_caught_as_its_own_class_and_as_ours_with_its_fields_and_the_frames_from_there() -> None:
    for kind in (Rejected, pa.TaskFailed):
        with pytest.raises(kind) as caught:
            get(reject.remote())
        error: Any = caught.value
        assert type(error.cause) is Rejected and error.code == 7
        assert "in reject" in error.remote_traceback and "raise Rejected(7)" in str(error)


def test_a_group_of_exceptions_is_one() -> None:
    seen = []
    try:
        get(several.remote())
    except* ValueError as group:
        seen += group.exceptions
    except* KeyError as group:
        seen += group.exceptions

    assert [repr(each) for each in seen] == ["ValueError('one')", "KeyError('two')"]


@pa.actor
class Meeting:
    """Coroutines that count how many of them are in here at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.met = asyncio.Event()

    async def join(self, expected: int) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside >= expected:
            self.met.set()
        await self.met.wait()
        await asyncio.sleep(0)
        self.inside -= 1
        return self.most

    async def the_most(self) -> int:
        return self.most


@pytest.mark.parametrize("bound", [1, 200])
def test_of_many_coroutines_exactly_as_many_as_may_be_are_in_progress_at_once(bound: int) -> None:
    meeting = Meeting.options(max_concurrency=bound).remote()

    get([meeting.join.remote(bound) for _ in range(3 * bound)])

    assert get(meeting.the_most.remote()) == bound


@pytest.mark.parametrize("options", [{}, {"max_concurrency": 100_000}], ids=["without saying", "when it is said"])
def test_a_thousand_coroutines_of_one_actor_wait_at_once(options: dict[str, Any]) -> None:
    meeting = Meeting.options(**options).remote()

    # Were one of them to wait for another to end, none would.
    assert max(get([meeting.join.remote(1000) for _ in range(1000)])) == 1000


class Fails:
    """Its methods raise until they have run so often; those of a class that says so are tried again twice."""

    def __init__(self) -> None:
        self.runs = 0

    def _run(self) -> int:
        self.runs += 1
        if self.runs < ENOUGH:
            raise ValueError(self.runs)
        return self.runs

    async def ran(self) -> int:
        return self.runs


ENOUGH = 5


class Plain(Fails):
    def blocking(self) -> int:
        return self._run()

    async def soon(self) -> int:
        return self._run()

    def stream(self) -> Iterator[int]:
        yield self._run()


class Decorated(Fails):
    """The same, with as many tries as its methods say."""

    @pa.method(max_task_retries=2, retry_exceptions=[ValueError])
    def blocking(self) -> int:
        return self._run()

    @pa.method(max_task_retries=2, retry_exceptions=[ValueError])
    async def soon(self) -> int:
        return self._run()

    @pa.method(max_task_retries=2, retry_exceptions=[ValueError])
    def stream(self) -> Iterator[int]:
        yield self._run()


def result_of(answer: Any) -> int | None:
    """What came of a call; None when it raised, as it may."""
    try:
        return int(get(answer if isinstance(answer, pa.ObjectRef) else list(answer)[-1]))
    except ValueError:
        return None


def test_methods_of_every_kind_run_as_often_as_the_call_or_the_method_or_the_actor_says() -> None:
    plain, decorated = pa.actor(Plain), pa.actor(Decorated)
    calls: list[tuple[Any, Any, int]] = []
    for kind in ("blocking", "soon", "stream"):
        for retries, runs in ((0, 1), (2, 3), (-1, ENOUGH)):
            said = {"max_task_retries": retries, "retry_exceptions": True}
            actors = plain.remote(), decorated.options(max_task_retries=7).remote()
            calls += [(actor, getattr(actor, kind).options(**said).remote(), runs) for actor in actors]
            actor = plain.options(max_task_retries=retries).remote()
            calls.append((actor, getattr(actor, kind).options(retry_exceptions=True).remote(), runs))
        actor = decorated.options(max_task_retries=7).remote()
        calls.append((actor, getattr(actor, kind).remote(), 3))
        actor = plain.options(max_task_retries=-1).remote()
        calls.append((actor, getattr(actor, kind).remote(), 1))

    for actor, answer, runs in calls:
        assert result_of(answer) == (runs if runs == ENOUGH else None)
        assert get(actor.ran.remote()) == runs


@pa.task
def counted(folder: str, count: int) -> Iterator[int]:
    for number in range(count):
        with open(Path(folder, "made"), "ab") as file:
            file.write(b"x")
        yield number


@pytest.mark.parametrize("ahead", [1, 2, 15])
def test_a_generator_that_blocks_is_never_further_ahead_of_who_takes_than_it_may_be(tmp_path: Path, ahead: int) -> None:
    stream = counted.options(generator_backpressure=ahead).remote(str(tmp_path), 40)

    for taken in range(40):
        wait_until(stream.next_ready, "an item")
        assert (tmp_path / "made").stat().st_size <= taken + ahead
        assert get(next(stream)) == taken

    assert list(stream) == []


# ---- waiting for others on one CPU -----------------------------------------------------------------------------------


@pa.task
def descend(depth: int) -> int:
    return depth if depth == 0 else 1 + int(pa.get(descend.remote(depth - 1)))


@pa.task
def one(ready: list[int]) -> int:
    return len(ready)


@pa.task
def fan_in(count: int) -> int:
    return sum(pa.get([one.remote([number]) for number in range(count)]))


@pa.task
def blocked(gate: list[Any], folder: str) -> int:
    Path(folder, "begun").touch()
    return int(pa.get(gate[0]))


@pa.actor(num_cpus=0)
class Gate:
    async def opened(self, folder: str) -> int:
        while not Path(folder, "go").exists():
            await asyncio.sleep(0.005)
        return 1


async def test_on_one_cpu_tasks_that_wait_for_tasks_give_it_back(tmp_path: Path) -> None:
    async with nodes("only", resources={"num_cpus": 1.0}) as cluster:
        with cluster.at("only"):
            gate = Gate.remote()
            waits = blocked.remote([gate.opened.remote(str(tmp_path))], str(tmp_path))
            while not (tmp_path / "begun").exists():
                await asyncio.sleep(0.005)

            assert await asyncio.wait_for(descend.remote(10), PATIENCE_S) == 10
            assert await asyncio.wait_for(fan_in.remote(20), PATIENCE_S) == 20

            assert not waits.done()
            (tmp_path / "go").touch()
            assert await asyncio.wait_for(waits, PATIENCE_S) == 1
            room = cluster["only"].scheduler.room
            assert room.pool.available == room.pool.total


# ---- ends ------------------------------------------------------------------------------------------------------------


class CannotArrive:
    def __reduce__(self) -> Any:
        return int, ("no number",)


@pa.actor
class Takes:
    def __init__(self, value: Any) -> None:
        self.value = value

    def here(self) -> None: ...


def test_an_actor_whose_arguments_cannot_be_unpickled_says_so_and_is_listed_so() -> None:
    takes = Takes.remote(CannotArrive())

    for _ in range(2):
        with pytest.raises(pa.ActorStopped, match="no number") as caught:
            get(takes.here.remote())
        assert isinstance(caught.value, ValueError)

    def kinds() -> list[str]:
        return [row["kind"] for row in pa.list_actors(state="stopped", class_name="Takes")]

    assert wait_until(kinds, "its end to be listed") == ["unreadable"]
