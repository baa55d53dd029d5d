"""Puppets: strategies that note what they are told, and do what a test tells them to."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.machine import Effect, Peer, Send
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.faulty import FaultySimulation
from partisan_actors.simulation.lives import name_of
from partisan_actors.simulation.machines import Simulation
from partisan_actors.simulation.network import constant_latency


class Puppet:
    """Notes its inputs with their times; a `join` makes it answer with `effects`."""

    def __init__(self) -> None:
        self.story: list[tuple[float, object]] = []
        self.effects: list[Effect] = []

    def start(self, now: float) -> list[Effect]:
        return []

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return self.effects

    def leave(self, now: float) -> list[Effect]:
        return self._note(now, "leave")

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return self._note(now, (sender, message))

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return self._note(now, f"up {peer}")

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        return self._note(now, f"down {peer}")

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        return self._note(now, f"timer {name}")

    def _note(self, now: float, what: object) -> list[Effect]:
        self.story.append((round(now, 6), what))
        return []

    @property
    def neighbours(self) -> Sequence[Peer]:
        return ()

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        return {}


class Stage:
    """Nodes 0, 1, 2 ... a second apart, whose network tells of failures a tenth of a second later."""

    def __init__(self, count: int, **arguments: Any) -> None:
        self.puppets: dict[Peer, Puppet] = {}
        self.simulation = FaultySimulation(1, self._make, constant_latency(1.0), new_life=int, **arguments)
        for node in range(count):
            self.simulation.add(node)

    def _make(self, simulation: Simulation, node: Peer) -> ProtocolStack:
        puppet = self.puppets[node] = Puppet()
        return ProtocolStack(node, puppet, Flood(node, FloodOptions(), random.Random(1)))

    def do(self, node: Peer, *effects: Effect) -> None:
        """Let a node's strategy answer with `effects`."""
        self.puppets[node].effects = list(effects)
        self.simulation.join(node, None)

    def send(self, sender: Peer, receiver: Peer, *messages: object) -> None:
        self.do(sender, *(Send(receiver, message) for message in messages))

    def story(self, node: Peer) -> list[tuple[float, object]]:
        return self.puppets[node].story

    def told(self, node: Peer) -> list[object]:
        """What a node was told, without the times."""
        return [what for _, what in self.puppets[node].story]

    def messages(self, node: Peer) -> list[tuple[Peer, object]]:
        """The messages a node received: from whom, and what."""
        return [what for what in self.told(node) if isinstance(what, tuple)]

    def lives(self) -> list[str]:
        return [name_of(node) for node in self.simulation.live]
