"""What a worker process runs: a node that hosts actors and tasks, for as long as its parent lives.

It is forked by a template with its control pipe, or started as ``python -m partisan_actors.api.worker`` with that on
its standard input (see `node.workers`). It imports nothing that a node does not need: neither aiohttp, opentelemetry,
click or rich.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from typing import Any

from partisan_actors.api import session
from partisan_actors.api.dumps import offer_dump
from partisan_actors.api.log_choice import LogChoice
from partisan_actors.api.output import who_runs_in
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import PartisanError
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.delivery_options import DeliveryOptions
from partisan_actors.node.forward_options import ForwardOptions
from partisan_actors.node.loop import new_event_loop
from partisan_actors.node.marking import Upwards, mark_output
from partisan_actors.node.outputs import TakeLines
from partisan_actors.node.overlays import with_own_options
from partisan_actors.node.printed import Writer
from partisan_actors.node.tls import TlsFiles
from partisan_actors.telemetry.tracing import TracingOptions
from partisan_actors.wire.channels import check_channels

__all__ = ["config_of", "live", "main", "read_line", "run_node", "settle_in", "tracing_of", "watch"]

# A blocking method that computes holds the interpreter for this long before the loop gets its turn.
SWITCH_INTERVAL_S = 0.001


def main() -> None:
    """The life of a worker that was started by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # it was blocked until now, see node.workers
    _die_with_parent()
    pipe = os.dup(0)
    _close_stdin()
    # Threads of methods that never return must not keep the process.
    os._exit(live(pipe))


def live(pipe: int) -> int:
    """The life of a worker, from what its parent says first; returns its exit code."""
    line, rest = read_line(pipe)
    if not line:
        return 0
    settings = json.loads(line)
    for path in settings.get("sys_path", ()):
        if path not in sys.path:
            sys.path.append(path)
    if settings.get("main_dir"):
        os.chdir(settings["main_dir"])
    offer_dump()
    me = Writer("", os.getpid(), settings["name"])
    who_runs, upwards = who_runs_in(me.pid, me.node), Upwards(me)
    pass_on_the_rest = mark_output(lambda: who_runs() or me, upwards.take)
    LogChoice.of_settings(settings).use()
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    stop = asyncio.Event()
    threading.Thread(target=watch, args=(pipe, rest, loop, stop), name="parent-watch", daemon=True).start()
    try:
        loop.run_until_complete(run_node(settings, stop, upwards.take))
    except PartisanError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        pass_on_the_rest()
    return 0


async def run_node(settings: dict[str, Any], stop: asyncio.Event, take_lines: TakeLines) -> None:
    """Be the node that the parent described until `stop` is set. What its own processes print goes to `take_lines`."""
    config = with_own_options(config_of(settings), joins=bool(settings["contacts"]))
    runtime = Runtime(config, tracing_of(settings))
    runtime.draining.on_drained = stop.set
    runtime.scheduler.processes.take_lines = take_lines
    if settings.get("stops_on_request"):
        runtime.control.on_stop = stop.set
    session.adopt(runtime)  # first: with tracing, calls come before `start` returns
    await runtime.start(settings["contacts"])
    await runtime.ready()
    settle_in()
    await stop.wait()
    await runtime.close()


def settle_in() -> None:
    """Make this process one that hosts actors, once everything it needs is imported."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # Everything imported so far stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()


def config_of(settings: dict[str, Any]) -> NodeConfig:
    """The node that the parent described."""
    return NodeConfig(
        name=settings["name"],
        cluster=settings["cluster"],
        bind=tuple(settings.get("bind", ("127.0.0.1:0",))),
        advertise=tuple(settings.get("advertise", ())),
        overlay=settings["overlay"],
        overlay_options=settings["overlay_options"],
        broadcast=settings["broadcast"],
        broadcast_options=settings["broadcast_options"],
        routing=settings["routing"],
        channels=check_channels(settings["channels"]),
        session_resume_s=settings.get("session_resume_s", 10.0),
        checksums=settings.get("checksums", False),
        namespace=settings.get("namespace", ""),
        delivery=DeliveryOptions.of(settings.get("delivery", {})),
        forward=ForwardOptions.of(settings.get("forward", {})),
        cookie=bytes.fromhex(settings["cookie"]),
        insecure=settings["insecure"],
        allow_faults=settings.get("allow_faults", False),
        tls=TlsFiles(*settings["tls"]) if settings.get("tls") else None,
        resources=settings.get("resources", {}),
        labels=settings.get("labels", {}),
        object_store_bytes_max=settings.get("object_store_bytes_max", 0),
        spill_dir=settings.get("spill_dir", ""),
        shared_memory=settings.get("shared_memory", True),
        hosts_actors="hosted_by" not in settings,
        prestart=settings.get("prestart", False),
        hosted_by=settings.get("hosted_by", ""),
        sources={**settings.get("sources", {}), "name": "node that started it"},
    )


def tracing_of(settings: dict[str, Any]) -> TracingOptions | None:
    """The tracing that the parent asked for."""
    options = settings.get("tracing")
    return TracingOptions(**options) if options is not None else None


def _die_with_parent() -> None:
    # The pipe tells as well; this also ends a worker whose interpreter is stuck in native code.
    if sys.platform != "linux":
        return
    import ctypes

    parent = os.getppid()
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _close_stdin() -> None:
    # User code that reads standard input must not eat the parent's messages.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def read_line(pipe: int) -> tuple[bytes, bytes]:
    """What the parent tells first, and what came after that; both are empty when the parent is gone."""
    data = b""
    while b"\n" not in data:
        part = os.read(pipe, 65536)
        if not part:
            return b"", b""
        data += part
    line, _, rest = data.partition(b"\n")
    return line, rest


def watch(pipe: int, rest: bytes, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """On a thread: set `stop` when the parent says so, and end this process when the parent is gone."""
    data = rest
    while b"stop" not in data:
        part = os.read(pipe, 4096)
        if not part:
            os._exit(1)  # the parent is gone: nothing here may outlive it
        data += part
    loop.call_soon_threadsafe(stop.set)
    while os.read(pipe, 4096):
        continue
    os._exit(1)


if __name__ == "__main__":
    main()
