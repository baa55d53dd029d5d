"""Tests of the stacks of a process that cannot answer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from partisan_actors.api.dumps import dump_of

BUSY = """
import signal, sys
{before}
from partisan_actors.api.dumps import offer_dump
offer_dump()
def spins():
    print("ready", flush=True)
    while True:
        pass
spins()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the file that it is written to is found below /proc")


def busy(before: str = "") -> subprocess.Popen[str]:
    program = BUSY.format(before=before)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_process_that_spins_tells_where_each_time_it_is_asked() -> None:
    with busy() as process:
        try:
            first, second = dump_of(process.pid), dump_of(process.pid)
            assert process.poll() is None
        finally:
            process.kill()

    for dump in (first, second):
        assert dump is not None and dump.count("in spins") == 1


def test_a_process_that_does_not_offer_it_is_left_alone() -> None:
    with busy("signal.signal(signal.SIGUSR2, signal.SIG_IGN)") as process:
        try:
            assert dump_of(process.pid) is None
            assert process.poll() is None
        finally:
            process.kill()
    assert dump_of(os.getpid()) is None
