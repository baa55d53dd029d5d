"""Programs as people write them for Ray Core: each returns what it would print, and knows nothing of what runs it.

``RAY_MODULE=ray python -m tests.integration.ray_programs`` runs them on Ray itself and prints the same as JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import random
import sys
import time
from collections import Counter as Words
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

MODULE: Final = os.environ.get("RAY_MODULE", "partisan_actors.compat.ray")

ray: Any = importlib.import_module(MODULE)
ActorPool: Any = importlib.import_module(f"{MODULE}.util").ActorPool
queue: Any = importlib.import_module(f"{MODULE}.util.queue")
groups: Any = importlib.import_module(f"{MODULE}.util.placement_group")
strategies: Any = importlib.import_module(f"{MODULE}.util.scheduling_strategies")
exceptions: Any = importlib.import_module(f"{MODULE}.exceptions")

PATIENCE_S: Final = 60


@ray.remote
def square(value: int) -> int:
    return value * value


@ray.remote
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def increment(self, by: int = 1) -> int:
        self.value += by
        return self.value

    def get(self) -> int:
        return self.value

    def pid(self) -> int:
        return os.getpid()

    def die(self) -> None:
        os._exit(1)


def counters() -> Any:
    """Several actors, each with a state and a process of its own."""
    made = [Counter.remote(10 * number) for number in range(3)]
    ray.get([counter.increment.remote() for counter in made for _ in range(4)])
    pids = set(ray.get([counter.pid.remote() for counter in made]))
    return ray.get([counter.get.remote() for counter in made]), len(pids - {os.getpid()})


def tasks_and_refs() -> Any:
    """Refs as arguments are values, in a list they are refs; kept order; several results."""

    @ray.remote
    def add(left: int, right: int = 0, *more: int, scale: int = 1) -> int:
        return (left + right + sum(more)) * scale

    @ray.remote
    def total(refs: list[Any]) -> int:
        return int(sum(ray.get(refs)))

    @ray.remote(num_returns=2)
    def split(values: list[int]) -> tuple[list[int], list[int]]:
        return values[::2], values[1::2]

    five = ray.put(5)
    evens, odds = split.remote([0, 1, 2, 3])
    refs = [square.remote(number) for number in range(5)]
    return [
        ray.get(refs),
        ray.get(add.remote(five, square.remote(3), 1, scale=2)),
        ray.get(total.remote(refs)),
        ray.get([evens, odds]),
        ray.get([]),
    ]


def waiting() -> Any:
    """What is ready is taken, the rest is waited for."""
    left = [square.remote(number) for number in range(6)]
    seen: list[int] = []
    while left:
        ready, left = ray.wait(left, num_returns=min(2, len(left)), timeout=PATIENCE_S)
        seen += ray.get(ready)
    return sorted(seen)


def recursion() -> Any:
    """Tasks that wait for tasks lend their CPUs, so depth needs no more of them."""

    @ray.remote
    def down(depth: int) -> int:
        return 0 if depth == 0 else 1 + int(ray.get(down.remote(depth - 1)))

    return ray.get(down.remote(6))


def parameter_server() -> Any:
    """Workers send gradients to a server, which keeps the weights."""

    @ray.remote
    class Server:
        def __init__(self, size: int) -> None:
            self.weights = [0.0] * size

        def apply(self, *gradients: list[float]) -> list[float]:
            for gradient in gradients:
                self.weights = [weight + part for weight, part in zip(self.weights, gradient, strict=True)]
            return self.weights

    @ray.remote
    class Worker:
        def gradient(self, weights: list[float]) -> list[float]:
            return [1.0 - weight / 10 for weight in weights]

    server, workers = Server.remote(3), [Worker.remote() for _ in range(2)]
    weights = server.apply.remote()
    for _ in range(3):
        weights = server.apply.remote(*[worker.gradient.remote(weights) for worker in workers])
    return [round(weight, 6) for weight in ray.get(weights)]


def pi() -> Any:
    """Sampling tasks report their progress to an actor."""

    @ray.remote
    def sample(samples: int, seed: int, progress: Any) -> int:
        rng = random.Random(seed)
        inside = sum(rng.random() ** 2 + rng.random() ** 2 <= 1 for _ in range(samples))
        ray.get(progress.increment.remote(samples))
        return inside

    progress = Counter.remote()
    inside = sum(ray.get([sample.remote(1000, seed, progress) for seed in range(4)]))
    return inside, ray.get(progress.get.remote())


def map_reduce() -> Any:
    """Words are counted by tasks, and counts are added up by others."""
    documents = ["a b a", "b c", "a c c", "d"]

    @ray.remote
    def count(text: str) -> dict[str, int]:
        return dict(Words(text.split()))

    @ray.remote
    def merge(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
        return dict(Words(left) + Words(right))

    counts = [count.remote(document) for document in documents]
    while len(counts) > 1:
        counts = [*counts[2:], merge.remote(counts[0], counts[1])]
    return sorted(ray.get(counts[0]).items())


@ray.remote
class Supervisor:
    """An actor that makes actors."""

    def __init__(self, width: int) -> None:
        self.children = [Counter.remote(number) for number in range(width)]

    def total(self) -> int:
        return int(sum(ray.get([child.increment.remote() for child in self.children])))

    def first(self) -> Any:
        return self.children[0]


def tree_of_actors() -> Any:
    """A handle that comes out of an actor is as good as any."""
    supervisor = Supervisor.remote(2)
    total = ray.get(supervisor.total.remote())
    child = ray.get(supervisor.first.remote())
    return total, ray.get(child.increment.remote(10))


def generators() -> Any:
    """Items come as they are made; an error is the last one."""

    @ray.remote
    def numbers(count: int) -> Iterator[int]:
        for number in range(count):
            yield number * 10
        raise ValueError("that was all")

    taken = []
    try:
        for ref in numbers.remote(3):
            taken.append(ray.get(ref))  # noqa: PERF401 - what came before the error is to be seen
    except ValueError:
        taken.append("ValueError")
    return taken


@ray.remote
class Meeting:
    """An asynchronous actor: its calls meet."""

    def __init__(self) -> None:
        self.arrived = 0
        self.full = asyncio.Event()

    async def join(self, of: int) -> int:
        self.arrived += 1
        if self.arrived == of:
            self.full.set()
        await self.full.wait()
        return self.arrived

    async def count(self, up_to: int) -> AsyncIterator[int]:
        for number in range(up_to):
            yield number


def async_actors() -> Any:
    """Coroutines of one actor interleave, and stream."""
    meeting = Meeting.remote()
    met = ray.get([meeting.join.remote(5) for _ in range(5)])

    async def drive() -> list[int]:
        return [await ref async for ref in meeting.count.remote(3)]

    return met, asyncio.run(drive())


def concurrency_groups() -> Any:
    """A group that is busy holds up no other."""

    @ray.remote(concurrency_groups={"io": 1, "compute": 1})
    class Grouped:
        def __init__(self) -> None:
            self.gate = asyncio.Event()

        @ray.method(concurrency_group="io")
        async def blocked(self) -> str:
            await self.gate.wait()
            return "let go"

        @ray.method(concurrency_group="compute")
        async def let(self) -> str:
            self.gate.set()
            return "free"

    grouped = Grouped.remote()
    blocked = grouped.blocked.remote()
    return [ray.get(grouped.let.remote(), timeout=PATIENCE_S), ray.get(blocked, timeout=PATIENCE_S)]


def names() -> Any:
    """Named actors are found, made once, and detached ones stay until they are killed."""
    first = Counter.options(name="counter", lifetime="detached").remote(5)
    ray.get(first.increment.remote())
    again = Counter.options(name="counter", get_if_exists=True).remote(100)
    found = ray.get_actor("counter")
    value, same = ray.get(found.get.remote()), first == again == found
    ray.kill(first)
    try:
        ray.get_actor("nobody")
    except ValueError:
        return value, same, "ValueError"
    return None


class Custom(Exception):
    """An exception with a field."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def errors() -> Any:
    """What user code raises is caught by its own class and by Ray's; who depends on it fails, too."""

    @ray.remote
    def fail(code: int) -> int:
        raise Custom(code)

    seen: list[Any] = []
    for expected in (Custom, exceptions.RayTaskError, exceptions.RayError):
        try:
            ray.get(fail.remote(7))
        except expected as error:
            seen.append((isinstance(error, Custom), error.cause.code, error.code))
    try:
        ray.get(square.remote(fail.remote(1)))
    except Custom:
        seen.append("through another task")
    try:
        ray.get(Meeting.remote().join.remote(2), timeout=0.01)
    except TimeoutError as error:
        seen.append(isinstance(error, exceptions.GetTimeoutError))
    return seen


