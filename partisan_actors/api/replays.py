"""`record` what reaches this node's actors, and `replay` it: the same messages to the same actors in the same order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from partisan_actors.actors.holding import HOLD, LET_GO
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.drills import drills_of
from partisan_actors.api.on_loop import on_loop
from partisan_actors.errors import ConfigError, ReplayMismatch
from partisan_actors.faults.messages import Passing
from partisan_actors.faults.trace import BYTES_MAX, Entry, Follower, digest_of, first_line, nameless, parse_trace
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["record", "replay"]

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 10.0
# When handles come and go is the collector's matter, and no message of the user's.
_NOT_MESSAGES: Final = frozenset({HOLD, LET_GO})
# Where scalar arguments begin.
_SCALARS: Final = {Kind.CALL: 4, Kind.TELL: 3}


@contextmanager
def record(path: str | Path) -> Iterator[None]:
    """Write down every call and tell that reaches an actor of this process's node, in order, until the block ends.

    The file is JSON lines; it is overwritten, and at 64 MiB nothing more is written. Raises OSError for a file that
    cannot be written, ConfigError while another recording or replay runs.
    """
    system = session.system()
    with open(path, "w", encoding="utf-8") as file:
        file.write(first_line(system.me.name))
        recorder = _Recorder(file)
        end = on_loop(system, drills_of(system).interception.watch, recorder.arrived)
        try:
            yield
        finally:
            if system.closed is None:
                on_loop(system, end)


@contextmanager
def replay(path: str | Path, *, patience: float = PATIENCE_S) -> Iterator[None]:
    """Let calls and tells reach the actors of this process's node in the order of a recording, until the block ends.

    What comes too early waits. When something comes that is not in the recording, or nothing that is next for
    `patience` seconds while something waits, everything passes from then on; and at the end of the block ReplayMismatch
    is raised, with where the runs part. It is also raised when the recording is not complete then. What comes after the
    recording passes. Raises ConfigError for a file that is no recording of this node, OSError for one that cannot be
    read.
    """
    system = session.system()
    if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not patience > 0:
        raise ConfigError("patience", patience, "a positive number of seconds")
    with open(path, encoding="utf-8") as file:
        player = _Player(system, Follower(parse_trace(file, system.me.name)), patience)
    end = on_loop(system, drills_of(system).interception.watch, player.arrived)
    try:
        yield
    finally:
        if system.closed is None:
            on_loop(system, player.end)
            on_loop(system, end)
    if player.follower.mismatch:
        raise ReplayMismatch(str(path), player.follower.mismatch)


def _entry(passing: Passing, message: list[Any]) -> Entry:
    begin = _SCALARS.get(message[0])
    digest = digest_of(pack(message[begin:])) if begin is not None else ""
    return Entry(passing.source, passing.kind, nameless(passing.actor), passing.method, digest)


class _Recorder:
    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._written = 0

    def arrived(self, passing: Passing, message: list[Any], deliver: Callable[[], None]) -> None:
        """On the loop: a message reaches an actor."""
        if passing.method in _NOT_MESSAGES:
            deliver()
            return
        line = _entry(passing, message).line()
        self._written += len(line)
        if self._written <= BYTES_MAX:
            self._file.write(line)
        deliver()


class _Player:
    def __init__(self, system: ActorSystem, follower: Follower[Callable[[], None]], patience_s: float) -> None:
        self.follower = follower
        self._loop = system.loop
        self._patience_s = patience_s
        self._timer: asyncio.TimerHandle | None = None

    def arrived(self, passing: Passing, message: list[Any], deliver: Callable[[], None]) -> None:
        """On the loop: a message would reach an actor."""
        if passing.method in _NOT_MESSAGES:
            deliver()
            return
        self._deliver(self.follower.arrived(_entry(passing, message), deliver))

    def _deliver(self, ready: list[Callable[[], None]]) -> None:
        if ready and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for deliver in ready:
            deliver()
        if self._timer is None and self.follower.is_waiting:
            self._timer = self._loop.call_later(self._patience_s, self._out_of_patience)

    def _out_of_patience(self) -> None:
        self._timer = None
        if self.follower.is_waiting:
            self._deliver(self.follower.give_up(f"for {self._patience_s:g} s nothing came that is next"))

    def end(self) -> None:
        """The block ends."""
        if not self.follower.is_complete and not self.follower.mismatch:
            self._deliver(self.follower.give_up("the run ended before the recording"))
