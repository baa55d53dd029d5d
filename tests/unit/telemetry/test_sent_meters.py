"""Meters of what is sent: each of few, some of many, and how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from partisan_actors.errors import CallTimeout, TaskFailed
from partisan_actors.telemetry import sent_meters as module
from partisan_actors.telemetry.meters import OTHERS, QUIET_NS, TIMED_EVERY_NS
from partisan_actors.telemetry.sent_meters import BURST, SentMeters


class Reply:
    """A future that is told how it ends."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.waiters: list[Callable[[], object]] = []

    @property
    def failure(self) -> BaseException | None:
        return self.error

    def add_waiter(self, waiter: Callable[[], object]) -> None:
        self.waiters.append(waiter)

    def end(self, error: BaseException | None = None) -> None:
        self.error = error
        for waiter in self.waiters:
            waiter()


class Node:
    """A caller with a clock, which does what `Outbound` does before a call."""

    def __init__(self) -> None:
        self.now = 10**9
        self.sent = SentMeters(lambda: self.now)
        self.number = 0

    def call(self, method: str, took_ns: int = 0, error: BaseException | None = None) -> bool:
        """Whether it was timed."""
        self.number += 1
        reply = Reply()
        if self.number >= self.sent.due:
            self.sent.call(self.number, "Bank", method, reply)
        self.now += took_ns
        reply.end(error)
        return bool(reply.waiters)

    def tell(self, method: str) -> None:
        if self.sent.tells_left > 0:
            self.sent.tells_left -= 1
        else:
            self.sent.tell("Bank", method)

    def counts(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for _, method, _, _, plain in self.sent.durations():
            found[method] += plain["count"]
        return found


@pytest.fixture
def node() -> Node:
    return Node()


def test_of_calls_that_are_seldom_each_is_timed(node: Node) -> None:
    for _ in range(50):
        assert node.call("pay", took_ns=2 * TIMED_EVERY_NS)

    ((class_name, method, status, error, took),) = node.sent.durations()
    assert (class_name, method, status, error) == ("Bank", "pay", "OK", None)
    assert (took["count"], took["sum"]) == (50, pytest.approx(50 * 2 * TIMED_EVERY_NS / 1e9))


def test_of_a_few_at_once_each_is_timed_too(node: Node) -> None:
    assert all(node.call("pay") for _ in range(BURST))
    for _ in range(BURST):
        node.tell("note")

    assert node.counts()["pay"] == BURST
    assert [count for _, _, count in node.sent.told()] == [BURST]


def test_of_many_calls_some_stand_for_the_others_by_whichever_method_they_are(node: Node) -> None:
    timed = 0
    for turn in range(200_000):
        timed += node.call(("pay", "note")[turn % 2], took_ns=TIMED_EVERY_NS // 50)

    found = node.counts()
    assert timed < 200_000 / 20
    for method in ("pay", "note"):
        assert found[method] == pytest.approx(100_000, rel=0.1)


def test_numbers_that_others_take_change_nothing(node: Node) -> None:
    for _ in range(100_000):
        node.number += 2
        node.call("pay", took_ns=TIMED_EVERY_NS // 50)

    assert node.counts()["pay"] == pytest.approx(100_000, rel=0.2)


def test_failures_are_told_apart_by_how_the_caller_saw_them(node: Node) -> None:
    refused = TaskFailed.of(ValueError("no"), "Bank.pay", "")
    ends: list[BaseException | None] = [None, CallTimeout("a call", 1.0), refused, refused]
    for end in ends:
        node.call("pay", TIMED_EVERY_NS, end)

    assert {(status, error): took["count"] for _, _, status, error, took in node.sent.durations()} == {
        ("OK", None): 1,
        ("TIMEOUT", "TIMEOUT"): 1,
        ("APPLICATION_ERROR", "ValueError"): 2,
    }


def test_tells_are_counted_and_tasks_timed_in_the_same_way(node: Node) -> None:
    for _ in range(50_000):
        node.now += TIMED_EVERY_NS // 20
        node.tell("note")
        reply = Reply()
        node.sent.task("work", reply)
        reply.end()

    ((class_name, method, count),) = node.sent.told()
    assert (class_name, method) == ("Bank", "note") and count == pytest.approx(50_000, rel=0.1)
    assert node.counts()["work"] == pytest.approx(50_000, rel=0.1)


def test_after_a_rest_the_next_one_is_timed(node: Node) -> None:
    for _ in range(5_000):
        node.call("pay", took_ns=TIMED_EVERY_NS // 100)
        node.tell("note")
    node.now += QUIET_NS

    node.sent.rest()

    assert node.call("late") and node.counts()["late"] == 1
    before = {method: count for _, method, count in node.sent.told()}["note"]
    node.tell("note")
    assert {method: count for _, method, count in node.sent.told()}["note"] == before + 1


def test_of_very_many_methods_the_later_ones_are_one(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "METHODS_MAX", 2)

    for number in range(5):
        node.call(f"m{number}", TIMED_EVERY_NS)
        node.tell(f"m{number}")

    assert node.counts() == {"m0": 1, "m1": 1, OTHERS: 3}
    assert len(list(node.sent.told())) == 3
