"""Objects and refs: put, get, wait, and refs as futures."""

from __future__ import annotations

import asyncio
import concurrent.futures
import pickle
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import cloudpickle
import numpy

from tests.ray_programs.face import PATIENCE_S, Sights, caught, part_of, ray, result_of, told, until


@ray.remote
def square(value: int) -> int:
    return value * value


@ray.remote
def same(value: Any) -> Any:
    return value


@ray.remote
def wait_for(path: str) -> str:
    until(Path(path).exists)
    return "done"


@ray.remote
def fail(text: str) -> None:
    raise ValueError(text)


def putting() -> Sights:
    """What goes in comes out."""
    ref = ray.put({"a": [1, 2]})
    yield "the value", ray.get(ref)
    yield "of a list, in order", ray.get([ray.put(number) for number in (3, 1, 2)])
    yield "the same ref twice", ray.get([ref, ref])
    yield "an empty list", ray.get([])
    yield "a tuple", caught(lambda: ray.get((ref,)))
    yield "no ref", caught(lambda: ray.get(5))
    yield "a list with something else", caught(lambda: ray.get([ref, 5]))
    yield "a ref is not put", caught(lambda: ray.put(ref))
    yield "in a list it is", ray.get(ray.get(ray.put([ref]))[0])
    yield "what cannot be sent", caught(lambda: ray.put(value for value in range(3)))
    yield "none", ray.get(ray.put(None))
    value = [1, 2]
    ref = ray.put(value)
    value.append(3)
    yield "as it was", ray.get(ref)


def arguments() -> Sights:
    """A ref as argument is its value; inside of something it stays a ref."""

    @ray.remote
    def look(value: Any, named: Any = None) -> Any:
        return type(value).__name__, type(named).__name__

    @ray.remote
    def get_inside(box: Any) -> Any:
        return ray.get(box["ref"])

    @ray.remote
    def get_both(left: Any, right: Any) -> Any:
        return left is right, left == right

    ref = ray.put([1])
    yield "by place and name", ray.get(look.remote(ref, named=ref))
    yield "inside", ray.get(look.remote([ref], named={"ref": ref}))
    yield "gotten inside", ray.get(get_inside.remote({"ref": ref}))
    yield "of a task", ray.get(square.remote(square.remote(2)))
    yield "the same one twice", ray.get(get_both.remote(ref, ref))[1]
    yield "a ref that comes out", ray.get(ray.get(same.remote([ray.put(7)]))[0])

    @ray.remote
    def make() -> Any:
        return [ray.put("made"), square.remote(5)]

    yield "made elsewhere", ray.get(ray.get(make.remote()))
    yield "a failed one", result_of(square.remote(fail.remote("no")))

    @dataclass
    class Box:
        ref: Any

    yield "in a dataclass", ray.get(ray.get(same.remote(Box(ref))).ref)


def waiting() -> Sights:
    """What is ready comes first."""
    folder = Path(mkdtemp())
    slow, quick = wait_for.remote(str(folder / "gate")), square.remote(2)
    ready, left = ray.wait([slow, quick], timeout=PATIENCE_S)
    yield "the quick one", [ready == [quick], left == [slow]]
    yield "not all in time", [len(refs) for refs in ray.wait([slow, quick], num_returns=2, timeout=0.1)]
    yield "without waiting", [len(refs) for refs in ray.wait([slow], timeout=0)]
    (folder / "gate").touch()
    yield "then all", [len(refs) for refs in ray.wait([slow, quick], num_returns=2, timeout=PATIENCE_S)]
    refs = [ray.put(number) for number in range(4)]
    ready, left = ray.wait(refs, num_returns=2, timeout=PATIENCE_S)
    yield "at most as many as wanted", [len(ready), len(left)]
    ready, left = ray.wait([*refs[2:], *refs[:2]], num_returns=4, timeout=PATIENCE_S)
    yield "in the order given", ray.get(ready)
    yield "none", caught(lambda: ray.wait([]))
    yield "of one ref", caught(lambda: ray.wait(refs[0]))
    yield "twice the same", caught(lambda: ray.wait([refs[0], refs[0]]))
    yield "more than there are", caught(lambda: ray.wait(refs, num_returns=5))
    yield "none of them", caught(lambda: ray.wait(refs, num_returns=0))
    yield "no number", caught(lambda: ray.wait(refs, num_returns="2"))
    yield "a negative time", caught(lambda: ray.wait(refs, timeout=-1))
    yield "no refs", caught(lambda: ray.wait([1, 2]))
    failed = fail.remote("no")
    yield "a failed one is ready", len(ray.wait([failed], timeout=PATIENCE_S)[0])
    yield "without fetching", len(ray.wait(refs, num_returns=4, timeout=PATIENCE_S, fetch_local=False)[0])


def timeouts() -> Sights:
    """Who waits too long is told so."""
    folder = Path(mkdtemp())
    slow = wait_for.remote(str(folder / "gate"))
    yield "some", caught(lambda: ray.get(slow, timeout=0.05))
    yield "none", caught(lambda: ray.get(slow, timeout=0))
    yield "in a list", caught(lambda: ray.get([ray.put(1), slow], timeout=0.05))
    yield (
        "an error comes before the time is over",
        caught(lambda: ray.get([slow, fail.remote("early")], timeout=PATIENCE_S)),
    )
    yield "ready ones need no time", ray.get(ray.put(1), timeout=0)
    yield "a negative one", caught(lambda: ray.get(ray.put(1), timeout=-1))
    (folder / "gate").touch()
    yield "then it is there", ray.get(slow)


