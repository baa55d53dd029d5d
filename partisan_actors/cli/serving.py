"""The life of `partisan start`: from the first process to the last, and what is told of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict
from typing import IO, Any, Final

import click

from partisan_actors.api import session as sessions
from partisan_actors.api.dumps import offer_dump
from partisan_actors.api.output import SessionOutput, who_runs_in
from partisan_actors.api.runtime import Runtime
from partisan_actors.api.session import Session
from partisan_actors.api.tracing_choice import tracing_choice
from partisan_actors.api.worker import settle_in
from partisan_actors.cli.failure import ExitCode
from partisan_actors.cli.plan import StartPlan
from partisan_actors.cli.progress import Steps, steps
from partisan_actors.node.config import host_name
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.loop import new_event_loop
from partisan_actors.node.marking import mark_output
from partisan_actors.node.rundir import Announcement, RunningNode

__all__ = ["Story", "run", "serve"]

WORKER_CHECK_S: Final = 0.5
CLOSE_S: Final = 10.0
SECOND_SIGNAL_AFTER_S: Final = 0.5
"""Signals closer together than this are one: who runs us, and the terminal, may each pass the same Ctrl-C on."""


class Story:
    """Tells what happens: as lines for people, or as one JSON object a line."""

    def __init__(self, *, as_json: bool = False, output: IO[str] | None = None) -> None:
        self._as_json = as_json
        self._output = output

    def started(self, facts: dict[str, Any], hint: str) -> None:
        """The nodes are members. `facts` is what JSON shows."""
        if self._as_json:
            self._json("started", facts)
            return
        count = len(facts["nodes"])
        nodes = f"{count} nodes, " if count > 1 else ""
        address = facts["address"]
        self._line(f"node {facts['name']} is up at {address} ({nodes}cluster {facts['cluster']}, {facts['overlay']})")
        options, arguments = facts.get("let_in", ("", ""))
        self._line(f"  join it      partisan start --join {address}{options}")
        self._line(f'  use it       partisan_actors.init(address="{address}"{arguments})')
        self._line(f"  look at it   partisan status{options}")
        or_else = "" if facts.get("log") else "Ctrl-C, or: "
        if facts.get("dashboard"):
            self._line(f"  dashboard    {facts['dashboard']}")
        self._line(f"  stop it      {or_else}partisan stop{options}")
        if hint:
            self._line(f"({hint})")

    def starting(self, total: int) -> AbstractContextManager[Steps]:
        """The nodes are being started; the steps are those of them that are members."""
        is_alone = total == 1
        return steps("nodes that are up", total, quiet=self._as_json or is_alone, file=self._output)

    def joined(self, record: NodeRecord) -> None:
        """Another node is up."""
        self._event("joined", record.node.name, f"node {record.node.name} has joined")

    def gone(self, record: NodeRecord, why: str) -> None:
        """Another node has left or failed."""
        self._event("gone", record.node.name, f"node {record.node.name} is gone: {why}", why=why)

    def worker_ended(self, name: str, epitaph: str) -> None:
        """A process of ours has ended before it was told to by us."""
        self._event("worker_ended", name, f"node {name}: {epitaph}", why=epitaph)

    def stopping(self) -> None:
        """The end has begun."""
        self._event("stopping", "", "leaving the cluster")

    def stopped(self) -> None:
        """The nodes are no members any more."""
        self._event("stopped", "", "stopped")

    def _event(self, event: str, node: str, line: str, **more: str) -> None:
        if self._as_json:
            self._json(event, {"node": node, **more} if node else more)
        else:
            self._line(line)

    def _json(self, event: str, facts: dict[str, Any]) -> None:
        self._line(json.dumps({"event": event, **facts}))

    def _line(self, text: str) -> None:
        # A reader that has had enough, or a terminal that was closed, is no reason for a node to fail.
        with suppress(OSError):
            click.echo(text, file=self._output)


def run(plan: StartPlan, story: Story) -> int:
    """Be the nodes of `plan` until told to end. Returns the exit code.

    Raises ConfigError, NotYetConnected and AuthenticationError when they cannot start.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    offer_dump()
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    output = SessionOutput(shows_all=True)
    mark_output(who_runs_in(os.getpid(), str(plan.config["name"])), output.take)
    plan.logs().use()
    return int(loop.run_until_complete(serve(plan, story, output)))


