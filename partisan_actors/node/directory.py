"""Who is in the cluster: the record of every node, kept equal everywhere by broadcast and exchange.

A record is one entry of the replicated map, under ``node/<name>``, with the stamp ``(incarnation, version, rank)``:
a node raises the version when it has news of itself; whoever finds that it does not answer writes rank SUSPECT over the
version it knows, and whoever sees it fail rank DOWN, so that a node that is alive after all refutes this by raising its
version. A higher incarnation always wins. A suspicion's stamp ends with the number of those who share it: more win.

Subscribers are told of each node once up and once down per life, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, Final

from partisan_actors.errors import NodeDown
from partisan_actors.ids import NodeId
from partisan_actors.values import dataclass
from partisan_actors.wire.codec import pack, unpack

__all__ = ["ANOTHER_LIFE", "DOWN", "LEFT", "SUSPECT", "UP", "WHY", "Directory", "NodeRecord"]

UP: Final = 0
SUSPECT: Final = 1
DOWN: Final = 2
LEFT: Final = 3
PREFIX: Final = "node/"

_STATES: Final = {UP: "up", SUSPECT: "suspect", DOWN: "down", LEFT: "left"}
# Why a node is not up, as subscribers and callers are told.
WHY: Final = {DOWN: "it does not answer", LEFT: "it left the cluster"}
ANOTHER_LIFE: Final = "another life of it has started"


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """What a node tells about itself. `total`, `available` and `held` (by actors) are amounts by resource name.

    One that is `draining` takes no new work. Others write the state when it is SUSPECT, with their names in
    `suspected_by`, or DOWN. `hosted_by` names the node whose process it is, for a node that is the process of one
    isolated actor or of tasks: it is no place for others. `why` is the reason for which it is down or has left, where
    somebody knows one.
    """

    node: NodeId
    addresses: tuple[str, ...]
    state: int = UP
    overlay: str = ""
    host: str = ""
    pid: int = 0
    hosts_actors: bool = True
    total: Mapping[str, float] = field(default_factory=dict)
    available: Mapping[str, float] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    actors: int = 0
    load: float = 0.0
    neighbours: tuple[str, ...] = ()
    suspected_by: tuple[str, ...] = ()
    draining: bool = False
    hosted_by: str = ""
    why: str = ""

    @property
    def why_not(self) -> str:
        """Why it is not up, as subscribers and callers are told."""
        return self.why or WHY[self.state]

    @property
    def is_live(self) -> bool:
        """Whether it counts as up: a suspect does, until the suspicion has ended."""
        return self.state in (UP, SUSPECT)

    @property
    def state_name(self) -> str:
        """In a word: "up", "suspect", "down" or "left"."""
        return _STATES[self.state]

    def packed(self) -> bytes:
        """As the value of an entry of the replicated map.

        In bytes, because what is written once is compared, hashed and passed on by every node.
        """
        return pack(self.plain())

    def plain(self) -> dict[str, Any]:
        """As a msgpack map."""
        return {
            "incarnation": self.node.incarnation,
            "addresses": list(self.addresses),
            "overlay": self.overlay,
            "host": self.host,
            "pid": self.pid,
            "hosts_actors": self.hosts_actors,
            "total": dict(self.total),
            "available": dict(self.available),
            "held": dict(self.held),
            "labels": dict(self.labels),
            "actors": self.actors,
            "load": self.load,
            "neighbours": list(self.neighbours),
            **({"suspected_by": list(self.suspected_by)} if self.suspected_by else {}),
            **({"draining": True} if self.draining else {}),
            **({"hosted_by": self.hosted_by} if self.hosted_by else {}),
            **({"why": self.why} if self.why else {}),
        }

    @classmethod
    def parse(cls, name: str, stamp: tuple[int, ...], value: Any) -> NodeRecord | None:
        """From an entry of the replicated map; None when it is malformed."""
        if type(value) is not bytes or len(stamp) < 3 or stamp[2] not in _STATES:
            return None
        if len(stamp) != (4 if stamp[2] == SUSPECT else 3):
            return None
        return _parsed(name, stamp, value)

    @classmethod
    def of_plain(cls, name: str, stamp: tuple[int, ...], plain: Any) -> NodeRecord | None:
        """The inverse of `plain`; None when it is malformed."""
        try:
            return cls(
                node=NodeId(name, int(plain["incarnation"])),
                addresses=tuple(str(address) for address in plain["addresses"]),
                state=stamp[2],
                overlay=str(plain["overlay"]),
                host=str(plain["host"]),
                pid=int(plain["pid"]),
                hosts_actors=bool(plain["hosts_actors"]),
                total={str(key): float(value) for key, value in plain["total"].items()},
                available={str(key): float(value) for key, value in plain["available"].items()},
                held={str(key): float(value) for key, value in plain["held"].items()},
                labels={str(key): str(value) for key, value in plain["labels"].items()},
                actors=int(plain["actors"]),
                load=float(plain["load"]),
                neighbours=tuple(str(name) for name in plain["neighbours"]),
                suspected_by=tuple(str(name) for name in plain.get("suspected_by", ())),
                draining=bool(plain.get("draining", False)),
                hosted_by=str(plain.get("hosted_by", "")),
                why=str(plain.get("why", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


@lru_cache(maxsize=4096)
def _parsed(name: str, stamp: tuple[int, ...], packed: bytes) -> NodeRecord | None:
    # Nodes that share a process, as in tests and benchmarks, share the records as well.
    try:
        return NodeRecord.of_plain(name, stamp, unpack(packed))
    except (ValueError, TypeError):
        return None


class Directory:
    """The records by node name, and who wants to know of changes. Pure: it is told of entries and tells subscribers."""

    def __init__(self, me: NodeId) -> None:
        self.me = me
        self.records: dict[str, NodeRecord] = {}
        self.stamps: dict[str, tuple[int, ...]] = {}
        self.on_up: list[Callable[[NodeRecord], None]] = []
        self.on_down: list[Callable[[NodeRecord, str], None]] = []
        self.on_change: list[Callable[[NodeRecord], None]] = []
        self._live: dict[NodeId, NodeRecord] = {}
        self._sorted: list[NodeId] | None = []  # who is live; None: somebody came or went
        self._processes: dict[str, dict[NodeId, None]] = {}  # who is live as a process of a node, by that one's name

    def __iter__(self) -> Iterator[NodeRecord]:
        return iter(sorted(self.records.values(), key=lambda record: record.node))

    def live(self) -> list[NodeRecord]:
        """The records of every node that is up, suspects and this one included, in the order of their ids."""
        if self._sorted is None:
            self._sorted = sorted(self._live)
        return [self._live[node] for node in self._sorted]

    def keeper(self, node: NodeId) -> NodeId | None:
        """The node that is up and has that one as its process; None for a node of its own, or one that is unknown."""
        record = self.find(node)
        keeper = self.records.get(record.hosted_by) if record is not None and record.hosted_by else None
        return keeper.node if keeper is not None and keeper.is_live else None

    def processes_of(self, name: str) -> list[NodeId]:
        """The nodes that are up as processes of the node of that name."""
        return list(self._processes.get(name, ()))

    @property
    def live_count(self) -> int:
        """How many nodes are up, this one included."""
        return len(self._live)

    def is_up(self, node: NodeId) -> bool:
        """Whether that life of that node is up, as far as is known here."""
        return node in self._live

    def is_doubtful(self, node: NodeId) -> bool:
        """Whether that life of that node is suspected to be over, or is."""
        record = self.find(node)
        return record is not None and record.state != UP

    def find(self, node: NodeId) -> NodeRecord | None:
        """The record of that life of that node, up or not; None when unknown or forgotten."""
        record = self.records.get(node.name)
        return record if record is not None and record.node == node else None

    def life_of(self, node: str | NodeId) -> NodeId:
        """The life that a name (the one that is up), an id or an id's text means. Raises NodeDown for none that is up.

        May be called from any thread: it only looks a name up.
        """
        name = node.name if isinstance(node, NodeId) else node.partition("~")[0]
        record = self.records.get(name)
        known = self.me if record is None and name == self.me.name else record.node if record is not None else None
        if known is None:
            raise NodeDown(str(node), "no node of that name is known")
        if str(node) not in (name, str(known)):
            raise NodeDown(str(node), f"that life of it is over, {known} has followed")
        if record is not None and not record.is_live:
            raise NodeDown(str(known), record.why_not)
        return known

    def changed(self, key: str, stamp: tuple[int, ...], value: Any) -> bool:
        """An entry of the replicated map changed. Returns whether somebody wrote something false about this node."""
        name = key.removeprefix(PREFIX)
        if value is None:  # a tombstone that ran out: forget the name
            self.records.pop(name, None)
            self.stamps.pop(name, None)
            return False
        record = NodeRecord.parse(name, stamp, value)
        if record is None:
            return False
        self.stamps[name] = stamp
        if record.node == self.me and record.state != UP:
            # A node does not go down for itself: it leaves, and forgets the others.
            return record.state in (SUSPECT, DOWN)
        before = self.records.get(name)
        self.records[name] = record
        if before is not None and before.node != record.node:
            self._down(before, ANOTHER_LIFE)
        if record.is_live:
            is_new = record.node not in self._live
            self._live[record.node] = record
            if is_new:
                self._sorted = None
                if record.hosted_by:
                    self._processes.setdefault(record.hosted_by, {})[record.node] = None
            for tell in list(self.on_up if is_new else self.on_change):
                tell(record)
        else:
            self._down(record, record.why_not)
        return False

    def forget_others(self, why: str) -> None:
        """This node is alone: every other one is down for it, and then unknown."""
        for record in self.live():
            if record.node != self.me:
                self._down(record, why)
        self.records = {name: record for name, record in self.records.items() if record.node == self.me}
        self.stamps = {name: stamp for name, stamp in self.stamps.items() if name in self.records}

    def _down(self, record: NodeRecord, why: str) -> None:
        known = self._live.pop(record.node, None)
        if known is not None:
            self._sorted = None
            self._forget_process(known)
            for tell in list(self.on_down):
                tell(record, why)

    def _forget_process(self, record: NodeRecord) -> None:
        processes = self._processes.get(record.hosted_by, {})
        processes.pop(record.node, None)
        if not processes:
            self._processes.pop(record.hosted_by, None)
