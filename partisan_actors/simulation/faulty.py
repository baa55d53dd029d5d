"""`FaultySimulation`: a `Simulation` with faults between its nodes, and inside them.

What it adds to the promises of `machines`, while a fault is in force and no longer:

1. Messages from one node to another stay in order, whatever happens to them. What a reset loses is a run of them: all
   that were on their way.
2. A lost message is lost in silence; one that a cut stops comes back as `peer_down`. A cut that comes takes down the
   connections it crosses (neither of this where the simulation is silent). Through a one-way cut, messages in the other
   direction get through, but no connection can be opened.
3. A slow or stalled node is told nothing before its time, and everything in order: messages, timers, connections.
4. A restarted node is a new life under the same name, which joins as any newcomer does.

Faults cost nothing where there are none: this class stands between the events of the base class and their handlers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias

from partisan_actors.faults.operations import Cut, Duplicate
from partisan_actors.faults.rules import Fate, Rule, cut_between, judge
from partisan_actors.faults.selectors import Group
from partisan_actors.messages import tag_of
from partisan_actors.protocols.broadcast.lww_map import Stamp
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.stack import StackEffect
from partisan_actors.simulation.backlog import Backlog
from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.lives import first_life, name_of, next_life
from partisan_actors.simulation.machines import Simulation, StackFactory
from partisan_actors.simulation.network import Latency, Network, uniform_latency
from partisan_actors.simulation.streams import stream

__all__ = ["GOODBYE_S", "ContactsOf", "FaultySimulation", "Observer", "first_other"]

# How long a node that left stays to see its goodbyes off.
GOODBYE_S: Final = 1.0


class Observer(Protocol):
    """Whoever looks on: at every message before it is handled, and at every node after it did anything."""

    def received(self, simulation: FaultySimulation, sender: Peer, receiver: Peer, message: object) -> None: ...

    def stepped(self, simulation: FaultySimulation, node: Peer) -> None: ...


# Through whom a node joins, in this order.
ContactsOf: TypeAlias = Callable[["FaultySimulation", Peer], Sequence[Peer]]


def first_other(simulation: FaultySimulation, node: Peer) -> Sequence[Peer]:
    """The node that has been up for the longest; nobody for the first one."""
    return [other for other in simulation.live if other != node][:1]


class FaultySimulation(Simulation):
    """A cluster whose nodes `factory` makes. `add_new` calls them n0, n1, ... unless `new_life` has other names."""

    def __init__(
        self,
        seed: int,
        factory: StackFactory,
        latency: Latency | None = None,
        failure_delay_s: float = 0.1,
        on_event: Callable[[str], None] | None = None,
        carry: Callable[[object], object] | None = None,
        observers: Sequence[Observer] = (),
        contacts_of: ContactsOf = first_other,
        new_life: Callable[[int], Peer] = first_life,
        silent: bool = False,
    ) -> None:
        super().__init__(seed, latency, failure_delay_s, on_event, carry, silent)
        self.network = _CutNetwork(seed, latency if latency is not None else uniform_latency(0.001, 0.005), self)
        self.rules: list[Rule] = []
        self.lives: dict[str, Peer] = {}  # the latest of each name
        self.lost = 0  # messages that faults took in silence
        self._factory = factory
        self._observers = tuple(observers)
        self._contacts_of = contacts_of
        self._new_life = new_life
        self._number = 0
        self._held: list[tuple[Rule, Peer, Peer, object]] = []
        self._backlogs: dict[Peer, Backlog] = {}
        self._lost_until: dict[tuple[Peer, Peer], int] = {}
        self._half_open: set[tuple[Peer, Peer]] = set()  # (who does not know, of whom); only asked for membership
        self._finding: set[tuple[Peer, Peer]] = set()  # (who has sent on a half-open one, to whom), but not heard yet
        self._copied: dict[tuple[int, Peer, Peer], int] = {}  # when last; by the rule, sender and receiver
        self._streams: dict[tuple[int, Peer], random.Random] = {}  # by a rule that is in force, and sender

    # Nodes.

    def add(self, node: Peer, factory: StackFactory | None = None) -> None:
        """Start a node, made by the simulation's factory unless another one is given."""
        self.lives[name_of(node)] = node
        super().add(node, factory if factory is not None else self._factory)

    def add_new(self) -> Peer:
        """Start a node with a new name; it joins through its contacts."""
        node = self._new_life(self._number)
        self._number += 1
        return self._enter(node)

    def restart(self, name: str) -> Peer:
        """Start the next life of that name, whose last one must be down; it joins through its contacts."""
        return self._enter(next_life(self.lives[name]))

    def kill(self, *nodes: Peer) -> None:
        super().kill(*nodes)
        for node in nodes:
            backlog = self._backlogs.pop(node, None)
            if backlog is not None:
                backlog.close()

    def leave_and_go(self, node: Peer) -> None:
        """Let `node` leave in good order, and end GOODBYE_S later."""
        if not self._put_off(node, self._leave_and_go, node):
            self._leave_and_go(node)

    def join(self, node: Peer, contact: Peer) -> None:
        if not self._put_off(node, super().join, node, contact):
            super().join(node, contact)

    def broadcast(self, node: Peer, topic: str, payload: object) -> None:
        if not self._put_off(node, super().broadcast, node, topic, payload):
            super().broadcast(node, topic, payload)

    def write(self, node: Peer, key: str, stamp: Stamp, value: object, *, gather: bool = False) -> None:
        write = partial(super().write, gather=gather)
        if not self._put_off(node, write, node, key, stamp, value):
            write(node, key, stamp, value)

    def slow_down(self, node: Peer, input_s: float, for_s: float) -> None:
        """Every input takes `node` that much longer, for so long."""
        self._log("slow_down", node, input_s, for_s)
        self._backlog(node).slow_down(nanoseconds(input_s), self.clock.now_ns + nanoseconds(for_s))

    def stall(self, node: Peer, for_s: float) -> None:
        """`node` stands still for so long."""
        self._log("stall", node, for_s)
        self._backlog(node).stall(self.clock.now_ns + nanoseconds(for_s))

    # The network.

    def impose(self, rule: Rule) -> None:
        """From now on messages are judged by `rule` too. A cut takes connections down as it comes."""
        self._log("impose", None, rule.operation)
        self.rules.append(rule)
        if isinstance(rule.operation, Cut) and not self.silent:
            for node, peer in self._connections(rule.first, rule.second):
                self._announce_down(node, peer, self.clock.now_ns + self._failure_delay_ns)

    def lift(self, rule: Rule) -> None:
        """No longer. What it held goes on its way, unless another rule has something against it."""
        self._log("lift", None, rule.operation)
        self.rules = [other for other in self.rules if other is not rule]
        self._streams = {key: rng for key, rng in self._streams.items() if key[0] != id(rule)}
        self._copied = {key: at_ns for key, at_ns in self._copied.items() if key[0] != id(rule)}
        waiting, self._held = self._held, []
        for holder, sender, receiver, message in waiting:
            if holder is rule:
                self._send_by_rules(sender, receiver, message)
            else:
                self._held.append((holder, sender, receiver, message))

    def reset(self, first: Group, second: Group, half_open: bool = False) -> None:
        """Break the connections between the two; see `faults.operations.Reset`."""
        broken = self._connections(first, second)
        self._log("reset", None, broken, half_open)
        for node, peer in broken:
            self._lost_until[node, peer] = self.network.break_off(node, peer, self.clock.now_ns)
            self.lost += sum(held[1:3] == (node, peer) for held in self._held)
            self._held = [held for held in self._held if held[1:3] != (node, peer)]
        for node, peer in broken:
            if half_open and name_of(node) in first and name_of(peer) in second:
                self._half_open.add((node, peer))
                self._nodes[node].open.pop(peer, None)  # so that it is not told when the other end is
            else:
                self._announce_down(node, peer, self.clock.now_ns)

    def reaches(self, sender: Peer, receiver: Peer) -> bool:
        """Whether no rule cuts `receiver` off from what `sender` sends."""
        return not self.rules or not cut_between(self.rules, name_of(sender), name_of(receiver))

    # Between the events of the base class and their handlers.

    def _carry_out(self, name: Peer, effects: list[StackEffect]) -> None:
        super()._carry_out(name, effects)
        for observer in self._observers:
            observer.stepped(self, name)

    def _send(self, sender: Peer, receiver: Peer, message: object) -> None:
        if (sender, receiver) in self._half_open:
            self._half_open.discard((sender, receiver))
            self.sent[type(message)] += 1
            self.lost += 1
            self._finding.add((sender, receiver))
            self.clock.at(self.clock.now_ns + self._failure_delay_ns, self._found_broken, sender, receiver)
        elif self.rules:
            self._send_by_rules(sender, receiver, message)
        else:
            super()._send(sender, receiver, message)

    def _found_broken(self, sender: Peer, receiver: Peer) -> None:
        if (sender, receiver) in self._finding:  # and there is no new connection, of which this says nothing
            self._finding.discard((sender, receiver))
            self._announce_down(sender, receiver, self.clock.now_ns)

    def _send_by_rules(self, sender: Peer, receiver: Peer, message: object) -> None:
        kind = tag_of(message) or type(message).__name__
        verdict = judge(self.rules, name_of(sender), name_of(receiver), kind, partial(self._stream_of, sender))
        match verdict.fate:
            case Fate.ARRIVES:
                late_ns = nanoseconds(verdict.delay_s)
                self._send_late(sender, receiver, message, late_ns)
                for rule in verdict.copiers:
                    if self._may_copy(rule, sender, receiver):
                        self._send_late(sender, receiver, message, late_ns)
            case Fate.HELD:
                holder = next(rule for rule in self.rules if rule.holds(name_of(sender), name_of(receiver)))
                self._held.append((holder, sender, receiver, message))
            case Fate.LOST:
                self.sent[type(message)] += 1
                self.lost += 1
            case Fate.CUT_OFF:
                super()._send(sender, receiver, message)  # it finds out where it would arrive

    def _may_copy(self, rule: Rule, sender: Peer, receiver: Peer) -> bool:
        key = (id(rule), sender, receiver)
        last_ns, now_ns = self._copied.get(key), self.clock.now_ns
        assert isinstance(rule.operation, Duplicate)
        if last_ns is not None and now_ns - last_ns < nanoseconds(rule.operation.pause_s):
            return False
        self._copied[key] = now_ns
        return True

    def _stream_of(self, sender: Peer, rule: Rule) -> random.Random:
        """Named so that a rule draws the same where other operations are left out, and choices are written out."""
        key = (id(rule), sender)
        rng = self._streams.get(key)
        if rng is None:
            purpose = f"{type(rule.operation).__name__} at {rule.operation.at_s:g}"
            rng = self._streams[key] = stream(self.seed, sender, purpose)
        return rng

    def _send_late(self, sender: Peer, receiver: Peer, message: object, late_ns: int) -> None:
        self.sent[type(message)] += 1
        arrival_ns = self.network.message_arrival(sender, receiver, message, self.clock.now_ns, late_ns)
        if arrival_ns is not None:
            carried = message if self._carry is None else self._carry(message)
            self.clock.at(arrival_ns, self._arrived, sender, receiver, carried)

    def _arrived(self, sender: Peer, receiver: Peer, message: object) -> None:
        if self._lost_until and self._was_lost(sender, receiver):
            return
        backlog = self._backlogs.get(receiver)
        if backlog is None or not backlog.is_needed:
            self._handle(sender, receiver, message)
        elif backlog.is_full:
            self.lost += 1
        else:
            backlog.put(self._handle, sender, receiver, message)

    def _handle(self, sender: Peer, receiver: Peer, message: object) -> None:
        if receiver in self._nodes and not self.network.is_cut(sender, receiver):
            for observer in self._observers:
                observer.received(self, sender, receiver, message)
        super()._arrived(sender, receiver, message)

    def _was_lost(self, sender: Peer, receiver: Peer) -> bool:
        until_ns = self._lost_until.get((sender, receiver))
        if until_ns is None:
            return False
        if self.clock.now_ns > until_ns:
            del self._lost_until[sender, receiver]
            return False
        self.lost += 1
        return True

    def _fire(self, name: Peer, timer: str, setting: int) -> None:
        if not self._put_off(name, super()._fire, name, timer, setting):
            super()._fire(name, timer, setting)

    def _up(self, name: Peer, peer: Peer) -> None:
        self._half_open.discard((name, peer))  # there is a new connection
        self._finding.discard((name, peer))
        if not self._put_off(name, super()._up, name, peer):
            super()._up(name, peer)

    def _down(self, name: Peer, peer: Peer) -> None:
        self._half_open.discard((name, peer))
        if not self._put_off(name, super()._down, name, peer):
            super()._down(name, peer)

    def _put_off(self, node: Peer, function: Callable[..., None], *arguments: object) -> bool:
        backlog = self._backlogs.get(node)
        if backlog is None:
            return False
        if not backlog.is_needed:
            del self._backlogs[node]
            return False
        backlog.put(function, *arguments)
        return True

    def _backlog(self, node: Peer) -> Backlog:
        return self._backlogs.setdefault(node, Backlog(self.clock))

    def _enter(self, node: Peer) -> Peer:
        self.add(node)
        for contact in self._contacts_of(self, node):
            self.join(node, contact)
        return node

    def _leave_and_go(self, node: Peer) -> None:
        super().leave(node)
        self.clock.at(self.clock.now_ns + nanoseconds(GOODBYE_S), self._go, node)

    def _go(self, node: Peer) -> None:
        if node in self._nodes:
            self.kill(node)

    def _connections(self, first: Group, second: Group) -> list[tuple[Peer, Peer]]:
        """Both ends, (who, to whom), of every open connection between the two."""
        found = []
        for node, state in self._nodes.items():
            here = name_of(node)
            for peer in state.open:
                there = name_of(peer)
                if (here in first and there in second) or (here in second and there in first):
                    found.append((node, peer))
        return found


class _CutNetwork(Network):
    """A network whose cuts are those of a simulation's rules too."""

    def __init__(self, seed: int, latency: Latency, simulation: FaultySimulation) -> None:
        super().__init__(seed, latency)
        self._simulation = simulation

    def is_cut(self, sender: Peer, receiver: Peer) -> bool:
        return super().is_cut(sender, receiver) or not self._simulation.reaches(sender, receiver)
