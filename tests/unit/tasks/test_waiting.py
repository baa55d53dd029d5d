"""Tests of the queue of tasks: its order, and that each is taken once, whoever takes."""

from __future__ import annotations

import threading
from contextvars import Context
from typing import Any, cast

from partisan_actors.ids import NodeId, TaskId
from partisan_actors.scheduler.policy import Request
from partisan_actors.scheduler.resources import Resources
from partisan_actors.tasks.spec import TaskKind, TaskSpec
from partisan_actors.tasks.waiting import TaskQueue, Waiting

KIND = TaskKind("work", b"code", Request(Resources.of(num_cpus=1)), NodeId("owner", 1))


def task(number: int) -> Waiting:
    spec = TaskSpec(TaskId(NodeId("owner", 1), number), KIND, b"")
    return Waiting(spec, cast(Any, None), cast(Any, None), None, None, Context())


def filled(count: int) -> tuple[TaskQueue, list[Waiting]]:
    queue, tasks = TaskQueue(), [task(number) for number in range(count)]
    for each in tasks:
        queue.append(each)
    return queue, tasks


def test_the_first_is_taken_first() -> None:
    queue, tasks = filled(3)

    taken = [queue.take_if(lambda each: True) for _ in range(4)]

    assert taken == [*tasks, None]


def test_what_is_taken_is_known_elsewhere_before_it_is_missed_here() -> None:
    queue, (first, second) = filled(2)
    seen: list[object] = []

    queue.take_if(lambda each: each is first, seen.append)
    queue.take_if(lambda each: each is first, seen.append)

    assert seen == [first]
    assert queue.all() == [second]


def test_one_that_does_not_fit_is_not_overtaken() -> None:
    queue, tasks = filled(3)

    assert queue.take_if(lambda each: each is tasks[1]) is None
    assert queue.all() == tasks


def test_one_that_was_taken_cannot_be_removed_and_one_that_was_removed_cannot_be_taken() -> None:
    queue, tasks = filled(2)
    queue.take_if(lambda each: True)

    assert not queue.remove(tasks[0])
    assert queue.remove(tasks[1])
    assert queue.take_if(lambda each: True) is None


def test_many_threads_that_take_at_once_have_each_of_them_once() -> None:
    queue, tasks = filled(2_000)
    taken: list[list[Waiting]] = [[] for _ in range(4)]

    def take(mine: list[Waiting]) -> None:
        while (each := queue.take_if(lambda each: True)) is not None:
            mine.append(each)

    threads = [threading.Thread(target=take, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [each.spec.task.number for mine in taken for each in mine]
    assert sorted(found) == [each.spec.task.number for each in tasks]
    assert all(mine == sorted(mine, key=lambda each: each.spec.task.number) for mine in taken)
