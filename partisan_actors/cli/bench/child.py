"""Measures one row in this process and leaves the result in a file: what `coordinator` starts for every row."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any, NoReturn

from partisan_actors.cli.bench import cold_start, comparisons, floor
from partisan_actors.cli.bench.peers import AwaitedPeer
from partisan_actors.cli.bench.samples import Measurement
from partisan_actors.cli.bench.turns import Plan

__all__ = ["MEASURES", "main", "measure"]

Measure = Callable[[Plan], Measurement]


@asynccontextmanager
async def _ours(**settings: Any) -> AsyncIterator[AwaitedPeer]:
    from partisan_actors.cli.bench import ours  # not needed, and not imported, when the floor meets itself

    async with ours.on_own_loop(**settings) as peer:
        yield peer


@asynccontextmanager
async def _ours_with_tls() -> AsyncIterator[AwaitedPeer]:
    from partisan_actors.cli.bench import ours

    async with ours.on_own_loop_with_tls() as peer:
        yield peer


def _own_loop(
    row: str, compare: Callable[[Plan, comparisons.Open], comparisons.Comparisons], plan: Plan
) -> Measurement:
    own = partial(_ours, **SETTINGS.get(row, {}))
    return Measurement(row, comparisons=compare(plan, _ours_with_tls if row.startswith("tls-") else own))


def _background(row: str, compare: Callable[[Plan], comparisons.Comparisons], plan: Plan) -> Measurement:
    return Measurement(row, comparisons=compare(plan))


def _create_actors(plan: Plan) -> Measurement:
    from partisan_actors.cli.bench import footprint

    return Measurement("create-actors", figure=footprint.create_actors(plan))


def _create_isolated(plan: Plan) -> Measurement:
    from partisan_actors.cli.bench import isolation

    return Measurement("create-isolated", figure=isolation.create_isolated(plan))


def _isolated_memory(plan: Plan) -> Measurement:
    from partisan_actors.cli.bench import isolation

    return Measurement("isolated-memory", figure=isolation.isolated_memory())


def _idle_actor(plan: Plan) -> Measurement:
    from partisan_actors.cli.bench import footprint

    return Measurement("idle-actor", figure=footprint.idle_actor_memory())


def _worker_memory(plan: Plan) -> Measurement:
    from partisan_actors.cli.bench import footprint

    return Measurement("worker-memory", figure=footprint.worker_memory(plan))


def _worker_imports(plan: Plan) -> Measurement:
    from partisan_actors.cli.bench import footprint

    figure, names = footprint.unwanted_imports()
    return Measurement("worker-imports", figure=figure, note=names)


def _cold_start(plan: Plan) -> Measurement:
    return Measurement("cold-start", figure=cold_start.cold_start(plan))


def _blocks(row: str, name: str, plan: Plan) -> Measurement:
    from partisan_actors.cli.bench import blocks

    return Measurement(row, figure=getattr(blocks, name)(plan))


OWN_LOOP: Mapping[str, Callable[[Plan, comparisons.Open], comparisons.Comparisons]] = {
    "await-own-loop": comparisons.await_own_loop,
    "sync-method": comparisons.sync_method,
    "in-flight": comparisons.in_flight,
    "without-sessions": comparisons.in_flight,
    "with-checksums": comparisons.in_flight,
    "compressed-in-flight": comparisons.in_flight,
    "bytes-argument": comparisons.bytes_argument,
    "compressed-bytes-argument": comparisons.bytes_argument,
    "tls-await": comparisons.await_own_loop,
    "tls-in-flight": comparisons.in_flight,
    "tls-bytes-argument": comparisons.bytes_argument,
}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "without-sessions": {"session_resume_s": 0.0},
    "with-checksums": {"checksums": True},
    "compressed-in-flight": {"channels": {"calls": {"compression": "zlib"}}},
    "compressed-bytes-argument": {"channels": {"bulk": {"compression": "zlib"}}},
}
BACKGROUND: Mapping[str, Callable[[Plan], comparisons.Comparisons]] = {
    "await-other-thread": comparisons.await_other_thread,
    "blocking-get": comparisons.blocking_get,
    "in-flight-plain-thread": comparisons.in_flight_plain_thread,
}
BLOCKS: Mapping[str, str] = {
    "put-get-small": "put_and_get_small",
    "put-get": "put_and_get",
    "block-argument": "block_argument",
    "block-put-before": "calls_on_a_block",
}
MEASURES: Mapping[str, Measure] = {
    **{row: partial(_own_loop, row, compare) for row, compare in OWN_LOOP.items()},
    **{row: partial(_background, row, compare) for row, compare in BACKGROUND.items()},
    **{row: partial(_blocks, row, name) for row, name in BLOCKS.items()},
    "create-actors": _create_actors,
    "create-isolated": _create_isolated,
    "isolated-memory": _isolated_memory,
    "idle-actor": _idle_actor,
    "worker-memory": _worker_memory,
    "worker-imports": _worker_imports,
    "cold-start": _cold_start,
}


def measure(row: str, plan: Plan, calibrate: bool = False) -> Measurement:
    """Measure one row here and now. `calibrate` puts a second floor in our place, to show the machine's own noise."""
    if not calibrate:
        return MEASURES[row](plan)
    if row not in OWN_LOOP:
        return Measurement(row, failure="the floor has no such thing to compare with itself")
    return Measurement(row, comparisons=OWN_LOOP[row](plan, floor.opened))


def main() -> None:
    """Measure the row named on the command line and write its JSON to the file named there.

    Leaves early when told to by a signal, and when standard input ends: then whoever started this process is gone.
    """
    signal.signal(signal.SIGTERM, _leave)  # by the front door, so that every `finally` runs
    Thread(target=_leave_when_input_ends, name="parent-watch", daemon=True).start()
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("row", choices=sorted(MEASURES))
    arguments.add_argument("--result", type=Path, required=True)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--calibrate", action="store_true")
    given = arguments.parse_args()
    found = measure(given.row, Plan.quick() if given.quick else Plan(), given.calibrate)
    given.result.write_text(json.dumps(found.to_json()))


def _leave_when_input_ends() -> None:
    # os.read, not sys.stdin: a daemon thread inside a buffered read upsets the interpreter's end.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
