"""Tasks: what they take and give, how they are retried and cancelled, and what is said of them."""

from __future__ import annotations

import asyncio
import functools
import os
import pickle
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.ray_programs.face import PATIENCE_S, Sights, caught, exceptions, ray, result_of, until

OFFSET = 100


@ray.remote
def square(value: int) -> int:
    return value * value


@ray.remote
def is_even(value: int) -> bool:
    return value == 0 or bool(ray.get(is_odd.remote(value - 1)))


@ray.remote
def is_odd(value: int) -> bool:
    return value != 0 and bool(ray.get(is_even.remote(value - 1)))


@ray.remote
class Tally:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.count = 0
        self.is_open = False

    def add(self) -> int:
        self.count += 1
        return self.count

    def get(self) -> int:
        return self.count

    def open(self) -> None:
        self.is_open = True

    def opened(self) -> bool:
        return self.is_open


def calling() -> Sights:
    """Every way to write arguments; who may call."""

    @ray.remote
    def every(a: int, b: int = 2, *more: int, c: int, d: int = 4, **named: int) -> Any:
        return a, b, list(more), c, d, sorted(named.items())

    yield "all kinds", ray.get(every.remote(1, c=3))
    yield "more of them", ray.get(every.remote(1, 5, 6, 7, c=3, e=9))
    yield "one missing", caught(lambda: every.remote(1))
    yield "too many", caught(lambda: square.remote(1, 2))
    yield "none", caught(lambda: square.remote())
    yield "called directly", caught(lambda: square(1))
    yield "a lambda", ray.get(ray.remote(lambda value: value + 1).remote(1))
    yield "a partial as argument", ray.get(ray.remote(lambda call: call(2)).remote(functools.partial(pow, 3)))
    yield "a partial as task", caught(lambda: ray.get(ray.remote(functools.partial(pow, 3)).remote(2)))
    yield "a builtin", caught(lambda: ray.get(ray.remote(len).remote([1, 2])))
    yield "of an async function", caught(lambda: ray.remote(asyncio.sleep))
    offset = 7
    yield "a closure", ray.get(ray.remote(lambda value: value + offset + OFFSET).remote(1))
    yield "a task in a closure", ray.get(ray.remote(lambda: ray.get(square.remote(3))).remote())
    yield "mutual recursion", ray.get(is_even.remote(4))

    @ray.remote
    def defined() -> int:
        return 1

    first = ray.get(defined.remote())

    @ray.remote
    def defined() -> int:
        return 2

    yield "defined again", [first, ray.get(defined.remote())]
    with ThreadPoolExecutor(2) as executor:
        yield "from threads", sorted(executor.map(lambda value: ray.get(square.remote(value)), range(4)))

    async def drive() -> Any:
        return await asyncio.gather(*[square.remote(value) for value in range(3)])

    yield "from a loop", asyncio.run(drive())
    yield "a large argument", ray.get(ray.remote(lambda values: len(values)).remote(list(range(100_000))))


def results() -> Sights:
    """None, one, or several."""

    @ray.remote
    def pair() -> Any:
        return 1, 2

    @ray.remote(num_returns=2)
    def two() -> Any:
        return [1, 2]

    @ray.remote(num_returns=2)
    def three() -> Any:
        return 1, 2, 3

    @ray.remote(num_returns=2)
    def no_sequence() -> Any:
        return 5

    @ray.remote(num_returns=0)
    def nothing() -> None:
        return None

    @ray.remote(num_returns=2)
    def failing() -> Any:
        raise KeyError("no")

    yield "a pair is one", ray.get(pair.remote())
    yield "two by call", ray.get(pair.options(num_returns=2).remote())
    yield "two by decorator", ray.get(two.remote())
    yield "too many", [result_of(ref) for ref in three.remote()]
    yield "no sequence", [result_of(ref) for ref in no_sequence.remote()]
    yield "none", nothing.remote()
    yield "an error is in each", [result_of(ref) for ref in failing.remote()]
    yield "a negative number", caught(lambda: pair.options(num_returns=-1).remote())
    yield "no number", caught(lambda: pair.options(num_returns="many").remote())

    @ray.remote(num_returns="dynamic")
    def dynamic(count: int) -> Iterator[int]:
        yield from range(count)

    yield "dynamic", [ray.get(ref) for ref in ray.get(dynamic.remote(3))]

    @ray.remote(num_returns=3)
    def generated(count: int) -> Iterator[int]:
        yield from range(count)

    yield "of a generator", ray.get(generated.remote(3))
    yield "of one that ends early", ["raised" in result_of(ref) for ref in generated.remote(2)][-1]


