"""How a process writes what it logs: as Python does, as text with the fields of `log_fields`, or as JSON."""

from __future__ import annotations

import logging
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass

__all__ = ["FORMATS", "LINE", "LOG_LINE", "LogChoice", "chosen_format", "chosen_line"]

JSON: Final = "json"
TEXT: Final = "text"
FORMATS: Final = (TEXT, JSON)
# What `logging` writes of a record where no format was chosen: in processes that a program starts, whose lines say by
# which of them they are; and in the nodes of `partisan start`, whose output is a log.
LINE: Final = "%(message)s"
LOG_LINE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True)
class LogChoice:
    """The least level that is written, and the format: one of FORMATS, or None for `line`, as `logging` has it.

    Raises ConfigError for another one.
    """

    level: str = "WARNING"
    format: str | None = None
    line: str = LINE

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise ConfigError("logging", self.format, f"None or one of {', '.join(map(repr, FORMATS))}")

    def plain(self) -> dict[str, Any]:
        """As the settings of a worker."""
        return {"log_level": self.level, "log_format": self.format, "log_line": self.line}

    @classmethod
    def of_settings(cls, settings: dict[str, Any]) -> LogChoice:
        """The inverse of `plain`."""
        return cls(settings.get("log_level", "WARNING"), settings.get("log_format"), settings.get("log_line", LINE))

    def use(self, *, anew: bool = False) -> None:
        """In a process of ours: log to stderr so.

        A process that has handlers keeps them, unless it is to begin `anew`.
        """
        if self.format is None:
            logging.basicConfig(level=self.level, format=self.line, force=anew)
        else:
            logging.basicConfig(level=self.level, handlers=[self._handler()], force=anew)

    def begin(self) -> None:
        """In a program's process: if a format was chosen, log to stderr so, and no other way, until `end`."""
        root = logging.getLogger()
        if self.format is not None and _before.get(root) is None:
            _before[root] = list(root.handlers), root.level
            root.handlers[:] = [self._handler()]
            root.setLevel(self.level)

    def end(self) -> None:
        """Log as before `begin`. May be called twice."""
        root = logging.getLogger()
        before = _before.pop(root, None) if self.format is not None else None
        if before is not None:
            handlers, level = before
            root.handlers[:] = handlers
            root.setLevel(level)

    def _handler(self) -> logging.Handler:
        from partisan_actors.api.log_fields import JsonFormatter, LogFields, TextFormatter  # few programs choose

        handler = logging.StreamHandler()
        handler.addFilter(LogFields())
        handler.setFormatter(JsonFormatter() if self.format == JSON else TextFormatter())
        return handler


# What the root logger had before a session chose a format: sessions are one at a time.
_before: Final[dict[logging.Logger, tuple[list[logging.Handler], int]]] = {}


def chosen_format() -> str | None:
    """The format that this process logs in, if it was chosen: processes that it starts log alike."""
    from partisan_actors.api.log_fields import JsonFormatter, TextFormatter

    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    kinds = ((JSON, JsonFormatter), (TEXT, TextFormatter))
    return next((name for name, kind in kinds if any(isinstance(each, kind) for each in formatters)), None)


def chosen_line() -> str:
    """LOG_LINE where this process logs so; LINE otherwise."""
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    return LOG_LINE if any(getattr(each, "_fmt", None) == LOG_LINE for each in formatters) else LINE
