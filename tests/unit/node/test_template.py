"""Tests of how the end of a process is put into words; real templates are tried in `integration/test_isolation*`."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from partisan_actors.node.template import status_text


def status_of(*arguments: str) -> int:
    """The status with which a process of this Python ends that runs this program."""
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", *arguments])
    return os.waitpid(pid, 0)[1]


def test_an_exit_code_is_named() -> None:
    status = status_of("import os; os._exit(7)")

    assert status_text(12, status) == "its process (pid 12) ended with exit code 7"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_signal_is_named(number: signal.Signals) -> None:
    status = status_of(f"import os; os.kill(os.getpid(), {int(number)})")

    assert status_text(12, status) == f"signal {int(number)} ({number.name}) ended its process (pid 12)"


def test_an_end_with_the_template_is_told_as_that() -> None:
    assert "template" in status_text(12, None)