def streams() -> Sights:
    """A generator's items come as they are made."""
    gate = Path(mkdtemp()) / "open"

    @ray.remote
    def numbers(count: int) -> Iterator[int]:
        for number in range(count):
            yield number * 10
        raise ValueError("that was all")

    @ray.remote
    def gated(path: str) -> Iterator[int]:
        yield 1
        until(Path(path).exists)
        yield 2

    @ray.remote
    def errors() -> Iterator[Any]:
        yield KeyError("an item")

    stream = numbers.remote(2)
    yield "its class", type(stream).__name__
    yield "items and the error", [result_of(ref) for ref in stream]
    yield "then it is over", caught(lambda: next(stream))
    waiting = gated.remote(str(gate))
    first = next(waiting)
    yield "the first, while the second is not there", ray.get(first)
    yield "not finished", waiting.is_finished()
    yield "not completed", ray.wait([waiting.completed()], timeout=0)[0]
    gate.touch()
    yield "the second", ray.get(next(waiting))
    yield "the end", caught(lambda: next(waiting))
    yield "finished", waiting.is_finished()
    yield "completed", result_of(waiting.completed())
    yield "an exception as an item", [type(ray.get(ref)).__name__ for ref in errors.remote()]
    other = numbers.remote(1)
    ready, left = ray.wait([other], timeout=PATIENCE_S)
    yield "waited for", [len(ready), len(left), ready[0] is other]
    yield "is ready", other.next_ready()
    yield "send", caught(lambda: other.send(1))
    yield "throw", caught(lambda: other.throw(KeyError()))
    yield "pickled", caught(lambda: pickle.dumps(other) and None)
    stream = numbers.remote(0)
    yield "what it raised, in completed", result_of(stream.completed())


def async_streams() -> Sights:
    """An asynchronous generator as a task, and streams taken by coroutines."""

    @ray.remote
    def numbers(count: int) -> Iterator[int]:
        for number in range(count):  # noqa: UP028 - Ray 2.60 cannot send into a range
            yield number

    async def drive() -> Any:
        return [await ref async for ref in numbers.remote(3)]

    yield "async for", asyncio.run(drive())

    @ray.remote
    class Source:
        async def numbers(self, count: int) -> AsyncIterator[int]:
            for number in range(count):
                await asyncio.sleep(0)
                yield number

        def plain(self, count: int) -> Iterator[int]:
            for number in range(count):  # noqa: UP028 - Ray 2.60 cannot send into a range
                yield number

    source = Source.remote()
    yield "of an async method", [ray.get(ref) for ref in source.numbers.remote(3)]
    yield "its plain generators are streams, too", [ray.get(ref) for ref in source.plain.remote(2)]


def backpressure() -> Sights:
    """A generator is so many items ahead, and no more."""

    @ray.remote(_generator_backpressure_num_objects=2)
    def eager(tally: Any) -> Iterator[int]:
        for number in range(10):
            ray.get(tally.add.remote())
            yield number

    tally = Tally.remote()
    stream = eager.remote(tally)
    until(lambda: ray.get(tally.get.remote()) >= 2)
    time.sleep(0.5)
    yield "not all are made", ray.get(tally.get.remote()) <= 3
    yield "all are taken", [ray.get(ref) for ref in stream]


def retries() -> Sights:
    """What raises, or loses its process, is tried again if it is to be."""

    @ray.remote(max_retries=3, retry_exceptions=[ConnectionError])
    def flaky(tally: Any, fails: int) -> int:
        attempt = int(ray.get(tally.add.remote()))
        if attempt <= fails:
            raise ConnectionError("not yet")
        return attempt

    @ray.remote(max_retries=2, retry_exceptions=True)
    def always(tally: Any) -> None:
        ray.get(tally.add.remote())
        raise KeyError("no")

    @ray.remote(max_retries=2)
    def not_said(tally: Any) -> None:
        ray.get(tally.add.remote())
        raise KeyError("no")

    @ray.remote(max_retries=2, retry_exceptions=[ConnectionError])
    def another(tally: Any) -> None:
        ray.get(tally.add.remote())
        raise KeyError("no")

    @ray.remote
    def crash(tally: Any, crashes: int) -> int:
        attempt = int(ray.get(tally.add.remote()))
        if attempt <= crashes:
            os._exit(1)
        return attempt

    def run(task: Any, *args: Any) -> Any:
        tally = Tally.remote()
        return [result_of(task.remote(tally, *args)), ray.get(tally.get.remote())]

    yield "raises twice", run(flaky, 2)
    yield "raises too often", run(flaky, 9)
    yield "always", run(always)
    yield "not said", run(not_said)
    yield "another exception", run(another)
    yield "crashes once", run(crash, 1)
    yield "crashes and is not retried", run(crash.options(max_retries=0), 9)
    yield "crashes too often", run(crash.options(max_retries=1), 9)


