"""Tests of connections that have not shaken hands: how many there may be, for how long, and who has to go."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from partisan_actors.node.half_open import HALF_OPEN_MAX, SHARE_EVICTED, HalfOpen, half_open_max
from tests.nodes import until


class Guest:
    """A connection as far as this looks at it."""

    def __init__(self, host: str | None = "10.0.0.1", *, has_said_hello: bool = False) -> None:
        self.remote_address = None if host is None else (host, 1)
        self.handshake = SimpleNamespace(peer="somebody" if has_said_hello else None)
        self.error: BaseException | None = None

    def abort(self, reason: BaseException) -> None:
        self.error = reason


def house(most: int, within_s: float = 1000.0) -> Any:
    return HalfOpen(asyncio.get_running_loop(), most, within_s)


def full(most: int, guests: list[Guest]) -> Any:
    own = house(most)
    for guest in guests:
        own.add(guest)
    return own


async def test_below_the_bound_everybody_stays() -> None:
    guests = [Guest() for _ in range(10)]

    own = full(10, guests)

    assert len(own) == 10 and not any(guest.error for guest in guests)


async def test_at_the_bound_the_oldest_go() -> None:
    guests = [Guest() for _ in range(64)]
    own = full(64, guests)

    own.add(last := Guest())

    gone = [guest for guest in guests if guest.error]
    assert gone == guests[: 64 // SHARE_EVICTED] and "have not shaken hands" in str(gone[0].error)
    assert last.error is None and len(own) == 64 - len(gone) + 1


async def test_who_has_said_hello_goes_last() -> None:
    honest = [Guest(has_said_hello=True) for _ in range(60)]
    silent = [Guest() for _ in range(4)]
    own = full(64, [*honest, *silent])

    for _ in range(5):
        own.add(Guest())

    assert all(guest.error for guest in silent) and not any(guest.error for guest in honest)


async def test_a_host_with_many_keeps_no_other_host_out() -> None:
    alone = Guest("10.0.0.2")
    own = full(64, [alone, *(Guest() for _ in range(63))])

    for _ in range(10_000):
        own.add(Guest())

    assert alone.error is None and len(own) <= 64


async def test_those_that_cannot_be_aborted_yet_stay() -> None:
    new = [Guest(None) for _ in range(40)]
    old = [Guest() for _ in range(24)]
    own = full(64, [*new, *old])

    own.add(Guest())

    assert old[0].error is not None and not any(guest.error for guest in new)


async def test_who_opens_or_goes_leaves_no_timer_behind() -> None:
    own = house(8, within_s=0.03)
    own.add(opened := Guest())
    own.discard(opened)
    own.discard(opened)
    own.add(late := Guest())

    await until(lambda: late.error, "whoever says nothing in time has to go")

    assert "no handshake within 0.03 s" in str(late.error) and opened.error is None and len(own) == 0


def test_a_process_with_few_descriptors_keeps_half_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    def limit(soft: int) -> int:
        monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, resource.RLIM_INFINITY))
        return half_open_max()

    assert [limit(soft) for soft in (256, 1024, 10**6, resource.RLIM_INFINITY)] == [128, 512, *[HALF_OPEN_MAX] * 2]
