"""Tests of the threads that run tasks: when one goes on with the next task, and when the loop is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import Context
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, cast

import pytest

from partisan_actors.actors.threads import ActorThread, JobThread
from partisan_actors.ids import NodeId, TaskId
from partisan_actors.scheduler.policy import Request
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.room import Room
from partisan_actors.tasks.answers import LaterAnswer
from partisan_actors.tasks.spec import TaskKind, TaskSpec
from partisan_actors.tasks.threads import CHAIN_MAX, Outcome, TaskThreads
from partisan_actors.tasks.waiting import TaskQueue, Waiting

OWNER = NodeId("owner", 1)
DEADLINE_S = 60.0


def kind(*, isolation: str | None = None, strategy: Any = "default", **resources: float) -> TaskKind:
    request = Request(Resources.of(**cast(Any, resources)), strategy)
    return TaskKind("work", b"code", request, OWNER, isolation=isolation)


class Node:
    """A node whose loop is this thread; it holds the tasks that were given to threads, and what came of each."""

    def __init__(self) -> None:
        self.closed: Exception | None = None
        self.me = SimpleNamespace(name="node")
        self.loop = SimpleNamespace(call_later=lambda *_: None)
        self.queue = TaskQueue()
        self.threads = TaskThreads(cast(Any, self), self.queue, self._call, self._ended)
        self.call: Callable[[Waiting], Any] = lambda waiting: waiting.spec.task.number
        self.made: list[JobThread] = []
        self.ran: list[tuple[int, int]] = []
        self.ended: list[tuple[int, Any, Any, int | None]] = []
        self._posted: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()

    def make_thread(self, name: str) -> JobThread:
        self.made.append(ActorThread(name))
        return self.made[-1]

    def post(self, call: Callable[..., object], *args: Any) -> None:
        self._posted.put((call, args))

    def task(self, number: int, of: TaskKind) -> Waiting:
        return Waiting(
            TaskSpec(TaskId(OWNER, number), of, b""), cast(Any, None), cast(Any, None), None, None, Context()
        )

    def run(self, *kinds: TaskKind) -> list[int]:
        """Let the first of these tasks run while the others wait; the numbers of those that ran with it, in order."""
        first, *others = [self.task(number, each) for number, each in enumerate(kinds)]
        for each in others:
            self.queue.append(each)
        self.threads.run(first, lambda: None)
        while not self.ended or self.ended[-1][3] is not None:
            call, args = self._posted.get(timeout=DEADLINE_S)
            call(*args)
        self.threads.close()
        return [number for number, _ in self.ran]

    def _call(self, waiting: Waiting, function: Callable[..., Any]) -> Outcome:
        self.ran.append((waiting.spec.task.number, threading.get_ident()))
        try:
            return self.call(waiting), None
        except ValueError as error:
            return None, error

    def _ended(
        self, waiting: Waiting, value: Any, error: BaseException | None, following: Waiting | None = None
    ) -> None:
        number = None if following is None else following.spec.task.number
        self.ended.append((waiting.spec.task.number, value, error, number))


def test_a_thread_goes_on_with_the_next_task_of_its_kind() -> None:
    node, work = Node(), kind(num_cpus=1)

    assert node.run(work, work, work) == [0, 1, 2]

    assert node.ended == [(0, 0, None, 1), (1, 1, None, 2), (2, 2, None, None)]
    assert len({thread for _, thread in node.ran}) == 1
    assert len(node.made) == 1
    assert len(node.queue) == 0


def test_it_takes_none_of_another_kind_nor_one_behind_that() -> None:
    node, work = Node(), kind(num_cpus=1)

    assert node.run(work, kind(num_cpus=2), work) == [0]

    assert [each.spec.task.number for each in node.queue.all()] == [1, 2]


def test_a_task_that_failed_does_not_keep_the_next_one_from_running() -> None:
    node, work, error = Node(), kind(num_cpus=1), ValueError("no")

    def call(waiting: Waiting) -> None:
        if waiting.spec.task.number == 0:
            raise error

    node.call = call

    assert node.run(work, work) == [0, 1]
    assert node.ended == [(0, None, error, 1), (1, None, None, None)]


def test_what_a_task_has_lent_is_not_its_to_give_on() -> None:
    node, work = Node(), kind(num_cpus=1)

    def call(waiting: Waiting) -> None:
        waiting.has_lent = True

    node.call = call

    assert node.run(work, work) == [0]


def test_the_loop_that_looks_finds_what_runs_though_it_was_not_told() -> None:
    node, work = Node(), kind(num_cpus=1)
    seen: list[tuple[int, Any, Any, int | None]] = []

    def call(waiting: Waiting) -> int:
        if waiting.spec.task.number == 1:  # its thread has taken it, and whatever was posted still waits
            node.threads.catch_up()
            seen.extend(node.ended)
        return waiting.spec.task.number

    node.call = call

    assert node.run(work, work) == [0, 1]
    assert seen == [(0, 0, None, 1)]
    assert node.ended == [(0, 0, None, 1), (1, 1, None, None)]


def test_nothing_more_begins_on_a_node_that_has_stopped() -> None:
    node, work = Node(), kind(num_cpus=1)

    def call(waiting: Waiting) -> None:
        node.closed = RuntimeError("stopped")

    node.call = call

    assert node.run(work, work) == [0]


@pytest.mark.parametrize(
    "work",
    [kind(num_gpus=1), kind(num_cpus=1, isolation="process"), kind(num_cpus=1, strategy="spread")],
    ids=["has numbered things", "has a process", "says where"],
)
def test_room_that_is_more_than_an_amount_goes_back_to_the_loop(work: TaskKind) -> None:
    assert Node().run(work, work) == [0]


class Answered(LaterAnswer):
    """An answer that its thread has written, and nobody reads."""

    def __init__(self) -> None:
        super().__init__(cast(Any, None), cast(Any, None), 0)

    def encode(self, value: Any) -> None:
        pass

    def succeed_from_thread(self) -> bool:
        return True


def ended_unheard(*kinds: TaskKind) -> tuple[Node, list[Waiting]]:
    """A node whose threads have run and answered one task of each of these kinds, of which its loop has not heard."""
    node, tasks = Node(), []
    for number, each in enumerate(kinds):
        task = node.task(number, each)
        task.reply = Answered()
        tasks.append(task)
        node.threads.run(task, lambda: None)
        deadline = time.monotonic() + DEADLINE_S
        while len(node.threads._unheard) <= number:
            assert time.monotonic() < deadline
    return node, tasks


def holding(*tasks: Waiting) -> Room:
    room = Room(Resources.of(num_cpus=8))
    for each in tasks:
        assert room.acquire(each.spec.task, each.spec.request)
    return room


def test_the_room_of_the_last_task_of_a_kind_is_there_for_the_next() -> None:
    work = kind(num_cpus=1)
    node, (task,) = ended_unheard(work)

    assert node.threads.last_of(work, holding(task)) == (task, 0, None)

    assert node.threads.last_of(work, holding(task)) is None
    node.threads.catch_up()
    assert node.ended == []
    node.threads.run(node.task(1, work), lambda: None)
    assert len(node.made) == 1
    node.threads.close()


def test_it_is_not_when_it_was_of_another_kind_or_has_none_or_others_have_ended() -> None:
    work = kind(num_cpus=1)
    node, tasks = ended_unheard(work)
    assert node.threads.last_of(kind(num_cpus=1), holding(*tasks)) is None
    assert node.threads.last_of(work, holding()) is None
    node.threads.catch_up()
    assert node.ended == [(0, 0, None, None)]

    node, tasks = ended_unheard(work, work)
    assert node.threads.last_of(work, holding(*tasks)) is None
    node.threads.catch_up()
    assert node.ended == [(0, 0, None, None), (1, 1, None, None)]


class Pickled:
    """Holds up who pickles it first, and counts how often that happens."""

    def __init__(self) -> None:
        self.count = 0
        self.is_begun, self.may_end = threading.Event(), threading.Event()

    def __reduce__(self) -> Any:
        self.count += 1
        self.is_begun.set()
        assert self.count > 1 or self.may_end.wait(DEADLINE_S)
        return int, (1,)


class Answering(Node):
    """A node that answers what has ended."""

    def _ended(self, waiting: Waiting, value: Any, *more: Any) -> None:
        waiting.reply.succeed(value)
        super()._ended(waiting, value, *more)


def test_a_result_is_pickled_and_sent_once_though_the_loop_looks_meanwhile() -> None:
    node, task, value, sent = Answering(), Node().task(0, kind(num_cpus=1)), Pickled(), list[bytes]()
    connection = SimpleNamespace(send=sent.append, send_from_thread=lambda message: False)
    system, caller = SimpleNamespace(copy_buffers=None), SimpleNamespace(calls=connection)
    task.reply = LaterAnswer(cast(Any, system), cast(Any, caller), 7)
    node.call = lambda waiting: value

    node.threads.run(task, lambda: None)
    assert value.is_begun.wait(DEADLINE_S)
    node.threads.catch_up()
    value.may_end.set()
    while not node.ended:
        call, args = node._posted.get(timeout=DEADLINE_S)
        call(*args)
    node.threads.catch_up()

    assert (value.count, len(sent)) == (1, 1)
    node.threads.close()


def test_after_many_in_a_row_the_loop_has_its_say() -> None:
    node, work = Node(), kind(num_cpus=1)

    assert node.run(*[work] * (CHAIN_MAX + 3)) == list(range(CHAIN_MAX))
    assert len(node.queue) == 3
