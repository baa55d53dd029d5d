"""What came of the experiments: one record a repetition, the raw CSV, and medians with their spread. Pure."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from partisan_actors.cli.bench.paper.plan import Setting

__all__ = ["COLUMNS", "Point", "Record", "points", "to_csv"]

# The first eleven are those of the original's result files, so that one tool reads both.
COLUMNS: Final = (
    "App", "Transport", "Concurrency", "Channels", "Monotonic", "Parallelism", "Affinity", "Size", "Num", "Latency",
    "Time", "Configuration", "Window", "Repetition", "MedianLatencyUs", "P99LatencyUs", "OpsPerSecond",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """One repetition: how long each message or operation took, in seconds, and how long all of it took."""

    experiment: str
    setting: Setting
    repetition: int
    took: Sequence[float]
    seconds: float

    @property
    def median_s(self) -> float:
        """The median of the messages' times."""
        return statistics.median(self.took)

    @property
    def p99_s(self) -> float:
        """What 99 of 100 messages did not exceed."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]

    @property
    def per_second(self) -> float:
        """Operations a second, of all actors together."""
        return len(self.took) / self.seconds

    def row(self) -> list[object]:
        """The values of COLUMNS."""
        setting, how = self.setting, self.setting.configuration
        return [
            self.experiment, "partisan_actors", setting.actors, how.channels, False, how.lanes, how.key == "sender",
            setting.size, len(self.took), setting.wire.round_trip_ms, round(self.seconds * 1e6), how.name,
            setting.wire.window_bytes, self.repetition, round(self.median_s * 1e6), round(self.p99_s * 1e6),
            round(self.per_second, 3),
        ]  # fmt: skip


def to_csv(records: Iterable[Record]) -> str:
    """A line for each repetition, under COLUMNS."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(record.row() for record in records)
    return text.getvalue()


@dataclass(frozen=True, slots=True)
class Point:
    """All repetitions of one setting: the median of their medians, and the lowest and highest of them."""

    experiment: str
    setting: Setting
    repetitions: int
    median_s: float
    lowest_s: float
    highest_s: float
    p99_s: float
    per_second: float
    fewest_per_second: float
    most_per_second: float


def points(records: Iterable[Record]) -> list[Point]:
    """One point for each setting, in the order in which they came first."""
    by_setting: dict[tuple[str, Setting], list[Record]] = {}
    for record in records:
        by_setting.setdefault((record.experiment, record.setting), []).append(record)
    found = []
    for (experiment, setting), same in by_setting.items():
        medians = [record.median_s for record in same]
        rates = [record.per_second for record in same]
        found.append(
            Point(
                experiment=experiment,
                setting=setting,
                repetitions=len(same),
                median_s=statistics.median(medians),
                lowest_s=min(medians),
                highest_s=max(medians),
                p99_s=statistics.median(record.p99_s for record in same),
                per_second=statistics.median(rates),
                fewest_per_second=min(rates),
                most_per_second=max(rates),
            )
        )
    return found
