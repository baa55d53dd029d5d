"""What one overlay benchmark runs, and whether this machine can carry it."""

from __future__ import annotations

import math
import os
import resource
from dataclasses import asdict, dataclass
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.node.overlay_names import check_overlay
from partisan_actors.transport.tcp import ACCEPTED_IN_A_TURN

__all__ = ["NODES_MAX", "OverlayPlan", "default_processes", "raise_file_limit"]

NODES_MAX: Final = 10_000
PROCESSES_MAX: Final = 256
# What a process needs besides its nodes' sockets: the interpreter's files, pipes, and connections that come and go.
FILES_SPARE: Final = 256


@dataclass(frozen=True, slots=True)
class OverlayPlan:
    """One run. Times are in seconds; see `partisan bench overlay --help` for what each setting means.

    Raises ConfigError for a value that makes no sense.
    """

    overlay: str = "hyparview"
    nodes: int = 32
    processes: int = 4
    contacts: int = 1
    interval_s: float = 0.0
    broadcasts: int = 20
    steady_s: float = 10.0
    limit_s: float = 120.0
    kills: bool = True
    runtime: bool = False
    killed: int | None = None

    def __post_init__(self) -> None:
        check_overlay(self.overlay)
        if not 2 <= self.nodes <= NODES_MAX:
            raise ConfigError("nodes", self.nodes, f"a whole number from 2 to {NODES_MAX}")
        if not 1 <= self.processes <= min(self.nodes, PROCESSES_MAX):
            raise ConfigError("processes", self.processes, f"from 1 to the number of nodes, at most {PROCESSES_MAX}")
        if not 1 <= self.contacts <= self.nodes:
            raise ConfigError("contacts", self.contacts, "from 1 to the number of nodes")
        if self.kills and self.processes < 2:
            raise ConfigError("processes", self.processes, "at least 2, for one of them is killed (or --no-kill)")
        if self.killed is not None:
            most = self.nodes - max(self.processes - 1, self.contacts)
            if not (self.kills and 1 <= self.killed <= most):
                allowed = f"from 1 to {most}" if self.kills else "none, as nothing is killed (--no-kill)"
                raise ConfigError(
                    "killed", self.killed, f"{allowed}: each process has a node, and no contact is killed"
                )
        for name in ("interval_s", "steady_s"):
            if not getattr(self, name) >= 0:
                raise ConfigError(name, getattr(self, name), "seconds, 0 or more")
        if not self.limit_s > 0:
            raise ConfigError("limit_s", self.limit_s, "seconds, more than 0")
        if self.broadcasts < 0:
            raise ConfigError("broadcasts", self.broadcasts, "0 or more")

    def nodes_of(self, process: int) -> range:
        """Which nodes, by number, one process plays: every `processes`-th, so that the first are spread out.

        With `killed` the last process plays so many of the last ones, and the others share the rest.
        """
        if self.killed is None:
            return range(process, self.nodes, self.processes)
        shared, sharing = self.nodes - self.killed, self.processes - 1
        return range(process, shared, sharing) if process < sharing else range(shared, self.nodes)

    def process_of(self, number: int) -> int:
        """The inverse: which process plays a node."""
        if self.killed is None:
            return number % self.processes
        return number % (self.processes - 1) if number < self.nodes - self.killed else self.processes - 1

    def overlay_options(self, number: int) -> dict[str, Any]:
        """What a node, by number, needs to be told of its overlay."""
        if self.overlay != "client_server":
            return {}
        return {"tag": "server" if number < self.contacts else "client"}

    @property
    def files_needed(self) -> int:
        """About how many sockets the busiest process will have open."""
        mine = len(self.nodes_of(0))
        if self.overlay == "full_mesh":
            neighbours = self.nodes - 1
        elif self.overlay == "client_server":
            # Clients have one neighbour each; the server's process has one end of all of them.
            return FILES_SPARE + (2 * 2 + ACCEPTED_IN_A_TURN) * mine + 2 * self.nodes
        else:
            # A node that everybody joins through at once has many visitors for a moment.
            return FILES_SPARE + (2 * 16 + ACCEPTED_IN_A_TURN) * mine + self.nodes
        return FILES_SPARE + mine * (ACCEPTED_IN_A_TURN + 2 * neighbours)

    def check_files(self, files_max: int) -> None:
        """Raises ConfigError when a process may not open as many sockets as this needs."""
        if self.files_needed > files_max:
            enough = math.ceil(self.files_needed / max(1, files_max - FILES_SPARE)) * self.processes
            more = f", or more processes (--processes {enough})" if enough <= min(self.nodes, PROCESSES_MAX) else ""
            raise ConfigError(
                "nodes",
                self.nodes,
                f"fewer{more}, or a higher limit: a process here may open {files_max} files, and the busiest one would "
                f"need about {self.files_needed} (ulimit -n)",
            )

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)


def default_processes(nodes: int) -> int:
    """Two for each core, so that a core has something to do while the other process waits; never more than nodes."""
    return max(1, min(nodes, 2 * (os.cpu_count() or 1)))


def raise_file_limit() -> int:
    """Let this process open as many files as it may at most; returns that number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
