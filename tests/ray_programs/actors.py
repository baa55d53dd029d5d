"""Actors: what they are, how they are called, found, passed around, and how they end."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import cloudpickle

from tests.ray_programs.face import PATIENCE_S, Sights, caught, exceptions, is_raised, ray, result_of, until


@ray.remote
class Counter:
    """A plain one."""

    kind = "counter"

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

    def fail(self, text: str) -> None:
        raise ValueError(text)

    @property
    def doubled(self) -> int:
        return 2 * self.value

    @staticmethod
    def static(value: int) -> int:
        return value + 1

    @classmethod
    def of_class(cls, value: int) -> str:
        return f"{cls.kind} {value}"

    def __len__(self) -> int:
        return self.value

    def __call__(self, value: int) -> int:
        return self.value + value


@ray.remote
def call_increment(counter: Any, by: int) -> int:
    return int(ray.get(counter.increment.remote(by)))


def calling() -> Sights:
    """Arguments by place and name, defaults, what does not fit, and what is no method."""
    counter = Counter.remote(start=5)
    yield (
        "by place, by name, by default",
        ray.get([counter.increment.remote(2), counter.increment.remote(by=3), counter.increment.remote()]),
    )
    yield "too many", caught(lambda: counter.increment.remote(1, 2))
    yield "unknown name", caught(lambda: counter.increment.remote(nothing=1))
    yield "too many for the constructor", caught(lambda: Counter.remote(1, 2))
    yield "not decorated with parentheses", caught(lambda: Counter())
    yield "called directly", caught(lambda: counter.increment())
    yield "no such attribute", caught(lambda: counter.nothing)
    yield "no such method", caught(lambda: counter.nothing.remote())
    yield "static", result_of(counter.static.remote(1))
    yield "of the class", result_of(counter.of_class.remote(1))
    yield "called itself", caught(lambda: ray.get(counter.__call__.remote(1)))
    yield "methods in dir", {"increment", "get", "fail"} <= set(dir(counter))
    yield "an error", result_of(counter.fail.remote("no"))
    yield "goes on after it", result_of(counter.get.remote())


def handles() -> Sights:
    """Handles are equal when they mean the same actor, wherever they come from."""

    @ray.remote
    def back(value: Any) -> Any:
        return value

    @ray.remote
    class Keeper:
        def __init__(self, kept: Any) -> None:
            self.kept = kept

        def use(self) -> Any:
            return ray.get(self.kept["counter"].increment.remote())

        def give(self) -> Any:
            return self.kept["counter"]

    one, other = Counter.remote(), Counter.remote()
    copy = ray.get(back.remote(one))
    yield "a copy is equal", copy == one
    yield "hashes are equal", hash(copy) == hash(one)
    yield "as keys", len({one: 1, copy: 2, other: 3})
    yield "others are not", one != other
    yield "nor anything else", one != "one"
    keeper = Keeper.remote({"counter": one})
    yield "kept by another actor", [ray.get(keeper.use.remote()), ray.get(call_increment.remote(one, 10))]
    yield "given back", ray.get(keeper.give.remote()) == one
    yield "in a closure", ray.get(ray.remote(lambda: ray.get(one.get.remote())).remote())
    yield "put", ray.get(ray.put([one]))[0] == one
    yield "by cloudpickle", cloudpickle.loads(cloudpickle.dumps(one)) == one
    yield "by pickle", caught(lambda: pickle.loads(pickle.dumps(one)) == one)
    yield "a method is passed on", caught(lambda: ray.get(back.remote(one)).get.remote() is not None)
    yield "its text", repr(one).split(",")[0]
    yield "the id is text", len(one._actor_id.hex()) > 0 if hasattr(one, "_actor_id") else None


def built_in_methods() -> Sights:
    """Every actor has three methods of Ray's."""
    counter = Counter.remote(1)
    yield "ready", result_of(counter.__ray_ready__.remote())
    yield "call", result_of(counter.__ray_call__.remote(lambda self, by: self.value + by, 2))
    yield "call by name", result_of(counter.__ray_call__.remote(lambda self, by=0: self.increment(by), by=5))
    yield "call that fails", result_of(counter.__ray_call__.remote(lambda self: self.fail("in a call")))
    before = [counter.increment.remote() for _ in range(3)]
    counter.__ray_terminate__.remote()
    yield "before terminate", ray.get(before)
    yield "is gone", until(lambda: is_raised(result_of(counter.get.remote()), "ActorDiedError"))