async def serve(plan: StartPlan, story: Story, output: SessionOutput) -> ExitCode:
    """Start the nodes, tell of it, wait for the end, and leave."""
    end = _End(hangs_up=plan.tls is None or any(map(os.isatty, range(3))))
    session = Session(
        plan.node_config(),
        list(plan.contacts),
        plan.nodes - 1,
        tracing_choice(plan.tracing),
        plan.logs(),
        plan.worker_settings(),
        plan.any_overlay,
        plan.dashboard,
        output,
    )
    ours = {session.node_name, *(f"{session.node_name}-w{number}" for number in range(1, plan.nodes))}
    starting = ExitStack()
    progress = starting.enter_context(story.starting(plan.nodes))
    session.on_waiting = lambda names: progress.reach(len(names & ours))
    try:
        async with session:
            starting.close()
            end.is_started = True
            runtime = session.runtime
            sessions.adopt(runtime)
            runtime.control.on_stop = runtime.draining.on_drained = end.stop.set
            runtime.control.on_start = session.add_worker
            runtime.draining.children = [f"{session.node_name}-w{number}" for number in range(1, plan.nodes)]
            if runtime.node.credentials is not None:
                end.on_hangup = runtime.node.credentials.reload
            settle_in()
            with Announcement(_running(plan, session, runtime)) as announcement:
                story.started(_facts(plan, session, runtime, str(announcement.path)), plan.hint())
                runtime.node.directory.on_up.append(story.joined)
                runtime.node.directory.on_down.append(story.gone)
                await _watch(session, end.stop, story)
                runtime.node.directory.on_up.remove(story.joined)
                runtime.node.directory.on_down.remove(story.gone)
            story.stopping()
            # Actors that will not end must not keep a node that was told to.
            asyncio.get_running_loop().call_later(CLOSE_S, os._exit, ExitCode.OTHER)
    except asyncio.CancelledError:  # by a signal, before the nodes were up
        return ExitCode.INTERRUPTED
    finally:
        starting.close()
    story.stopped()
    return ExitCode.OK


class _End:
    """Signals: the first asks for a graceful end, the second is the end.

    SIGHUP is one of them with `hangs_up`, as when a terminal is closed; otherwise it calls `on_hangup`.
    """

    def __init__(self, hangs_up: bool) -> None:
        self.on_hangup: Callable[[], None] | None = None
        self.stop = asyncio.Event()
        self.is_started = False
        self._first_at: float | None = None
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        numbers = [signal.SIGINT, signal.SIGTERM]
        if not hangs_up:
            self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        elif signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._loop.add_signal_handler(number, self._on_signal)

    def _hang_up(self) -> None:
        if self.on_hangup is not None:
            self.on_hangup()

    def _on_signal(self) -> None:
        now = self._loop.time()
        if self._first_at is None:
            self._first_at = now
            if self.is_started:
                self.stop.set()
            elif self._task is not None:
                self._task.cancel()
        elif now - self._first_at > SECOND_SIGNAL_AFTER_S:
            # The worker processes see their pipe close, and end too.
            os._exit(ExitCode.INTERRUPTED)


async def _watch(session: Session, stop: asyncio.Event, story: Story) -> None:
    """Wait for the end, and tell of worker processes that come to theirs."""
    told: set[str] = set()
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), WORKER_CHECK_S)
        if stop.is_set():
            return
        for name, epitaph in session.ended_workers().items():
            if name not in told:
                told.add(name)
                story.worker_ended(name, epitaph)


def _running(plan: StartPlan, session: Session, runtime: Runtime) -> RunningNode:
    return RunningNode(
        address=_address(runtime),
        cluster=session.cluster,
        name=session.node_name,
        pid=os.getpid(),
        started=time.time(),
        host=host_name(),
        log=plan.log,
    )


def _address(runtime: Runtime) -> str:
    """Where others dial this node."""
    record = runtime.node.directory.find(runtime.node.me)
    return record.addresses[0] if record is not None and record.addresses else runtime.node.address


def _facts(plan: StartPlan, session: Session, runtime: Runtime, run_file: str) -> dict[str, Any]:
    names = [session.node_name, *(f"{session.node_name}-w{number}" for number in range(1, plan.nodes))]
    return {
        **asdict(_running(plan, session, runtime)),
        "nodes": names,
        "let_in": plan.how_to_be_let_in(),
        "overlay": runtime.config.overlay,
        "dashboard": session.dashboard_url,
        "members": len(runtime.node.directory.live()),
        "run_file": run_file,
    }
