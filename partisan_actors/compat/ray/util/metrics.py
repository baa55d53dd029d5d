"""`ray.util.metrics`: the instruments of `partisan_actors.metrics`, whose tags are checked as Ray checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from partisan_actors.api import metrics as ours

__all__ = ["Counter", "Gauge", "Histogram"]

Tags = Mapping[str, str] | None


class _Tagged:
    """What the three have in common: `info` is that of the native instrument."""

    _instrument: Any

    @property
    def info(self) -> dict[str, Any]:
        """Its name and description, the keys of its tags, and their defaults."""
        about: dict[str, Any] = self._instrument.info
        return about

    def set_default_tags(self, default_tags: Mapping[str, str]) -> Self:
        """Give tags values for where none is given; returns the instrument. Raises ValueError for other keys."""
        _check_texts(default_tags)
        self._instrument.set_default_tags(default_tags)
        return self

    def _tags(self, value: object, tags: Tags) -> dict[str, str]:
        """Those that the instrument has, of what is given. Raises ValueError where one lacks, TypeError."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"value must be int or float, got {type(value)}.")
        _check_texts(tags or {})
        about = self.info
        known = {**about["default_tags"], **(tags or {})}
        missing = [key for key in about["tag_keys"] if key not in known]
        if missing:
            raise ValueError(f"Missing value for tag key(s): {','.join(missing)}.")
        return {key: known[key] for key in about["tag_keys"]}


class Counter(_Tagged):
    """Counts what happens."""

    def __init__(self, name: str, description: str = "", tag_keys: Sequence[str] | None = None) -> None:
        """Raises ValueError for what is no name, TypeError for keys that are none."""
        self._instrument = ours.Counter(name, description, _keys(tag_keys))

    def inc(self, value: float = 1.0, tags: Tags = None) -> None:
        """Count `value` more. Raises ValueError for what is not above 0."""
        self._instrument.inc(value, self._tags(value, tags))


class Gauge(_Tagged):
    """Says how much there is of something now."""

    def __init__(self, name: str, description: str = "", tag_keys: Sequence[str] | None = None) -> None:
        """Raises as `Counter` does."""
        self._instrument = ours.Gauge(name, description, _keys(tag_keys))

    def set(self, value: float, tags: Tags = None) -> None:
        """It is `value` now."""
        self._instrument.set(value, self._tags(value, tags))


class Histogram(_Tagged):
    """Says how values are spread."""

    def __init__(
        self,
        name: str,
        description: str = "",
        boundaries: Sequence[float] | None = None,
        tag_keys: Sequence[str] | None = None,
    ) -> None:
        """Raises as `Counter` does, and ValueError for boundaries that are not above 0 and in order, or left out."""
        if not boundaries or any(boundary <= 0 for boundary in boundaries):
            raise ValueError(f"boundaries must be numbers above 0, in order, and not {boundaries!r}.")
        self._instrument = ours.Histogram(name, description, boundaries, _keys(tag_keys))

    def observe(self, value: float, tags: Tags = None) -> None:
        """One more value."""
        self._instrument.observe(value, self._tags(value, tags))


def _keys(tag_keys: Sequence[str] | None) -> tuple[str, ...]:
    if tag_keys is None:
        return ()
    if not isinstance(tag_keys, list | tuple) or not all(isinstance(key, str) for key in tag_keys):
        raise TypeError(f"tag_keys must be a tuple of texts, got {tag_keys!r}.")
    return tuple(tag_keys)


def _check_texts(tags: Mapping[str, str]) -> None:
    for value in tags.values():
        if not isinstance(value, str):
            raise TypeError(f"Tag values must be str, got {type(value)}.")
