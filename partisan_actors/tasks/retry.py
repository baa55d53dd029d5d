"""Whether a task runs again: after its node was lost, and after it raised what its caller wants retried."""

from __future__ import annotations

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass

__all__ = ["Retries"]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a task is tried again.

    `most` further attempts (-1: without limit) when the node is lost; with `exceptions` True, or classes, also when the
    function raises (one of) them. A task that is retried may have run before, in part or wholly.
    """

    most: int = 3
    exceptions: bool | tuple[type[BaseException], ...] = False

    def __post_init__(self) -> None:
        if isinstance(self.most, bool) or not isinstance(self.most, int) or self.most < -1:
            raise ConfigError("max_retries", self.most, "a whole number, or -1 for no limit")
        exceptions = self.exceptions
        if not isinstance(exceptions, bool) and not (
            isinstance(exceptions, tuple)
            and all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in exceptions)
        ):
            raise ConfigError("retry_exceptions", exceptions, "True, False, or exception classes")

    def allow(self, attempt: int, error: BaseException, node_lost: bool) -> bool:
        """Whether to try again after `attempt` attempts, the last of which ended with `error`."""
        if 0 <= self.most < attempt:
            return False
        if node_lost or isinstance(self.exceptions, bool):
            return node_lost or self.exceptions is True
        return isinstance(error, self.exceptions)
