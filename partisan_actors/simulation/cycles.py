"""`CycleEngine`: the same machines run cycle by cycle, as the papers ran theirs; fast, and without any latency.

The papers used PeerSim's cycle engine: nodes join one by one with no cycle in between; in a cycle every node takes its
periodic step in turn, and whatever that sends runs to the end before the next thing happens. So here:

1. What is sent waits in one queue, first in, first out. Every message thus takes as long as any other, and `hops` of a
   flood are those of a shortest path.
2. A message or a `Connect` to a node that is gone comes back as `peer_down`: at once, through the same queue, or, with
   `slow_failures`, when the caller says `tell_failures`, as if the attempt took until then to fail. Nobody hears of a
   crash but by sending, unless the caller says `break_connections`.
3. Timers do not run. One set with no delay fires through the queue; one whose name starts with a word of `prompt` fires
   when the queue has run empty, those of least delay first; any other fires when the caller says `fire`.

For latencies, lost messages, partitions and detectors that take time there is `machines.Simulation`.
"""

from __future__ import annotations

import pickle
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeAlias

from partisan_actors.protocols.machine import CancelTimer, Connect, Deliver, Peer, Send, SetTimer
from partisan_actors.protocols.stack import StackEffect
from partisan_actors.simulation.streams import stream

__all__ = ["CycleEngine", "CycleMachine", "MachineFactory", "UnsettledNetwork"]

CYCLE_S: Final = 10.0  # what machines are told that a cycle takes
EVENTS_MAX: Final = 20_000  # for each node, between two moments of quiet


class CycleMachine(Protocol):
    """What is run: a membership strategy by itself, or a `ProtocolStack`."""

    @property
    def neighbours(self) -> Sequence[Peer]: ...

    def start(self, now: float) -> Sequence[StackEffect]: ...

    def join(self, contact: Peer, now: float) -> Sequence[StackEffect]: ...

    def receive(self, sender: Peer, message: object, now: float) -> Sequence[StackEffect]: ...

    def peer_up(self, peer: Peer, now: float) -> Sequence[StackEffect]: ...

    def peer_down(self, peer: Peer, now: float) -> Sequence[StackEffect]: ...

    def timer_fired(self, name: str, now: float) -> Sequence[StackEffect]: ...


MachineFactory: TypeAlias = Callable[[Peer, random.Random], CycleMachine]


class UnsettledNetwork(RuntimeError):
    """More than EVENTS_MAX events a node happened and the queue is still not empty: the machines never come to rest."""


class _PeerUp:
    """In the place of a message: the connection to the sender is open."""


class _PeerDown:
    """In the place of a message: the sender cannot be reached."""


