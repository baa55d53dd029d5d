"""How a call failed, as text: what an ERROR span says. Made only on the error path, so that no exception is retained.

An exception kept in the recorder would keep its traceback, and with it every local variable of the user's frames.
"""

from __future__ import annotations

import asyncio
import traceback
from typing import Final, NamedTuple

from partisan_actors import errors
from partisan_actors.telemetry.events import CallStatus

__all__ = [
    "MESSAGE_CHARS_MAX",
    "STACKTRACE_CHARS_MAX",
    "Failure",
    "error_type",
    "status_of_call",
    "status_of_user_code",
]

MESSAGE_CHARS_MAX: Final = 1_024
STACKTRACE_CHARS_MAX: Final = 8_192  # the end is kept: Python prints the innermost frame last

# In the order they are tried. TaskFailed is not here: it may also be an instance of any of these (its cause's class).
_STATUSES: Final[tuple[tuple[type[BaseException], CallStatus], ...]] = (
    (errors.CallTimeout, CallStatus.TIMEOUT),
    (errors.TaskCancelled, CallStatus.CANCELLED),
    (asyncio.CancelledError, CallStatus.CANCELLED),
    (errors.NodeDown, CallStatus.NODE_UNREACHABLE),  # first: it may also be the end of an actor
    (errors.ActorStopped, CallStatus.ACTOR_DIED),
    (errors.ActorNotFound, CallStatus.ACTOR_NOT_FOUND),
    (errors.MailboxFull, CallStatus.MAILBOX_FULL),
    (errors.Overloaded, CallStatus.OVERLOADED),
    (errors.ActorUnavailable, CallStatus.NODE_UNREACHABLE),
    (errors.NodeError, CallStatus.NODE_UNREACHABLE),
    (errors.SerializationError, CallStatus.SERIALIZATION_ERROR),
    (errors.ProtocolError, CallStatus.INTERNAL_ERROR),
    (errors.InternalError, CallStatus.INTERNAL_ERROR),
)


class Failure(NamedTuple):
    """The status of a failed call, and the exception behind it."""

    status: CallStatus
    exception_type: str
    message: str
    stacktrace: str = ""

    @property
    def error_type(self) -> str:
        """The value of ``error.type``: the user's class for an APPLICATION_ERROR, else the status itself."""
        return self.exception_type if self.status is CallStatus.APPLICATION_ERROR else self.status.value

    @classmethod
    def of_user_code(cls, error: BaseException, stacktrace: str = "") -> Failure:
        """The failure on the node where user code raised `error`; `stacktrace` when the caller has its text already."""
        status, cause = status_of_user_code(error)
        if status is CallStatus.CANCELLED:
            return cls(status, _class_name(cause), _message(cause))
        text = stacktrace or "".join(traceback.format_exception(error))
        return cls(status, _class_name(cause), _message(cause), text[-STACKTRACE_CHARS_MAX:])

    @classmethod
    def of_call(cls, error: BaseException) -> Failure:
        """The failure as the caller sees it: `error` is what the call's future raises."""
        status, cause = status_of_call(error)
        stacktrace = error.remote_traceback[-STACKTRACE_CHARS_MAX:] if isinstance(error, errors.TaskFailed) else ""
        return cls(status, _class_name(cause), _message(cause), stacktrace)


def status_of_user_code(error: BaseException) -> tuple[CallStatus, BaseException]:
    """How a call ended whose code raised `error`, and what was raised first."""
    if isinstance(error, asyncio.CancelledError):
        return CallStatus.CANCELLED, error
    return CallStatus.APPLICATION_ERROR, _users_own(error)


def status_of_call(error: BaseException) -> tuple[CallStatus, BaseException]:
    """How a call ended whose future raises `error`, and what was raised first."""
    if isinstance(error, errors.TaskFailed):
        return CallStatus.APPLICATION_ERROR, _users_own(error)
    found = next((status for kind, status in _STATUSES if isinstance(error, kind)), CallStatus.APPLICATION_ERROR)
    return found, error


def error_type(status: CallStatus, kind: type[BaseException]) -> str:
    """The value of ``error.type`` of what ended so, with an exception of that class."""
    return _name_of(kind) if status is CallStatus.APPLICATION_ERROR else status.value


def _users_own(error: BaseException) -> BaseException:
    """What was raised first, when one actor's failure went through the methods of others on its way here."""
    while isinstance(error, errors.TaskFailed) and error.cause is not None:
        error = error.cause
    return error


def _class_name(error: BaseException) -> str:
    return _name_of(type(error))


def _name_of(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE_CHARS_MAX]
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything, and telemetry must not
        return f"<{type(error).__qualname__} has no text: its __str__ raised>"
