"""What the overlay cannot repair by itself: a node without neighbours, and a node whose neighbours are all gone.

A node without neighbours dials members that it knows, at random and with back-off, until one takes it in. And since
deaths are noticed by neighbours only, a node that no live node has for a neighbour is looked into by somebody else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from partisan_actors.ids import NodeId
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.background import Background
from partisan_actors.node.dialling import DIAL_ERRORS, Dialling
from partisan_actors.node.directory import DOWN, Directory, NodeRecord
from partisan_actors.wire.channels import CONTROL

__all__ = ["Repair"]

# The back-off of a node that is alone: the first wait, doubled each time up to the longest, times 0.5 to 1.5.
FIRST_S: Final = 1.0
LONGEST_S: Final = 30.0
# How many nodes look into the same record in one sweep, on average: each decides for itself.
WATCHERS: Final = 4.0
# The share of periods in which a node sweeps: it takes time in proportion to the cluster.
SWEEPS: Final = 0.2


class RepairHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    rng: random.Random
    loop: asyncio.AbstractEventLoop
    background: Background
    directory: Directory
    addresses: Addresses
    dialling: Dialling

    def neighbours(self) -> Sequence[NodeId]:
        """The overlay's neighbours now."""
        ...


class Repair:
    """Looks after one node's place in the overlay, and after those that nobody watches.

    `join` enters the overlay through a node that there is a connection to; `suspect` has a node verified.
    """

    def __init__(self, host: RepairHost, join: Callable[[NodeId], None], suspect: Callable[[NodeId], None]) -> None:
        self._host = host
        self._join = join
        self._suspect = suspect

    async def run(self) -> None:
        """Rejoin whenever this node is alone, for ever."""
        host, tries = self._host, 0
        while True:
            await asyncio.sleep(min(FIRST_S * 2.0**tries, LONGEST_S) * host.rng.uniform(0.5, 1.5))
            candidates = [] if host.neighbours() else self._candidates()
            if not candidates:
                tries = 0
                continue
            tries = min(tries + 1, 16)
            await self._rejoin(host.rng.choice(candidates))

    def _candidates(self) -> list[NodeRecord]:
        """Whoever is up, as far as is known here; or else whoever does not answer, for it may be us who was cut off."""
        others = [record for record in self._host.directory if record.node != self._host.me]
        live = [record for record in others if self._host.directory.is_up(record.node)]
        return live or [record for record in others if record.state == DOWN]

    async def _rejoin(self, record: NodeRecord) -> None:
        for address in record.addresses:
            try:
                connection = await self._host.dialling.open(address, CONTROL, 0, record.node)
            except DIAL_ERRORS:
                continue
            if not self._host.neighbours():
                self._join(connection.peer.node)
            return

    def sweep(self) -> None:
        """Look into records of nodes that no live node watches. Called once in a while."""
        host, directory = self._host, self._host.directory
        live = directory.live()
        if len(live) < 2 or not host.neighbours() or host.rng.random() > SWEEPS:
            return
        # What the watchers say counts: the record of a node that is down may be old.
        watched = {name for record in live for name in record.neighbours} | {host.me.name}
        for record in live:
            if record.node.name not in watched and host.rng.random() * len(live) < WATCHERS:
                self._suspect(record.node)
