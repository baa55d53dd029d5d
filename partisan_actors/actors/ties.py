"""Monitors and links as tables and decisions: pure, it is told what happened and says what is to be done.

A *tie* joins a watcher to one life of an actor, its *subject*. A monitor is one tie; a link is two, one each way. The
watcher's node keeps it in `Watching` and asks the subject's node, which keeps it in `Watched` and answers when the
subject ends. The rules kept here:

1. A tie fires once, whatever comes twice: an answer, the news that the node is down, the failure of a connection.
2. It fires for the life it was made for. Whether the actor is restarted afterwards makes no difference.
3. When a connection breaks while both nodes live, the question is asked again, under the same number: the other side
   keeps one entry for it, and when the subject has ended meanwhile, the reason is still known there.
4. A watcher that ends takes its ties with it, and a node that goes down takes those of its actors.
5. A tie that one side gave up is not made again by a question that was asked before, and comes late.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from partisan_actors.actors.reasons import NODE_DOWN, NOPROC, reason_of
from partisan_actors.errors import ActorNotFound, ActorStopped, ActorUnavailable, NodeDown, NoRoute, Overloaded
from partisan_actors.ids import ActorId, NodeId

__all__ = ["RETRY_MAX_S", "TIES_MAX", "WATCHERS_MAX", "Again", "Tie", "Watched", "Watcher", "Watching", "outcome"]

# Ties of the actors and programs of one node; and what other nodes may ask it to tell of its actors.
TIES_MAX: Final = 100_000
WATCHERS_MAX: Final = 100_000
GIVEN_UP_MAX: Final = 10_000
RETRY_S: Final = 0.1
RETRY_MAX_S: Final = 5.0

TieT = TypeVar("TieT", bound="Tie")


@dataclass(slots=True, eq=False)
class Tie:
    """One watcher's tie. `host` is where the subject's life is, once that is known; `watcher` is None for a program."""

    number: int
    subject: ActorId
    watcher: ActorId | None
    is_link: bool = False
    host: NodeId | None = None
    is_parked: bool = False  # whether the question waits here until the subject has a place
    attempts: int = 1
    is_over: bool = False


class Again(NamedTuple):
    """Ask again, after so many seconds."""

    after_s: float


def outcome(tie: Tie, error: BaseException, host: NodeId | None, *, is_lost: bool) -> str | Again:
    """What becomes of a tie whose question got an error instead of an answer: the reason it fires for, or `Again`.

    `host` is where its actor is now, as far as is known; `is_lost`: it has been nowhere for too long.
    """
    match error:
        case NodeDown():
            return f"{NODE_DOWN}: {error.why}"
        case ActorNotFound():
            return NOPROC
        case ActorStopped() if tie.attempts == 1 and not tie.is_parked:
            return NOPROC  # it was gone before anybody asked
        case ActorStopped():
            return reason_of(error.reason)
        case ActorUnavailable() | NoRoute() | Overloaded():
            if is_lost or (tie.host is not None and host != tie.host):
                return f"{NODE_DOWN}: {getattr(error, 'why', None) or error}"
            return Again(min(RETRY_MAX_S, RETRY_S * 2 ** min(tie.attempts - 1, 16)))
        case _:
            return str(error)


class Watching(Generic[TieT]):
    """The ties of one node's actors and programs."""

    def __init__(self) -> None:
        self._ties: dict[int, TieT] = {}
        self._of_watcher: dict[ActorId, dict[int, TieT]] = {}
        self._links: dict[tuple[ActorId, ActorId], TieT] = {}

    def __len__(self) -> int:
        return len(self._ties)

    def find(self, number: int) -> TieT | None:
        """The tie of that number, unless it is over."""
        return self._ties.get(number)

    def link(self, watcher: ActorId, subject: ActorId) -> TieT | None:
        """This node's half of the link between the two."""
        return self._links.get((watcher, subject))

    def add(self, tie: TieT) -> None:
        """Keep a tie, unless it is over already."""
        if tie.is_over:
            return
        self._ties[tie.number] = tie
        if tie.watcher is not None:
            self._of_watcher.setdefault(tie.watcher, {})[tie.number] = tie
            if tie.is_link:
                self._links[tie.watcher, tie.subject] = tie

    def end(self, tie: TieT) -> bool:
        """The tie fires, or is given up. Returns whether it was not over before."""
        if tie.is_over:
            return False
        tie.is_over = True
        self._ties.pop(tie.number, None)
        if tie.watcher is not None:
            theirs = self._of_watcher.get(tie.watcher, {})
            theirs.pop(tie.number, None)
            if not theirs:
                self._of_watcher.pop(tie.watcher, None)
            if self._links.get((tie.watcher, tie.subject)) is tie:
                del self._links[tie.watcher, tie.subject]
        return True

    def watcher_ended(self, watcher: ActorId) -> list[TieT]:
        """End the ties of a watcher that has ended, and return them, the oldest first."""
        theirs = list(self._of_watcher.get(watcher, {}).values())
        return [tie for tie in theirs if self.end(tie)]

    def of(self, watcher: ActorId) -> list[TieT]:
        """The ties of that watcher, the oldest first."""
        return list(self._of_watcher.get(watcher, {}).values())

    def all(self) -> list[TieT]:
        """Every tie, the oldest first."""
        return list(self._ties.values())


class Watcher(NamedTuple):
    """Whom to answer when a subject ends: the request of that number, on the lane of what the subject sends `actor`."""

    node: NodeId
    request: int
    actor: ActorId | None
    is_link: bool
    channel: str


class Watched:
    """Who is to be told when actors of this node end."""

    def __init__(self) -> None:
        self._watchers: dict[ActorId, dict[tuple[NodeId, int], Watcher]] = {}
        self._given_up: OrderedDict[tuple[NodeId, int], None] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether no further watcher is taken."""
        return self._count >= WATCHERS_MAX

    def add(self, subject: ActorId, tie: int, watcher: Watcher) -> bool:
        """A question came, perhaps not for the first time. Returns False for a tie that was given up meanwhile."""
        key = (watcher.node, tie)
        if key in self._given_up:
            return False
        watchers = self._watchers.setdefault(subject, {})
        self._count += key not in watchers
        watchers[key] = watcher
        return True

    def remove(self, subject: ActorId, node: NodeId, tie: int) -> None:
        """That watcher does not want to know any more."""
        watchers = self._watchers.get(subject, {})
        if watchers.pop((node, tie), None) is not None:
            self._count -= 1
        else:
            self._forbid(node, tie)  # on another lane, it was faster than the question
        if not watchers:
            self._watchers.pop(subject, None)

    def unlinked(self, subject: ActorId, watcher: ActorId) -> None:
        """The subject has given up its link to `watcher`: see rule 5."""
        for (node, tie), each in list(self._watchers.get(subject, {}).items()):
            if each.is_link and each.actor == watcher:
                self.remove(subject, node, tie)
                self._forbid(node, tie)

    def ended(self, subject: ActorId) -> list[Watcher]:
        """The subject has ended: who is told, in the order in which they asked."""
        watchers = self._watchers.pop(subject, {})
        self._count -= len(watchers)
        return list(watchers.values())

    def node_down(self, node: NodeId) -> None:
        """Nobody there waits for an answer any more."""
        for subject, watchers in list(self._watchers.items()):
            for key in [key for key in watchers if key[0] == node]:
                self.remove(subject, *key)

    def _forbid(self, node: NodeId, tie: int) -> None:
        self._given_up[node, tie] = None
        while len(self._given_up) > GIVEN_UP_MAX:
            self._given_up.popitem(last=False)
