"""Failure detection on a node: SWIM over the overlay's neighbours, told of what connections show and records say.

One neighbour has its turn each period: it is pinged unless something came from it since the last one, so a busy
connection costs no pings. Helpers ping on this node's behalf over connections of their own, so a broken one alone
brings nobody under suspicion. What is found out is written into the neighbour's record, for everybody: that it is
suspected, and by whom; that it is down, when that was not refuted in time. At first a suspicion is told to the suspect
alone: on a busy machine many nodes answer late, and what concerns everybody costs a broadcast.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any, Final, Protocol

from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.directory import SUSPECT, Directory, NodeRecord
from partisan_actors.node.driver import Driver
from partisan_actors.node.keepalive import KeepAlive
from partisan_actors.node.presence import Presence
from partisan_actors.node.router import Router
from partisan_actors.protocols.detector.opinions import Accused, Confirmed, Suspected
from partisan_actors.protocols.detector.suspicion import Suspicion
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import CancelTimer, SetTimer

__all__ = ["Detection", "swim_options"]

LAYER: Final = "detector"
# For how many periods a suspicion is between this node and the suspect.
DISCREET_PERIODS: Final = 2


class DetectionHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    config: NodeConfig
    rng: random.Random
    loop: asyncio.AbstractEventLoop
    directory: Directory
    router: Router
    driver: Driver
    keep_alive: KeepAlive


def swim_options(config: NodeConfig) -> SwimOptions:
    """What a node's settings mean for its detector; `keep_alive_s` is not 0."""
    period_s = config.keep_alive_s
    return SwimOptions(
        period_s=period_s, timeout_s=period_s / 2, suspicion_periods=max(1.0, config.suspicion_s / period_s)
    )


class Detection:
    """Watches the neighbours of one node. `presence` is told what it finds, and says what the records say."""

    def __init__(self, host: DetectionHost, presence: Presence) -> None:
        self._host = host
        self._presence = presence
        self._is_on = host.config.keep_alive_s > 0
        options = swim_options(host.config) if self._is_on else SwimOptions()
        self.swim = Swim(host.me, options, random.Random(host.rng.getrandbits(64)))
        # How many bytes had come from those of whom any more would be news.
        self._bytes: dict[NodeId, int] = {}
        host.driver.attach(LAYER, self.swim.messages, self._received, self._fired)

    def start(self) -> None:
        """Begin to watch; nothing is ever sent when `keep_alive_s` is 0."""
        if self._is_on:
            self._carry_out(self.swim.start(self._host.loop.time()))

    # ---- what happens -----------------------------------------------------------------------------------------

    def neighbour_up(self, node: NodeId) -> None:
        """The overlay has a new neighbour."""
        self._carry_out(self.swim.watch(node, self._host.loop.time()))

    def neighbour_down(self, node: NodeId) -> None:
        """The overlay lost a neighbour, or dropped it."""
        self._host.keep_alive.forget(self._host.router.peer(node))
        self._carry_out(self.swim.unwatch(node, self._host.loop.time()))

    def record_changed(self, record: NodeRecord) -> None:
        """The record of another node that is up or suspected is a new one."""
        node = record.node
        if not self.swim.opinions.knows(node):
            return
        if record.state == SUSPECT:
            self._count_others(record)
            self._host.loop.call_soon(self._tell_if_still, node, self.swim.opinions.suspicion(node))
        else:
            self._carry_out(self.swim.refuted(node, self._host.loop.time()))

    def _count_others(self, record: NodeRecord) -> None:
        others = [name for name in record.suspected_by if name != self._host.me.name]
        self._carry_out(self.swim.suspected(record.node, others, self._host.loop.time()))

    def accused(self) -> None:
        """Others wrote that this node does not answer, or is down."""
        self.swim.accused(self._host.loop.time())

    def _received(self, sender: NodeId, message: object) -> None:
        self._carry_out(self.swim.receive(sender, message, self._host.loop.time()))

    # ---- time -------------------------------------------------------------------------------------------------

    def _fired(self, name: str) -> None:
        swim, now = self.swim, self._host.loop.time()
        turn, turns = swim.upcoming, swim.turns
        self._listen(now)
        self._carry_out(swim.timer_fired(name, now))
        if swim.turns > turns and isinstance(turn, NodeId) and swim.opinions.knows(turn):
            suspected = self.swim.opinions.suspicion(turn) is not None
            self._host.keep_alive.look_at(self._host.router.peer(turn), answers=not suspected)
        self._remember()

    def _listen(self, now: float) -> None:
        """Did anything come from those who are waited for?"""
        for node, count in list(self._bytes.items()):
            current = self._bytes_from(node)
            if current > count:
                self._carry_out(self.swim.heard(node, now))
            self._bytes[node] = current

    def _remember(self) -> None:
        nodes = [node for node in (*self.swim.awaited, self.swim.upcoming) if isinstance(node, NodeId)]
        self._bytes = {node: self._bytes.get(node, self._bytes_from(node)) for node in nodes}

    def _bytes_from(self, node: NodeId) -> int:
        return sum(connection.bytes_in for connection in self._host.router.peer(node).open)

    # ---- what comes of it -------------------------------------------------------------------------------------

    def _found(self, suspect: NodeId) -> None:
        record = self._host.directory.find(suspect)
        if record is None:
            return
        self._count_others(record)
        delay_s = 0.0 if record.state == SUSPECT else DISCREET_PERIODS * self._host.config.keep_alive_s
        suspicion = self.swim.opinions.suspicion(suspect)
        self._host.loop.call_later(delay_s, self._tell_if_still, suspect, suspicion)

    def _tell_if_still(self, suspect: NodeId, suspicion: Suspicion | None) -> None:
        if suspicion is not None and self.swim.opinions.suspicion(suspect) is suspicion:
            self._presence.tell_suspicion(suspect)

    def _carry_out(self, effects: Iterable[Any]) -> None:
        out: list[Any] = []
        for effect in effects:
            match effect:
                case SetTimer(name, delay_s):
                    out.append(SetTimer(f"{LAYER}:{name}", delay_s))
                case CancelTimer(name):
                    out.append(CancelTimer(f"{LAYER}:{name}"))
                case Suspected(NodeId() as peer):
                    self._found(peer)
                    if self._host.driver.spans is not None:
                        self._host.driver.spans.suspected(peer)
                case Confirmed(NodeId() as peer):
                    self._presence.declare_down(peer)
                    self._host.loop.call_soon(self._host.driver.peer_down, peer)
                case Accused():
                    self._presence.refute()
                case _:
                    out.append(effect)
        self._host.driver.carry_out(out)
