"""`Simulation`: thousands of bare `ProtocolStack`s in one process, in virtual time, repeatable from a seed.

It stands where the socket driver stands in a real node: it carries out effects and feeds back inputs. What it promises
the stacks is what a driver promises:

1. Messages of one node to another arrive in order. A message to a node that is gone, or cut off, comes back as
   `peer_down` at the sender, `failure_delay_s` later.
2. `Connect` is answered by `peer_up` at both ends, or by `peer_down`. The connection is open while either end holds
   it.
3. When a node is killed, what it had sent still arrives; then every node with an open connection to it gets
   `peer_down`.
4. A timer fires once per setting; setting it again replaces it; a killed node's timers never fire.

A `silent` simulation keeps less: what fails says nothing, as when a machine loses its power or a cable is pulled.
Nobody is told that an open connection leads nowhere, and who opens one in vain is told `failure_delay_s` later.
Then stacks need a failure detector; when that has Confirmed a peer to be down, the connection ends, with `peer_down`.

It also checks rule 1 of `MembershipStrategy` as it goes: NeighbourUp and NeighbourDown alternate.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from partisan_actors.protocols.broadcast.exchange import EXCHANGE_TOPIC, Refused
from partisan_actors.protocols.broadcast.lww_map import Changed, Stamp
from partisan_actors.protocols.detector.opinions import Cleared, Confirmed, Suspected
from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Deliver,
    Disconnect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.stack import ProtocolStack, StackEffect
from partisan_actors.simulation.clock import Clock, nanoseconds
from partisan_actors.simulation.network import Latency, Network, uniform_latency
from partisan_actors.simulation.streams import stream

__all__ = ["Change", "Delivery", "Finding", "Simulation", "StackFactory", "UnsoundStrategy"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A broadcast reached `node` at `at_s`."""

    node: Peer
    at_s: float
    broadcast: Deliver


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of `node`'s replicated map became another one at `at_s`."""

    node: Peer
    at_s: float
    changed: Changed


@dataclass(frozen=True, slots=True)
class Finding:
    """The detector of `node` found something out about `peer` at `at_s`."""

    node: Peer
    at_s: float
    found: Suspected | Cleared | Confirmed


class UnsoundStrategy(AssertionError):
    """A membership strategy told its neighbours wrongly."""


class _Node:
    """A live node, and what the driver of a real one would know of it."""

    __slots__ = ("held", "neighbours", "open", "stack", "timers")

    def __init__(self, stack: ProtocolStack) -> None:
        self.stack = stack
        self.held: dict[Peer, None] = {}  # asked for by Connect and not let go
        self.open: dict[Peer, None] = {}  # connections that are open, whoever holds them
        self.neighbours: dict[Peer, None] = {}
        self.timers: dict[str, int] = {}  # the number of the current setting


StackFactory: TypeAlias = Callable[["Simulation", Peer], ProtocolStack]