class _Timer:
    """In the place of a message: the receiver's timer `name` fires, if it is still set to this."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


_UP: Final = _PeerUp()
_DOWN: Final = _PeerDown()


class CycleEngine:
    """A network of machines. `seed` gives every node its random stream; see `stream`."""

    def __init__(self, seed: int, prompt: tuple[str, ...] = (), slow_failures: bool = False) -> None:
        self.seed = seed
        self.cycles = 0
        self.received: Counter[type] = Counter()  # messages by class, by live nodes
        self.deliveries: list[tuple[Peer, Deliver]] = []  # the caller may clear it
        self.prompt = prompt
        self.slow_failures = slow_failures
        self._machines: dict[Peer, CycleMachine] = {}
        self._queue: deque[tuple[Peer, Peer, object]] = deque()
        self._prompted: dict[tuple[Peer, str], tuple[float, _Timer]] = {}  # and the delay
        self._failures: list[tuple[Peer, Peer, object]] = []  # not told yet

    @property
    def now(self) -> float:
        """What machines are told: the cycles so far, in seconds."""
        return self.cycles * CYCLE_S

    @property
    def live(self) -> list[Peer]:
        """The nodes that were added and not killed, in the order of adding."""
        return list(self._machines)

    @property
    def machines(self) -> dict[Peer, CycleMachine]:
        """The live machines by name, in the order of adding. Not to be changed."""
        return self._machines

    def stream(self, node: Peer, purpose: str) -> random.Random:
        """The random stream of `node` for `purpose`; its start, at every call."""
        return stream(self.seed, node, purpose)

    def add(self, node: Peer, factory: MachineFactory, contact: Peer | None = None) -> None:
        """Start a node; with a contact it joins through that, and the network comes to rest."""
        machine = self._machines[node] = factory(node, self.stream(node, "membership"))
        self._carry_out(node, machine.start(self.now))
        if contact is not None:
            self._carry_out(node, machine.join(contact, self.now))
        self.settle()

    def kill(self, nodes: Iterable[Peer]) -> None:
        """Let `nodes` crash. Nobody is told."""
        for node in nodes:
            del self._machines[node]

    def break_connections(self) -> None:
        """Every live node gets `peer_down` of each of its neighbours that is dead, as when their sockets close."""
        for node, machine in self._machines.items():
            for peer in machine.neighbours:
                if peer not in self._machines:
                    self._fail(node, peer)

    def tell_failures(self) -> int:
        """With `slow_failures`: tell those found so far, and come to rest; how many they were.

        What these lead to, such as another attempt at another dead node, waits for the next time.
        """
        failures, self._failures = self._failures, []
        self._queue.extend(failures)
        self.settle()
        return len(failures)

    def replace(self, node: Peer, machine: CycleMachine) -> None:
        """Put another machine in the place of a live one, such as a stack around it."""
        if node not in self._machines:
            raise KeyError(node)
        self._machines[node] = machine

    def tell(self, node: Peer, effects: Sequence[StackEffect]) -> None:
        """Carry out what a live machine answered to an input of the caller's own; `settle` lets it take its course."""
        self._carry_out(node, effects)

    def cycle(self, *timers: str) -> None:
        """One cycle: every live node, in the order of adding, fires its `timers`, each followed by rest."""
        for node in self.live:
            for name in timers:
                self.fire(node, name)
                self.settle()
        self.cycles += 1

    def fire(self, node: Peer, timer: str) -> None:
        """Let a timer of a live node run out now, set or not."""
        self._carry_out(node, self._machines[node].timer_fired(timer, self.now))

    def settle(self) -> None:
        """Let everything happen that follows, until the network is at rest. Raises UnsettledNetwork if it never is."""
        left = EVENTS_MAX * (len(self._machines) + 1)
        while self._queue or self._prompted:
            left = self._drain(left)
            if self._prompted:
                self._fire_prompted()

    def snapshot(self) -> bytes:
        """All of it, to be brought back by `restored` any number of times."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def restored(snapshot: bytes) -> CycleEngine:
        """The engine as it was when `snapshot` was made; it draws the same random numbers from there on."""
        engine = pickle.loads(snapshot)
        assert isinstance(engine, CycleEngine)
        return engine

    def _drain(self, left: int) -> int:
        # This loop is most of what a simulation takes. Messages are dealt with here, the rest is called.
        queue, machines, received, now = self._queue, self._machines, self.received, self.now
        next_event, later = queue.popleft, queue.append
        while queue:
            left -= 1
            if left < 0:
                raise UnsettledNetwork(f"seed {self.seed}: no rest after {EVENTS_MAX} events a node")
            receiver, sender, message = next_event()
            machine = machines.get(receiver)
            kind = type(message)
            if machine is None:
                if sender in machines and kind is not _PeerDown and kind is not _Timer:
                    self._fail(sender, receiver)
                continue
            if kind is _PeerDown:
                effects = machine.peer_down(sender, now)
            elif kind is _PeerUp:
                effects = machine.peer_up(sender, now)
            elif kind is _Timer:
                effects = machine.timer_fired(message.name, now)  # type: ignore[attr-defined]  # it is a _Timer
            else:
                received[kind] += 1
                effects = machine.receive(sender, message, now)
            for effect in effects:
                if type(effect) is Send:
                    later((effect.peer, receiver, effect.message))
                else:
                    self._carry_out_one(receiver, effect)
        return left

    def _fail(self, node: Peer, dead: Peer) -> None:
        (self._failures if self.slow_failures else self._queue).append((node, dead, _DOWN))

    def _carry_out(self, node: Peer, effects: Sequence[StackEffect]) -> None:
        for effect in effects:
            if type(effect) is Send:
                self._queue.append((effect.peer, node, effect.message))
            else:
                self._carry_out_one(node, effect)

    def _carry_out_one(self, node: Peer, effect: StackEffect) -> None:
        match effect:
            case Connect(peer):
                self._queue.append((peer, node, _UP))
                if peer in self._machines:
                    self._queue.append((node, peer, _UP))
            case Deliver():
                self.deliveries.append((node, effect))
            case SetTimer(name, delay_s):
                if delay_s <= 0:
                    self._queue.append((node, node, _Timer(name)))
                elif name.startswith(self.prompt):
                    self._prompted[node, name] = (delay_s, _Timer(name))
            case CancelTimer(name):
                self._prompted.pop((node, name), None)

    def _fire_prompted(self) -> None:
        least = min(delay_s for delay_s, _ in self._prompted.values())
        due = [(key, timer) for key, (delay_s, timer) in self._prompted.items() if delay_s == least]
        for (node, name), timer in due:
            del self._prompted[node, name]
            self._queue.append((node, node, timer))
