"""Errors: which class, which message, what caused it."""

from __future__ import annotations

import threading
from typing import Any

import cloudpickle

from tests.ray_programs.face import PATIENCE_S, Sights, caught, exceptions, ray, result_of, told


class Custom(Exception):
    """An exception with a field."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Awkward(Exception):
    """One whose constructor takes other things than it passes on."""

    def __init__(self, first: int, *, second: str) -> None:
        super().__init__("awkward")
        self.first, self.second = first, second


class Closed(Exception):
    """One that cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.inner = lambda: (value for value in range(3))
        self.generator = (value for value in range(3))


@ray.remote
def fail(how: str) -> None:
    raise {
        "custom": Custom(7),
        "awkward": Awkward(1, second="two"),
        "closed": Closed("shut"),
        "os": FileNotFoundError(2, "no such file", "a"),
        "key": KeyError("k"),
        "exit": SystemExit(3),
        "stop": StopIteration(5),
    }[how]


@ray.remote
def take(value: Any) -> Any:
    return value


@ray.remote
class Failing:
    def fail(self) -> None:
        raise Custom(8)

    def ask(self, ref: Any) -> Any:
        return ray.get(ref[0])

    def result(self) -> Any:
        return threading.Lock()


def raised(call: Any) -> Any:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - that is what is asked for
        return error
    raise AssertionError("nothing was raised")


def of_users() -> Sights:
    """What user code raises is caught by its own class and by Ray's."""
    error = raised(lambda: ray.get(fail.remote("custom")))
    yield "classes", told(error)
    yield "the class's name", type(error).__name__
    yield "the field", error.code
    yield "the cause", [type(error.cause).__name__, error.cause.code]
    yield "args", [type(each).__name__ for each in error.args]
    yield (
        "the text",
        ["Traceback" in str(error), "in fail" in str(error), "Custom" in str(error), "fail()" in str(error)],
    )
    yield (
        "as_instanceof_cause",
        [type(error.as_instanceof_cause()).__name__, isinstance(error.as_instanceof_cause(), Custom)],
    )
    yield "by cloudpickle", told(cloudpickle.loads(cloudpickle.dumps(error)))
    error = raised(lambda: ray.get(Failing.remote().fail.remote()))
    yield "of an actor", [told(error), error.code, "Failing.fail" in str(error)]
    error = raised(lambda: ray.get(fail.remote("os")))
    yield "of the system", [told(error), error.errno, error.filename]
    yield "a key", result_of(fail.remote("key"))
    yield "an exit", result_of(fail.options(max_retries=0).remote("exit"))
    yield "a stop", result_of(fail.remote("stop"))
    yield (
        "its own attributes",
        [error.function_name, isinstance(error.pid, int)] if hasattr(error, "function_name") else None,
    )


def awkward() -> Sights:
    """Of exceptions that are hard to send."""
    yield "awkward", result_of(fail.remote("awkward"))
    error = raised(lambda: ray.get(fail.remote("closed")))
    yield "closed", [name for name in told(error)["raised"] if name.startswith("Ray")]
    yield "says what it was", "shut" in str(error)
    yield "a result that cannot be sent", result_of(Failing.remote().result.remote())
    yield "an argument that cannot be sent", caught(lambda: take.remote(value for value in range(3)))


def dependencies() -> Sights:
    """Who depends on what failed fails, too."""
    yield "a task", result_of(take.remote(fail.remote("custom")))
    yield "two on", result_of(take.remote(take.remote(fail.remote("custom"))))
    error = raised(lambda: ray.get(take.remote(fail.remote("custom"))))
    yield "its text names the first", "fail" in str(error)
    failing = Failing.remote()
    yield "of a call", result_of(take.remote(failing.fail.remote()))
    yield "gotten in a method", result_of(failing.ask.remote([fail.remote("custom")]))
    error = raised(lambda: ray.get(failing.ask.remote([fail.remote("custom")])))
    yield (
        "causes",
        [type(error.cause).__name__.partition("(")[0] in ("RayTaskError", "TaskFailed", "Custom"), error.code],
    )
    yield "as an argument of an actor", result_of(failing.ask.remote(fail.remote("custom")))
    yield "the first of several", caught(lambda: ray.get([take.remote(1), fail.remote("custom")], timeout=PATIENCE_S))


def groups() -> Sights:
    """Groups of exceptions are groups."""

    @ray.remote
    def several() -> None:
        raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])

    seen: list[str] = []
    try:
        ray.get(several.remote())
    except* ValueError as group:
        seen += [type(each).__name__ for each in group.exceptions]
    except* KeyError as group:
        seen += [type(each).__name__ for each in group.exceptions]
    yield "caught by except*", sorted(seen)


def of_the_system() -> Sights:
    """Errors that Ray raises by itself."""
    yield (
        "names",
        sorted(
            name
            for name in (
                "RayError",
                "RaySystemError",
                "UserCodeException",
                "ObjectFreedError",
                "ObjectFetchTimedOutError",
                "ObjectReconstructionFailedError",
                "ReferenceCountingAssertionError",
                "LocalRayletDiedError",
                "OutOfMemoryError",
                "ActorHandleNotFoundError",
                "AsyncioActorExit",
                "CrossLanguageError",
                "UnserializableException",
                "PlasmaObjectNotAvailable",
                "RpcError",
            )
            if hasattr(exceptions, name)
        ),
    )
    error = raised(
        lambda: (
            ray.get(take.options(num_cpus=0.1).remote(1), timeout=0)
            and ray.get(Failing.remote().ask.remote([ray.put(1)]), timeout=0)
        )
    )
    yield "a time-out", [told(error), str(error)[:13]]
    yield "made by users", caught(lambda: str(exceptions.GetTimeoutError("text")))


PROGRAMS = (of_users, awkward, dependencies, groups, of_the_system)
