"""Which messages, when they are lost, break a promise: a run again and again, with ever more of its messages lost.

The rules this file keeps:

1. A run without losses says which messages there are. Every further one loses what a former one did, and one more
   that passed later in that. So each set of messages that can be lost together is tried once, and smaller ones first:
   the first that fails has no more than it needs.
2. A message is known by its kind, its ends, its actor and method, and by the how-manieth of those it is in its run.
   The run has to repeat: what is lost must come again, up to there.
3. With `prune`, runs that were the same for every node are gone on from once: each sent the same and got the same, in
   the same order. That is enough as long as what a node does follows from these, and not from time alone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.faults.messages import DROP, Fault, Passing

__all__ = ["Exploration", "Message", "Omissions", "between_nodes", "explore"]

# Messages of a run that can be lost; whatever passes beyond that is let pass, and the exploration is not whole.
PASSED_MAX: Final = 10_000
_OF_ACTORS: Final = frozenset({"call", "tell", "reply"})


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a run: the `number`-th of its kind, ends, actor and method, from 1."""

    kind: str
    source: str
    destination: str
    actor: str
    method: str
    number: int

    def __str__(self) -> str:
        about = f" {self.actor}.{self.method}" if self.method else ""
        return f"{self.kind} {self.number} from {self.source} to {self.destination}{about}"

    @property
    def label(self) -> tuple[str, ...]:
        """All but the number."""
        return self.kind, self.source, self.destination, self.actor, self.method


def between_nodes(passing: Passing) -> bool:
    """Calls, tells and replies of actors where they arrive at another node."""
    is_there = passing.direction == "in" and passing.receiver == passing.destination != passing.source
    return is_there and passing.kind in _OF_ACTORS


class Omissions:
    """A rule that loses those messages, and writes down in `passed` which there were, lost ones among them.

    `concerns` says which messages count; by default those of `between_nodes`. It is for one run.
    """

    def __init__(self, lost: Iterable[Message] = (), concerns: Callable[[Passing], bool] = between_nodes) -> None:
        self.lost = frozenset(lost)
        self.passed: list[Message] = []
        self.is_cut = False
        self._concerns = concerns
        self._counts: Counter[tuple[str, ...]] = Counter()

    def __call__(self, passing: Passing) -> Fault | None:
        if not self._concerns(passing):
            return None
        label = passing.kind, passing.source, passing.destination, passing.actor, passing.method
        self._counts[label] += 1
        message = Message(*label, self._counts[label])
        if len(self.passed) == PASSED_MAX:
            self.is_cut = True
            return None
        self.passed.append(message)
        return DROP if message in self.lost else None


@dataclass(frozen=True, slots=True)
class Exploration:
    """What came of it: after so many runs `lost`, which makes a run fail with `error`; or None.

    `is_whole` says whether every set of at most so many messages was tried, but for `pruned`, which are like others.
    """

    runs: int
    pruned: int
    is_whole: bool
    lost: tuple[Message, ...] | None = None
    error: Exception | None = None

    def __str__(self) -> str:
        if self.lost is None:
            return f"nothing found in {self.runs} runs{'' if self.is_whole else ', which are not all'}"
        names = "".join(f"\n  {message}" for message in self.lost) or "\n  (nothing)"
        return f"found in {self.runs} runs: {type(self.error).__name__}: {self.error}\nwhen these are lost:{names}"


def explore(
    play: Callable[[Omissions], object],
    *,
    omissions_max: int = 2,
    runs_max: int = 1000,
    concerns: Callable[[Passing], bool] = between_nodes,
    prune: bool = True,
) -> Exploration:
    """Look for at most `omissions_max` messages that make ``play(omissions)`` raise when they are lost.

    `play` makes one run from its beginning, in which `omissions` judges the messages, and raises an Exception when
    something is wrong at its end. At most `runs_max` runs are made. To see a run again that failed, play it with
    ``Omissions(found.lost)``. Raises ConfigError for bounds that make no sense, and when a run does not repeat.
    """
    for name, value in (("omissions_max", omissions_max), ("runs_max", runs_max)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(name, value, "a whole number from 1")
    waiting: deque[tuple[Message, ...]] = deque([()])
    # By what each node has seen: what passed after the last loss, and was therefore gone on with.
    known: dict[object, Counter[tuple[str, ...]]] = {}
    runs = pruned = 0
    is_whole = True
    while waiting and runs < runs_max:
        lost = waiting.popleft()
        omissions = Omissions(lost, concerns)
        runs += 1
        error = _outcome(play, omissions)
        _check_repeated(lost, omissions.passed)
        is_whole = is_whole and not omissions.is_cut
        if error is not None:
            return Exploration(runs, pruned, False, lost, error)
        if len(lost) == omissions_max:
            continue
        after = omissions.passed.index(lost[-1]) + 1 if lost else 0
        if prune:
            seen, rest = _seen(omissions), Counter(each.label for each in omissions.passed[after:])
            if seen in known and rest <= known[seen]:
                pruned += 1
                continue
            known[seen] = rest
        waiting.extend((*lost, message) for message in omissions.passed[after:])
    return Exploration(runs, pruned, is_whole and not waiting)


def _outcome(play: Callable[[Omissions], object], omissions: Omissions) -> Exception | None:
    try:
        play(omissions)
    except Exception as error:  # noqa: BLE001 - whatever the user's run raises is what was looked for
        return error
    return None


def _seen(omissions: Omissions) -> object:
    """What each node has sent and got, in order."""
    histories: dict[str, list[object]] = {}
    for message in omissions.passed:
        histories.setdefault(message.source, []).append(("sent", message.label))
        if message not in omissions.lost:
            histories.setdefault(message.destination, []).append(("got", message.label))
    return tuple((node, tuple(history)) for node, history in sorted(histories.items()))


def _check_repeated(lost: Sequence[Message], passed: Sequence[Message]) -> None:
    missing = [message for message in lost if message not in passed]
    if missing:
        raise ConfigError("play", f"a run without {missing[0]}", "a run that repeats: the message was there before")
