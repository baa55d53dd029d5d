"""The nodes of an experiment, each a process, with the imitated wire between them; none of it outlives the block."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import IO, Any, Final

import partisan_actors as pa
from partisan_actors.cli.bench.environment import child_environment
from partisan_actors.cli.bench.paper.plan import QUEUE_BYTES_MAX, Wire
from partisan_actors.wire.channels import BULK

__all__ = ["NODES", "PlayerLost", "staged"]

NODES: Final = ("a", "b", "c")
STOP_S: Final = 5.0
COMPLAINT_CHARACTERS_MAX: Final = 500


class PlayerLost(Exception):
    """A process of the experiment ended before its time: nothing that was measured counts."""


class _Process:
    """A child that answers lines of JSON with lines of JSON."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._name = module.rpartition(".")[2]
        self._complaints: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed with the process
        # A session of its own: Ctrl-C at the terminal reaches this process alone, and it ends the others.
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=child_environment(),
            start_new_session=True,
        )

    def ask(self, said: Mapping[str, Any]) -> Any:
        """Send a line, and wait for the one that answers it. Raises PlayerLost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(said).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it is gone, as its answer will tell
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(STOP_S)
            self._complaints.seek(0)
            last = self._complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise PlayerLost(f"the {self._name} ended: {last[:COMPLAINT_CHARACTERS_MAX] or 'it said nothing'}")
        return json.loads(line)["ok"]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
        self._complaints.close()


@contextmanager
def staged(count: int, wire: Wire, channels: Mapping[str, Any]) -> Iterator[list[str]]:
    """So many nodes that are all connected over that wire, and this process as another one; their names.

    Without a round trip they are connected by loopback itself. Raises PlayerLost and PartisanError.
    """
    shared: dict[str, Any] = {
        "cluster": "paper-" + secrets.token_hex(4),
        "cookie": secrets.token_hex(16),
        "overlay": "full_mesh",
        "channels": {BULK: {"queue_bytes_max": QUEUE_BYTES_MAX}, **channels},
        # Between nodes of one host megabytes would go past the wire that is imitated.
        "shared_memory": False,
    }
    names = list(NODES[:count])
    with ExitStack() as stack:
        proxy = _proxy(stack, wire)
        contact: str | None = None
        for name in names:
            listener = proxy.ask({"do": "listen"}) if proxy is not None else None
            node = stack.enter_context(_closing("partisan_actors.cli.bench.paper.player"))
            bound = node.ask({"name": name, "address": contact, "advertise": listener, **shared})
            if proxy is not None:
                proxy.ask({"do": "target", "of": listener, "to": bound})
            contact = contact or listener or bound
        with pa.init(address=contact, tracing=False, **shared):
            yield names


@contextmanager
def _closing(module: str, *arguments: str) -> Iterator[_Process]:
    process = _Process(module, *arguments)
    try:
        yield process
    finally:
        process.close()


def _proxy(stack: ExitStack, wire: Wire) -> _Process | None:
    if not wire.round_trip_ms:
        return None
    delay_s = wire.round_trip_ms / 2000
    module = "partisan_actors.cli.bench.paper.proxy"
    arguments = ("--delay", str(delay_s), "--window", str(wire.window_bytes))
    return stack.enter_context(_closing(module, *arguments))
