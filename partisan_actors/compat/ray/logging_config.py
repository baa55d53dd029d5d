"""`ray.LoggingConfig`: how a program and its processes log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

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

    def to_dict(self) -> dict[str, Any]:
        """Its fields, as a map."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> LoggingConfig:
        """The inverse of `to_dict`; other keys are not looked at."""
        return cls(**{name: value for name, value in d.items() if name in cls.__dataclass_fields__})

    @property
    def format(self) -> str:
        """As `partisan_actors.init` takes it."""
        return self.encoding.lower()
