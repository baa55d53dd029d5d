"""Handles, refs and exceptions travel: as arguments, in results, in containers, by pickle, and work where they are."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa

pytestmark = pytest.mark.usefixtures("cluster")


@pa.actor(placement="spread")
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    async def add_soon(self, amount: int) -> int:
        self.value += amount
        return self.value

    def node(self) -> str:
        from partisan_actors.actors.context import current_system

        system = current_system.get()
        assert system is not None
        return str(system.me.name)


@pa.actor(placement="spread")
class Caller:
    def call(self, other: Any, amount: int) -> int:
        return int(pa.get(other.add.remote(amount)))

    async def call_soon(self, other: Any, amount: int) -> int:
        return int(await other.add_soon.remote(amount))

    def call_inside(self, box: dict[str, list[Any]], amount: int) -> list[int]:
        return [pa.get(other.add.remote(amount)) for other in box["others"]]

    def make(self, start: int) -> Any:
        return Counter.remote(start)

    def ask(self, other: Any, amount: int) -> Any:
        return other.add.remote(amount)

    def echo(self, value: Any) -> Any:
        return value

    async def echo_soon(self, value: Any) -> Any:
        return value

    def resolve(self, box: list[Any]) -> list[Any]:
        return [pa.get(ref) for ref in box]

    async def resolve_soon(self, box: list[Any]) -> list[Any]:
        return [await ref for ref in box]

    def pass_on(self, other: Any, box: list[Any]) -> Any:
        return pa.get(other.resolve.remote(box))

    def kind(self, value: Any) -> str:
        return type(value).__name__


@pa.task
def add_in_task(counter: Any, amount: int) -> int:
    return int(pa.get(counter.add.remote(amount)))


@pa.task
def plus_one(value: int) -> int:
    return value + 1


# ---- handles ---------------------------------------------------------------------------------------------------------


def test_a_handle_given_to_another_actor_works_there() -> None:
    counter, caller = Counter.remote(1), Caller.remote()

    assert pa.get(caller.call.remote(counter, 2)) == 3
    assert pa.get(caller.call_soon.remote(counter, 2)) == 5
    assert pa.get(caller.call_inside.remote({"others": [counter, counter]}, 1)) == [6, 7]


def test_handles_sent_before_their_actors_have_a_place_work() -> None:
    callers = [Caller.remote() for _ in range(4)]

    answers = [caller.call.remote(Counter.remote(number), 1) for number, caller in enumerate(callers)]

    assert pa.get(answers) == [1, 2, 3, 4]


def test_a_handle_works_in_a_task() -> None:
    assert pa.get(add_in_task.remote(Counter.remote(40), 2)) == 42


def test_a_returned_handle_works_here() -> None:
    made = pa.get(Caller.remote().make.remote(10))

    assert pa.get(made.add.remote(5)) == 15


def test_a_handle_by_pickle_is_the_same_actor() -> None:
    counter = Counter.remote()

    again = pickle.loads(pickle.dumps(counter))

    assert again == counter
    assert hash(again) == hash(counter)
    assert pa.get(again.add.remote(1)) == pa.get(counter.add.remote(0)) == 1
    assert copy.copy(counter) == copy.deepcopy(counter) == counter


def test_a_handle_that_went_to_another_node_and_back_is_equal() -> None:
    counter, caller = Counter.remote(), Caller.remote()

    assert pa.get(caller.echo.remote([counter])) == [counter]


def test_the_actors_of_these_tests_are_on_both_workers(cluster: pa.Session) -> None:
    nodes = set(pa.get([Counter.remote().node.remote() for _ in range(4)]))

    assert nodes == {f"{cluster.node_name}-w1", f"{cluster.node_name}-w2"}


# ---- refs ------------------------------------------------------------------------------------------------------------


def test_a_ref_as_an_argument_is_replaced_by_its_value() -> None:
    counter, caller = Counter.remote(1), Caller.remote()

    assert pa.get(caller.echo.remote(counter.add.remote(1))) == 2
    assert pa.get(caller.echo_soon.remote(counter.add.remote(1))) == 3
    assert pa.get(caller.echo.remote(value=counter.add.remote(1))) == 4
    assert pa.get(plus_one.remote(counter.add.remote(1))) == 6
    assert pa.get(plus_one.remote(plus_one.remote(plus_one.remote(0)))) == 3


def test_a_ref_given_to_a_constructor_is_replaced_by_its_value() -> None:
    counter = Counter.remote(plus_one.remote(1))

    assert pa.get(counter.add.remote(0)) == 2


def test_refs_inside_containers_stay_refs_and_work_there() -> None:
    counter, caller = Counter.remote(), Caller.remote()
    box = [counter.add.remote(1), pa.put("x"), plus_one.remote(1)]

    assert pa.get(caller.resolve.remote(box)) == [1, "x", 2]
    assert pa.get(caller.resolve_soon.remote(box)) == [1, "x", 2]


def test_refs_pass_from_worker_to_worker_whoever_owns_them() -> None:
    first, second, third = Caller.remote(), Caller.remote(), Caller.remote()
    counter = Counter.remote()
    of_worker = pa.get(first.ask.remote(counter, 7))

    assert isinstance(of_worker, pa.ObjectRef)
    assert pa.get(of_worker) == 7
    assert pa.get(second.pass_on.remote(third, [of_worker, pa.put(b"mine")])) == [7, b"mine"]


def test_a_ref_that_nobody_holds_here_any_more_still_arrives() -> None:
    busy, caller = Caller.remote(), Caller.remote()

    answer = caller.resolve.remote([pa.put([1, 2]), busy.echo.remote("late")])

    assert pa.get(answer) == [[1, 2], "late"]


def test_a_ref_by_pickle_is_the_same_ref() -> None:
    ref = pa.put({"a": 1})

    again = pickle.loads(pickle.dumps(ref))

    assert again == ref
    assert pa.get(again) == {"a": 1}


def test_refs_and_handles_inside_a_put_value_work() -> None:
    counter = Counter.remote(3)
    box = pa.put({"handle": counter, "ref": pa.put(5)})

    value = pa.get(box)

    assert pa.get(value["handle"].add.remote(1)) == 4
    assert pa.get(value["ref"]) == 5


def test_a_ref_of_a_failed_call_fails_its_consumer_with_the_same_class() -> None:
    caller = Caller.remote()
    failed = add_in_task.remote(None, 1)

    with pytest.raises(AttributeError):
        pa.get(caller.echo.remote(failed))
    with pytest.raises(AttributeError):
        pa.get(caller.echo_soon.remote(failed))
    with pytest.raises(AttributeError):
        pa.get(plus_one.remote(failed))
    with pytest.raises(AttributeError):
        pa.get(Counter.remote(failed).add.remote(1))


# ---- exceptions ------------------------------------------------------------------------------------------------------


@pa.actor
class Thrower:
    def value_error(self) -> None:
        raise ValueError("not that one")

    async def value_error_soon(self) -> None:
        raise ValueError("not that one")

    def two_arguments(self) -> None:
        class OrderError(Exception):
            def __init__(self, code: int, text: str) -> None:
                super().__init__(f"{text} ({code})")
                self.code = code

        raise OrderError(7, "out of stock")

    def unpicklable_field(self) -> None:
        error = KeyError("missing")
        error.lock = threading.Lock()  # type: ignore[attr-defined]  # exceptions take any attribute
        error.size = 3  # type: ignore[attr-defined]  # as above
        raise error

    def missing_file(self) -> None:
        Path("/no/such/file").read_text()

    def through(self, other: Any) -> None:
        pa.get(other.value_error.remote())

    def leave(self) -> None:
        raise SystemExit(3)

    def give(self) -> Exception:
        return LookupError("here it is")

    def take(self, error: BaseException) -> str:
        return f"{isinstance(error, ValueError)} {error}"

    def alive(self) -> bool:
        return True


@pa.task
def fail_in_task() -> None:
    raise ZeroDivisionError("by hand")


@pytest.mark.parametrize("method", ["value_error", "value_error_soon"])
def test_an_exception_reaches_the_caller_as_its_own_class_and_names_where(method: str, cluster: pa.Session) -> None:
    thrower = Thrower.remote()

    with pytest.raises(ValueError, match="not that one") as caught:
        pa.get(getattr(thrower, method).remote())

    text = str(caught.value)
    assert isinstance(caught.value, pa.TaskFailed)
    assert f"Thrower.{method} on node {cluster.node_name}-w" in text
    assert "(actor:" in text
    assert 'raise ValueError("not that one")' in text
    assert "test_face.py" in text
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_exception_of_a_task_names_the_task(cluster: pa.Session) -> None:
    with pytest.raises(ZeroDivisionError, match=f"task fail_in_task on node {cluster.node_name}-w"):
        pa.get(fail_in_task.remote())


def test_an_exception_whose_constructor_takes_other_arguments_arrives_with_its_fields() -> None:
    with pytest.raises(pa.TaskFailed, match=r"out of stock \(7\)") as caught:
        pa.get(Thrower.remote().two_arguments.remote())

    assert type(caught.value.cause).__name__ == "OrderError"
    assert isinstance(caught.value, type(caught.value.cause))
    assert caught.value.code == 7


def test_what_cannot_be_pickled_of_an_exception_is_left_behind() -> None:
    with pytest.raises(KeyError, match="missing") as caught:
        pa.get(Thrower.remote().unpicklable_field.remote())

    assert caught.value.size == 3  # type: ignore[attr-defined]  # a field of the cause
    assert not hasattr(caught.value.__cause__, "lock")


def test_native_fields_of_an_exception_arrive() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        pa.get(Thrower.remote().missing_file.remote())

    assert caught.value.errno == 2
    assert caught.value.filename == "/no/such/file"


def test_an_exception_that_passes_through_a_second_actor_keeps_its_class() -> None:
    with pytest.raises(ValueError, match=r"(?s)Thrower\.through on node .*Thrower\.value_error on node") as caught:
        pa.get(Thrower.remote().through.remote(Thrower.remote()))

    assert "ValueError: not that one" in str(caught.value)


def test_leaving_the_interpreter_in_a_method_fails_that_call_only() -> None:
    thrower = Thrower.remote()

    with pytest.raises(pa.TaskFailed, match="SystemExit"):
        pa.get(thrower.leave.remote())

    assert pa.get(thrower.alive.remote())


def test_exceptions_are_values_too() -> None:
    thrower = Thrower.remote()
    caught = thrower.value_error.remote().exception()

    assert isinstance(pickle.loads(pickle.dumps(caught)), ValueError)
    assert pa.get(thrower.take.remote(caught)).startswith("True Thrower.value_error on node")
    assert repr(pa.get(thrower.give.remote())) == "LookupError('here it is')"


# ---- everywhere ------------------------------------------------------------------------------------------------------


@pa.actor
class Everything:
    """Uses the whole face from inside a method."""

    def blocking(self, number: int) -> list[Any]:
        counter = Counter.remote(number)
        refs = [counter.add.remote(1), plus_one.remote(number), pa.put(number)]
        ready, rest = pa.wait(refs, num_returns=3, timeout=30)
        pa.kill(counter)
        return [*pa.get(ready), len(rest), len(pa.nodes()), pa.cluster_resources()["num_cpus"]]

    async def waiting(self, number: int) -> list[Any]:
        counter = Counter.remote(number)
        refs = [counter.add_soon.remote(1), plus_one.remote(number), pa.put(number)]
        values = [await ref for ref in refs]
        pa.kill(counter)
        return [*values, 0, len(pa.nodes()), pa.cluster_resources()["num_cpus"]]

    def threads(self, number: int) -> list[Any]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda n: pa.get(plus_one.remote(n)), range(number)))


@pa.task
def everything_in_a_task(number: int) -> list[Any]:
    counter = Counter.remote(number)
    return [pa.get(counter.add.remote(1)), pa.get(plus_one.remote(number)), pa.get(pa.put(number))]


@pa.task
async def everything_in_an_async_task(number: int) -> list[Any]:
    counter = Counter.remote(number)
    return [await counter.add.remote(1), await plus_one.remote(number), await pa.put(number)]


def test_everything_works_inside_actors_and_tasks() -> None:
    inside = Everything.remote()

    assert pa.get(inside.blocking.remote(1)) == [2, 2, 1, 0, 3, 2.0]
    assert pa.get(inside.waiting.remote(1)) == [2, 2, 1, 0, 3, 2.0]
    assert pa.get(inside.threads.remote(8)) == list(range(1, 9))
    assert pa.get(everything_in_a_task.remote(1)) == [2, 2, 1]
    assert pa.get(everything_in_an_async_task.remote(1)) == [2, 2, 1]


def test_many_threads_use_one_session_at_once() -> None:
    counter = Counter.remote()

    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda _: counter.add.remote(1).result(30), range(400)))

    assert sorted(values) == list(range(1, 401))


@pa.actor
class Family:
    """Refers to itself by its own name."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth

    def child(self) -> Any:
        return Family.remote(self.depth + 1)

    def age(self) -> int:
        return self.depth


@pa.task
def factorial(number: int, so_far: int = 1) -> int:
    return so_far if number < 2 else int(pa.get(factorial.remote(number - 1, so_far=so_far * number)))


def test_a_class_and_a_function_may_refer_to_themselves() -> None:
    child = pa.get(Family.remote().child.remote())
    grandchild = pa.get(child.child.remote())

    assert pa.get(grandchild.age.remote()) == 2
    assert pa.get(factorial.remote(6)) == 720