def options_by_call() -> Sights:
    """What a call may be told beside its arguments."""

    @ray.remote(concurrency_groups={"io": 1})
    class Several:
        @ray.method(num_returns=2)
        def two(self) -> Any:
            return 1, 2

        def three(self) -> Any:
            return 1, 2, 3

        def where(self) -> Any:
            return threading.current_thread() is threading.main_thread()

        def count(self, up_to: int) -> Iterator[int]:
            for number in range(up_to):  # noqa: UP028 - Ray 2.60 cannot send into a range
                yield number

    several = Several.remote()
    yield "two by decorator", ray.get(several.two.remote())
    yield "three by call", ray.get(several.three.options(num_returns=3).remote())
    yield "one by call", ray.get(several.two.options(num_returns=1).remote())
    yield "none", several.three.options(num_returns=0).remote()
    yield "too few", [result_of(ref) for ref in several.three.options(num_returns=2).remote()]
    yield "named", result_of(several.three.options(name="a name").remote())
    yield "in a group", isinstance(ray.get(several.where.options(concurrency_group="io").remote()), bool)
    yield "a generator", [ray.get(ref) for ref in several.count.remote(3)]
    yield "a generator as streaming", [ray.get(ref) for ref in several.count.options(num_returns="streaming").remote(3)]
    yield "a generator with two results", caught(lambda: ray.get(several.count.options(num_returns=2).remote(2)))
    yield "retries by call", result_of(several.three.options(max_task_retries=1, retry_exceptions=True).remote())
    yield "no such option", caught(lambda: several.three.options(nothing=1).remote())
    yield "options that are wrong", caught(lambda: several.three.options(num_returns=-1).remote())
    yield "options of a method that is not", caught(lambda: several.nothing.options(num_returns=2))


def threads() -> Sights:
    """A threaded actor: as many calls at once as it says."""

    @ray.remote(max_concurrency=3)
    class Threaded:
        def __init__(self) -> None:
            self.barrier = threading.Barrier(3)
            self.lock = threading.Lock()
            self.now = self.most = 0

        def meet(self) -> int:
            self.barrier.wait(PATIENCE_S)
            return threading.get_ident()

        def work(self) -> None:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.001)
            with self.lock:
                self.now -= 1

        def seen(self) -> int:
            return self.most

    actor = Threaded.remote()
    yield "threads that met", len(set(ray.get([actor.meet.remote() for _ in range(3)])))
    ray.get([actor.work.remote() for _ in range(50)])
    yield "never more than", ray.get(actor.seen.remote()) <= 3


@ray.remote
class Meeting:
    """An asynchronous actor: its calls meet."""

    def __init__(self) -> None:
        self.arrived = 0
        self.full = asyncio.Event()
        self.ended: list[str] = []

    async def join(self, of: int) -> int:
        self.arrived += 1
        if self.arrived == of:
            self.full.set()
        try:
            await self.full.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return self.arrived

    async def here(self) -> int:
        return self.arrived

    def plain(self) -> bool:
        return threading.current_thread() is threading.main_thread()

    async def thread(self) -> int:
        return threading.get_ident()

    def plain_thread(self) -> int:
        return threading.get_ident()

    async def count(self, up_to: int) -> AsyncIterator[int]:
        for number in range(up_to):
            yield number
        if up_to == 3:
            raise KeyError("three")

    async def how(self) -> list[str]:
        return self.ended

    async def ask(self, counter: Any) -> Any:
        return await counter.increment.remote()

    async def ask_all(self, counter: Any) -> Any:
        return await asyncio.gather(*[counter.increment.remote() for _ in range(3)])

    async def leave(self) -> None:
        ray.actor.exit_actor()


