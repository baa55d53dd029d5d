"""Lanes over real sockets whose connections are reset under load: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

import partisan_actors as pa
from tests.integration.programs import wait_until

IN_FLIGHT = 2000
RESET = struct.pack("ii", 1, 0)  # what SO_LINGER takes: the connection is reset, and what waits to be read is gone


@pa.actor
class Counter:
    """Writes down how often it was called, and whether each call came after the one before."""

    def __init__(self) -> None:
        self.calls = 0
        self.disorder = 0

    async def count(self, number: int) -> int:
        self.disorder += number != self.calls
        self.calls += 1
        return number

    async def seen(self) -> tuple[int, int]:
        return self.calls, self.disorder


class Saboteur:
    """Breaks the connections of a node that carry calls. `hits` counts how many it broke."""

    def __init__(self, session: pa.Session) -> None:
        self._node = session.runtime.node
        seed = random.randrange(2**32)
        print(f"seed {seed}")
        self._rng = random.Random(seed)
        self.hits = 0

    def reset(self) -> None:
        """Break each of them, those that are broken already when they are whole again."""
        self._node.loop.call_soon_threadsafe(self._reset)

    @property
    def resumed(self) -> int:
        return self._node.sessions.resumed

    def _reset(self) -> None:
        calls = [peer.calls for peer in self._node.router.peers.values() if peer.calls is not None]
        transports: list[Any] = [connection._transport for connection in calls]
        if any(transport is None or transport.is_closing() for transport in transports):
            self._node.loop.call_later(0.001, self._reset)
            return
        for connection, transport in zip(calls, transports, strict=True):
            sock = transport.get_extra_info("socket")
            if self._rng.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.cut(ConnectionResetError("the test has reset it"))
            else:
                # Half of it, or both; each side finds out by itself, and what is under way may be lost.
                with socket.socket(fileno=os.dup(sock.fileno())) as same:  # uvloop's own cannot do that
                    try:
                        same.shutdown(self._rng.choice((socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR)))
                    except OSError:  # the other side was quicker
                        self._node.loop.call_later(0.001, self._reset)
                        return
            self.hits += 1


@pytest.fixture
def session() -> Iterator[pa.Session]:
    with pa.init(workers=1) as session:
        yield session


@pytest.fixture
def patient_session() -> Iterator[pa.Session]:
    """Its lanes wait longer for another connection than the test may take."""
    with pa.init(workers=1, session_resume_s=1000.0) as session:
        yield session


def _call_under_resets(session: pa.Session, calls: int, resets: int) -> None:
    saboteur = Saboteur(session)
    counter = Counter.remote()
    assert pa.get(counter.seen.remote()) == (0, 0)
    every, done = calls // (resets + 1), 0

    async def call_all() -> int:
        nonlocal done
        wrong = 0
        for start in range(0, calls, IN_FLIGHT):
            numbers = range(start, min(start + IN_FLIGHT, calls))
            refs = []
            for number in numbers:
                if number % every == every - 1 and number // every < resets:
                    saboteur.reset()
                    await asyncio.sleep(0)  # the calls before are on their way, those behind are not
                refs.append(counter.count.remote(number))
            answers = await asyncio.gather(*refs)
            wrong += sum(answer != number for answer, number in zip(answers, numbers, strict=True))
            done += len(answers)
        return wrong

    wrong = asyncio.run(call_all())

    assert (wrong, done) == (0, calls)
    assert pa.get(counter.seen.remote()) == (calls, 0)
    wait_until(lambda: saboteur.hits == resets, f"{resets} connections to be broken, {saboteur.hits} were")
    wait_until(lambda: saboteur.resumed >= resets, f"{resets} connections to be replaced, {saboteur.resumed} were")


def test_twenty_thousand_calls_over_twenty_resets_each_run_once_and_in_order(session: pa.Session) -> None:
    _call_under_resets(session, 20_000, 20)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_calls_over_a_hundred_resets_each_run_once_and_in_order(session: pa.Session) -> None:
    _call_under_resets(session, 1_000_000, 100)


def test_large_arguments_and_results_of_several_threads_survive_resets(session: pa.Session) -> None:
    @pa.actor
    class Echo:
        def same(self, data: bytes) -> bytes:
            return data

    saboteur = Saboteur(session)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            echo, rng = Echo.remote(), random.Random(seed)
            for _ in range(8):
                data = rng.randbytes(rng.choice((10, 100_000, 3_000_000)))
                ref = echo.same.remote(data)
                saboteur.reset()
                assert pa.get(ref, timeout=90) == data
        except BaseException as error:  # noqa: BLE001 - shown by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert saboteur.resumed > 0


def test_calls_to_a_process_that_stands_still_for_a_while_all_run(session: pa.Session) -> None:
    counter = Counter.remote()
    pa.get(counter.seen.remote())
    worker = psutil.Process(session.worker_pids[0])
    worker.suspend()
    try:
        refs = [counter.count.remote(number) for number in range(5000)]
        time.sleep(1.0)  # as long as it stands still; far less than what makes it down
        assert not refs[-1].done()
    finally:
        worker.resume()

    assert pa.get(refs, timeout=90) == list(range(5000))
    assert pa.get(counter.seen.remote()) == (5000, 0)


def test_a_process_that_is_killed_is_noticed_long_before_its_lanes_are_given_up(patient_session: pa.Session) -> None:
    counter = Counter.remote()
    pa.get(counter.seen.remote())
    worker = psutil.Process(patient_session.worker_pids[0])
    worker.suspend()  # so that the calls are in flight
    refs = [counter.count.remote(number) for number in range(100)]

    worker.kill()

    for ref in refs:
        with pytest.raises((pa.ActorUnavailable, pa.NodeDown, pa.ActorStopped)):
            pa.get(ref, timeout=90)
