"""`partisan actors show`: all that the nodes know of one actor: what it is at, its calls, its logs, its traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from partisan_actors.api.event_service import EVENTS
from partisan_actors.api.inspection import LIVE
from partisan_actors.api.log_service import LOGS
from partisan_actors.api.metering import METRICS_SERVICE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.api.steering import STEERING
from partisan_actors.api.trace_search import find_traces
from partisan_actors.api.tracing_service import TRACES
from partisan_actors.cli import events, logs
from partisan_actors.cli.actor_rows import find_actor
from partisan_actors.cli.asking import Survey, Target, ask, json_option, show_json, target_options
from partisan_actors.cli.measured import bytes_text, method_rows, ordered, seconds_text, with_quantiles
from partisan_actors.cli.methods import METHOD_HEADINGS, METHOD_NAMES, method_line
from partisan_actors.cli.table import counted, show_table
from partisan_actors.cli.tame import tame
from partisan_actors.telemetry.actor_times import NOT_TIMED
from partisan_actors.telemetry.trace_query import TraceQuery
from partisan_actors.telemetry.trace_summary import summary

__all__ = ["show"]

LAST: Final = 5
ACTOR_TAG: Final = "partisan.actor.id"
_TIMES: Final = (("waited", "wait"), ("ran", "run"))
_PARTS: Final = ("p50", "p95", "p99")


@click.command()
@click.argument("which", metavar="ID")
@json_option
@target_options
def show(target: Target, which: str, as_json: bool) -> None:
    """Tell all that is known of the actor ID, which may be its name, or how its id ends.

    What it runs and what waits in front of its mailbox now; how long its calls waited and ran; the calls of its class
    on its node; the last events and records of log that are its own, and the last traces in which it was called, as far
    as nodes still have them.
    """
    found, detail = ask(target, lambda observer: _question(observer, which))
    if as_json:
        show_json({**found.facts(), **detail})
        return
    known = detail["actor"]
    now = detail["now"] or {}
    _show_facts({name: value for name, value in known.items() if name not in {*NOT_TIMED, "memory_bytes"}})
    if known["memory_bytes"] is not None:
        _show_facts({"memory": bytes_text(known["memory_bytes"])})
    _show_facts({name: value for name, value in now.items() if name not in {*known, "actor", "times"}})
    if now.get("times"):
        _show_times(now["times"])
    if detail["methods"]:
        click.echo(f"\ncalls of class {tame(detail['actor']['class'])} on node {detail['actor']['node']}")
        show_table((*METHOD_NAMES, *METHOD_HEADINGS), [method_line(row) for row in detail["methods"]])
    for what, shown in (("events", events.shown), ("logs", logs.shown)):
        if detail[what]:
            click.echo(f"\nits last {what}")
            for row in detail[what]:
                click.echo(shown(row))
    if detail["traces"]:
        click.echo("\nthe last traces with it")
        for row in detail["traces"]:
            click.echo(tame(f"{row['trace_id']}  {row['root_name']}  {counted(row['errors'], 'error')}"))
    found.remark()


async def _question(observer: Observer, which: str) -> tuple[Survey, dict[str, Any]]:
    found, row = await find_actor(observer, which)
    live = [member for member in found.rows if member["state"] in LIVE]
    host = [member for member in live if member["name"] == row["node"]]

    async def rows_of(service: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        answers = await observer.ask_all(host, service, "tail", {"limit": LAST, **query})
        return [each for answer in answers if answer.why is None for each in answer.value["rows"]]

    async def ask_nodes(method: str, *args: Any) -> list[Answer]:
        return await observer.ask_all(live, TRACES, method, *args)

    now = await observer.ask_all(host if row["state"] == "alive" else [], STEERING, "look", row["id"])
    timed = await observer.ask_all(host, METRICS_SERVICE, "methods")
    methods = [with_quantiles(each) for each in method_rows(answer for answer in timed if answer.why is None)]
    traces = await find_traces(ask_nodes, TraceQuery(tags={ACTOR_TAG: row["id"]}, limit=LAST))
    return found, {
        "actor": row,
        "now": next((answer.value for answer in now if answer.why is None), None),
        "methods": ordered([each for each in methods if each["class"] == row["class"]], "calls", names=METHOD_NAMES),
        "events": [{**each, "seen_by": [each["node"]]} for each in await rows_of(EVENTS, {"about": row["id"]})],
        "logs": await rows_of(LOGS, {"actor_id": row["id"]}),
        "traces": [summary(trace) for trace in traces.traces],
    }


def _show_times(times: Mapping[str, Any]) -> None:
    told = with_quantiles(times)
    slowest = seconds_text(times["slowest_s"])
    click.echo(f"\nits own calls, as far as they were timed; the slowest took {slowest}")
    lines = [[what, *(seconds_text(told[f"{name}_{part}_s"]) for part in _PARTS)] for what, name in _TIMES]
    show_table(("", *_PARTS), lines)


def _show_facts(facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        click.echo(tame(f"{name.replace('_', ' '):<15} {'' if text is None else text}".rstrip()))