def async_actors() -> Sights:
    """Coroutines of one actor interleave, wait for refs, stream, and are cancelled."""
    meeting = Meeting.remote()
    yield "met", ray.get([meeting.join.remote(5) for _ in range(5)])
    yield (
        "a plain method of it runs on the same thread",
        ray.get(meeting.thread.remote()) == ray.get(meeting.plain_thread.remote()),
    )
    counter = Counter.remote()
    yield "awaits", ray.get(meeting.ask.remote(counter))
    yield "awaits several", sorted(ray.get(meeting.ask_all.remote(counter)))

    async def drive(up_to: int) -> list[Any]:
        return [caught(lambda ref=ref: ray.get(ref)) async for ref in meeting.count.remote(up_to)]

    yield "streams", asyncio.run(drive(2))
    yield "what a stream raises is its last", asyncio.run(drive(3))
    few = Meeting.options(max_concurrency=2).remote()
    waiting = [few.join.remote(2) for _ in range(2)]
    yield "two at once", ray.get(waiting)
    other = Meeting.remote()
    running = other.join.remote(1_000_000)
    until(lambda: ray.get(other.here.remote()) == 1)
    ray.cancel(running)
    yield "cancelled", result_of(running)
    yield "was told so", until(lambda: ray.get(other.how.remote()) == ["cancelled"])
    yield "force is refused", caught(lambda: ray.cancel(other.join.remote(1_000_000), force=True))
    left = other.leave.remote()
    yield "leaves", result_of(left)


def concurrency_groups() -> Sights:
    """A group that is busy holds up no other."""

    @ray.remote(concurrency_groups={"io": 1, "compute": 1})
    class Grouped:
        def __init__(self) -> None:
            self.is_open = False

        @ray.method(concurrency_group="io")
        async def blocked(self) -> str:
            while not self.is_open:
                await asyncio.sleep(0.01)
            return "let go"

        @ray.method(concurrency_group="compute")
        async def let(self) -> str:
            self.is_open = True
            return "free"

        async def default(self) -> str:
            return "default"

    grouped = Grouped.remote()
    blocked = grouped.blocked.remote()
    yield "default group", result_of(grouped.default.remote())
    yield "another by call", result_of(grouped.default.options(concurrency_group="compute").remote())
    yield "not held up", result_of(grouped.let.remote())
    yield "let go", result_of(blocked)

    @ray.remote(concurrency_groups={"io": 2})
    class Blocking:
        def __init__(self) -> None:
            self.gate = threading.Event()

        @ray.method(concurrency_group="io")
        def wait(self) -> bool:
            return self.gate.wait(PATIENCE_S)

        def let(self) -> str:
            self.gate.set()
            return "free"

    blocking = Blocking.remote()
    held = [blocking.wait.remote() for _ in range(2)]
    yield "threads, too", [result_of(blocking.let.remote()), *map(result_of, held)]


def ordering() -> Sights:
    """One caller's calls run in its order, even if an argument is late."""

    @ray.remote
    class Log:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def add(self, value: int) -> None:
            self.seen.append(value)

        def all(self) -> list[int]:
            return self.seen

    @ray.remote
    def late() -> int:
        time.sleep(0.3)
        return 0

    log = Log.remote()
    for number in range(100):
        log.add.remote(number)
    yield "in order", ray.get(log.all.remote()) == list(range(100))
    other = Log.remote()
    other.add.remote(late.remote())
    other.add.remote(1)
    yield "behind a late argument", ray.get(other.all.remote())


