"""A network in which a test, not chance, decides what happens next: bare membership strategies, no latency model.

Messages wait in one queue for each ordered pair of nodes. `deliver_one` takes the front of a queue picked by the
network's own random stream, so every interleaving that first-in first-out connections allow can happen; with
`reorders` messages of one pair overtake each other too. `Connect` is answered by `peer_up` at both ends, or by
`peer_down`. Every effect is checked against the rules of `MembershipStrategy` as it comes out:

* `NeighbourUp` and `NeighbourDown` of a peer alternate, beginning with up, and `neighbours` lists those that are up;
* a connection is held (`Connect`) to all of those, and to no peer that has stopped being one (`Disconnect`);
* nothing is ever done to the node itself as a peer;
* `peer_down` of a neighbour is answered by `NeighbourDown`, with `failed` set;
* only messages whose classes the strategy declares are sent.

Whatever breaks one raises `RuleBroken`, which names the seed, the time and the node.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Disconnect,
    Effect,
    Evicted,
    JoinRefused,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.membership.strategy import MembershipStrategy

__all__ = ["DELIVERIES_MAX", "RuleBroken", "StrategyNetwork"]

DELIVERIES_MAX: Final = 100_000  # more than this without a pause is a livelock


class RuleBroken(AssertionError):
    """A strategy did what its interface forbids."""


class _Signal:
    """Stands in a queue for something that happens to the connection."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


_LOST: Final = _Signal("lost")  # whoever takes it out is told `peer_down`
_DIALLED: Final = _Signal("dialled")  # arrives at the called node
_UP: Final = _Signal("up")  # comes back to the caller


