"""`ray.LoggingConfig`: how a program and its processes log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from partisan_actors.compat.ray.absent import refuse

__all__ = ["LoggingConfig"]

_ENCODINGS: Final = ("TEXT", "JSON")


@dataclass
class LoggingConfig:
    """For ``ray.init(logging_config=...)``: records as text or JSON, with node, actor and trace, from `log_level` up.

    Raises ValueError for another encoding.
    """

    encoding: str = "TEXT"
    log_level: str = "INFO"
    additional_log_standard_attrs: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.encoding not in _ENCODINGS:
            raise ValueError(f"Invalid encoding type: {self.encoding}. Valid encoding types are: {list(_ENCODINGS)}")
        if self.additional_log_standard_attrs:
            refuse("additional_log_standard_attrs", "give a handler of yours a partisan_actors.LogFields filter")

    @property
    def format(self) -> str:
        """As `partisan_actors.init` takes it."""
        return self.encoding.lower()
