"""What users' code finds in `time`, `random` and `uuid` while it is simulated, and afterwards."""

from __future__ import annotations

import random
import threading
import time
import uuid

import pytest

from partisan_actors.simulation.loop import Loops
from partisan_actors.simulation.users_time import EPOCH_NS, users_time


def test_all_clocks_tell_virtual_time_and_the_real_ones_come_back() -> None:
    loops = Loops()
    loops.run_for(2.5)
    before = time.time, time.sleep, uuid.uuid4

    with users_time(loops.time, random.Random(1)):
        assert time.time() == EPOCH_NS / 1e9 + 2.5
        assert time.time_ns() == EPOCH_NS + 2_500_000_000
        assert time.monotonic() == time.perf_counter() == 2.5
        assert time.monotonic_ns() == time.perf_counter_ns() == 2_500_000_000

    assert (time.time, time.sleep, uuid.uuid4) == before


def test_chance_goes_on_from_block_to_block_and_others_have_theirs_back() -> None:
    loops, chance, before = Loops(), random.Random(1), random.getstate()
    drawn = []
    for _ in range(2):
        with users_time(loops.time, chance):
            drawn += [random.random(), str(uuid.uuid4())]

    with users_time(loops.time, random.Random(1)):
        assert drawn == [random.random(), str(uuid.uuid4()), random.random(), str(uuid.uuid4())]
    assert random.getstate() == before
    assert uuid.UUID(str(drawn[1])).version == 4


def test_threads_that_are_not_simulated_keep_real_time() -> None:
    told: list[float] = []

    with users_time(Loops().time, random.Random(1)):
        thread = threading.Thread(target=lambda: told.append(time.time()))
        thread.start()
        thread.join()

    assert abs(told[0] - time.time()) < 60.0


def test_a_sleep_of_less_than_nothing_is_refused_as_by_python() -> None:
    with users_time(Loops().time, random.Random(1)), pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)
