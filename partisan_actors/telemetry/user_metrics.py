"""What one node has recorded with the instruments of users: series of values, by name and tags, all of it bounded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.meters import OTHERS
from partisan_actors.telemetry.metrics import HISTOGRAM, Point

__all__ = ["INSTRUMENTS_MAX", "NODE_SERIES_MAX", "SERIES_MAX", "Tags", "UserMetrics"]

logger = logging.getLogger(__name__)

# Instruments of a node, series of each (one for each combination of tags), and series of all of them.
INSTRUMENTS_MAX: Final = 500
SERIES_MAX: Final = 1000
NODE_SERIES_MAX: Final = 10_000

Tags = tuple[tuple[str, str], ...]


class _Instrument:
    def __init__(self, about: dict[str, Any], bounds: tuple[float, ...]) -> None:
        self.about = about
        self.bounds = bounds
        # A number each, or of a histogram the counts of its buckets and the sum.
        self.series: dict[Tags, Any] = {}


class UserMetrics:
    """From any thread."""

    def __init__(self) -> None:
        self._instruments: dict[str, _Instrument] = {}
        self._series = 0
        self._lock = threading.Lock()
        self._is_full = False

    def record(
        self, about: dict[str, Any], bounds: tuple[float, ...], tags: Tags, change: Callable[[Any], Any]
    ) -> None:
        """Let `change` make the new value of a series, of the old one or None.

        `about` is the instrument's name, type, unit and description. Raises ConfigError when there is another one of
        that name. Beyond the bounds, what has new tags is one series whose tags are all OTHERS, and new instruments are
        not recorded, which is logged once.
        """
        with self._lock:
            instrument = self._instruments.get(about["name"]) or self._made(about, bounds)
            if instrument is None:
                return
            if instrument.about["type"] != about["type"] or instrument.bounds != bounds:
                there = instrument.about["type"]
                raise ConfigError("name", about["name"], f"a name of its own: there is a {there} of that name already")
            series = instrument.series
            if tags not in series:
                if len(series) < SERIES_MAX and self._series < NODE_SERIES_MAX:
                    self._series += 1
                else:
                    tags = tuple((key, OTHERS) for key, _ in tags)
            series[tags] = change(series.get(tags))

    def _made(self, about: dict[str, Any], bounds: tuple[float, ...]) -> _Instrument | None:
        if len(self._instruments) < INSTRUMENTS_MAX:
            made = self._instruments[about["name"]] = _Instrument(about, bounds)
            return made
        if not self._is_full:
            self._is_full = True
            logger.warning("there are %d metrics of users; %s is not recorded", INSTRUMENTS_MAX, about["name"])
        return None

    def points(self) -> list[Point]:
        """What was recorded, as points like those of our own metrics."""
        points: list[Point] = []
        with self._lock:
            for instrument in self._instruments.values():
                for tags, value in instrument.series.items():
                    point: Point = {**instrument.about, "attributes": dict(tags)}
                    if instrument.about["type"] == HISTOGRAM:
                        buckets, total = list(value[0]), value[1]
                        bounds = list(instrument.bounds)
                        point |= {"count": sum(buckets), "sum": total, "bounds": bounds, "buckets": buckets}
                    else:
                        point["value"] = value
                    points.append(point)
        return points
