"""Results and exceptions whose own code gets in the way: each is an error for its caller, and nothing hangs."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

import partisan_actors as pa

pytestmark = pytest.mark.usefixtures("cluster")

PATIENCE_S = 60.0
# More than the cluster runs at once: if each left something taken, the last of them would never begin.
MANY = 5


class EndsTheProgram:
    """A value whose pickling raises what no `except Exception` catches."""

    def __reduce__(self) -> NoReturn:
        raise SystemExit("by way of a value")


class WantsMore(Exception):
    """Cannot be made of nothing, and says so in a way of its own."""

    def __new__(cls, *args: Any) -> WantsMore:
        if not args:
            raise LookupError("WantsMore of nothing")
        return super().__new__(cls, *args)


class HasNoHeirs(Exception):
    """Nothing can be derived from it."""

    def __init_subclass__(cls) -> None:
        raise PermissionError("HasNoHeirs has no heirs")


class Speechless(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("Speechless has no text")

    __repr__ = __str__


class Unsendable(Exception):
    """Ends the program when it is pickled."""

    def __reduce__(self) -> NoReturn:
        raise SystemExit("by way of an exception")


ERRORS = [WantsMore, HasNoHeirs, Speechless, Unsendable]


@pa.actor
class Hostile:
    def __init__(self, error: type[Exception] | None = None) -> None:
        if error is not None:
            raise error("in the constructor")

    def give(self) -> EndsTheProgram:
        return EndsTheProgram()

    async def give_soon(self) -> EndsTheProgram:
        return EndsTheProgram()

    def throw(self, error: type[Exception]) -> None:
        raise error("in a method")

    async def throw_soon(self, error: type[Exception]) -> None:
        raise error("in a coroutine")

    def here(self) -> bool:
        return True


@pa.task
def give() -> EndsTheProgram:
    return EndsTheProgram()


@pa.task
async def give_soon() -> EndsTheProgram:
    return EndsTheProgram()


@pa.task
def throw(error: type[Exception]) -> None:
    raise error("in a task")


@pa.task
def one() -> int:
    return 1


@pytest.mark.parametrize("task", [give, give_soon], ids=["function", "coroutine function"])
def test_a_result_of_a_task_that_ends_whoever_pickles_it_is_an_error_and_its_room_is_free_again(task: Any) -> None:
    for ref in [task.remote() for _ in range(MANY)]:
        with pytest.raises(pa.SerializationError, match=r"EndsTheProgram cannot be pickled \(SystemExit: by way of"):
            pa.get(ref, timeout=PATIENCE_S)

    assert pa.get([one.remote() for _ in range(MANY)], timeout=PATIENCE_S) == [1] * MANY


@pytest.mark.parametrize("method", ["give", "give_soon"])
def test_a_result_of_an_actor_that_ends_whoever_pickles_it_is_an_error_and_the_actor_goes_on(method: str) -> None:
    actor = Hostile.remote()

    with pytest.raises(pa.SerializationError, match=r"EndsTheProgram cannot be pickled \(SystemExit: by way of"):
        pa.get(getattr(actor, method).remote(), timeout=PATIENCE_S)

    assert pa.get(actor.here.remote(), timeout=PATIENCE_S)


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: each.__name__)
def test_an_exception_of_a_task_with_code_of_its_own_arrives_and_its_room_is_free_again(error: Any) -> None:
    for ref in [throw.remote(error) for _ in range(MANY)]:
        with pytest.raises(pa.TaskFailed, match=error.__name__):
            pa.get(ref, timeout=PATIENCE_S)

    assert pa.get([one.remote() for _ in range(MANY)], timeout=PATIENCE_S) == [1] * MANY


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("method", ["throw", "throw_soon"])
def test_an_exception_of_a_method_with_code_of_its_own_arrives_and_the_actor_goes_on(error: Any, method: str) -> None:
    actor = Hostile.remote()

    with pytest.raises(pa.TaskFailed, match=error.__name__):
        pa.get(getattr(actor, method).remote(error), timeout=PATIENCE_S)

    assert pa.get(actor.here.remote(), timeout=PATIENCE_S)


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: each.__name__)
def test_an_exception_of_a_constructor_with_code_of_its_own_arrives(error: Any) -> None:
    with pytest.raises(pa.ActorStopped, match=error.__name__):
        pa.get(Hostile.remote(error).here.remote(), timeout=PATIENCE_S)
