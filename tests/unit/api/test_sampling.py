"""A profile: what threads are seen at, whose methods run, and the processor time they take."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import pytest

from partisan_actors.api import sampling
from partisan_actors.api.sampling import Sampler
from tests.integration.programs import wait_until

LONG_S = 60.0


class Works:
    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler

    def compute(self) -> None:
        while self.sampler.samples < 20 or time.thread_time() < 0.2:
            self.deeper()
        self.sampler.stop()

    def deeper(self) -> int:
        return sum(range(1000))


def profiled(sampler: Sampler) -> dict[str, Any]:
    """What was seen while one thread computed and another one waited."""
    over = threading.Event()
    threads = [
        threading.Thread(target=Works(sampler).compute, name="computes", daemon=True),
        threading.Thread(target=over.wait, args=(LONG_S,), name="waits", daemon=True),
    ]
    for each in threads:
        each.start()
    sampler.run(LONG_S)
    over.set()
    for each in threads:
        each.join(LONG_S)
    return sampler.plain()


def test_who_computes_is_told_from_who_waits_and_its_functions_stand_below_their_callers() -> None:
    told = profiled(Sampler(0.001))

    rows = {row["function"]: row for row in told["frames"]}
    computes, waits = rows["computes"], rows["waits"]
    assert computes["samples"] and waits["samples"] and told["samples"] >= 20
    method = rows["Works.compute"]
    assert method["is_users"] and method["file"] == __file__
    assert told["frames"][rows["Works.deeper"]["parent"]] == method
    for place, row in enumerate(told["frames"]):
        assert row["parent"] < place
        assert row["parent"] < 0 or row["samples"] <= told["frames"][row["parent"]]["samples"]
    if told["has_cpu"]:
        assert computes["cpu_s"] > waits["cpu_s"] and method["cpu_s"] <= computes["cpu_s"]


def test_only_some_code_is_looked_at_from_there_on() -> None:
    told = profiled(Sampler(0.001, [Works.compute.__code__]))

    assert [row["function"] for row in told["frames"]][:2] == ["all threads", "Works.compute"]
    assert all(row["parent"] >= 0 for row in told["frames"][1:])


def test_beyond_the_most_places_what_is_seen_counts_where_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "ROWS_MAX", 2)

    told = profiled(Sampler(0.001, [Works.compute.__code__]))

    assert len(told["frames"]) == 2 and told["frames"][1]["samples"] == told["frames"][0]["samples"]
    assert told["cut"] >= 1


def test_files_of_threads_that_have_ended_are_closed_and_all_are_in_the_end() -> None:
    clocks = sampling._Clocks()
    if not clocks.exist:
        pytest.skip("the system does not tell the processor time of threads")
    goes_on = threading.Event()
    brief = threading.Thread(target=goes_on.wait, args=(60,))
    brief.start()
    clocks.passed([brief, threading.current_thread()])
    assert set(clocks._files) == {brief.native_id, threading.get_native_id()}
    goes_on.set()
    brief.join()
    clocks.passed([threading.current_thread()])
    assert set(clocks._files) == {threading.get_native_id()}
    clocks.close()
    assert not clocks._files


def test_while_anybody_looks_threads_give_the_interpreter_away_sooner() -> None:
    usual = sys.getswitchinterval()
    samplers = [Sampler(0.001), Sampler(0.001)]
    threads = [threading.Thread(target=each.run, args=(LONG_S,), daemon=True) for each in samplers]
    for each in threads:
        each.start()
    wait_until(lambda: all(each.samples for each in samplers), "both look")

    within = sys.getswitchinterval()
    for sampler, thread in zip(samplers, threads, strict=True):
        sampler.stop()
        thread.join(LONG_S)

    assert within == pytest.approx(sampling.SWITCH_S) and sys.getswitchinterval() == usual
