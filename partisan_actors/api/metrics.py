"""Counters, gauges and histograms of users' own, told together with ours by the node whose code uses them.

Make them where you like, also at the top of a module. What is recorded belongs to the node that the running code
belongs to; in a program that has no session yet, nothing is recorded. All instruments of one name are the same one.
How many there may be, of a node and of a name, is on the page Metrics.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from partisan_actors.actors.context import current_system
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.histogram import BOUNDS_S
from partisan_actors.telemetry.metrics import COUNTER, GAUGE, HISTOGRAM
from partisan_actors.telemetry.user_metrics import Tags, UserMetrics

__all__ = ["Counter", "Gauge", "Histogram", "metrics"]

# `partisan_actors.metrics` is this module.
metrics = sys.modules[__name__]

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]{0,199}")
_OURS: Final = ("partisan", "process", "rpc", "messaging")


class _Instrument:
    _kind: str

    def __init__(
        self, name: str, description: str, tag_keys: Sequence[str] | None, unit: str, bounds: tuple[float, ...]
    ) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError("name", name, "letters, digits, underscores and dots, a letter or underscore first")
        if re.split(r"[._]", name)[0] in _OURS:
            raise ConfigError("name", name, f"one that does not begin with {', '.join(_OURS)}: those are taken")
        if isinstance(tag_keys, str) or not all(isinstance(key, str) and key for key in tag_keys or ()):
            raise ConfigError("tag_keys", tag_keys, "a sequence of texts")
        self._about = {"name": name, "type": self._kind, "unit": unit, "description": description}
        self._bounds = bounds
        self._keys = tuple(tag_keys or ())
        self._default: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._about['name']}>"

    @property
    def info(self) -> dict[str, Any]:
        """Its name and description, the keys of its tags, and their defaults."""
        about = {key: self._about[key] for key in ("name", "description")}
        return {**about, "tag_keys": self._keys, "default_tags": dict(self._default)}

    def set_default_tags(self, tags: Mapping[str, str]) -> None:
        """Give tags the values that they have when none is given. Raises ConfigError for keys that it does not have."""
        self._default = dict(self._checked(tags))

    def _checked(self, tags: Mapping[str, str]) -> Mapping[str, str]:
        for key, value in tags.items():
            if key not in self._keys:
                raise ConfigError("tags", key, f"keys of {self!r}: {', '.join(self._keys) or 'it has none'}")
            if not isinstance(value, str):
                raise ConfigError(f"tags[{key!r}]", value, "a text")
        return tags

    def _record(self, tags: Mapping[str, str] | None, change: Callable[[Any], Any]) -> None:
        given = {**self._default, **self._checked(tags)} if tags else self._default
        which: Tags = tuple((key, given.get(key, "")) for key in self._keys)
        system = current_system.get()
        if not isinstance(system, ActorSystem):
            if not session.is_initialized():
                return
            system = session.system()
        recorded: UserMetrics = system.extensions["user_metrics"]
        recorded.record(self._about, self._bounds, which, change)


class Counter(_Instrument):
    """Counts what happens: it only grows.

    Raises ConfigError, as the other two do, for a name that is none or is ours, and for keys of tags that are none.
    """

    _kind = COUNTER

    def __init__(
        self, name: str, description: str = "", tag_keys: Sequence[str] | None = None, *, unit: str = ""
    ) -> None:
        super().__init__(name, description, tag_keys, unit, ())

    def inc(self, value: float = 1.0, tags: Mapping[str, str] | None = None) -> None:
        """Count `value` more. Raises ConfigError for what is not above 0, and for tags that are not among the keys."""
        if not value > 0:
            raise ConfigError("value", value, "above 0: a counter only grows")
        self._record(tags, lambda before: (before or 0.0) + value)


class Gauge(_Instrument):
    """Says how much there is of something now."""

    _kind = GAUGE

    def __init__(
        self, name: str, description: str = "", tag_keys: Sequence[str] | None = None, *, unit: str = ""
    ) -> None:
        super().__init__(name, description, tag_keys, unit, ())

    def set(self, value: float, tags: Mapping[str, str] | None = None) -> None:
        """It is `value` now. Raises ConfigError for tags that are not among the keys."""
        self._record(tags, lambda before: float(value))


class Histogram(_Instrument):
    """Says how values are spread.

    `boundaries` are the upper ends of its buckets, each above the one before; left out, those of our own durations, in
    seconds.
    """

    _kind = HISTOGRAM

    def __init__(
        self,
        name: str,
        description: str = "",
        boundaries: Sequence[float] | None = None,
        tag_keys: Sequence[str] | None = None,
        *,
        unit: str = "",
    ) -> None:
        bounds = BOUNDS_S if boundaries is None else tuple(map(float, boundaries))
        if not bounds or any(one >= other for one, other in pairwise(bounds)):
            raise ConfigError("boundaries", boundaries, "numbers, each above the one before")
        super().__init__(name, description, tag_keys, unit, bounds)

    def observe(self, value: float, tags: Mapping[str, str] | None = None) -> None:
        """One more value. Raises ConfigError for tags that are not among the keys."""

        def change(before: Any) -> Any:
            buckets, total = before or ([0] * (len(self._bounds) + 1), 0.0)
            buckets[bisect_left(self._bounds, value)] += 1
            return buckets, total + value

        self._record(tags, change)
