"""Actors and tasks for the tests of simulated clusters, in a module of their own as users have them."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import partisan_actors as pa
from partisan_actors.actors.context import current_system

# Actors and tasks are sent by value, so what they are to share with the test they reach through plain functions.
UNWOUND: list[str] = []
TRIES: list[str] = []


def here() -> str:
    system = current_system.get()
    assert system is not None
    return str(system.me.name)


def compute_for_ever() -> None:
    # As when somebody presses Ctrl-C now.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    while True:
        pass


def was_unwound(told: str) -> None:
    UNWOUND.append(told)


def was_tried() -> str:
    TRIES.append(here())
    return TRIES[-1]


@pa.actor(max_restarts=-1)
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.count = start

    async def add(self, amount: int) -> int:
        self.count += amount
        return self.count

    async def home(self) -> str:
        return here()

    def sleep(self, seconds: float) -> float:
        before = time.monotonic()
        time.sleep(seconds)
        return time.monotonic() - before

    def sleep_for_ever(self, told: str) -> None:
        try:
            time.sleep(1e9)
        finally:
            was_unwound(told)

    def compute_for_ever(self) -> None:
        compute_for_ever()

    async def fail(self) -> None:
        raise ZeroDivisionError("as it was asked")


@pa.task
def square(number: int) -> int:
    time.sleep(1.0)
    return number * number


@pa.task
def sum_of_squares(count: int) -> int:
    return sum(pa.get([square.remote(number) for number in range(count)]))


@pa.task(max_retries=5)
def outlive_nodes() -> str:
    name = was_tried()
    time.sleep(5.0)
    return name


async def add_until_done(counter: pa.ActorHandle[Counter], amount: int) -> int:
    """Try until an addition is acknowledged."""
    while True:
        try:
            return await counter.add.remote(amount)
        except pa.PartisanError:
            await asyncio.sleep(0.1)
