"""Tests of the stacks of a process that cannot answer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from partisan_actors.api import dumps
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


def test_what_a_process_keeps_of_its_dumps_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "DUMP_BYTES_MAX", 10_000)
    sizes = []
    with busy() as process:
        try:
            for _ in range(2):
                file = dumps._file_of(process.pid)
                assert file is not None
                os.truncate(file, 20_000)  # as after many
                dump = dump_of(process.pid)
                assert dump is not None and dump.count("in spins") == 1
                sizes.append(file.stat().st_size)
        finally:
            process.kill()

    assert max(sizes) < 10_000


def test_a_process_that_does_not_offer_it_is_left_alone() -> None:
    with busy("signal.signal(signal.SIGUSR2, signal.SIG_IGN)") as process:
        try:
            assert dump_of(process.pid) is None
            assert process.poll() is None
        finally:
            process.kill()
    assert dump_of(os.getpid()) is None
