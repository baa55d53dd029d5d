"""Pools, queues, and what else stands beside actors and tasks."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.ray_programs.face import PATIENCE_S, Sights, caught, part_of, ray, result_of, until

util: Any = part_of("util")
queue: Any = part_of("util.queue")
pools: Any = part_of("util.multiprocessing")


@ray.remote
def square(value: int) -> int:
    return value * value


@ray.remote
class Doubler:
    def double(self, value: int) -> int:
        if value == 13:
            raise ValueError("thirteen")
        return 2 * value

    async def pair(self, value: int) -> Any:
        return value, value


double: Callable[[Any, int], Any] = lambda actor, value: actor.double.remote(value)  # noqa: E731 - as people write it


def actor_pool() -> Sights:
    """Values go to who is free."""
    pool = util.ActorPool([Doubler.remote() for _ in range(2)])
    yield "map", list(pool.map(double, range(6)))
    yield "unordered", sorted(pool.map_unordered(double, range(6)))
    pool.submit(double, 1)
    pool.submit(double, 2)
    pool.submit(double, 3)
    yield "has next, and nobody free", [pool.has_next(), pool.has_free()]
    yield "next", [pool.get_next(), pool.get_next_unordered(timeout=PATIENCE_S) in (4, 6)]
    yield "the last", pool.get_next_unordered() in (4, 6)
    yield "nothing left", [pool.has_next(), caught(pool.get_next)]
    yield "idle", [pool.pop_idle() is not None, pool.has_free(), pool.pop_idle() is not None, pool.pop_idle()]
    one = Doubler.remote()
    pool.push(one)
    yield "pushed", [pool.has_free(), list(pool.map(double, [4]))]
    yield "pushed twice", caught(lambda: pool.push(one))
    yield "what raises", caught(lambda: list(pool.map(double, [13])))
    pool = util.ActorPool([Doubler.remote()])
    pool.submit(double, 13)
    yield "what raises, by next", caught(lambda: pool.get_next(timeout=PATIENCE_S))
    yield "goes on", list(pool.map(double, [5]))


def queues() -> Sights:
    """Items go from one process to another, in order."""

    @ray.remote
    def produce(into: Any, count: int) -> None:
        for number in range(count):
            into.put(number)

    @ray.remote
    def consume(of: Any, count: int) -> list[Any]:
        return [of.get(timeout=PATIENCE_S) for _ in range(count)]

    items = queue.Queue(maxsize=2)
    produced = produce.remote(items, 5)
    yield "taken", ray.get(consume.remote(items, 5))
    ray.get(produced)
    yield "empty", [items.empty(), items.full(), items.qsize(), items.size(), len(items)]
    yield "nothing there", caught(items.get_nowait)
    yield "nothing in time", caught(lambda: items.get(timeout=0.05))
    items.put(1)
    items.put_nowait(2)
    yield (
        "full",
        [
            items.full(),
            caught(lambda: items.put_nowait(3)),
            caught(lambda: items.put(3, timeout=0.05)),
            caught(lambda: items.put(3, block=False)),
        ],
    )
    yield "a batch that does not fit", caught(lambda: items.put_nowait_batch([1, 2]))
    yield "a batch", items.get_nowait_batch(2)
    yield "a batch that is not there", caught(lambda: items.get_nowait_batch(1))
    items.put_nowait_batch([7, 8])
    yield "a batch put", [items.get(), items.get()]
    yield "a negative time", [caught(lambda: items.get(timeout=-1)), caught(lambda: items.put(1, timeout=-1))]
    yield "a batch of no list", caught(lambda: items.put_nowait_batch(5))
    yield "a negative number", caught(lambda: items.get_nowait_batch(-1))

    async def drive() -> Any:
        await items.put_async("a")
        return await items.get_async(), await asyncio.gather(items.get_async(timeout=0.05), return_exceptions=True)

    value, (nothing,) = asyncio.run(drive())
    yield "by coroutines", [value, type(nothing).__name__]
    items.shutdown()
    yield "shut down", "raised" in caught(lambda: items.put(1))
    placed = queue.Queue(actor_options={"num_cpus": 0.1})
    placed.put("x")
    yield "with options", placed.get()
    yield "its actor", placed.actor is not None


def pool_work(value: int) -> int:
    if value == 13:
        raise ValueError("thirteen")
    return value * value


def add(left: int, right: int) -> int:
    return left + right


def note(path: str) -> None:
    os.environ["NOTED"] = path


def noted(_: int) -> str:
    return os.environ.get("NOTED", "nothing")


def pool_pid(_: int) -> int:
    return os.getpid()


def process_pools() -> Sights:
    """The stand-in for multiprocessing.Pool."""
    with pools.Pool(2) as pool:
        yield "map", pool.map(pool_work, range(5))
        yield "apply", pool.apply(add, (1, 2))
        yield "by name", pool.apply(add, (1,), {"right": 5})
        yield "starmap", pool.starmap(add, [(1, 2), (3, 4)])
        yield "imap", list(pool.imap(pool_work, range(5), chunksize=2))
        yield "unordered", sorted(pool.imap_unordered(pool_work, range(5)))
        later = pool.map_async(pool_work, range(3))
        later.wait(PATIENCE_S)
        yield "later", [later.get(PATIENCE_S), later.ready(), later.successful()]
        failed = pool.apply_async(pool_work, (13,))
        failed.wait(PATIENCE_S)
        yield "failed", [caught(failed.get), failed.successful()]
        yield "what raises in map", caught(lambda: pool.map(pool_work, [1, 13]))
        yield "what raises in imap", caught(lambda: list(pool.imap(pool_work, [1, 13])))
        got: list[Any] = []
        pool.map_async(pool_work, range(3), callback=got.append)
        yield "call-backs", [until(lambda: bool(got)), sorted(got[0])]
        wrong: list[Any] = []
        pool.apply_async(pool_work, (13,), error_callback=wrong.append)
        yield "call-backs of errors", [until(lambda: len(wrong) == 1), type(wrong[0]).__name__]
        yield "no time", caught(lambda: pool.apply_async(time.sleep, (3,)).get(timeout=0.05))
    yield "after it", caught(lambda: pool.map(pool_work, [1]))
    with pools.Pool(1, initializer=note, initargs=("here",)) as pool:
        yield "initialized", pool.map(noted, [1])
    with pools.Pool(1, maxtasksperchild=1) as pool:
        yield "replaced", len({pool.apply(pool_pid, (1,)) for _ in range(2)})
    pool = pools.Pool(1)
    result = pool.apply_async(add, (1, 1))
    pool.close()
    pool.join()
    yield "closed and joined", result.get(PATIENCE_S)
    yield "joined too early", caught(lambda: pools.Pool(1).join())
    yield "no processes", caught(lambda: pools.Pool(0))


def iterating() -> Sights:
    """Results as they come."""
    yield "as completed", sorted(util.as_completed([square.remote(number) for number in range(4)]))
    yield "map unordered", sorted(util.map_unordered(square, range(5)))
    yield "what raises", caught(lambda: list(util.as_completed([Doubler.remote().double.remote(13)])))


def with_joblib() -> Sights:
    """joblib's work runs in the cluster."""
    import joblib

    part_of("util.joblib").register_ray()
    with joblib.parallel_backend("ray", n_jobs=2):
        yield "parallel", joblib.Parallel()(joblib.delayed(pool_work)(number) for number in range(6))
        yield "what raises", caught(lambda: joblib.Parallel()(joblib.delayed(pool_work)(number) for number in (1, 13)))
    with joblib.parallel_backend("ray", n_jobs=-1):
        yield "all CPUs", joblib.effective_n_jobs()
        yield "elsewhere", os.getpid() not in joblib.Parallel()(joblib.delayed(pool_pid)(number) for number in range(4))