class Simulation:
    """A cluster.

    `on_event` is told of every input to every stack, as one line of text, before it happens. `carry` is what becomes of
    a message on its way, such as being encoded and decoded again; None hands the same object over.
    """

    def __init__(
        self,
        seed: int,
        latency: Latency | None = None,
        failure_delay_s: float = 0.1,
        on_event: Callable[[str], None] | None = None,
        carry: Callable[[object], object] | None = None,
        silent: bool = False,
    ) -> None:
        self.seed = seed
        self.silent = silent
        self.clock = Clock()
        self.network = Network(seed, latency if latency is not None else uniform_latency(0.001, 0.005))
        self.sent: Counter[type] = Counter()  # messages by class, also those that are lost later
        self.received: Counter[type] = Counter()  # messages by class, by live nodes
        self.deliveries: list[Delivery] = []
        self.changes: list[Change] = []
        self.findings: list[Finding] = []
        self.refusals: list[tuple[Peer, Refused]] = []
        self._failure_delay_ns = nanoseconds(failure_delay_s)
        self._on_event = on_event
        self._carry = carry
        self._nodes: dict[Peer, _Node] = {}
        self._gone: dict[Peer, float] = {}  # when
        self._settings = 0
        self._downs_coming: set[tuple[Peer, Peer]] = set()

    @property
    def now_s(self) -> float:
        """Virtual seconds since the beginning."""
        return self.clock.now_s

    @property
    def live(self) -> list[Peer]:
        """The nodes that were added and not killed, in the order of adding."""
        return list(self._nodes)

    def stack(self, node: Peer) -> ProtocolStack:
        """The stack of a live node. Raises KeyError when it is none."""
        return self._nodes[node].stack

    def ended_s(self, node: Peer) -> float | None:
        """When `node` was killed; None when it was not."""
        return self._gone.get(node)

    def told_neighbours(self, node: Peer) -> list[Peer]:
        """The neighbours of a live node by what its stack told: every NeighbourUp without a NeighbourDown since."""
        return list(self._nodes[node].neighbours)

    def stream(self, node: Peer, purpose: str) -> random.Random:
        """The random stream of `node` for `purpose`; its start, at every call."""
        return stream(self.seed, node, purpose)

    def add(self, node: Peer, factory: StackFactory) -> None:
        """Start a node. Raises ValueError when there is, or was, one of that name: a second life has another id."""
        if node in self._nodes or node in self._gone:
            raise ValueError(f"node {node} has been in this simulation already")
        stack = factory(self, node)
        self._nodes[node] = _Node(stack)
        self._log("start", node)
        self._carry_out(node, stack.start(self.now_s))

    def grow(self, nodes: Iterable[Peer], factory: StackFactory, contact: Peer, interval_s: float = 0.01) -> None:
        """Add `nodes` one by one, each joining through `contact` (unless it is that itself), `interval_s` apart."""
        for node in nodes:
            self.add(node, factory)
            if node != contact:
                self.join(node, contact)
            self.run_for(interval_s)

    def join(self, node: Peer, contact: Peer) -> None:
        """Tell `node` to enter the overlay that `contact` is in."""
        self._log("join", node, contact)
        self._carry_out(node, self._nodes[node].stack.join(contact, self.now_s))

    def leave(self, node: Peer) -> None:
        """Tell `node` to leave in good order; it stays alive."""
        self._log("leave", node)
        self._carry_out(node, self._nodes[node].stack.leave(self.now_s))

    def broadcast(self, node: Peer, topic: str, payload: object) -> None:
        """Let `node` broadcast."""
        self._log("broadcast", node, topic, payload)
        self._carry_out(node, self._nodes[node].stack.broadcast(topic, payload, self.now_s))

    def broadcast_state(self, node: Peer, topic: str, data: object) -> None:
        """Let `node` broadcast what its handler of `topic` makes of `data`."""
        self._log("broadcast_state", node, topic, data)
        self._carry_out(node, self._nodes[node].stack.broadcast_state(topic, data, self.now_s))

    def write(self, node: Peer, key: str, stamp: Stamp, value: object, *, gather: bool = False) -> None:
        """Let `node` write to the replicated map; see `Exchange.write`."""
        self._log("write", node, key, stamp, value)
        self._carry_out(node, self._nodes[node].stack.write(key, stamp, value, self.now_s, gather=gather))

    def kill(self, *nodes: Peer) -> None:
        """Let `nodes` crash, all in the same instant."""
        killed = []
        for name in nodes:
            self._log("kill", name)
            killed.append((name, self._nodes.pop(name)))
            self._gone[name] = self.now_s
        for name, node in killed if not self.silent else ():
            for peer in node.open:
                arrival_ns = self.network.arrival(name, peer, self.clock.now_ns)
                self._announce_down(peer, name, arrival_ns + self._failure_delay_ns)

    def cut(self, side: Iterable[Peer], other: Iterable[Peer]) -> None:
        """Partition: nobody of `side` reaches anybody of `other` any more; open connections between them break."""
        sides = list(side), list(other)
        self._log("cut", sides)
        self.network.cut(*sides)
        for name, node in self._nodes.items() if not self.silent else ():
            for peer in node.open:
                if self.network.is_cut(name, peer):
                    self._announce_down(name, peer, self.clock.now_ns + self._failure_delay_ns)

    def heal(self) -> None:
        """Undo every cut. What was broken stays broken until the strategies mend it."""
        self._log("heal", None)
        self.network.heal()

    def run_for(self, seconds: float) -> int:
        """Let virtual time pass; how many events happened."""
        return self.clock.run_until(self.clock.now_ns + nanoseconds(seconds))

    # Effects.

    def _carry_out(self, name: Peer, effects: list[StackEffect]) -> None:
        node = self._nodes[name]
        for effect in effects:
            if type(effect) is Send:  # nearly all; the test is cheaper than a pattern
                self._send(name, effect.peer, effect.message)
                continue
            match effect:
                case SetTimer(timer, delay_s):
                    self._settings += 1
                    node.timers[timer] = self._settings
                    self.clock.at(self.clock.now_ns + nanoseconds(delay_s), self._fire, name, timer, self._settings)
                case CancelTimer(timer):
                    node.timers.pop(timer, None)
                case Deliver(topic) if topic != EXCHANGE_TOPIC:
                    self.deliveries.append(Delivery(name, self.now_s, effect))
                case Connect(peer):
                    node.held[peer] = None
                    self.clock.at(self.network.arrival(name, peer, self.clock.now_ns), self._dialled, name, peer)
                case Disconnect(peer):
                    self._let_go(name, peer)
                case NeighbourUp(peer):
                    if peer in node.neighbours or peer == name:
                        raise UnsoundStrategy(f"seed {self.seed}: node {name} got NeighbourUp({peer}) wrongly")
                    node.neighbours[peer] = None
                case NeighbourDown(peer):
                    if peer not in node.neighbours:
                        raise UnsoundStrategy(f"seed {self.seed}: node {name} got NeighbourDown({peer}) wrongly")
                    del node.neighbours[peer]
                case Suspected(peer) | Cleared(peer):
                    self.findings.append(Finding(name, self.now_s, effect))
                case Confirmed(peer):
                    self.findings.append(Finding(name, self.now_s, effect))
                    self._announce_down(name, peer, self.clock.now_ns)
                case Changed():
                    self.changes.append(Change(name, self.now_s, effect))
                case Refused():
                    self.refusals.append((name, effect))

    def _send(self, sender: Peer, receiver: Peer, message: object) -> None:
        self.sent[type(message)] += 1
        arrival_ns = self.network.message_arrival(sender, receiver, message, self.clock.now_ns)
        if arrival_ns is not None:
            carried = message if self._carry is None else self._carry(message)
            self.clock.at(arrival_ns, self._arrived, sender, receiver, carried)

    def _let_go(self, name: Peer, peer: Peer) -> None:
        self._nodes[name].held.pop(peer, None)
        other = self._nodes.get(peer)
        if other is None or name not in other.held:
            self._nodes[name].open.pop(peer, None)
            if other is not None:
                other.open.pop(name, None)

    # Inputs.

    def _arrived(self, sender: Peer, receiver: Peer, message: object) -> None:
        node = self._nodes.get(receiver)
        if node is None or self.network.is_cut(sender, receiver):
            if self.silent and sender in self._nodes and receiver in self._nodes[sender].open:
                return
            self._announce_down(sender, receiver, self.clock.now_ns + self._failure_delay_ns)
            return
        if self._on_event is not None:
            self._log("receive", receiver, sender, message)
        self.received[type(message)] += 1
        effects = node.stack.receive(sender, message, self.clock.now_s)
        if effects:
            self._carry_out(receiver, effects)

    def _fire(self, name: Peer, timer: str, setting: int) -> None:
        node = self._nodes.get(name)
        if node is None or node.timers.get(timer) != setting:
            return
        del node.timers[timer]
        self._log("timer_fired", name, timer)
        self._carry_out(name, node.stack.timer_fired(timer, self.now_s))

    def _dialled(self, caller: Peer, called: Peer) -> None:
        node = self._nodes.get(caller)
        if node is None or called not in node.held:
            return
        other = self._nodes.get(called)
        if other is None or self.network.is_cut(caller, called) or self.network.is_cut(called, caller):
            self._announce_down(caller, called, self.clock.now_ns + self._failure_delay_ns)
            return
        is_new = called not in node.open
        node.open[called] = other.open[caller] = None
        self.clock.at(self.network.arrival(called, caller, self.clock.now_ns), self._up, caller, called)
        if is_new:
            self._up(called, caller)

    def _up(self, name: Peer, peer: Peer) -> None:
        node = self._nodes.get(name)
        if node is not None and peer in node.open:
            self._log("peer_up", name, peer)
            self._carry_out(name, node.stack.peer_up(peer, self.now_s))

    def _announce_down(self, name: Peer, peer: Peer, at_ns: int) -> None:
        """Give `peer_down(peer)` to `name` at `at_ns`, once, however many messages found that out."""
        if (name, peer) not in self._downs_coming:
            self._downs_coming.add((name, peer))
            self.clock.at(at_ns, self._down, name, peer)

    def _down(self, name: Peer, peer: Peer) -> None:
        self._downs_coming.discard((name, peer))
        node = self._nodes.get(name)
        if node is None:
            return
        node.held.pop(peer, None)
        node.open.pop(peer, None)
        other = self._nodes.get(peer)
        if other is not None and name in other.open:  # a connection breaks at both ends
            self._announce_down(peer, name, self.clock.now_ns)
        self._log("peer_down", name, peer)
        self._carry_out(name, node.stack.peer_down(peer, self.now_s))

    def _log(self, what: str, node: Peer, *details: object) -> None:
        if self._on_event is not None:
            self._on_event(f"{self.clock.now_ns} {what} {node} {details!r}")