def deaths() -> Any:
    """A process that crashes takes one actor, or one task, with it."""

    @ray.remote(max_retries=0)
    def crash() -> None:
        os._exit(1)

    seen: list[Any] = []
    other, victim = Counter.remote(), Counter.remote()
    for ref in (crash.remote(), victim.die.remote()):
        try:
            ray.get(ref)
        except exceptions.WorkerCrashedError:
            seen.append("worker crashed")
        except exceptions.ActorDiedError:
            seen.append("actor died")
    killed = Counter.remote()
    ray.get(killed.get.remote())
    ray.kill(killed)
    try:
        ray.get(killed.get.remote())
    except exceptions.RayActorError:
        seen.append("killed")
    return seen, ray.get(other.increment.remote())


def restarts() -> Any:
    """An actor that may be restarted is, with a new state."""
    counter = Counter.options(max_restarts=1, max_task_retries=0).remote(5)
    ray.get(counter.increment.remote())
    try:
        ray.get(counter.die.remote())
    except exceptions.ActorUnavailableError:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                return ray.get(counter.increment.remote())
            except exceptions.ActorUnavailableError:
                continue
    return None


def retries() -> Any:
    """What raises is tried again, if it is to be."""
    attempts = Counter.remote()

    @ray.remote(max_retries=3, retry_exceptions=[ConnectionError])
    def flaky() -> int:
        attempt = int(ray.get(attempts.increment.remote()))
        if attempt < 3:
            raise ConnectionError("not yet")
        return attempt

    return ray.get(flaky.remote())