def cancellation() -> Sights:
    """What was cancelled says so, whether it waits or runs."""
    folder = Path(mkdtemp())

    @ray.remote
    def run(path: str) -> str:
        Path(path).touch()
        try:
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            Path(path + "-interrupted").touch()
            raise

    @ray.remote
    def parent(path: str) -> Any:
        return ray.get(run.remote(path))

    @ray.remote(num_cpus=4)
    def hold(path: str, release: str) -> str:
        Path(path).touch()
        until(Path(release).exists)
        return "held"

    @ray.remote
    def touch(path: str) -> None:
        Path(path).touch()

    ref = run.remote(str(folder / "running"))
    until((folder / "running").exists)
    ray.cancel(ref)
    yield "running", result_of(ref)
    yield "was interrupted", until((folder / "running-interrupted").exists)
    held = hold.remote(str(folder / "held"), str(folder / "release"))
    until((folder / "held").exists)
    queued = touch.remote(str(folder / "queued"))
    ray.cancel(queued)
    yield "queued", result_of(queued)
    (folder / "release").touch()
    yield "others go on", result_of(held)
    yield "what depends on it", result_of(square.remote(queued))
    yield "never ran", (folder / "queued").exists()
    done = square.remote(2)
    ray.get(done)
    ray.cancel(done)
    yield "done already", result_of(done)
    forced = run.remote(str(folder / "forced"))
    until((folder / "forced").exists)
    ray.cancel(forced, force=True)
    yield "forced", result_of(forced)
    above = parent.remote(str(folder / "child"))
    until((folder / "child").exists)
    ray.cancel(above)
    yield "a parent", result_of(above)
    yield "its child, too", until((folder / "child-interrupted").exists)
    tally = Tally.remote()
    yield "of something else", caught(lambda: ray.cancel(5))
    yield "of an actor", caught(lambda: ray.cancel(tally))

    @ray.remote
    def endless(path: str) -> Iterator[int]:
        while True:
            Path(path).touch()
            time.sleep(0.01)
            yield 1

    stream = endless.remote(str(folder / "stream"))
    until((folder / "stream").exists)
    ray.cancel(stream)

    def drain() -> Any:
        for ref in stream:
            ray.get(ref)

    yield "a stream", caught(drain)


def resources() -> Sights:
    """Work waits for what it needs, and a parent that waits lends what it has."""

    @ray.remote(num_cpus=1, resources={"widget": 1})
    def held() -> Any:
        return ray.get_runtime_context().get_assigned_resources()

    @ray.remote
    def down(depth: int) -> int:
        return 0 if depth == 0 else 1 + int(ray.get(down.remote(depth - 1)))

    @ray.remote
    def fan_in(refs: list[Any]) -> int:
        return int(sum(ray.get(refs)))

    yield "holds", ray.get(held.remote())
    yield "fractions", ray.get(held.options(num_cpus=0.5, resources={"widget": 0.25}).remote())
    yield "none", ray.get(held.options(num_cpus=0, resources={}).remote())
    yield "depth", ray.get(down.remote(8))
    yield "fan in", ray.get(fan_in.remote([square.remote(value) for value in range(10)]))
    yield (
        "all is free again",
        until(lambda: ray.available_resources().get("CPU") == 4.0 and ray.available_resources().get("widget") == 2.0),
    )
    yield "in all", {name: ray.cluster_resources()[name] for name in ("CPU", "widget")}


def bad_options() -> Sights:
    """What is wrong is said where it is written."""
    yield "unknown", caught(lambda: square.options(nothing=1))
    yield "an actor's", caught(lambda: square.options(max_restarts=1))
    yield "another type", caught(lambda: square.options(num_cpus="1"))
    yield "negative", caught(lambda: square.options(num_cpus=-1).remote(1))
    yield "a fraction above one", caught(lambda: ray.get(square.options(num_cpus=1.5).remote(2)))
    yield "max_calls in options", caught(lambda: square.options(max_calls=1))
    yield "CPU among resources", caught(lambda: square.options(resources={"CPU": 1}))
    yield "retries below -1", caught(lambda: square.options(max_retries=-2))
    yield "exceptions that are none", caught(lambda: square.options(retry_exceptions=[5]))
    yield "decorated with an unknown one", caught(lambda: callable(ray.remote(nothing=1)(lambda: 1)))
    yield "parentheses only", caught(lambda: callable(ray.remote()))
    yield "a strategy that is none", caught(lambda: square.options(scheduling_strategy="NOWHERE").remote(1))
    yield "a strategy of another type", caught(lambda: square.options(scheduling_strategy=5).remote(1))
    yield "labels that are none", caught(lambda: square.options(label_selector={"a": 5}).remote(1))
    yield "named", ray.get(square.options(name="a square").remote(3))
    yield "a memory request", ray.get(square.options(memory=1024).remote(3))


def max_calls() -> Sights:
    """A process ends after so many calls."""

    @ray.remote(max_calls=1)
    def pid() -> int:
        return os.getpid()

    yield "another process each time", len({ray.get(pid.remote()) for _ in range(3)})


def threads_in_tasks() -> Sights:
    """Threads that a task starts may call, too."""

    @ray.remote
    def starts() -> list[int]:
        found: list[int] = []

        def call() -> None:
            found.append(ray.get(square.remote(4)))

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        return found

    yield "from a thread", result_of(starts.remote())


def nobody_listens() -> Sights:
    """An error that nobody asks for harms nobody."""

    @ray.remote
    def fail() -> None:
        raise ValueError("nobody hears this")

    fail.remote()
    yield "goes on", ray.get(square.remote(5))
    yield "errors' base", issubclass(exceptions.RayTaskError, exceptions.RayError)


PROGRAMS = (
    calling,
    results,
    streams,
    async_streams,
    backpressure,
    retries,
    cancellation,
    resources,
    bad_options,
    max_calls,
    threads_in_tasks,
    nobody_listens,
)
