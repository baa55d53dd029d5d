"""A network in which a test, not chance, decides what happens next: bare membership strategies, no latency model.

Messages wait in one queue for each ordered pair of nodes. `deliver_one` takes the front of a queue picked by the
network's own random stream, so every interleaving that first-in first-out connections allow can happen; with
`reorders` messages of one pair overtake each other too. Every effect is checked as it comes out:

* `NeighbourUp` and `NeighbourDown` of a peer alternate, beginning with up, and `neighbours` lists those that are up;
* a connection is held (`Connect`) to exactly those;
* nothing is ever done to the node itself as a peer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from random import Random

from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Disconnect,
    Effect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.membership.strategy import MembershipStrategy

DELIVERIES_MAX = 100_000  # more than this without a pause is a livelock


class _Lost:
    """Stands in a queue for the end of the connection: whoever takes it out is told `peer_down`."""


class StrategyNetwork:
    def __init__(
        self, build: Callable[[Peer, Random], MembershipStrategy], seed: int, *, reorders: bool = False
    ) -> None:
        self.now = 0.0
        self.nodes: dict[Peer, MembershipStrategy] = {}
        self.up: dict[Peer, dict[Peer, None]] = {}
        self.held: dict[Peer, dict[Peer, None]] = {}
        self.sent: list[tuple[Peer, Peer, object]] = []
        self.failed: list[tuple[Peer, Peer]] = []
        self.blocked: set[frozenset[Peer]] = set()
        self._build = build
        self._rng = Random(seed)
        self._seed = seed
        self._reorders = reorders
        self._queues: dict[tuple[Peer, Peer], deque[object]] = {}
        self._timers: dict[tuple[Peer, str], float] = {}

    # What a test does to it.

    def add(self, node: Peer) -> MembershipStrategy:
        strategy = self._build(node, Random(f"{self._seed}/{node}"))
        self.nodes[node], self.up[node], self.held[node] = strategy, {}, {}
        self._perform(node, strategy.start(self.now))
        return strategy

    def join(self, node: Peer, contact: Peer) -> None:
        self._perform(node, self.nodes[node].join(contact, self.now))

    def leave(self, node: Peer) -> None:
        self._perform(node, self.nodes[node].leave(self.now))

    def kill(self, node: Peer) -> None:
        """`node` is gone without a word: what it sent still arrives, and who is connected to it learns of it after."""
        del self.nodes[node], self.up[node]
        self._timers = {key: due for key, due in self._timers.items() if key[0] != node}
        for other in self.nodes:
            if node in self.held[other] or other in self.held[node]:
                self._queue(node, other).append(_Lost())
        del self.held[node]

    def tear(self, one: Peer, other: Peer, told: Iterable[Peer], *, copies: int = 1) -> None:
        """The connection breaks and what travels on it is lost; of the two, only `told` learn of it."""
        self._queues.pop((one, other), None)
        self._queues.pop((other, one), None)
        for node in told:
            if node in self.nodes:
                self._queue(one if node == other else other, node).extend(_Lost() for _ in range(copies))

    def block(self, one: Peer, other: Peer) -> None:
        """From now on neither reaches the other."""
        self.blocked.add(frozenset({one, other}))
        self.tear(one, other, told=(one, other))

    def heal(self) -> None:
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
        for _ in range(DELIVERIES_MAX):
            if not self.deliver_one():
                return
        raise AssertionError(f"seed {self._seed}: still busy after {DELIVERIES_MAX} deliveries")

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

    # Effects.

    def _hand_over(self, sender: Peer, receiver: Peer, item: object) -> None:
        if isinstance(item, _Lost):
            if receiver in self.nodes:
                self.failed.append((receiver, sender))
                self._perform(receiver, self.nodes[receiver].peer_down(sender, self.now))
        elif receiver in self.nodes and frozenset({sender, receiver}) not in self.blocked:
            self._perform(receiver, self.nodes[receiver].receive(sender, item, self.now))
        elif sender in self.nodes:
            self._queue(receiver, sender).append(_Lost())

    def _queue(self, sender: Peer, receiver: Peer) -> deque[object]:
        return self._queues.setdefault((sender, receiver), deque())

    def _perform(self, node: Peer, effects: list[Effect]) -> None:
        up, held, place = self.up[node], self.held[node], f"seed {self._seed}, node {node}"
        for effect in effects:
            assert getattr(effect, "peer", None) != node, f"{place}: {effect} is about itself"
            match effect:
                case Send(peer, message):
                    self.sent.append((node, peer, message))
                    self._queue(node, peer).append(message)
                case SetTimer(name, delay_s):
                    assert delay_s >= 0
                    self._timers[node, name] = self.now + delay_s
                case CancelTimer(name):
                    self._timers.pop((node, name), None)
                case NeighbourUp(peer):
                    assert peer not in up, f"{place}: {peer} is up twice"
                    up[peer] = None
                case NeighbourDown(peer, _):
                    assert peer in up, f"{place}: {peer} is down twice"
                    del up[peer]
                case Connect(peer):
                    assert peer not in held, f"{place}: connected to {peer} twice"
                    held[peer] = None
                case Disconnect(peer):
                    assert peer in held, f"{place}: disconnected from {peer} twice"
                    del held[peer]
                case _:
                    raise AssertionError(f"{place}: a membership strategy has no business with {effect}")
        neighbours = list(self.nodes[node].neighbours)
        assert sorted(neighbours, key=str) == sorted(up, key=str), f"{place}: {neighbours} are not those that are up"
        assert held.keys() == up.keys(), f"{place}: holds {list(held)} for {neighbours}"
