"""Tests of what waits on a connection: how much, for how long, and that there is an end to it."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import Overloaded
from partisan_actors.transport.backlog import CLOGGED_BYTES, Backlog


class Clock:
    """A flusher whose time is set by hand."""

    now = 100.0

    def time(self) -> float:
        return self.now


class Slow(Backlog):
    """A connection whose peer does not read."""

    def __init__(self, queue_bytes_max: int = 10 * CLOGGED_BYTES) -> None:
        self.peer = "b"
        self.is_paused = True
        self.queue_bytes_max = queue_bytes_max
        self.clock = Clock()
        self._flusher: Any = self.clock
        self._out: list[Any] = []
        self._queued = 0

    def send(self, size: int) -> None:
        self._admit(size)
        self._out.append(bytes(size))


def test_what_waits_is_counted_and_the_first_message_says_for_how_long() -> None:
    connection = Slow()
    connection.send(10)
    connection.clock.now += 2.5
    connection.send(5)

    assert connection.backlog == (2, 15)
    assert connection.oldest_wait_s == 2.5


def test_while_the_peer_keeps_up_nothing_waits() -> None:
    connection = Slow()
    connection.send(10)
    connection.is_paused = False

    assert connection.backlog == (0, 0) and connection.oldest_wait_s == 0.0


def test_what_waits_again_waits_from_then_on() -> None:
    connection = Slow()
    connection.send(10)
    connection._out, connection._queued = [], 0  # all of it was written
    connection.clock.now += 60
    connection.send(1)
    connection.clock.now += 1

    assert connection.oldest_wait_s == 1.0


def test_there_is_a_bound_and_what_was_refused_does_not_count() -> None:
    connection = Slow(queue_bytes_max=20)
    connection.send(15)

    with pytest.raises(Overloaded):
        connection.send(6)

    assert connection.backlog == (1, 15)
    connection.send(5)


def test_from_some_size_on_those_who_can_wait_should() -> None:
    connection = Slow()
    connection.send(CLOGGED_BYTES)
    assert not connection.is_clogged

    connection.send(1)

    assert connection.is_clogged