def cancellation() -> Any:
    """What was cancelled raises so, whether it waits or runs."""

    @ray.remote
    def wait_for(meeting: Any) -> int:
        return int(ray.get(meeting.join.remote(1_000_000)))

    meeting = Meeting.remote()
    running, call = wait_for.remote(meeting), meeting.join.remote(1_000_000)
    seen = []
    for ref in (running, call):
        ray.cancel(ref)
        try:
            ray.get(ref, timeout=PATIENCE_S)
        except exceptions.RayError as error:
            seen.append(isinstance(error, exceptions.TaskCancelledError))
    return seen


def pools_and_queues() -> Any:
    """Values are handed to who is free, and items go from one process to another."""

    @ray.remote
    def produce(into: Any, count: int) -> None:
        for number in range(count):
            into.put(number)

    @ray.remote
    class Doubler:
        def double(self, value: int) -> int:
            return 2 * value

    pool = ActorPool([Doubler.remote() for _ in range(2)])
    doubled = list(pool.map(lambda actor, value: actor.double.remote(value), range(6)))
    items = queue.Queue(maxsize=2)
    produced = produce.remote(items, 5)
    taken = [items.get(timeout=PATIENCE_S) for _ in range(5)]
    ray.get(produced)
    try:
        items.get_nowait()
    except queue.Empty:
        taken.append("empty")
    items.shutdown()
    return doubled, taken


def placement_groups() -> Any:
    """Reserved resources are used by who says so, and free again afterwards."""
    group = groups.placement_group([{"CPU": 1}, {"CPU": 1}], strategy="PACK")
    ray.get(group.ready(), timeout=PATIENCE_S)
    strategy = strategies.PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=0)
    value = ray.get(square.options(num_cpus=1, scheduling_strategy=strategy).remote(3))
    groups.remove_placement_group(group)
    return value, group.bundle_count, group.bundle_specs


def context() -> Any:
    """Code knows what it is."""

    @ray.remote(num_cpus=2)
    def about() -> Any:
        here = ray.get_runtime_context()
        return here.get_node_id(), here.get_actor_id() is None, here.get_assigned_resources()["CPU"]

    node, is_no_actor, cpus = ray.get(about.remote())
    return node == ray.get_runtime_context().get_node_id(), is_no_actor, cpus, ray.cluster_resources()["CPU"]


# Each program, and what it gives.
PROGRAMS: Final[dict[Callable[[], Any], Any]] = {
    counters: [[4, 14, 24], 3],
    tasks_and_refs: [[0, 1, 4, 9, 16], 30, 30, [[0, 2], [1, 3]], []],
    waiting: [0, 1, 4, 9, 16, 25],
    recursion: 6,
    parameter_server: [4.88, 4.88, 4.88],
    pi: [3134, 4000],
    map_reduce: [["a", 3], ["b", 2], ["c", 3], ["d", 1]],
    tree_of_actors: [3, 11],
    generators: [0, 10, 20, "ValueError"],
    async_actors: [[5, 5, 5, 5, 5], [0, 1, 2]],
    concurrency_groups: ["free", "let go"],
    names: [6, True, "ValueError"],
    errors: [[True, 7, 7], [True, 7, 7], [True, 7, 7], "through another task", True],
    deaths: [["worker crashed", "actor died", "killed"], 1],
    restarts: 6,
    retries: 3,
    cancellation: [True, True],
    pools_and_queues: [[0, 2, 4, 6, 8, 10], [0, 1, 2, 3, 4, "empty"]],
    placement_groups: [9, 2, [{"CPU": 1}, {"CPU": 1}]],
    context: [True, True, 2.0, 4.0],
}


def outcome(program: Callable[[], Any]) -> Any:
    """What it gives, as JSON would show it."""
    return json.loads(json.dumps(program()))


if __name__ == "__main__":
    ray.init(num_cpus=4)
    outcomes = {program.__name__: outcome(program) for program in PROGRAMS}
    ray.shutdown()
    sys.stdout.write(json.dumps(outcomes) + "\n")