def names() -> Sights:
    """Named actors are found, made once, and detached ones stay until they are killed."""
    first = Counter.options(name="counter", lifetime="detached").remote(5)
    ray.get(first.increment.remote())
    again = Counter.options(name="counter", get_if_exists=True).remote(100)
    found = ray.get_actor("counter")
    yield "the same value", ray.get(found.get.remote())
    yield "the same handle", first == again == found
    yield "taken", caught(lambda: ray.get(Counter.options(name="counter").remote().get.remote()))
    yield "listed", "counter" in ray.util.list_named_actors()
    yield (
        "listed with namespaces",
        any(row["name"] == "counter" for row in ray.util.list_named_actors(all_namespaces=True)),
    )
    yield "nobody", caught(lambda: ray.get_actor("nobody"))
    yield "no name", caught(lambda: ray.get_actor(""))
    yield "a name that is none", caught(lambda: Counter.options(name="").remote())
    yield "a name of another type", caught(lambda: Counter.options(name=5).remote())
    yield "get_if_exists without a name", caught(lambda: Counter.options(get_if_exists=True).remote())
    yield "no such lifetime", caught(lambda: Counter.options(lifetime="long").remote())
    other = Counter.options(name="counter", namespace="elsewhere").remote(50)
    yield "in another namespace", ray.get(ray.get_actor("counter", namespace="elsewhere").get.remote())
    yield "not in a third", caught(lambda: ray.get_actor("counter", namespace="third"))
    ray.kill(first)
    yield "the name is free again", until(lambda: is_raised(caught(lambda: ray.get_actor("counter")), "ValueError"))
    yield "and taken again", ray.get(Counter.options(name="counter").remote(7).get.remote())
    ray.kill(other)

    @ray.remote
    def named() -> str:
        return str(ray.get(ray.get_actor("from a task").increment.remote()))

    keep = Counter.options(name="from a task").remote()
    yield "from a task", ray.get(named.remote())
    del keep


def deaths() -> Sights:
    """How actors end, and what callers see."""
    victim, other = Counter.remote(), Counter.remote()
    yield "a crash", result_of(victim.die.remote())
    yield "after a crash", result_of(victim.get.remote())
    yield "others live", result_of(other.increment.remote())
    killed = Counter.remote()
    ray.get(killed.get.remote())
    ray.kill(killed)
    yield "killed", until(lambda: is_raised(result_of(killed.get.remote()), "ActorDiedError"))
    yield "killed twice", caught(lambda: ray.kill(killed))
    yield "kill of no handle", caught(lambda: ray.kill("x"))
    yield "kill of a ref", caught(lambda: ray.kill(ray.put(1)))

    @ray.remote
    class Unborn:
        def __init__(self) -> None:
            raise RuntimeError("never born")

        def get(self) -> None: ...

    unborn = Unborn.remote()
    yield "a constructor that raises", result_of(unborn.get.remote())
    try:
        ray.get(unborn.get.remote(), timeout=PATIENCE_S)
    except exceptions.RayActorError as error:
        yield "says why", "never born" in str(error) and "RuntimeError" in str(error)
        yield "fields", [error.actor_init_failed, isinstance(error.error_msg, str), isinstance(error.actor_id, str)]

    @ray.remote
    class Leaving:
        def leave(self) -> None:
            ray.actor.exit_actor()

        def stay(self) -> None: ...

    leaving = Leaving.remote()
    left, after = leaving.leave.remote(), leaving.stay.remote()
    yield "left", result_of(left)
    yield "called after it left", result_of(after)
    yield "exit outside of actors", caught(lambda: ray.actor.exit_actor())
    victim = Counter.remote()
    try:
        ray.get(victim.die.remote(), timeout=PATIENCE_S)
    except exceptions.ActorDiedError as error:
        yield (
            "an error's fields",
            [isinstance(error.actor_id, str), error.actor_init_failed, error.preempted, "Counter" in error.error_msg],
        )


