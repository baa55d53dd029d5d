"""What a process runs that the template has forked: a node for one isolated actor, or for one task after the other.

Its host, the node whose process it is, tells it who it is over a socket, and is told when it is ready. It ends with its
actor, when its host says so, and when the socket breaks.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import random
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from partisan_actors.actors.cell import Cell
from partisan_actors.api import session, worker
from partisan_actors.api.dumps import offer_dump
from partisan_actors.api.log_choice import LogChoice
from partisan_actors.api.output import who_runs_in
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ConfigError, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.loop import new_event_loop
from partisan_actors.node.marking import Upwards, mark_output
from partisan_actors.node.overlays import make_stack, with_own_options
from partisan_actors.node.printed import Writer
from partisan_actors.scheduler.environment import Environment
from partisan_actors.scheduler.processes import record_from, record_of
from partisan_actors.wire.codec import read_declarations

__all__ = ["main", "prepare"]

LOOK_S: Final = 0.01
LINGER_S: Final = 2.0
WHY_MAX: Final = 4096  # characters of a reason: what fits into the socket at once, and into what the host reads
# There may be hundreds of such nodes on a machine, most of them idle: each pings one neighbour, and looks whether its
# record is new, less often than others do. Its host, who needs no pings for it, knows at once when it ends.
KEEP_ALIVE_S: Final = 10.0
LOAD_PERIOD_S: Final = 5.0
TRAVEL: Final = ("overlay", "overlay_options", "broadcast", "broadcast_options", "routing")


def prepare(settings: Mapping[str, Any]) -> None:
    """In the template: load and read once what every process needs that it forks.

    Of the settings, it looks at the path, at how messages will travel, and at whether there will be tracing.
    """
    for path in settings.get("sys_path", ()):
        if path not in sys.path:
            sys.path.append(path)
    for module in ("cloudpickle", "uvloop"):  # which are loaded at their first use
        with suppress(ImportError):
            importlib.import_module(module)
    if settings["tracing"] is not None:
        from partisan_actors.telemetry import otel  # noqa: F401 - it takes a second, and starts no thread
    travel = {name: settings[name] for name in TRAVEL}
    with suppress(ConfigError):  # whoever needs it will say so
        make_stack(NodeId("template", 1), NodeConfig(name="template", **travel), random.Random(1))
    read_declarations()


def main(control: int) -> int:
    """The life of one process, from what its host says first; returns its exit code."""
    line, rest = worker.read_line(control)
    if not line:
        return 1
    settings = json.loads(line)
    pass_on_the_rest = _mark_output(settings["hosted_by"])
    LogChoice.of_settings(settings).use(anew=True)
    os.environ.update(settings.get("environ", {}))
    if settings.get("folder"):
        os.chdir(settings["folder"])
    sys.path[:0] = settings.get("python_path", ())
    offer_dump()
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    stop = asyncio.Event()
    threading.Thread(target=worker.watch, args=(control, rest, loop, stop), name="host-watch", daemon=True).start()
    try:
        loop.run_until_complete(_run(settings, stop, control))
    except PartisanError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        pass_on_the_rest()
    return 0


def _mark_output(host: str) -> Callable[[], None]:
    """Say of each line who has printed it; of what a thread prints that nobody knows, the last who has."""
    who_runs = who_runs_in(os.getpid(), host)
    last: list[Writer | None] = [None]

    def who_ran() -> Writer | None:
        last[0] = who_runs() or last[0]
        return last[0]

    return mark_output(who_ran, Upwards(Writer("", os.getpid(), host)).take)


async def _run(settings: dict[str, Any], stop: asyncio.Event, control: int) -> None:
    config = replace(worker.config_of(settings), keep_alive_s=KEEP_ALIVE_S, load_period_s=LOAD_PERIOD_S)
    config = with_own_options(config, joins=True)
    runtime = Runtime(config, worker.tracing_of(settings))
    runtime.scheduler.processes.settings = None  # what comes here stays in this process
    runtime.scheduler.room.lent_gpus = settings["gpus"]
    runtime.environment = Environment.of_plain(settings["environment"])
    session.adopt(runtime)
    await runtime.start(settings["contacts"])
    await runtime.ready()
    for told in settings["records"]:
        record_from(runtime.node, told)
    runtime.node.introduce()
    worker.settle_in()
    end = _End(runtime, stop)
    runtime.system.on_cell_stopped.append(end.actor_stopped)
    me = runtime.node.me
    addresses = list(runtime.node.addresses.addresses_of(me))
    ready = {"node": list(me), "addresses": addresses, "record": record_of(runtime.node, me)}
    os.write(control, json.dumps(ready).encode() + b"\n")
    await stop.wait()
    if end.why:
        with suppress(OSError):  # the host has gone
            os.write(control, json.dumps({"why": end.why[:WHY_MAX]}).encode() + b"\n")
    await runtime.close(end.why)


class _End:
    """The process ends when its actor has ended, and all who are to be told of that have been told."""

    def __init__(self, runtime: Runtime, stop: asyncio.Event) -> None:
        self.why = ""
        self._runtime = runtime
        self._stop = stop

    def actor_stopped(self, cell: Cell) -> None:
        self.why = cell.reason
        self._runtime.node.background.start(self._finish(cell), f"end with {cell}")

    async def _finish(self, cell: Cell) -> None:
        if cell.cause is not None:
            # Whoever made it may not have sent its first calls yet: each gets what the constructor raised.
            await asyncio.sleep(LINGER_S)
        while self._runtime.scheduler.guardian.restarting:  # noqa: ASYNC110 - it goes on elsewhere, soon
            await asyncio.sleep(LOOK_S)
        releasing = self._runtime.scheduler.releasing.get(cell.actor)
        if releasing is not None:
            await asyncio.wait([releasing])
        # A turn for what others have hung on that, and another for what they send.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self._stop.set()