def refs() -> Sights:
    """Refs are values: equal, hashed, sent, shown."""
    ref, other = ray.put(1), square.remote(3)
    copy = ray.get(same.remote([ref]))[0]
    yield "a copy is equal", copy == ref
    yield "hashes are equal", hash(copy) == hash(ref)
    yield "others are not", ref != other
    yield "as keys", len({ref, copy, other})
    yield (
        "hex",
        [
            isinstance(ref.hex(), str),
            ref.hex() == copy.hex(),
            ref.hex() != other.hex(),
            bytes.fromhex(ref.hex()) == ref.binary(),
        ],
    )
    yield "not nil", ref.is_nil()
    yield "task id", [isinstance(other.task_id().hex(), str), other.task_id().is_nil()]
    yield "tasks differ", square.remote(1).task_id() != square.remote(1).task_id()
    yield "job id", caught(lambda: ref.job_id() == other.job_id())
    yield "its own text", repr(ref).startswith("ObjectRef(")
    yield "is of the class", isinstance(ref, ray.ObjectRef)
    yield "by cloudpickle", cloudpickle.loads(cloudpickle.dumps(ref)) == ref
    yield "by pickle", caught(lambda: pickle.loads(pickle.dumps(ref)) == ref)


def futures() -> Sights:
    """Refs are awaited, and are futures of both kinds."""

    async def drive() -> Any:
        one = await square.remote(2)
        gathered = await asyncio.gather(square.remote(3), square.remote(4))
        done, pending = await asyncio.wait([asyncio.wrap_future(square.remote(5).future())])
        as_future = await square.remote(6).as_future()
        try:
            await fail.remote("awaited")
        except ValueError as error:
            return one, gathered, len(done), len(pending), as_future, told(error)

    yield "awaited", asyncio.run(drive())
    future = square.remote(7).future()
    yield "a concurrent future", [isinstance(future, concurrent.futures.Future), future.result(PATIENCE_S)]
    called: list[int] = []
    future.add_done_callback(lambda done: called.append(done.result()))
    yield "call-backs", until(lambda: called == [49])
    both = [square.remote(value).future() for value in (1, 2)]
    yield "as_completed", sorted(done.result() for done in concurrent.futures.as_completed(both, PATIENCE_S))
    failed = fail.remote("no").future()
    yield "its error", told(failed.exception(PATIENCE_S))

    async def again() -> Any:
        ref = wait_for.remote(path)
        try:
            await asyncio.wait_for(ref, 0.05)
        except TimeoutError:
            Path(path).touch()
            return await ref

    path = str(Path(mkdtemp()) / "gate")
    yield "awaited again after a time-out", asyncio.run(again())


def arrays() -> Sights:
    """Arrays are shared, and read only."""
    array = numpy.arange(1_000_000)
    ref = ray.put(array)
    first, second = ray.get(ref), ray.get(ref)
    yield "equal", bool((first == array).all())
    yield "cannot be written to", [first.flags.writeable, caught(lambda: first.__setitem__(0, 1))]
    yield "shared", bool(numpy.shares_memory(first, second))
    yield "as an argument", ray.get(ray.remote(lambda values: [int(values.sum()), values.flags.writeable]).remote(ref))
    yield "by value", ray.get(ray.remote(lambda values: [int(values.sum()), values.flags.writeable]).remote(array))
    yield "a result", int(ray.get(ray.remote(lambda: numpy.ones(1_000_000)).remote()).sum())
    small = ray.get(ray.put(numpy.arange(3)))
    yield "a small one", small.flags.writeable


def serializers() -> Sights:
    """A class may be told how it travels."""
    util = part_of("util")

    class Closed:
        def __init__(self, value: int) -> None:
            self.value = value

        def __reduce__(self) -> Any:
            raise TypeError("not me")

    yield "without", caught(lambda: ray.get(same.remote(Closed(1))).value)
    util.register_serializer(Closed, serializer=lambda closed: closed.value, deserializer=Closed)
    yield "with", caught(lambda: ray.get(ray.put(Closed(3))).value)
    util.deregister_serializer(Closed)
    yield "without again", caught(lambda: ray.get(ray.put(Closed(1))).value)
    ok, failures = util.inspect_serializability(lambda: 1, name="fine")
    yield "inspected", [ok, len(failures)]


def locations() -> Sights:
    """Where objects are."""
    experimental = part_of("experimental")
    ref = ray.put(numpy.ones(1_000_000))
    found = experimental.get_object_locations([ref])
    yield "keys", sorted(found[ref])
    yield "on this node", found[ref]["node_ids"] == [ray.get_runtime_context().get_node_id()]
    yield "its size", found[ref]["object_size"] > 8_000_000
    local = experimental.get_local_object_locations([ref])
    yield "local", sorted(local[ref])


PROGRAMS = (putting, arguments, waiting, timeouts, refs, futures, arrays, serializers, locations)
