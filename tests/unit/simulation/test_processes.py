"""Processes of a pool: an interruption is none of their business."""

from __future__ import annotations

import os
import signal

from partisan_actors.simulation.processes import Pool


def interruptions() -> tuple[bool, bool]:
    """Whether this process ignores them, and whether it keeps them waiting."""
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN, signal.SIGINT in signal.pthread_sigmask(0, [])


def test_a_process_that_has_just_begun_is_not_interrupted_and_neither_is_one_at_work() -> None:
    with Pool(1) as pool:
        first = pool.submit(os.getpid)
        (process,) = pool._processes
        os.kill(process, signal.SIGINT)  # its interpreter takes a tenth of a second at least to start
        assert first.result() == process

        os.kill(process, signal.SIGINT)
        assert pool.submit(interruptions).result() == (True, False)

    assert signal.SIGINT not in signal.pthread_sigmask(0, [])
