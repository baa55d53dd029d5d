"""`NodeConfig`: everything that can be said about a node before it starts, checked in one place."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.node.binding import addresses_in, check_binding
from partisan_actors.node.delivery_options import DeliveryOptions
from partisan_actors.node.forward_options import ForwardOptions
from partisan_actors.node.overlay_names import DEFAULT_OVERLAY, check_overlay
from partisan_actors.node.overlay_options import plain
from partisan_actors.node.tls import TlsFiles
from partisan_actors.values import dataclass
from partisan_actors.wire.channels import ChannelOptions, check_channels

__all__ = ["ROUTINGS", "NodeConfig", "host_name", "memory_share", "random_name"]

ROUTINGS: Final = ("auto", "direct", "relay")


def random_name(prefix: str = "node") -> str:
    """A name nobody else has: the prefix and eight random hexadecimal digits."""
    return f"{prefix}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The settings of one node. Times are in seconds, sizes in bytes.

    `cluster` may be empty for a node that joins: it then takes the name of the cluster its contact is in.
    `overlay` is one of `overlay_names.OVERLAYS`, or a membership strategy of the user's own, as a class or by its path
    ``"package.module:Class"``; a class is kept as its path. `overlay_options` are its options, dataclasses among them
    as maps.
    `bind` is where it listens, one address or several; port 0 is a free one, the same for all. `advertise` is where
    others can dial it, one address or several, the best first; by default the bound ones, and port 0 is the bound port.
    For one, a str will do. `insecure` lets a node listen beyond this machine without a cookie and without TLS.
    `broadcast` is "plumtree" or "flood", the baseline, the same on all nodes of a cluster, and `broadcast_options` are
    those of `PlumtreeOptions` or `FloodOptions`.
    `routing` says how nodes that are not neighbours are reached: "direct" dials them, "relay" never does (only the
    overlay itself dials, to make neighbours) and goes through the overlay, "auto" dials and falls back to relaying.
    `data_dir` is where it keeps the members it knows, to find its cluster again after a crash; empty: nowhere.
    `tls` names the files with which all connections are encrypted, and both sides verified; see `docs/security.md`.
    `delivery` has the causal labels, and the bounds of acknowledged messages: DeliveryOptions, or a map of some.
    `forward` is how `forward` sends what does not say it otherwise: ForwardOptions, or a map of some.
    `runtime_env` is what isolated work that is started here finds around it, unless it says otherwise; with `prestart`
    the template of isolated processes is started at once, and not when the first is needed; see `docs/isolation.md`.
    `hosted_by` names the node whose process this one is, and which alone sends it work: see `scheduler.processes`.
    `hosts_actors` False makes a node that calls others but is never chosen by the scheduler.
    `keep_alive_s` is the period in which one neighbour is pinged unless it was heard of, 0 meaning never; a suspect has
    `suspicion_s` to answer, or up to twice that while nobody else suspects it, too; see `docs/failures.md`.
    A lane whose connection breaks has `session_resume_s` to get another one, on which it goes on without losing or
    repeating a message; 0: it ends with its connection. `checksums` True finds damage that TCP does not; see
    `docs/delivery.md`. It is enough that one of two nodes wants it.
    `last_record_s` is how long the record of a node that left may take before it is asked whether it still lives.
    `allow_faults` lets commands (`partisan faults`) inject faults, up to killing the process.
    `namespace` is where the names of actors are that code of this process makes or looks for.
    `observer` makes a client that neither listens nor joins, and only asks nodes questions; see `api.observer`.
    `object_store_bytes_max` bounds the large values that are kept in memory, 0 meaning 30 % of the machine's; beyond
    it, they are written to files in `spill_dir`, or where temporary files are. With `shared_memory`, nodes of one host
    map what they would have to send each other; see `docs/objects.md`.
    `sources` says in words where fields come from, for people who ask; see `node.sources`.
    Raises ConfigError, naming field, value and what is allowed.
    """

    name: str = field(default_factory=random_name)
    cluster: str = ""
    bind: tuple[str, ...] = ("127.0.0.1:0",)
    advertise: tuple[str, ...] = ()
    overlay: str = DEFAULT_OVERLAY
    overlay_options: Mapping[str, Any] = field(default_factory=dict)
    broadcast: str = "plumtree"
    broadcast_options: Mapping[str, Any] = field(default_factory=dict)
    routing: str = "auto"
    channels: Mapping[str, ChannelOptions] = field(default_factory=lambda: check_channels({}))
    delivery: DeliveryOptions = field(default_factory=DeliveryOptions)
    forward: ForwardOptions = field(default_factory=ForwardOptions)
    cookie: bytes = b""
    tls: TlsFiles | None = None
    insecure: bool = False
    allow_faults: bool = False
    resources: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    hosts_actors: bool = True
    hosted_by: str = ""
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    prestart: bool = False
    observer: bool = False
    seed: int | None = None
    data_dir: str = ""
    dial_timeout_s: float = 2.0
    session_resume_s: float = 10.0
    checksums: bool = False
    idle_close_s: float = 60.0
    dialled_max: int = 512
    keep_alive_s: float = 1.0
    keep_alive_misses: int = 3
    suspicion_s: float = 5.0
    load_period_s: float = 1.0
    last_record_s: float = 1.0
    message_bytes_max: int = 2 * 1024**3
    mailbox_max: int = 100_000
    threads_kept: int = 64
    object_store_bytes_max: int = 0
    spill_dir: str = ""
    shared_memory: bool = True
    namespace: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", self.name):
            allowed = "letters, digits, '.', '_' and '-', at most 63, a letter or digit first"
            raise ConfigError("name", self.name, allowed)
        if not isinstance(self.cluster, str) or not self.cluster.isprintable():  # it is shown at terminals
            raise ConfigError("cluster", self.cluster, "a text without control characters")
        object.__setattr__(self, "overlay", check_overlay(self.overlay))
        if not isinstance(self.overlay_options, Mapping):
            raise ConfigError("overlay_options", self.overlay_options, "a map from names to values")
        object.__setattr__(self, "overlay_options", plain(self.overlay_options))
        if self.routing not in ROUTINGS:
            raise ConfigError("routing", self.routing, ", ".join(ROUTINGS))
        object.__setattr__(self, "bind", addresses_in("bind", self.bind))
        object.__setattr__(self, "advertise", addresses_in("advertise", self.advertise))
        if not isinstance(self.allow_faults, bool):
            raise ConfigError("allow_faults", self.allow_faults, "True or False")
        if not isinstance(self.insecure, bool):
            raise ConfigError("insecure", self.insecure, "True or False")
        check_binding(self.bind, self.advertise, is_secure=not self.takes_anybody, insecure=self.insecure)
        object.__setattr__(self, "delivery", DeliveryOptions.of(self.delivery))
        object.__setattr__(self, "forward", ForwardOptions.of(self.forward))
        self.forward.check(self.channels, self.delivery.causal_labels)
        for key, value in self.labels.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise ConfigError("labels", dict(self.labels), "a map from text to text")
        if self.tls is not None and not isinstance(self.tls, TlsFiles):
            raise ConfigError("tls", self.tls, "TlsFiles(cert, key, ca), or None")
        if not isinstance(self.namespace, str) or len(self.namespace) > 256 or "\0" in self.namespace:
            raise ConfigError("namespace", self.namespace, "a text of at most 256 characters")
        if not isinstance(self.data_dir, str):
            raise ConfigError("data_dir", self.data_dir, "the path of a directory, as text")
        for name in ("dial_timeout_s", "idle_close_s", "suspicion_s", "load_period_s", "last_record_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "a positive number of seconds")
        for name in ("keep_alive_s", "session_resume_s"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not value >= 0:
                raise ConfigError(name, value, "a positive number of seconds, or 0 for never")
        if not isinstance(self.checksums, bool):
            raise ConfigError("checksums", self.checksums, "True or False")
        limit = self.object_store_bytes_max
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise ConfigError("object_store_bytes_max", limit, "a whole number of bytes, or 0 for 30 % of the memory")
        if not isinstance(self.spill_dir, str):
            raise ConfigError("spill_dir", self.spill_dir, "the path of a directory, as text")
        if not isinstance(self.shared_memory, bool):
            raise ConfigError("shared_memory", self.shared_memory, "True or False")
        for name in ("dialled_max", "keep_alive_misses", "message_bytes_max", "mailbox_max"):
            if not getattr(self, name) >= 1:
                raise ConfigError(name, getattr(self, name), "a positive whole number")

    @property
    def store_bytes_max(self) -> int:
        """How many bytes of large values this node keeps in memory."""
        return self.object_store_bytes_max or memory_share(1) * 6 // 10

    @property
    def takes_anybody(self) -> bool:
        """Whether whoever can reach this node is taken for one of its cluster."""
        return not self.cookie and self.tls is None

    def total_resources(self) -> dict[str, float]:
        """What this node offers: the given resources, with one CPU unless said otherwise."""
        if not self.hosts_actors:
            return {}
        return {"num_cpus": 1.0, "memory": float(memory_share(1)), **self.resources}


def memory_share(nodes: int) -> int:
    """The bytes that each of so many nodes of one machine may promise: together half of it, for others live there."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 // nodes
    except (ValueError, OSError, AttributeError):  # not on every system
        return 4 * 1024**3 // nodes


def host_name() -> str:
    """The name of this machine, for people to read."""
    return socket.gethostname()
