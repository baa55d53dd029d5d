"""How a session's node starts, and its workers with it. A module of its own: loading it takes as long as they do."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.api.beside import Dashboard
from partisan_actors.api.joining import fit_to_cluster, fit_to_saved
from partisan_actors.api.log_choice import LogChoice
from partisan_actors.api.output import SessionOutput
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ConfigError, NotYetConnected
from partisan_actors.node.config import NodeConfig, memory_share
from partisan_actors.node.overlay_options import merged
from partisan_actors.node.overlays import with_own_options
from partisan_actors.node.workers import Crew, Worker
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.telemetry.tracing import TracingOptions
from partisan_actors.values import dataclass

__all__ = ["WORKERS_MAX", "Beginning", "start", "start_another"]

START_TIMEOUT_S: Final = 30.0
CATCH_UP_S: Final = 2.0
# Beyond so many that run, none is started while the session runs.
WORKERS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a session begins with; the fields are those of `Session`. `rebuild` makes refs of what is unpickled."""

    config: NodeConfig
    contacts: Sequence[str]
    any_overlay: bool
    tracing: TracingOptions | None
    dashboard: Dashboard
    workers: list[Worker]
    logs: LogChoice
    worker_settings: Mapping[str, Any]
    output: SessionOutput
    rebuild: Callable[[str, int, int], ObjectRef[Any]]
    on_waiting: Callable[[set[str]], None]


async def start(begun: Beginning) -> Runtime:
    """A node that is a member of its cluster, as all its workers are. Raises as `init` does; then nothing is left."""
    config, awaited = begun.config, frozenset[str]()
    if begun.contacts:
        fitting = await fit_to_cluster(config, begun.contacts, any_overlay=begun.any_overlay)
        config, awaited = fitting.config, fitting.members
    else:
        config = fit_to_saved(config, any_overlay=begun.any_overlay)
    runtime = Runtime(with_own_options(config, joins=bool(begun.contacts)), begun.tracing)
    runtime.objects.rebuild = begun.rebuild
    begun.output.attach(runtime)
    await runtime.start(begun.contacts)
    try:
        _configure_workers(begun, runtime, begun.workers)
        await _wait_for_cluster(begun, runtime, awaited)
        await runtime.ready()
        await runtime.open_dashboard(begun.dashboard)
    except BaseException:
        await runtime.close()
        raise
    return runtime


async def start_another(begun: Beginning, runtime: Runtime, crew: Crew) -> str:
    """One more worker of `crew` while the session runs: its name, once it is a member.

    Raises ConfigError when WORKERS_MAX run or no process can be started, and NotYetConnected when it does not come up;
    then it has ended. Those that have ended are forgotten when their places are needed.
    """
    if len(begun.workers) >= WORKERS_MAX:
        for ended in [worker for worker in begun.workers if worker.epitaph() is not None]:
            crew.drop(ended)
    if len(begun.workers) >= WORKERS_MAX:
        raise ConfigError("worker", len(begun.workers) + 1, f"at most {WORKERS_MAX} that one process starts")
    name = f"{runtime.config.name}-w{crew.next_number()}"
    try:
        worker = await asyncio.to_thread(crew.start_another, name)
    except OSError as error:
        raise ConfigError("worker", name, f"a process that this machine can start ({error})") from error
    try:
        _configure_workers(begun, runtime, [worker])
        await _wait_for_another(worker, runtime)
    except BaseException:
        crew.drop(worker)
        raise
    runtime.draining.children.append(name)
    return name


async def _wait_for_another(worker: Worker, runtime: Runtime) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while worker.name not in {record.node.name for record in runtime.node.directory.live()}:
        epitaph = worker.epitaph()
        if epitaph is None and time.monotonic() > deadline:
            epitaph = f"not in the cluster after {START_TIMEOUT_S:g} s"
        if epitaph is not None:
            raise NotYetConnected(worker.name, f"{epitaph}; the output of node {runtime.config.name} may say why")
        await runtime.scheduler.wait_for_news(0.05)


def _configure_workers(begun: Beginning, runtime: Runtime, workers: Sequence[Worker]) -> None:
    shared = runtime.settings_for_workers()
    shared["overlay_options"] = merged(shared["overlay_options"], begun.config.overlay_options)
    share = {"memory": memory_share(max(1, len(begun.workers) + begun.config.hosts_actors))}
    paths = [os.path.abspath(path) for path in sys.path if isinstance(path, str)]
    for worker in workers:
        mine = {"name": worker.name, "sys_path": paths, "resources": share, **begun.logs.plain()}
        worker.configure({**shared, **mine, **begun.worker_settings})


async def _wait_for_cluster(begun: Beginning, runtime: Runtime, awaited: frozenset[str]) -> None:
    """Until every worker is a member; and, when joining, until this node knows `awaited`, whom its contact knew.

    Some of those may be gone by now: after CATCH_UP_S, one that is up will do.
    """
    directory, contacts = runtime.node.directory, begun.contacts
    missing = {worker.name for worker in begun.workers}
    patience, deadline = time.monotonic() + CATCH_UP_S, time.monotonic() + START_TIMEOUT_S
    while True:
        names = {record.node.name for record in directory.live()}
        begun.on_waiting(names)
        has_joined = not contacts or bool(names - missing - {runtime.config.name})
        has_caught_up = awaited <= directory.records.keys() or time.monotonic() > patience
        if missing <= names and has_joined and has_caught_up:
            return
        if runtime.node.membership.refusal and not has_joined:
            raise NotYetConnected(", ".join(contacts), runtime.node.membership.refusal)
        for worker in begun.workers:
            epitaph = worker.epitaph()
            if epitaph is not None:
                raise NotYetConnected(worker.name, f"{epitaph}; see its output above")
        if time.monotonic() > deadline:
            what = ", ".join(sorted(missing - names)) or ", ".join(contacts)
            raise NotYetConnected(what, f"not in the cluster after {START_TIMEOUT_S:g} s")
        await runtime.scheduler.wait_for_news(0.01)