class StrategyNetwork:
    """The nodes, what travels between them, and their timers.

    `build` makes the strategy of a node; each gets a random stream of its own. `carry` is what becomes of a message on
    its way, such as being encoded and decoded again; None hands the same object over.
    """

    def __init__(
        self,
        build: Callable[[Peer, Random], MembershipStrategy],
        seed: int,
        *,
        reorders: bool = False,
        carry: Callable[[object], object] | None = None,
    ) -> None:
        self.now = 0.0
        self.nodes: dict[Peer, MembershipStrategy] = {}
        self.up: dict[Peer, dict[Peer, None]] = {}
        self.held: dict[Peer, dict[Peer, None]] = {}
        self.sent: list[tuple[Peer, Peer, object]] = []
        self.failed: list[tuple[Peer, Peer]] = []  # who was told `peer_down` of whom
        self.noticed: list[tuple[Peer, JoinRefused | Evicted]] = []
        self.effects: list[tuple[Peer, Effect]] = []
        self.blocked: set[frozenset[Peer]] = set()
        self._build = build
        self._rng = Random(seed)
        self._seed = seed
        self._reorders = reorders
        self._carry = carry
        self._queues: dict[tuple[Peer, Peer], deque[object]] = {}
        self._timers: dict[tuple[Peer, str], float] = {}

    # What a test does to it.

    def add(self, node: Peer) -> MembershipStrategy:
        """Start `node`; it knows nobody yet."""
        strategy = self._build(node, Random(f"{self._seed}/{node}"))
        self.nodes[node], self.up[node], self.held[node] = strategy, {}, {}
        self._perform(node, strategy.start(self.now))
        return strategy

    def join(self, node: Peer, contact: Peer) -> None:
        """`node` is told to enter the overlay that `contact` is in."""
        self._perform(node, self.nodes[node].join(contact, self.now))

    def leave(self, node: Peer) -> None:
        """`node` leaves in good order; it stays alive."""
        self._perform(node, self.nodes[node].leave(self.now))

    def perform(self, node: Peer, effects: list[Effect]) -> None:
        """Carry out what `node` answered to something that is not an input of every strategy."""
        self._perform(node, effects)

    def say(self, sender: Peer, receiver: Peer, message: object) -> None:
        """`receiver` gets `message` at once, as from `sender`, who need not exist."""
        self._perform(receiver, self.nodes[receiver].receive(sender, message, self.now))

    def fail(self, node: Peer, peer: Peer) -> None:
        """`node` is told at once that `peer` cannot be reached."""
        self._hand_over(peer, node, _LOST)

    def kill(self, node: Peer) -> None:
        """`node` is gone without a word: what it sent still arrives, and who is connected to it learns of it after."""
        del self.nodes[node], self.up[node]
        self._timers = {key: due for key, due in self._timers.items() if key[0] != node}
        for other in self.nodes:
            if node in self.held[other] or other in self.held[node]:
                self._queue(node, other).append(_LOST)
        del self.held[node]

    def tear(self, one: Peer, other: Peer, told: Iterable[Peer], *, copies: int = 1) -> None:
        """The connection breaks and what travels on it is lost; of the two, only `told` learn of it."""
        self._queues.pop((one, other), None)
        self._queues.pop((other, one), None)
        for node in told:
            if node in self.nodes:
                self._queue(one if node == other else other, node).extend(_LOST for _ in range(copies))

    def block(self, one: Peer, other: Peer) -> None:
        """From now on neither reaches the other."""
        self.blocked.add(frozenset({one, other}))
        self.tear(one, other, told=(one, other))

    def heal(self) -> None:
        """Undo every block. What was broken stays broken until the strategies mend it."""
        self.blocked.clear()

    # How it moves.

    def deliver_one(self) -> bool:
        """Whether there was something to deliver."""
        if not self._queues:
            return False
        sender, receiver = self._rng.choice(list(self._queues))
        queue = self._queues[sender, receiver]
        place = self._rng.randrange(len(queue)) if self._reorders else 0
        item = queue[place]
        del queue[place]
        if not queue:
            del self._queues[sender, receiver]
        self._hand_over(sender, receiver, item)
        return True

    def deliver_all(self) -> None:
        """Let everything arrive that was sent, and what is sent because of it. Raises RuleBroken for a livelock."""
        for _ in range(DELIVERIES_MAX):
            if not self.deliver_one():
                return
        raise RuleBroken(f"seed {self._seed}: still busy after {DELIVERIES_MAX} deliveries without a timer between")

    def fire_next_timer(self) -> bool:
        """Whether any timer was set."""
        if not self._timers:
            return False
        key = min(self._timers, key=lambda key: (self._timers[key], str(key)))
        self.now = max(self.now, self._timers.pop(key))
        node, name = key
        self._perform(node, self.nodes[node].timer_fired(name, self.now))
        return True

    def run(self, seconds: float) -> None:
        """Let time pass; all messages that a timer causes arrive before the next one fires."""
        end = self.now + seconds
        self.deliver_all()
        while self._timers and min(self._timers.values()) <= end:
            self.fire_next_timer()
            self.deliver_all()
        self.now = end

    def run_until(self, holds: Callable[[], bool], within_s: float, step_s: float = 5.0) -> bool:
        """Let time pass in steps until `holds`; whether it did in time."""
        end = self.now + within_s
        self.deliver_all()
        while not holds():
            if self.now >= end:
                return False
            self.run(step_s)
        return True

    # What it looks like.

    def asymmetric(self) -> list[tuple[Peer, Peer]]:
        """The links that only their first node holds."""
        return [
            (node, peer)
            for node, strategy in self.nodes.items()
            for peer in strategy.neighbours
            if peer not in self.nodes or node not in self.nodes[peer].neighbours
        ]

    def components(self) -> int:
        """How many pieces the nodes are in, going from neighbour to neighbour."""
        unseen = dict.fromkeys(self.nodes)
        count = 0
        while unseen:
            count += 1
            frontier = [next(iter(unseen))]
            while frontier:
                node = frontier.pop()
                if node in unseen:
                    del unseen[node]
                    frontier += self.nodes[node].neighbours
        return count

    # Inputs.

    def _hand_over(self, sender: Peer, receiver: Peer, item: object) -> None:
        if item is _LOST:
            self._tell_down(sender, receiver)
        elif item is _UP:
            if receiver in self.nodes:
                self._perform(receiver, self.nodes[receiver].peer_up(sender, self.now))
        elif receiver not in self.nodes or frozenset({sender, receiver}) in self.blocked:
            if sender in self.nodes:
                self._queue(receiver, sender).append(_LOST)
        elif item is _DIALLED:
            self._queue(receiver, sender).append(_UP)
            self._perform(receiver, self.nodes[receiver].peer_up(sender, self.now))
        else:
            self._perform(receiver, self.nodes[receiver].receive(sender, item, self.now))

    def _tell_down(self, peer: Peer, node: Peer) -> None:
        if node not in self.nodes:
            return
        self.failed.append((node, peer))
        was_neighbour = peer in self.up[node]
        effects = self.nodes[node].peer_down(peer, self.now)
        if was_neighbour and NeighbourDown(peer, failed=True) not in effects:
            raise self._broken(node, f"peer_down of its neighbour {peer} was answered by {effects}")
        self._perform(node, effects)

    def _queue(self, sender: Peer, receiver: Peer) -> deque[object]:
        return self._queues.setdefault((sender, receiver), deque())

    # Effects.

    def _perform(self, node: Peer, effects: list[Effect]) -> None:
        dropped: dict[Peer, None] = {}  # stopped being a neighbour in this answer, and still held
        for effect in effects:
            if getattr(effect, "peer", None) == node:
                raise self._broken(node, f"{effect} is about itself")
            self.effects.append((node, effect))
            match effect:
                case Send(peer, message):
                    self._send(node, peer, message)
                case SetTimer(name, delay_s):
                    if not 0 <= delay_s < math.inf:
                        raise self._broken(node, f"{effect} is not a time to come")
                    self._timers[node, name] = self.now + delay_s
                case CancelTimer(name):
                    self._timers.pop((node, name), None)
                case NeighbourUp() | NeighbourDown() | Connect() | Disconnect():
                    self._change(node, effect, dropped)
                case JoinRefused() | Evicted():
                    self.noticed.append((node, effect))
                case _:
                    raise self._broken(node, f"a membership strategy has no business with {effect!r}")
        neighbours, up, held = list(self.nodes[node].neighbours), self.up[node], self.held[node]
        if len(neighbours) != len(up) or any(peer not in up for peer in neighbours):
            raise self._broken(node, f"neighbours are {neighbours}, but {list(up)} are up")
        if unheld := [peer for peer in up if peer not in held]:
            raise self._broken(node, f"holds no connection to its neighbours {unheld}")
        if kept := [peer for peer in dropped if peer not in up]:
            raise self._broken(node, f"still holds its connection to {kept}, which stopped being neighbours")

    def _send(self, node: Peer, peer: Peer, message: object) -> None:
        declared = getattr(self.nodes[node], "messages", None)
        if declared is not None and type(message) not in declared:
            raise self._broken(node, f"{message!r} is of a class that `messages` does not declare")
        self.sent.append((node, peer, message))
        self._queue(node, peer).append(message if self._carry is None else self._carry(message))

    def _change(
        self, node: Peer, effect: NeighbourUp | NeighbourDown | Connect | Disconnect, dropped: dict[Peer, None]
    ) -> None:
        up, held, peer = self.up[node], self.held[node], effect.peer
        match effect:
            case NeighbourUp():
                if peer in up:
                    raise self._broken(node, f"{peer} is up twice")
                up[peer] = None
            case NeighbourDown():
                if peer not in up:
                    raise self._broken(node, f"{peer} is down and was not up")
                del up[peer]
                if peer in held:
                    dropped[peer] = None
            case Connect():
                if peer in held:
                    raise self._broken(node, f"connected to {peer} twice")
                held[peer] = None
                self._queue(node, peer).append(_DIALLED)
            case Disconnect():
                if peer not in held:
                    raise self._broken(node, f"disconnected from {peer} and was not connected")
                del held[peer]
                dropped.pop(peer, None)

    def _broken(self, node: Peer, what: str) -> RuleBroken:
        return RuleBroken(f"seed {self._seed}, at {self.now:.3f} s, node {node}: {what}")
