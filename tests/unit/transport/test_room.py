"""Tests of the room for what is received: it is what it should be, and grows with what comes."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from partisan_actors.transport import room
from partisan_actors.transport.large import Incoming
from partisan_actors.transport.room import AT_ONCE_BYTES, Room, room_for

STEP = 1000


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "AT_ONCE_BYTES", STEP)


def fill(made: Room, content: bytes) -> bytes | bytearray:
    filled = 0
    while True:
        filled, before = len(made.view), filled
        made.view[before:filled] = content[before:filled]
        if made.is_whole:
            return made.finish()
        made.grow()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("size", [1, 2, STEP - 1, STEP, STEP + 1, 2 * STEP, 33_333, 3_000_000])
@pytest.mark.usefixtures("small_steps")
def test_what_was_put_in_comes_out_however_often_it_had_to_grow(sign: int, size: int) -> None:
    content = random.Random(size).randbytes(size)

    made = fill(room_for(sign * size), content)

    assert type(made) is (bytearray if sign > 0 else bytes)
    assert made == content and hash(bytes(made)) == hash(content)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.usefixtures("small_steps")
def test_there_is_never_more_than_twice_of_what_has_come(sign: int) -> None:
    made = room_for(sign * 100_000)
    assert len(made.view) == STEP

    while not made.is_whole:
        before = len(made.view)
        made.grow()
        assert before < len(made.view) <= 2 * before
    assert len(made.view) == 100_000


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_finished_belongs_to_whoever_has_it_alone(sign: int) -> None:
    made = fill(room_for(sign * 5), b"hello")

    assert sys.getrefcount(made) == 2
    if isinstance(made, bytearray):
        made += b" world"  # there is no view that would forbid it


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux how much memory there is")
@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_given_up_is_given_back(sign: int) -> None:
    before = resident_bytes()
    for _ in range(100):
        made = room_for(sign * 10_000_000)
        made.view[:] = bytes(10_000_000)

    assert resident_bytes() - before < 100_000_000


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux how much memory there is")
def test_a_hundred_announcements_of_two_gigabytes_take_no_memory() -> None:
    before = resident_bytes()

    announced = [Incoming([], [sign * (2 << 30)]) for sign in (1, -1) for _ in range(50)]

    assert resident_bytes() - before < 20_000_000
    assert all(len(each.room(1 << 40)) == AT_ONCE_BYTES for each in announced)


def test_a_million_announced_buffers_take_no_room_before_they_come() -> None:
    incoming = Incoming([], [1] * 1_000_000)

    assert len(incoming._rooms) == 1 and incoming.missing == 1_000_000


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.usefixtures("small_steps")
def test_a_message_of_several_buffers_arrives_whatever_comes_again(seed: int) -> None:
    rng = random.Random(seed)
    sizes = [rng.choice((1, -1)) * rng.choice((1, 7, STEP, STEP + 1, 5 * STEP)) for _ in range(rng.randint(1, 6))]
    content = rng.randbytes(sum(map(abs, sizes)))
    incoming = Incoming(["message"], sizes)

    position = 0
    while incoming.missing:
        chunk = min(incoming.missing, rng.randint(1, 3000))
        incoming.copy(memoryview(content[position : position + chunk]))
        if incoming.missing and rng.random() < 0.4:
            lost = rng.randint(0, chunk)  # it did not arrive in whole
            incoming.rewind(lost)
            chunk -= lost
        position += chunk

    buffers = incoming.buffers
    assert b"".join(buffers) == content
    assert [len(each) * (1 if isinstance(each, bytearray) else -1) for each in buffers] == sizes


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