def out_of_scope() -> Sights:
    """An actor ends with its last handle, after what was called; what it owns ends with it."""
    folder = Path(mkdtemp())

    @ray.remote
    class Noted:
        def __init__(self, path: str) -> None:
            Path(path).write_text(str(os.getpid()))

        def slow(self) -> str:
            time.sleep(0.2)
            return "done"

    @ray.remote
    class Parent:
        def __init__(self, path: str) -> None:
            self.child = Noted.remote(path)
            ray.get(self.child.slow.remote())

        def ready(self) -> None: ...

    def is_gone(path: Path) -> bool:
        try:
            os.kill(int(path.read_text()), 0)
        except ProcessLookupError:
            return True
        return False

    path = folder / "one"
    noted = Noted.remote(str(path))
    ref = noted.slow.remote()
    del noted
    yield "what was called is done", result_of(ref)
    yield "then it is gone", until(lambda: is_gone(path))
    path = folder / "two"
    parent = Parent.remote(str(path))
    ray.get(parent.ready.remote())
    ray.kill(parent)
    yield "its children, too", until(lambda: is_gone(path))
    yield "chained", result_of(Counter.remote(4).increment.remote())


def restarts() -> Sights:
    """An actor that may be restarted is, with a new state, so often."""
    counter = Counter.options(max_restarts=1).remote(5)
    ray.get(counter.increment.remote())
    yield "the call that killed it", result_of(counter.die.remote())

    def alive() -> Any:
        while True:
            seen = result_of(counter.increment.remote())
            if not is_raised(seen, "ActorUnavailableError"):
                return seen

    yield "a new state", alive()
    yield "the second death", result_of(counter.die.remote())
    yield "after it", result_of(counter.get.remote())
    again = Counter.options(max_restarts=1, max_task_retries=1).remote(0)
    yield "a call that kills each life", result_of(again.die.remote())
    killed = Counter.options(max_restarts=1, max_task_retries=-1).remote(3)
    ray.get(killed.increment.remote())
    ray.kill(killed, no_restart=False)
    yield "killed, and restarted", until(lambda: result_of(killed.get.remote()) == {"returned": 3})

    @ray.remote(max_restarts=1, max_task_retries=-1)
    class Aware:
        def was(self) -> bool:
            return bool(ray.get_runtime_context().was_current_actor_reconstructed)

        def die(self) -> None:
            os._exit(1)

    aware = Aware.remote()
    first = ray.get(aware.was.remote())
    ray.kill(aware, no_restart=False)
    yield "it knows", [first, until(lambda: result_of(aware.was.remote()) == {"returned": True})]


def retries() -> Sights:
    """Calls that raise are made again, if they are to be."""

    @ray.remote(max_task_retries=2)
    class Flaky:
        def __init__(self) -> None:
            self.tries = 0

        @ray.method(retry_exceptions=[ConnectionError])
        def at_last(self, after: int) -> int:
            self.tries += 1
            if self.tries <= after:
                raise ConnectionError("not yet")
            return self.tries

        @ray.method(retry_exceptions=[ConnectionError])
        def other(self) -> None:
            self.tries += 1
            raise KeyError("never again")

        @ray.method(retry_exceptions=True, max_task_retries=1)
        def once_more(self) -> None:
            self.tries += 1
            raise KeyError("always")

        def plain(self) -> None:
            self.tries += 1
            raise KeyError("not retried")

        def count(self) -> int:
            tries, self.tries = self.tries, 0
            return tries

    flaky = Flaky.remote()
    yield "after two", [result_of(flaky.at_last.remote(2)), ray.get(flaky.count.remote())]
    yield "too often", [result_of(flaky.at_last.remote(5)), ray.get(flaky.count.remote())]
    yield "another error", [result_of(flaky.other.remote()), ray.get(flaky.count.remote())]
    yield "by method", [result_of(flaky.once_more.remote()), ray.get(flaky.count.remote())]
    yield "not said", [result_of(flaky.plain.remote()), ray.get(flaky.count.remote())]
    by_call = flaky.plain.options(max_task_retries=3, retry_exceptions=True)
    yield "by call", [result_of(by_call.remote()), ray.get(flaky.count.remote())]


