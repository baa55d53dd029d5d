"""A node that comes back: it remembers the members on disk, and enters the cluster through them without being told to.

At the start, several of those remembered are dialled at once, and the first that answers takes the node in. When none
does, the node is a cluster of one and goes on trying, one after another at random with back-off, until it has a
neighbour. What is saved is what is known, at most once in SAVE_PERIOD_S and on another thread.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from partisan_actors.errors import PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.directory import LEFT, Directory, NodeRecord
from partisan_actors.node.overlays import shared_options
from partisan_actors.node.router import Peer
from partisan_actors.node.saved_members import MEMBERS_MAX, Saved, SavedMember, SavedMembers
from partisan_actors.node.troubles import Troubles

__all__ = ["Rejoining", "incarnation_after", "recall", "remember"]

logger = logging.getLogger(__name__)

SAVE_PERIOD_S: Final = 1.0
# How many members are dialled at once when a node starts, and how many such rounds there are before it starts alone.
DIALLED_AT_ONCE: Final = 8
ROUNDS_AT_START: Final = 2
# The back-off afterwards: the first wait, doubled each time up to the longest, times 0.5 to 1.5.
FIRST_S: Final = 0.5
LONGEST_S: Final = 15.0


class RejoiningHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    config: NodeConfig
    cluster: str
    rng: random.Random
    loop: asyncio.AbstractEventLoop
    directory: Directory
    troubles: Troubles
    has_left: bool
    on_neighbours: list[Callable[[], None]]
    on_left: list[Callable[[str], None]]

    def neighbours(self) -> Sequence[NodeId]:
        """The overlay's neighbours now."""
        ...

    async def connect(self, address: str, expected: NodeId | None = None, answer_s: float | None = None) -> Peer:
        """A control connection to whoever listens there. Raises PartisanError."""
        ...


def recall(file: SavedMembers | None, config: NodeConfig, troubles: Troubles) -> Saved | None:
    """What this node saved in a former life. A damaged file is set aside and told of once; a foreign one is ignored."""
    if file is None:
        return None
    try:
        saved = file.read()
    except (ValueError, OSError) as error:
        where = str(file.path)
        try:
            if isinstance(error, ValueError):
                where = str(file.set_aside())
        except OSError as again:
            where = f"{where}, which cannot be renamed ({again})"
        troubles.tell(
            "saved members unusable", f"starting without the saved members: {error}; they are kept in {where}"
        )
        return None
    if saved is None or saved.name != config.name or (config.cluster and saved.cluster != config.cluster):
        if saved is not None:
            logger.info("ignoring what %s has saved of node %s in cluster %s", file.path, saved.name, saved.cluster)
        return None
    return saved


def incarnation_after(saved: Saved | None, now_ns: int) -> int:
    """The incarnation of a new life: by the clock, and greater than the last one, also when the clock was put back."""
    return max(now_ns // 1000, saved.incarnation + 1 if saved is not None else 0)


def remember(
    host: RejoiningHost, file: SavedMembers | None, saved: Saved | None, enter: Callable[[NodeId], None]
) -> Rejoining | None:
    """What keeps that file up to date, told of all that may change it; None for a node that has no file."""
    if file is None:
        return None
    rejoining = Rejoining(host, file, saved, enter)
    for tellers in (host.directory.on_up, host.directory.on_down, host.on_neighbours, host.on_left):
        tellers.append(rejoining.note)
    return rejoining


class Rejoining:
    """Keeps the file of one node up to date; `saved` is what was in it at the start, and `enter` joins the overlay."""

    def __init__(
        self, host: RejoiningHost, file: SavedMembers, saved: Saved | None, enter: Callable[[NodeId], None]
    ) -> None:
        self._host = host
        self._file = file
        self._enter = enter
        self._members = saved.members if saved is not None else ()
        self._news = asyncio.Event()
        self._last: Saved | None = None

    def note(self, *_: object) -> None:
        """Something that is saved may have changed."""
        self._news.set()

    async def at_start(self) -> bool:
        """Enter through some of the saved members. Returns whether one has answered."""
        for start in range(0, DIALLED_AT_ONCE * ROUNDS_AT_START, DIALLED_AT_ONCE):
            tried = self._members[start : start + DIALLED_AT_ONCE]
            for contact in await asyncio.gather(*map(self._reach, tried)):
                if contact is not None:
                    self._enter(contact)
                    return True
        return False

    async def search(self) -> None:
        """Try one saved member after another until this node has a neighbour."""
        host, tries = self._host, 0
        while self._members and not host.has_left:
            await asyncio.sleep(min(FIRST_S * 2.0**tries, LONGEST_S) * host.rng.uniform(0.5, 1.5))
            if host.neighbours():
                return
            tries = min(tries + 1, 16)
            contact = await self._reach(host.rng.choice(self._members))
            if contact is not None and not host.neighbours() and not host.has_left:
                self._enter(contact)

    async def run(self) -> None:
        """Save what is known whenever it has changed, for ever."""
        while True:
            await self._save()
            await asyncio.sleep(SAVE_PERIOD_S)
            await self._news.wait()

    async def _save(self) -> None:
        self._news.clear()
        saved = self._current()
        if saved == self._last:
            return
        try:
            await self._host.loop.run_in_executor(None, self._file.write, saved)
        except OSError as error:
            what = f"the members cannot be saved in {self._file.path} ({error}): this node goes on without"
            self._host.troubles.tell("members not saved", what, level=logging.WARNING)
            self._news.set()  # once there is room again, it is not to wait for a change
            return
        self._last = saved

    def _current(self) -> Saved:
        host, config = self._host, self._host.config
        near = {node.name for node in host.neighbours()}
        known = (
            [] if host.has_left else [each for each in host.directory if each.state != LEFT and each.node != host.me]
        )
        known.sort(key=lambda each: (each.node.name not in near, not host.directory.is_up(each.node)))
        # Until this node has heard from anybody, those it knew before are all it has.
        former = {} if host.has_left else {member.name: member for member in self._members}
        members = {record.node.name: _member(record) for record in known}
        gone = {record.node.name for record in host.directory if record.state == LEFT}
        rest = [member for name, member in former.items() if name not in members and name not in gone]
        return Saved(
            name=host.me.name,
            cluster=host.cluster,
            incarnation=host.me.incarnation,
            overlay=config.overlay,
            overlay_options=shared_options(config),
            broadcast_options=dict(config.broadcast_options),
            members=tuple([*members.values(), *rest][:MEMBERS_MAX]),
        )

    async def _reach(self, member: SavedMember) -> NodeId | None:
        for address in member.addresses:
            try:
                return (await self._host.connect(address)).node
            except PartisanError as error:
                logger.info("no way to %s, which was a member once: %s", address, error)
        return None


def _member(record: NodeRecord) -> SavedMember:
    return SavedMember(record.node.name, record.node.incarnation, record.addresses)
