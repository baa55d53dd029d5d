"""Where our side's time goes: one row under cProfile, in the calling process."""

from __future__ import annotations

import cProfile
import io
import pstats
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from partisan_actors.cli.bench.child import measure
from partisan_actors.cli.bench.turns import Plan

__all__ = ["profile_row"]

FUNCTIONS_SHOWN = 30


class _Watch:
    """Profiles the thread that takes our turns while they last, and every thread started meanwhile all along."""

    def __init__(self) -> None:
        self._turns = cProfile.Profile()
        self._threads: list[cProfile.Profile] = []

    @contextmanager
    def our_turn(self) -> Iterator[None]:
        """Profile the calling thread while inside."""
        self._turns.enable()
        try:
            yield
        finally:
            self._turns.disable()

    @contextmanager
    def new_threads(self) -> Iterator[None]:
        """Profile every thread that starts while inside, such as a node's loop in the background."""
        # From 3.12 on there is one profiler per process and it sees all threads, so there is nothing to add.
        if sys.version_info >= (3, 12):
            yield
            return
        threading.setprofile(self._thread_started)
        try:
            yield
        finally:
            threading.setprofile(None)

    def text(self) -> str:
        """The functions in which most time was spent, callees not counted."""
        out = io.StringIO()
        stats = pstats.Stats(self._turns, stream=out)
        for profile in self._threads:
            profile.create_stats()
            if profile.stats:
                stats.add(profile)
        stats.sort_stats(pstats.SortKey.TIME).print_stats(FUNCTIONS_SHOWN)
        return out.getvalue()

    def _thread_started(self, frame: FrameType, event: str, argument: object) -> None:
        # Called for the thread's first event only: enabling replaces this hook in that thread.
        profile = cProfile.Profile()
        self._threads.append(profile)
        profile.enable()


def profile_row(row: str, plan: Plan) -> str:
    """Measure one row here under a profiler and tell which functions took most time. The floor's turns do not count."""
    watch = _Watch()
    with watch.new_threads():
        measure(row, replace(plan, watch=watch.our_turn))
    return watch.text()