def limits() -> Sights:
    """An actor may have so many calls that wait."""
    meeting = Meeting.options(max_pending_calls=3).remote()
    for _ in range(3):
        meeting.join.remote(1_000_000)
    yield "one too many", caught(lambda: meeting.join.remote(1_000_000))


def inheritance() -> Sights:
    """Classes that actors are made of derive as others do."""

    class Base:
        def name(self) -> str:
            return "base"

        def call(self) -> str:
            return self.name()

    class Derived(Base):
        def name(self) -> str:
            return f"derived of {super().name()}"

    yield "super", ray.get(ray.remote(Derived).remote().call.remote())

    def derive() -> str:
        class Of(Counter):  # type: ignore[misc]  # not a class for the checkers
            def more(self) -> int:
                return int(self.increment(10))

        return str(ray.get(ray.remote(Of).remote(1).more.remote()))

    yield "of a decorated class", caught(derive)


def stop_hooks() -> Sights:
    """Ray's hook for the end of an actor."""
    folder = Path(mkdtemp())

    @ray.remote
    class Hooked:
        def __init__(self, path: str) -> None:
            self.path = path

        def ready(self) -> None: ...

        def leave(self) -> None:
            ray.actor.exit_actor()

        def __ray_shutdown__(self) -> None:
            Path(self.path).write_text("called")

    for how in ("del", "terminate", "exit"):
        path = folder / how
        hooked = Hooked.remote(str(path))
        ray.get(hooked.ready.remote())
        if how == "terminate":
            hooked.__ray_terminate__.remote()
        elif how == "exit":
            hooked.leave.remote()
        else:
            del hooked
        yield how, until(path.exists)


def actors_in_actors() -> Sights:
    """Actors make actors; a handle that comes out of one is as good as any."""

    @ray.remote
    class Supervisor:
        def __init__(self, width: int) -> None:
            self.children = [Counter.remote(number) for number in range(width)]

        def total(self) -> int:
            return int(sum(ray.get([child.increment.remote() for child in self.children])))

        def first(self) -> Any:
            return self.children[0]

        def me(self) -> Any:
            return ray.get_runtime_context().current_actor

    supervisor = Supervisor.remote(2)
    yield "total", ray.get(supervisor.total.remote())
    child = ray.get(supervisor.first.remote())
    yield "of the child", ray.get(child.increment.remote(10))
    yield "itself", ray.get(supervisor.me.remote()) == supervisor


def deriving_options() -> Sights:
    """Options are checked where they are given."""
    yield "unknown", caught(lambda: Counter.options(nothing=1))
    yield "of another type", caught(lambda: Counter.options(num_cpus="1").remote())
    yield "negative", caught(lambda: Counter.options(num_cpus=-1).remote())
    yield "a task's", caught(lambda: Counter.options(max_retries=1).remote())
    yield "CPU among resources", caught(lambda: Counter.options(resources={"CPU": 1}).remote())
    yield "restarts", caught(lambda: Counter.options(max_restarts=-2).remote())
    yield "no options at all", caught(lambda: callable(ray.remote()(Counter)))
    yield "of something else", caught(lambda: ray.remote(5))
    yield "method without options", caught(lambda: callable(ray.method(lambda self: 1)))
    yield "method with unknown ones", caught(lambda: callable(ray.method(nothing=1)(lambda self: 1)))
    yield "order", caught(lambda: Meeting.options(allow_out_of_order_execution=False).remote() is not None)


PROGRAMS = (
    calling,
    handles,
    built_in_methods,
    options_by_call,
    threads,
    async_actors,
    concurrency_groups,
    ordering,
    names,
    deaths,
    out_of_scope,
    restarts,
    retries,
    limits,
    inheritance,
    stop_hooks,
    actors_in_actors,
    deriving_options,
)
