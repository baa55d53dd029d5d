"""Tests of the exit codes and the lines that errors become."""

from __future__ import annotations

import errno

import pytest

from partisan_actors.cli.failure import ExitCode, explain
from partisan_actors.errors import (
    AuthenticationError,
    CallTimeout,
    ConfigError,
    NodeDown,
    NoRoute,
    NotYetConnected,
    PartisanError,
    Unplaceable,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("name", "x y", "a name"), ExitCode.USAGE),
        (AuthenticationError("a", "the cookies differ"), ExitCode.NOT_AUTHENTICATED),
        (NotYetConnected("h:1", "refused"), ExitCode.NO_CLUSTER),
        (NodeDown("a", "gone"), ExitCode.NO_CLUSTER),
        (NoRoute("a", "none"), ExitCode.NO_CLUSTER),
        (CallTimeout("a call", 5.0), ExitCode.OTHER),
        (Unplaceable("x", "y", "z"), ExitCode.OTHER),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: PartisanError, code: ExitCode) -> None:
    assert explain(error).code is code


def test_a_port_in_use_is_told_with_both_ways_out() -> None:
    error = ConfigError("bind", "127.0.0.1:7946", "an address that can be bound here")
    error.__cause__ = OSError(errno.EADDRINUSE, "in use")

    failure = explain(error)

    assert failure.code is ExitCode.OTHER
    assert "--join 127.0.0.1:7946" in failure.message and "--bind 127.0.0.1:0" in failure.message


def test_an_address_of_another_machine_is_a_wrong_setting() -> None:
    error = ConfigError("bind", "192.0.2.1:1", "an address that can be bound here")
    error.__cause__ = OSError(errno.EADDRNOTAVAIL, "not available")

    assert explain(error).code is ExitCode.USAGE


def test_the_text_of_an_error_becomes_one_line() -> None:
    assert "\n" not in explain(ConfigError("x", "a\nb", "one\nline")).message