def instruments() -> Sights:
    """Users' own metrics."""
    metrics = part_of("util.metrics")
    counter = metrics.Counter("calls", description="How many.", tag_keys=("kind",))
    yield "a counter", [counter.inc(tags={"kind": "a"}), counter.inc(2, tags={"kind": "a"})]
    yield "default tags", counter.set_default_tags({"kind": "b"}) is None or True
    yield (
        "not below zero",
        [caught(lambda: counter.inc(0, tags={"kind": "a"})), caught(lambda: counter.inc(-1, tags={"kind": "a"}))],
    )
    yield "a tag that is not", caught(lambda: counter.inc(tags={"other": "a"}))
    bare = metrics.Counter("bare", tag_keys=("kind",))
    yield "a tag that lacks", caught(lambda: bare.inc())
    gauge = metrics.Gauge("level", description="How much.")
    yield "a gauge", [gauge.set(5), gauge.set(-1.5)]
    yield "no number", caught(lambda: gauge.set("x"))
    histogram = metrics.Histogram("times", description="How long.", boundaries=[0.1, 1.0])
    yield "a histogram", histogram.observe(0.5)
    yield "no boundaries", caught(lambda: metrics.Histogram("none", boundaries=[]))
    yield "wrong ones", caught(lambda: metrics.Histogram("wrong", boundaries=[-1.0, 2.0]))
    yield "no name", caught(lambda: metrics.Counter(""))
    yield "a name that cannot be", caught(lambda: metrics.Counter("a name-with dashes"))
    yield "tags of another type", caught(lambda: metrics.Counter("types", tag_keys="kind"))
    yield "told", [counter.info["name"], counter.info["description"], list(counter.info["tag_keys"])]

    @ray.remote
    class Counting:
        def __init__(self) -> None:
            self.counter = metrics.Counter("in_an_actor", tag_keys=("kind",))
            self.counter.set_default_tags({"kind": "x"})

        def count(self) -> None:
            self.counter.inc()

    yield "in an actor", result_of(Counting.remote().count.remote())
    back = ray.get(ray.remote(lambda given: given.info["name"]).remote(counter))
    yield "sent", back


def environments() -> Sights:
    """What work finds around it."""
    folder = Path(mkdtemp())
    (folder / "beside.py").write_text("VALUE = 42\n")
    (folder / "data.txt").write_text("some data")
    package = folder / "package_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("VALUE = 43\n")

    @ray.remote
    def variable(name: str) -> str | None:
        return os.environ.get(name)

    @ray.remote
    def reads() -> str:
        return Path("data.txt").read_text()

    @ray.remote
    def imports(name: str) -> int:
        import importlib

        return int(importlib.import_module(name).VALUE)

    @ray.remote
    class Holds:
        def variable(self, name: str) -> str | None:
            return os.environ.get(name)

        def child(self, name: str) -> Any:
            return ray.get(variable.remote(name))

    yield "variables", result_of(variable.options(runtime_env={"env_vars": {"MINE": "yes"}}).remote("MINE"))
    yield "not without", result_of(variable.remote("MINE"))
    holds = Holds.options(runtime_env={"env_vars": {"MINE": "actor"}}).remote()
    yield "of an actor", result_of(holds.variable.remote("MINE"))
    yield "its children have them", result_of(holds.child.remote("MINE"))
    yield "a folder", caught(lambda: ray.get(reads.options(runtime_env={"working_dir": str(folder)}).remote()))
    yield (
        "modules in it",
        caught(lambda: ray.get(imports.options(runtime_env={"working_dir": str(folder)}).remote("beside"))),
    )
    yield (
        "modules",
        caught(lambda: ray.get(imports.options(runtime_env={"py_modules": [str(package)]}).remote("package_of_mine"))),
    )
    yield "no such folder", caught(lambda: reads.options(runtime_env={"working_dir": str(folder / "nothing")}).remote())
    yield "no such part", caught(lambda: reads.options(runtime_env={"nothing": 1}).remote())
    yield "variables of another type", caught(lambda: variable.options(runtime_env={"env_vars": {"A": 1}}).remote("A"))


PROGRAMS = (actor_pool, queues, process_pools, iterating, with_joblib, instruments, environments)
