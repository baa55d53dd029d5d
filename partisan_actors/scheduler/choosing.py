"""What this node knows of the nodes that take work, and the choice among them that follows from it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.node.directory import SUSPECT, NodeRecord
from partisan_actors.node.node import Node
from partisan_actors.scheduler.policy import Candidate, Ranking, Request, Verdict, choose
from partisan_actors.scheduler.resources import NOTHING, Resources
from partisan_actors.scheduler.room import Room
from partisan_actors.scheduler.strategies import InPlacementGroup

__all__ = ["RETRY_S", "Choosing"]

logger = logging.getLogger(__name__)

RETRY_S: Final = 0.5
CHOICES_MAX: Final = 1_024


class Choosing:
    """The view of one node, which may be old."""

    def __init__(self, node: Node, room: Room) -> None:
        self._node = node
        self._room = room
        # What this node has placed where.
        self.placed: Counter[NodeId] = Counter()
        # Where a placement group has its bundles: the nodes to try. It raises what says that the group is over.
        self.in_group: Callable[[Request], Ranking | Verdict] = lambda request: Ranking((), ())
        self._news = asyncio.Event()
        # What each node's record says of its resources, read once; and choices, by the id of their request, until news.
        self._read: dict[NodeId, tuple[NodeRecord, Resources, Resources, Resources]] = {}
        self._choices: dict[int, tuple[Request, Resources, Ranking | Verdict]] = {}
        directory = node.directory
        directory.on_up.append(self._changed)
        directory.on_change.append(self._changed)
        directory.on_down.append(lambda record, why: self._went_down(record))

    def candidates(self, placements: Mapping[NodeId, int] | None = None) -> list[Candidate]:
        """The nodes that take work; `placements` is what this one has placed on each, if not what `placed` says."""
        me = self._node.me
        counts = self.placed if placements is None else placements
        found = []
        for record in self._node.directory.live():
            if not record.hosts_actors or record.draining or (record.node == me and self._room.is_closed):
                continue
            local, pool = record.node == me, self._room.pool
            read = self._resources_of(record)
            if read is None:
                continue
            _, total, available, held = read
            if local:
                available, held = pool.available, pool.held_for_life
            count, suspected = counts.get(record.node, 0), record.state == SUSPECT
            found.append(
                Candidate(record.node, total, available, held, record.labels, record.load, local, count, suspected)
            )
        return found

    def choose(
        self,
        request: Request,
        placements: Mapping[NodeId, int] | None = None,
        argument_bytes: Mapping[NodeId, int] | None = None,
    ) -> Ranking | Verdict:
        """The nodes to try now, from what is known here; `argument_bytes` is how much of its arguments is where.

        Raises PlacementGroupRemoved when the request names a group that is over.
        """
        if isinstance(request.strategy, InPlacementGroup):
            return self.in_group(request)
        candidates = self.candidates(placements)
        if argument_bytes:
            candidates = [replace(each, argument_bytes=argument_bytes.get(each.node, 0)) for each in candidates]
        return choose(request, candidates, self._node.rng)

    def choose_plainly(self, request: Request) -> Ranking | Verdict:
        """As `choose`, for a request that names no group; remembered, for the same object, until something changes.

        What this node has placed since is not in it.
        """
        available = self._room.pool.available
        known = self._choices.get(id(request))
        if known is not None and known[0] is request and known[1] is available:
            return known[2]
        if len(self._choices) >= CHOICES_MAX:
            self._choices.clear()
        choice = self.choose(request)
        self._choices[id(request)] = request, available, choice
        return choice

    def told_room(self, node: NodeId) -> Resources:
        """What that node had available when it last told."""
        record = self._node.directory.find(node)
        read = self._resources_of(record) if record is not None else None
        return read[2] if read is not None else NOTHING

    def _resources_of(self, record: NodeRecord) -> tuple[NodeRecord, Resources, Resources, Resources] | None:
        read = self._read.get(record.node)
        if read is not None and read[0] is record:
            return read
        try:
            told = [Resources.parse(each) for each in (record.total, record.available, record.held)]
        except ConfigError as error:
            logger.debug("node %s says of its resources what makes no sense: %s", record.node, error)
            return None
        read = self._read[record.node] = record, told[0], told[1], told[2]
        return read

    async def wait_for_news(self, timeout_s: float = RETRY_S) -> None:
        """Return when a node's record changes, when something is freed here, or after `timeout_s`."""
        self._news.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return

    def tell_news(self) -> None:
        """Whoever waits should choose again."""
        self._choices.clear()
        self._news.set()

    def _changed(self, record: NodeRecord) -> None:
        self.tell_news()

    def _went_down(self, record: NodeRecord) -> None:
        self.placed.pop(record.node, None)
        self._read.pop(record.node, None)
        self.tell_news()
