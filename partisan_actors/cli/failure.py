"""The exit codes of `partisan`, and the one line that an error becomes."""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Final

import click

from partisan_actors.cli.tame import tame
from partisan_actors.errors import (
    AuthenticationError,
    ConfigError,
    NodeDown,
    NoRoute,
    NotYetConnected,
    PartisanError,
)

__all__ = ["ExitCode", "Failure", "explain"]

_COOKIE_OPTIONS: Final = "--cookie-file, PARTISAN_COOKIE_FILE, --cluster"

_TLS_OPTIONS: Final = "--tls-dir, PARTISAN_TLS_DIR"


class ExitCode(IntEnum):
    """What the shell is told. Scripts rely on these numbers: they never change their meaning."""

    OK = 0
    OTHER = 1
    USAGE = 2
    NO_CLUSTER = 3
    NOT_AUTHENTICATED = 4
    INTERRUPTED = 130


class Failure(click.ClickException):
    """A command cannot do what was asked: a line that says why and what to do, and the exit code."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(tame(message))
        self.code = code


def explain(error: PartisanError) -> Failure:
    """What a person at a shell is told of `error`."""
    text = " ".join(str(error).split())
    match error:
        case ConfigError(field="bind") if _is_taken(error):
            return Failure(
                f"{error.value} is in use by another process. If that is a node you want to join: "
                f"partisan start --join {error.value}; for a cluster of its own take a free port: --bind 127.0.0.1:0",
                ExitCode.OTHER,
            )
        case ConfigError():
            return Failure(text, ExitCode.USAGE)
        case AuthenticationError():
            options = _TLS_OPTIONS if "certificate" in text else _COOKIE_OPTIONS
            return Failure(f"{text} ({options})", ExitCode.NOT_AUTHENTICATED)
        case NotYetConnected() if "TLS" in text:
            return Failure(f"{text} ({_TLS_OPTIONS})", ExitCode.NO_CLUSTER)
        case NotYetConnected() | NodeDown() | NoRoute():
            return Failure(text, ExitCode.NO_CLUSTER)
    return Failure(text, ExitCode.OTHER)


def _is_taken(error: ConfigError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE
