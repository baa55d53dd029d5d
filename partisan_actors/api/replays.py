"""`record` what reaches actors, and `replay` it: the same messages to the same actors in the same order.

Either is about this process's node, or, with `everywhere`, about all that are up: then each of them keeps its own
recording, and this one gathers them in a folder, with a file for each.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from partisan_actors.actors.holding import HOLD, LET_GO
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.drills import drills_of
from partisan_actors.api.on_loop import on_loop
from partisan_actors.api.remote_calls import multicall
from partisan_actors.errors import ConfigError, NodeError, ReplayMismatch
from partisan_actors.faults.messages import Passing
from partisan_actors.faults.trace import BYTES_MAX, Entry, Follower, digest_of, first_line, nameless, parse_trace
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["PATIENCE_S", "Player", "record", "replay", "trace_of", "traces_in"]

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 10.0
SUFFIX: Final = ".jsonl"
# Where the recorder or the player of a node is kept while others have begun it.
EXTENSION: Final = "replays"
# When handles come and go is the collector's matter, and no message of the user's.
_NOT_MESSAGES: Final = frozenset({HOLD, LET_GO})
# Where scalar arguments begin.
_SCALARS: Final = {Kind.CALL: 4, Kind.TELL: 3}


@contextmanager
def record(path: str | Path, *, everywhere: bool = False) -> Iterator[None]:
    """Write down every call and tell that reaches an actor of this process's node, in order, until the block ends.

    The file is JSON lines; it is overwritten, and at 64 MiB nothing more is written. With `everywhere`, `path` is a
    folder, and every node that is up now is recorded: its file there is its name and ``.jsonl``, written at the end; a
    node that is down by then has none, which is logged. Not on the node's own loop, then: it blocks (RuntimeError).
    Raises OSError for a file that cannot be written, ConfigError while another recording or replay runs.
    """
    system = session.system()
    if everywhere:
        with _recorded_everywhere(Path(path)):
            yield
        return
    with open(path, "w", encoding="utf-8") as file:
        recorder = _Recorder(system, file.write)
        end = on_loop(system, drills_of(system).interception.watch, recorder.arrived)
        try:
            yield
        finally:
            if system.closed is None:
                on_loop(system, end)


@contextmanager
def replay(path: str | Path, *, patience: float = PATIENCE_S, everywhere: bool = False) -> Iterator[None]:
    """Let calls and tells reach the actors of this process's node in the order of a recording, until the block ends.

    What comes too early waits. When something comes that is not in the recording, or nothing that is next for
    `patience` seconds while something waits, everything passes from then on; and at the end of the block ReplayMismatch
    is raised, with where the runs part. It is also raised when the recording is not complete then. What comes after the
    recording passes. With `everywhere`, `path` is the folder of a recording that was made so, and each node that is up
    now follows its own; a recording of a node that is not up is a ConfigError. Not on the node's own loop, then.

    Raises ConfigError for a file that is no recording of this node, OSError for one that cannot be read.
    """
    system = session.system()
    if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not patience > 0:
        raise ConfigError("patience", patience, "a positive number of seconds")
    if everywhere:
        with _replayed_everywhere(Path(path), patience):
            yield
        return
    player = Player(system, trace_of(Path(path)), patience)
    end = on_loop(system, player.begin)
    try:
        yield
    finally:
        why = on_loop(system, end) if system.closed is None else player.follower.mismatch
    if why:
        raise ReplayMismatch(str(path), why)


def trace_of(path: Path) -> str:
    """The recording in a file. Raises OSError, and ConfigError for what is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("trace", str(path), "a file of text, as `record` writes it") from error


def traces_in(folder: Path) -> dict[str, Path]:
    """The recordings in a folder, by the name of the node. Raises ConfigError when there is none."""
    found = {path.name.removesuffix(SUFFIX): path for path in sorted(folder.glob(f"*{SUFFIX}"))}
    if not found:
        raise ConfigError("trace", str(folder), "a folder that `record(..., everywhere=True)` has written")
    return found


