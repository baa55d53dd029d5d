"""Traces: which messages reached the actors of one node, in which order; and whether another run can follow one.

Pure. A trace is JSON lines, the first of which says of which node it is. An entry names the actor without the lives of
nodes, which differ from run to run. `Follower` is told what arrives, and says what may be delivered now.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Generic, TypeVar

from partisan_actors.errors import ConfigError

__all__ = ["BYTES_MAX", "Entry", "Follower", "digest_of", "first_line", "nameless", "parse_trace"]

T = TypeVar("T")

VERSION: Final = 1
BYTES_MAX: Final = 64 * 1024 * 1024
SHOWN_MAX: Final = 5
_LIFE: Final = re.compile(r"~[0-9a-f]+(?=[/)\s]|$)")


def nameless(actor: str) -> str:
    """The description of an actor without the incarnations of nodes."""
    return _LIFE.sub("", actor)


def digest_of(packed: bytes) -> str:
    """A few letters that tell arguments apart."""
    return hashlib.blake2b(packed, digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to an actor. `digest` is of arguments that are scalars; "" when they were pickled."""

    sender: str
    kind: str
    actor: str
    method: str
    digest: str = ""

    def __str__(self) -> str:
        arguments = f" with arguments {self.digest}" if self.digest else ""
        return f"a {self.kind} of {self.method} from {self.sender} to {self.actor}{arguments}"

    def line(self) -> str:
        """As a line of a trace."""
        return json.dumps(asdict(self)) + "\n"


def first_line(node: str) -> str:
    """The line that a trace begins with."""
    return json.dumps({"version": VERSION, "node": node}) + "\n"


def parse_trace(lines: Iterable[str], node: str) -> Iterator[Entry]:
    """The entries of a trace of `node`. Raises ConfigError, which says where, for what is none."""
    names = {each.name for each in fields(Entry)}
    for number, line in enumerate(lines, 1):
        where = f"line {number} of the trace"
        try:
            data = json.loads(line)
        except ValueError as error:
            raise ConfigError(where, line[:80], "JSON") from error
        if number == 1:
            if data != {"version": VERSION, "node": node}:
                raise ConfigError(
                    where, line[:80].strip(), f"the beginning of a trace of node {node}, version {VERSION}"
                )
            continue
        if not isinstance(data, dict) or data.keys() != names or not all(isinstance(v, str) for v in data.values()):
            raise ConfigError(where, line[:80].strip(), f"an object with the texts {', '.join(sorted(names))}")
        yield Entry(**data)


class Follower(Generic[T]):
    """Lets messages through in the order of a trace. What each stands for is the caller's own, `T`."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._expected = deque(entries)
        self._left = Counter(self._expected)
        self._held: dict[Entry, deque[T]] = {}
        self.length = len(self._expected)
        self.delivered = 0
        # What is wrong, once something is. From then on everything passes.
        self.mismatch = ""

    @property
    def is_waiting(self) -> bool:
        """Whether something is held."""
        return any(self._held.values())

    @property
    def is_complete(self) -> bool:
        """Whether all of the trace was delivered."""
        return not self._expected

    def arrived(self, entry: Entry, item: T) -> list[T]:
        """A message arrived: what is to be delivered now, in this order."""
        if self.mismatch or not self._expected:
            return [item]
        held = self._held.setdefault(entry, deque())
        held.append(item)
        if len(held) > self._left[entry]:
            return self.give_up(f"{entry} came, and is not in what is left of the trace")
        ready = []
        while self._expected and self._held.get(self._expected[0]):
            expected = self._expected.popleft()
            self._left[expected] -= 1
            ready.append(self._held[expected].popleft())
            self.delivered += 1
        return ready

    def give_up(self, why: str) -> list[T]:
        """The run does not follow the trace: says so in `mismatch`, and returns what was held."""
        waiting = [entry for entry, items in self._held.items() for _ in items]
        held = [item for items in self._held.values() for item in items]
        self._held.clear()
        self.mismatch = f"{why}. {self._position()}{_listed(waiting)}"
        return held

    def _position(self) -> str:
        if not self._expected:
            return f"All {self.length} messages of the trace were delivered"
        return f"After {self.delivered} of {self.length} messages, the next one is {self._expected[0]}"


def _listed(waiting: list[Any]) -> str:
    if not waiting:
        return ""
    shown = "; ".join(map(str, waiting[:SHOWN_MAX]))
    more = f"; and {len(waiting) - SHOWN_MAX} more" if len(waiting) > SHOWN_MAX else ""
    return f". Held instead: {shown}{more}"
