"""Causal delivery under one label: what a message may be an answer to, its receiver has seen before it.

The algorithm of Schiper, Eggli and Sandoz (1989), with one number for each pair of nodes where the paper has a vector
time: a message from i to j is named by i's clock, which counts what i has sent under the label. The rules:

1. `dependencies` says for each destination d which messages are known here to have been sent to d, and not known to
   have been delivered there: for each sender the clock of the last one.
2. A message carries all of that, and becomes itself the last one of this node to its destination. Its own predecessor
   there, `before`, stands apart: so all that one node sends another in a row carries the same, which is made, and
   merged where it arrives, once.
3. It is delivered where for every dependency that names its destination, the last message delivered there from that
   sender is at least as late. Until then it waits, for one of those dependencies at a time. Delivered, its dependencies
   for all others are added to the receiver's own: that is what makes the order transitive. (Partisan v5 ships only the
   entry of the destination, and discards the merge, so a third party's messages overtake.)
4. What is known to be delivered is pruned: by the destination's word (`settled`), for the sender's own messages and for
   those it named with them; and by the sender's, whose later messages do not name what has been settled.
5. A node that is down sends nothing more and gets nothing: it is a dependency no more, and what waits for its messages
   goes on, unless they are here and wait themselves. The same holds for messages that their sender has given up
   (`forsaken`). A message that has waited for `wait_s`, or is the oldest of more than `waiting_max`, waits no more: it
   is delivered, and counted in `waived_count`; what it waited for is delivered late if it comes after all.

It is assumed below that messages arrive eventually or are given up (`retransmission`); that they come once and in order
is not. A label at n nodes holds at most n entries for each of n destinations, and no more than DEPENDENCIES_MAX: beyond
that, `emit` refuses. As long as those that entries are about still talk, there are about as many as messages under way;
`to_be_asked` names a destination that should be sent something, so that it says what it has.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import field
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from partisan_actors.protocols.delivery.clocks import Clocks, Node, behind, descends, merge
from partisan_actors.values import dataclass

__all__ = ["NOTHING", "CausalOptions", "Causality", "Delivery", "Dependencies", "Stamp"]

# For each destination, the clocks of the last messages that are known to be sent there.
Dependencies: TypeAlias = Mapping[Node, Mapping[Node, int]]

DEPENDENCIES_MAX: Final = 65_536
# Above this many entries a destination is asked for what it has, one at a time.
ASK_ABOVE: Final = 1024
# What depends on nothing carries.
NOTHING: Final[Dependencies] = MappingProxyType({})
# Nodes that are down and must not become dependencies again, by the word of those who do not know yet.
GONE_MAX: Final = 16_384


@dataclass(frozen=True, slots=True)
class CausalOptions:
    """The bounds of one label at one node: seconds that a message may wait for others, and how many may wait.

    Raises ValueError with what is allowed.
    """

    wait_s: float = 60.0
    waiting_max: int = 10_000

    def __post_init__(self) -> None:
        if isinstance(self.wait_s, bool) or not isinstance(self.wait_s, (int, float)) or not self.wait_s > 0:
            raise ValueError("wait_s must be a positive number of seconds")
        if isinstance(self.waiting_max, bool) or not isinstance(self.waiting_max, int) or self.waiting_max < 1:
            raise ValueError("waiting_max must be a positive whole number")


class Stamp(NamedTuple):
    """What a message carries: its sender's clock, and for each destination the last messages known to be sent there.

    `before` is the clock of the sender's own last message to the same destination; 0 if that is known to be delivered.
    Two stamps of a sender that hold the same object as `dependencies` say the same, and the second one nothing new.
    """

    clock: int
    dependencies: Dependencies
    before: int = 0

    def needs(self, me: Node, sender: Node) -> Iterator[tuple[Node, int]]:
        """What must have been delivered at its destination, `me`: senders and clocks."""
        if self.before:
            yield sender, self.before
        yield from self.dependencies.get(me, {}).items()


class Delivery(NamedTuple):
    """A message is to be delivered now, before anything else is told to the machine."""

    sender: Node
    clock: int
    item: Any


@dataclass(slots=True)
class _Waiting:
    sender: Node
    stamp: Stamp
    item: Any
    since: float


@dataclass(slots=True)
class _Gap:
    """Clocks of a sender between which messages may have been passed over; and those that have come since."""

    after: int
    upto: int
    filled: set[int] = field(default_factory=set)


class Causality:
    """One label at one node."""

    def __init__(self, me: Node, options: CausalOptions | None = None) -> None:
        self.me = me
        self.clock = 0
        self.waived_count = 0
        self._options = options or CausalOptions()
        self._dependencies: dict[Node, Clocks] = {}
        # The last message of each sender that was delivered here; and that need not be waited for any more.
        self._delivered: Clocks = {}
        self._waived: Clocks = {}
        self._gaps: dict[Node, _Gap] = {}
        self._gone: OrderedDict[Node, None] = OrderedDict()
        # Who waits, by the arrival; and by what it waits for next: for each sender a heap of (clock, arrival).
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()
        self._for: dict[Node, list[tuple[int, int]]] = {}
        self._here: dict[Node, list[int]] = {}  # the clocks of those in _waiting
        self._arrivals = 0
        # What messages under way named for their own destination: each set of names with the first that did.
        self._named: dict[Node, deque[tuple[int, Mapping[Node, int]]]] = {}
        # What the last message carried, as long as another one to the same destination would carry the same.
        self._carried: Dependencies = NOTHING
        self._carried_to: Node = None
        # Of which sender what it carried was merged, and nobody has said anything new since.
        self._merged: dict[Node, Dependencies] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def dependency_count(self) -> int:
        """How many entries the next message carries."""
        return sum(map(len, self._dependencies.values()))

    # ---- sending ----------------------------------------------------------------------------------------------

    def emit(self, destination: Node) -> Stamp | None:
        """Stamp a message that is sent to `destination` now. None, and nothing is sent, at DEPENDENCIES_MAX."""
        if destination != self._carried_to and not self._carry_to(destination):
            return None
        self.clock = clock = self.clock + 1
        clocks = self._dependencies.get(destination)
        if clocks is None:
            if destination not in self._gone:
                self._dependencies[destination] = {self.me: clock}
            return Stamp(clock, self._carried)
        before = clocks.get(self.me, 0)
        clocks[self.me] = clock
        return Stamp(clock, self._carried, before)

    def _carry_to(self, destination: Node) -> bool:
        """Note what messages to `destination` carry from now on. Returns whether that is within the bound."""
        if self.dependency_count >= DEPENDENCIES_MAX:
            return False
        carried = {node: dict(clocks) for node, clocks in self._dependencies.items()}
        named = carried.get(destination)
        if named is not None:
            named.pop(self.me, None)
            if named:
                self._named.setdefault(destination, deque()).append((self.clock + 1, named))
            else:
                del carried[destination]
        self._carried, self._carried_to = carried or NOTHING, destination
        return True

    def settled(self, destination: Node, clock: int) -> None:
        """`destination` has delivered all that was sent to it from here up to `clock`, or it was given up."""
        self._prune(destination, {self.me: clock})
        named = self._named.get(destination)
        while named and named[0][0] <= clock:
            self._prune(destination, named.popleft()[1])
        if named is not None and not named:
            del self._named[destination]

    def to_be_asked(self) -> Node | None:
        """The destination that most entries are about, when there are too many; see ASK_ABOVE."""
        if self.dependency_count <= ASK_ABOVE:
            return None
        return max(self._dependencies, key=lambda node: len(self._dependencies[node]))

    # ---- arriving ---------------------------------------------------------------------------------------------

    def receive(self, sender: Node, stamp: Stamp, item: Any, now: float) -> list[Delivery]:
        """A message arrived. Returns what is delivered now, in this order; nothing for what was here before."""
        if self.goes_through(sender, stamp):
            return [Delivery(sender, stamp.clock, item)]
        if stamp.clock in self._here.get(sender, ()):
            return []
        if stamp.clock <= self._delivered.get(sender, 0) and not self._fills_gap(sender, stamp.clock):
            return []
        self._arrivals += 1
        self._waiting[self._arrivals] = _Waiting(sender, stamp, item, now)
        self._here.setdefault(sender, []).append(stamp.clock)
        delivered = self._deliver(deque([self._arrivals]))
        while len(self._waiting) > self._options.waiting_max:
            delivered += self._waive(next(iter(self._waiting)))
        return delivered

    def goes_through(self, sender: Node, stamp: Stamp) -> bool:
        """Whether a message that arrived is delivered at once and alone; then it is, and else nothing has happened."""
        clock, dependencies, before = stamp
        last = self._delivered.get(sender, 0)
        if self._waiting or clock <= last or before > last:
            return False
        if self.me in dependencies and self._unmet(sender, stamp) is not None:
            return False
        if self._for:
            self._for.clear()  # nobody waits any more
        self._delivered[sender] = clock
        if self._merged.get(sender) is not dependencies:
            self._merge(sender, stamp)
        return True

    def expire(self, now: float) -> list[Delivery]:
        """Go on without what has been waited for too long; see rule 5."""
        delivered: list[Delivery] = []
        while self._waiting:
            arrival = next(iter(self._waiting))
            if now - self._waiting[arrival].since < self._options.wait_s:
                break
            delivered += self._waive(arrival)
        return delivered

    def forsaken(self, sender: Node, clock: int) -> list[Delivery]:
        """`sender` has given up whatever it sent here up to `clock`, and has not come."""
        self._waived[sender] = max(clock, self._waived.get(sender, 0))
        return self._deliver(self._woken_by(sender))

    # ---- who is there -----------------------------------------------------------------------------------------

    def node_down(self, node: Node) -> list[Delivery]:
        """That life of that node is over. Returns what need not wait any more."""
        self._gone[node] = None
        self._gone.move_to_end(node)
        if len(self._gone) > GONE_MAX:
            forgotten, _ = self._gone.popitem(last=False)
            for known in (self._delivered, self._waived, self._gaps):
                known.pop(forgotten, None)
        self._dependencies.pop(node, None)
        self._named.pop(node, None)
        self._merged.pop(node, None)
        self._carried_to = None
        for destination in list(self._dependencies):
            self._prune(destination, {node: self._dependencies[destination].get(node, 0)})
        return self._deliver(self._woken_by(node))

    def node_up(self, node: Node) -> None:
        """That life of that node was believed to be over, and is not."""
        self._gone.pop(node, None)

    # ---- inside -----------------------------------------------------------------------------------------------

    def _unmet(self, sender: Node, stamp: Stamp) -> tuple[Node, int] | None:
        """A dependency that a message of `sender` still has to wait for."""
        if stamp.before > self._delivered.get(sender, 0) and not self._never_comes(sender, stamp.before):
            return sender, stamp.before
        named = stamp.dependencies.get(self.me)
        if named is not None:
            for node, clock in behind(self._delivered, named):
                if not self._never_comes(node, clock):
                    return node, clock
        return None

    def _never_comes(self, sender: Node, clock: int) -> bool:
        is_settled = sender in self._gone or clock <= self._waived.get(sender, 0)
        return is_settled and all(waiting > clock for waiting in self._here.get(sender, ()))

    def _deliver(self, arrivals: deque[int]) -> list[Delivery]:
        """Deliver those of these that wait for nothing, then those that waited for them, and so on."""
        delivered = []
        while arrivals:
            arrival = arrivals.popleft()
            waiting = self._waiting.get(arrival)
            if waiting is None:
                continue
            unmet = self._unmet(waiting.sender, waiting.stamp)
            if unmet is not None:
                heappush(self._for.setdefault(unmet[0], []), (unmet[1], arrival))
                continue
            delivered.append(self._take(arrival))
            arrivals += self._woken_by(waiting.sender)
        return delivered

    def _take(self, arrival: int) -> Delivery:
        waiting = self._waiting.pop(arrival)
        sender, clock = waiting.sender, waiting.stamp.clock
        here = self._here[sender]
        here.remove(clock)
        if not here:
            del self._here[sender]
        before, last = waiting.stamp.before, self._delivered.get(sender, 0)
        if before > last:
            gap = self._gaps.setdefault(sender, _Gap(last, before))
            gap.upto = before
        self._delivered[sender] = max(clock, last)
        self._merge(sender, waiting.stamp)
        return Delivery(sender, clock, waiting.item)

    def _fills_gap(self, sender: Node, clock: int) -> bool:
        gap = self._gaps.get(sender)
        if gap is None or not gap.after < clock <= gap.upto or clock in gap.filled:
            return False
        gap.filled.add(clock)
        return True

    def _woken_by(self, sender: Node) -> deque[int]:
        """Who waited for a message of `sender` that has come, or will not."""
        heap = self._for.get(sender)
        woken: deque[int] = deque()
        reached = max(self._delivered.get(sender, 0), self._waived.get(sender, 0))
        while heap and (heap[0][0] <= reached or sender in self._gone):
            woken.append(heappop(heap)[1])
        if heap is not None and not heap:
            del self._for[sender]
        return woken

    def _waive(self, arrival: int) -> list[Delivery]:
        """Deliver a message without what it still waits for, for which nobody else waits any more either."""
        self.waived_count += 1
        waiting, woken = self._waiting[arrival], deque[int]()
        delivered = [self._take(arrival)]
        for sender, clock in waiting.stamp.needs(self.me, waiting.sender):
            self._waived[sender] = max(clock, self._waived.get(sender, 0))
            woken += self._woken_by(sender)
        return delivered + self._deliver(woken + self._woken_by(waiting.sender))

    def _merge(self, sender: Node, stamp: Stamp) -> None:
        if self._merged.get(sender) is stamp.dependencies:
            return
        is_behind = False
        for destination, clocks in list(self._dependencies.items()):
            # Who sent knows best: what it does not name any more of its own, it knows to be settled.
            known = clocks.get(sender, 0)
            is_behind = is_behind or known > stamp.clock
            if 0 < known <= stamp.clock and sender not in stamp.dependencies.get(destination, {}):
                self._prune(destination, {sender: known})
        for destination, named in stamp.dependencies.items():
            if destination == self.me or destination in self._gone:
                continue
            # This node knows itself what of its own is settled.
            news = {node: clock for node, clock in named.items() if node not in self._gone and node != self.me}
            clocks = self._dependencies.get(destination, {})
            if not descends(clocks, news):
                self._carried_to = None
                self._merged.clear()  # of which the others may know that it is settled
                merge(self._dependencies.setdefault(destination, clocks), news)
        if not is_behind:
            self._merged[sender] = stamp.dependencies

    def _prune(self, destination: Node, settled: Mapping[Node, int]) -> None:
        clocks = self._dependencies.get(destination)
        if clocks is None:
            return
        for node, clock in settled.items():
            if clocks.get(node, clock + 1) <= clock:
                del clocks[node]
                self._carried_to = None
        if not clocks:
            del self._dependencies[destination]
