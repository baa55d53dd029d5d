"""Unix time from a clock that never goes back."""

from __future__ import annotations

from partisan_actors.telemetry.wall_clock import STEP_NS, WallClock


class Clocks:
    """A steady clock and a time of day, an offset apart."""

    def __init__(self, offset_ns: int) -> None:
        self.offset_ns = offset_ns
        self.steady_ns = 0

    def steady(self) -> int:
        return self.steady_ns

    def wall(self) -> int:
        return self.steady_ns + self.offset_ns


def test_adds_what_lies_between_the_two_clocks() -> None:
    clocks = Clocks(1_000_000_000_000)

    clock = WallClock(clocks.steady, clocks.wall)

    assert clock.to_unix_ns(5) == 1_000_000_000_005


def test_follows_a_step_of_the_time_of_day_when_told_to_look() -> None:
    clocks = Clocks(1_000_000_000_000)
    clock = WallClock(clocks.steady, clocks.wall)

    clocks.offset_ns += STEP_NS + 1
    before = clock.to_unix_ns(0)
    clock.follow_steps()

    assert before == 1_000_000_000_000
    assert clock.to_unix_ns(0) == 1_000_000_000_000 + STEP_NS + 1


def test_noise_between_the_clocks_does_not_shake_the_spans() -> None:
    clocks = Clocks(1_000_000_000_000)
    clock = WallClock(clocks.steady, clocks.wall)

    clocks.offset_ns -= STEP_NS
    clock.follow_steps()

    assert clock.to_unix_ns(0) == 1_000_000_000_000


def test_a_reading_torn_by_the_scheduler_is_not_believed() -> None:
    gaps = iter([50_000_000, 40_000_000, 100, 30_000_000, 60_000_000, 70_000_000, 80_000_000, 90_000_000])
    clocks = Clocks(1_000_000_000_000)

    def torn_wall() -> int:
        wall_ns = clocks.wall()
        clocks.steady_ns += next(gaps)  # time that passes before the steady clock is read again
        return wall_ns

    clock = WallClock(clocks.steady, torn_wall)

    assert abs(clock.to_unix_ns(0) - 1_000_000_000_000) <= 100
