"""`ray.cluster_utils.Cluster`: nodes of one cluster on this machine, each a process of its own, for tests.

Each is what `partisan start` starts. None is a head: the first may be removed like any other.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.compat.ray.absent import refuse, refuser_of
from partisan_actors.compat.ray.identity import to_hex
from partisan_actors.compat.ray.lifecycle import init

__all__ = ["Cluster", "ClusterNode"]

__getattr__ = refuser_of("cluster_utils")

START_S: Final = 60.0
STOP_S: Final = 20.0
LOOK_S: Final = 0.02
# Arguments of nodes that change nothing here: nodes have one port, and no dashboard unless one is asked for.
_WITHOUT_EFFECT: Final = frozenset(
    {
        "_system_config",
        "dashboard_host",
        "dashboard_port",
        "gcs_server_port",
        "include_dashboard",
        "port",
        "shutdown_at_exit",
    }
)


class ClusterNode:
    """One node. `address` is where it can be joined, `name` what other functions call it, `pid` its process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Returns when it is up. Raises RuntimeError when it is not; why is on standard error."""
        self._process = process
        self._facts: dict[str, Any] = {}
        self._told = threading.Event()
        threading.Thread(target=self._read, name="cluster node", daemon=True).start()
        if not self._told.wait(START_S) or not self._facts:
            process.kill()
            process.wait()
            raise RuntimeError(f"a node of the cluster did not start: {process.args!r}")
        self.address: str = self._facts["address"]
        self.name: str = self._facts["name"]
        self.pid: int = process.pid

    @property
    def node_id(self) -> str:
        """Its id, as `ray.nodes` tells it. Raises ValueError while this program is no node of the cluster."""
        for row in pa.nodes() if pa.is_initialized() else ():
            if row["name"] == self.name:
                return to_hex(row["id"])
        raise ValueError(f"this program does not know node {self.name}: Cluster.connect() first")

    unique_id = node_id

    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process.poll() is None

    def end(self, *, gracefully: bool) -> None:
        """Have it leave the cluster, or kill it; returns when its process has ended."""
        self._process.send_signal(signal.SIGTERM if gracefully else signal.SIGKILL)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:  # to the end: a node whose output nobody reads would stand still
                if not self._told.is_set() and (facts := _facts_in(line)) is not None:
                    self._facts = facts
                    self._told.set()
        self._told.set()

    def __repr__(self) -> str:
        return f"ClusterNode({self.name}, {self.address})"


def _facts_in(line: str) -> dict[str, Any] | None:
    """What a node says of itself once it is up; None for a line that is none of that, as of what it imports."""
    try:
        facts = json.loads(line)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and {"address", "name"} <= facts.keys() else None


class Cluster:
    """Nodes that this program starts. Use `add_node`, then `connect`, or ``ray.init(address=cluster.address)``."""

    def __init__(
        self,
        initialize_head: bool = False,
        connect: bool = False,
        head_node_args: Mapping[str, Any] | None = None,
        shutdown_at_exit: bool = True,
    ) -> None:
        """With `initialize_head` the first node is started, with `head_node_args`. Raises as `add_node` does."""
        self.head_node: ClusterNode | None = None
        self.worker_nodes: set[ClusterNode] = set()
        self.connected = False
        if connect and not initialize_head:
            raise RuntimeError("Cannot connect to uninitialized cluster.")
        if shutdown_at_exit:
            atexit.register(self.shutdown)
        if initialize_head:
            self.add_node(**(head_node_args or {}))
            if connect:
                self.connect()

    @property
    def address(self) -> str | None:
        """Where it can be joined; None while it has no node."""
        return next((node.address for node in self.list_all_nodes()), None)

    @property
    def gcs_address(self) -> str | None:
        """As `address`."""
        return self.address

    def connect(self, namespace: str | None = None) -> None:
        """Make this program a node of it. Raises RuntimeError while it has none, or this is one already."""
        if self.address is None or self.connected:
            raise RuntimeError("there is no node yet" if self.address is None else "connect() was called already")
        init(self.address, namespace=namespace, ignore_reinit_error=True)
        self.connected = True

    def add_node(self, wait: bool = True, **node_args: Any) -> ClusterNode:
        """Start a node, which has one CPU unless it is given other `num_cpus`.

        Also `num_gpus`, `resources`, `labels`, `memory`, `object_store_memory` (bytes) and `node_name`.
        With `wait`, all nodes know it when this returns, as far as they are asked (see `wait_for_nodes`). Raises
        RuntimeError when it does not start, NotImplementedError for an argument that there is not.
        """
        command = [sys.executable, "-m", "partisan_actors", "start", "--json", "--bind", "127.0.0.1:0", "--prestart"]
        command += [] if self.address is None else ["--join", self.address]
        command += _options(node_args)
        node = ClusterNode(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}))
        if self.head_node is None:
            self.head_node = node
        else:
            self.worker_nodes.add(node)
        if wait:
            self.wait_for_nodes(START_S)
        return node

    def remove_node(self, node: ClusterNode, allow_graceful: bool = True) -> None:
        """Have it leave, or kill it. Raises ValueError for one that is none of this cluster."""
        if node not in self.list_all_nodes():
            raise ValueError(f"{node!r} is no node of this cluster")
        node.end(gracefully=allow_graceful)
        self.worker_nodes.discard(node)
        if node is self.head_node:
            self.head_node = None

    def wait_for_nodes(self, timeout: float = 30) -> None:
        """Return when this program, if it is a node of it, knows that these nodes are up, and no others.

        Raises TimeoutError. While it is none, only whether the nodes run is looked at: they are members when started.
        """
        deadline = time.monotonic() + timeout
        while not self._is_known():
            if time.monotonic() > deadline:
                raise TimeoutError(f"Timed out waiting for nodes to join: {self.list_all_nodes()}")
            time.sleep(LOOK_S)

    def _is_known(self) -> bool:
        ours = {node.name for node in self.list_all_nodes()}
        if not self.connected or not pa.is_initialized():
            return all(node.is_running() for node in self.list_all_nodes())
        return ours == {row["name"] for row in pa.nodes() if row["hosts_actors"] and row["state"] == "up"}

    def list_all_nodes(self) -> list[ClusterNode]:
        """The nodes, the first one first."""
        first = [self.head_node] if self.head_node is not None else []
        return first + sorted(self.worker_nodes, key=lambda node: node.pid)

    def remaining_processes_alive(self) -> bool:
        """Whether all nodes run."""
        return all(node.is_running() for node in self.list_all_nodes())

    def shutdown(self) -> None:
        """End all nodes, and this program's session if it is one of them. May be called again."""
        atexit.unregister(self.shutdown)
        if self.connected:
            pa.shutdown()
            self.connected = False
        nodes = self.list_all_nodes()
        for node in nodes:
            node.end(gracefully=False)
        self.worker_nodes.clear()
        self.head_node = None


def _options(node_args: Mapping[str, Any]) -> list[str]:
    given = {name: value for name, value in node_args.items() if value is not None and name not in _WITHOUT_EFFECT}
    resources = {"num_cpus": given.pop("num_cpus", 1), **dict(given.pop("resources", {}))}
    resources |= {name: given.pop(name) for name in ("num_gpus", "memory") if name in given}
    options = [f"--resource={name}={amount}" for name, amount in resources.items()]
    options += [f"--label={name}={value}" for name, value in dict(given.pop("labels", {})).items()]
    if "object_store_memory" in given:
        options.append(f"--object-store-memory={given.pop('object_store_memory')}")
    if "node_name" in given:
        options.append(f"--name={given.pop('node_name')}")
    if given:
        refuse(f"add_node({', '.join(given)}=...)", "the options of `partisan start`")
    return options