class _Recorder:
    def __init__(self, system: ActorSystem, write: Callable[[str], object]) -> None:
        self._write = write
        self._written = 0
        write(first_line(system.me.name))

    def arrived(self, passing: Passing, message: list[Any], deliver: Callable[[], None]) -> None:
        """On the loop: a message reaches an actor."""
        if passing.method in _NOT_MESSAGES:
            deliver()
            return
        line = _entry(passing, message).line()
        self._written += len(line)
        if self._written <= BYTES_MAX:
            self._write(line)
        deliver()


class Player:
    """Has one node follow its recording, `trace`. Everything but the making belongs to its loop."""

    def __init__(self, system: ActorSystem, trace: str, patience_s: float) -> None:
        """Raises ConfigError for what is no recording of that node."""
        self.follower: Follower[Callable[[], None]] = Follower(parse_trace(trace.splitlines(True), system.me.name))
        self._system = system
        self._patience_s = patience_s
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> Callable[[], str]:
        """From now on. Returns what ends it, and tells then how the runs differ, if they do. Raises ConfigError."""
        unwatch = drills_of(self._system).interception.watch(self._arrived)

        def end() -> str:
            if not self.follower.is_complete and not self.follower.mismatch:
                self._deliver(self.follower.give_up("the run ended before the recording"))
            unwatch()
            return self.follower.mismatch

        return end

    def _arrived(self, passing: Passing, message: list[Any], deliver: Callable[[], None]) -> None:
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
            self._timer = self._system.loop.call_later(self._patience_s, self._out_of_patience)

    def _out_of_patience(self) -> None:
        self._timer = None
        if self.follower.is_waiting:
            self._deliver(self.follower.give_up(f"for {self._patience_s:g} s nothing came that is next"))


def _entry(passing: Passing, message: list[Any]) -> Entry:
    begin = _SCALARS.get(message[0])
    digest = digest_of(pack(message[begin:])) if begin is not None else ""
    return Entry(passing.source, passing.kind, nameless(passing.actor), passing.method, digest)


# ---- everywhere ------------------------------------------------------------------------------------------------------


@contextmanager
def _recorded_everywhere(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    nodes = _begun(_up(), _begin_recording)
    try:
        yield
    finally:
        for ended in multicall(nodes, _end):
            if ended.error is not None:
                logger.warning("what node %s recorded is lost: %s", ended.node, ended.error)
            else:
                (folder / f"{ended.node.partition('~')[0]}{SUFFIX}").write_text(ended.value, encoding="utf-8")


@contextmanager
def _replayed_everywhere(folder: Path, patience_s: float) -> Iterator[None]:
    paths = traces_in(folder)
    up = {node.partition("~")[0]: node for node in _up()}
    for name in paths:
        if name not in up:
            raise ConfigError("trace", str(paths[name]), f"one of a node that is up: {', '.join(up)}")
    nodes: list[str] = []
    try:
        for name, path in paths.items():
            nodes += _begun([up[name]], _begin_replay, trace_of(path), patience_s)
        yield
    finally:
        found = multicall(nodes, _end)
    for ended in found:
        if ended.error is not None or ended.value:
            path = paths[ended.node.partition("~")[0]]
            raise ReplayMismatch(str(path), ended.value or f"the node did not come to its end: {ended.error}")


def _up() -> list[str]:
    return [str(record.node) for record in session.system().node.directory.live()]


def _begun(nodes: list[str], begin: Callable[..., Any], *args: Any) -> list[str]:
    """The nodes on which it was begun: all of them, or it is ended there, and what one of them raised is raised."""
    results = multicall(nodes, begin, *args)
    errors = [each.error for each in results if each.error is not None and not isinstance(each.error, NodeError)]
    begun = [each.node for each in results if each.error is None]
    if errors:
        multicall(begun, _end)
        raise errors[0]
    return begun


async def _begin_recording() -> None:
    system = session.system()
    lines: list[str] = []
    recorder = _Recorder(system, lines.append)
    unwatch = drills_of(system).interception.watch(recorder.arrived)

    def end() -> str:
        unwatch()
        return "".join(lines)

    system.extensions[EXTENSION] = end


async def _begin_replay(trace: str, patience_s: float) -> None:
    system = session.system()
    system.extensions[EXTENSION] = Player(system, trace, patience_s).begin()


async def _end() -> str:
    ended: str = session.system().extensions.pop(EXTENSION)()
    return ended
