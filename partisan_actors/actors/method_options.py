"""`MethodOptions`: what a method, or one call of it, says about calls: results, group, and what is tried again."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass

__all__ = ["DYNAMIC", "MARK", "PLAIN", "STREAMING", "STREAM_AHEAD", "MethodOptions", "check_count"]

STREAMING: Final = "streaming"
DYNAMIC: Final = "dynamic"
RETURNS_MAX: Final = 10_000
# How many items a generator may be ahead of its consumer, unless it says something else.
STREAM_AHEAD: Final = 1000

# Where a function keeps what `method` was told.
MARK: Final = "__partisan_method__"


@dataclass(frozen=True, slots=True)
class MethodOptions:
    """Each is None where nothing was said, and then what stands below holds: the method's, the actor's, the default.

    `num_returns` is how many refs a call gives: 0 for None, n for a list of n; for generators also "streaming" (their
    default) and "dynamic", one ref to a list of refs. `max_task_retries` (-1: without limit) further attempts are made
    when a call is lost with its actor's node; with `retry_exceptions` True, or exception classes, also when the method
    raises. `generator_backpressure` is how many items a generator may be ahead of whoever takes them.
    """

    num_returns: int | str | None = None
    concurrency_group: str | None = None
    max_task_retries: int | None = None
    retry_exceptions: bool | tuple[type[BaseException], ...] | None = None
    generator_backpressure: int | None = None

    @classmethod
    def of(cls, given: dict[str, Any]) -> MethodOptions:
        """Check them. Raises ConfigError."""
        exceptions = given.get("retry_exceptions")
        if isinstance(exceptions, list):
            given = {**given, "retry_exceptions": tuple(exceptions)}
        made = cls(**given)
        made.check()
        return made

    def check(self) -> None:
        """Raises ConfigError for what makes no sense."""
        returns = self.num_returns
        if returns not in (None, STREAMING, DYNAMIC):
            check_count("num_returns", returns, 0, RETURNS_MAX, ', or "streaming" or "dynamic" for a generator')
        group = self.concurrency_group
        if group is not None and not (isinstance(group, str) and group):
            raise ConfigError("concurrency_group", group, "the name of one of the actor's concurrency_groups")
        retries = self.max_task_retries
        if retries is not None and (isinstance(retries, bool) or not isinstance(retries, int) or retries < -1):
            raise ConfigError("max_task_retries", retries, "a whole number, or -1 for no limit")
        kinds = self.retry_exceptions
        is_classes = isinstance(kinds, tuple) and all(
            isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds
        )
        if kinds is not None and not isinstance(kinds, bool) and not is_classes:
            raise ConfigError("retry_exceptions", kinds, "True, False, or a list of exception classes")
        if self.generator_backpressure is not None:
            check_count("generator_backpressure", self.generator_backpressure, 1, 1_000_000)

    def over(self, below: MethodOptions) -> MethodOptions:
        """These, and `below` where they say nothing."""
        names = [each.name for each in fields(self)]
        own = {name: getattr(self, name) for name in names}
        return MethodOptions(**{name: getattr(below, name) if own[name] is None else own[name] for name in names})

    def check_for(self, where: str, is_generator: bool) -> None:
        """Raises ConfigError for what does not fit the method."""
        if is_generator:
            return
        if self.num_returns in (STREAMING, DYNAMIC):
            raise ConfigError(f"num_returns of {where}", self.num_returns, "a whole number, as it is no generator")
        if self.generator_backpressure is not None:
            raise ConfigError(
                f"generator_backpressure of {where}", self.generator_backpressure, "nothing, as it is no generator"
            )


# Nothing said.
PLAIN: Final = MethodOptions()


def check_count(field: str, value: Any, least: int, most: int, more: str = "") -> None:
    """Raises ConfigError for what is no whole number between them."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(field, value, f"a whole number from {least} to {most}{more}")
