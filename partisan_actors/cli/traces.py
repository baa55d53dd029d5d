"""`partisan traces`: the traces that the nodes of a cluster remember, with no other server; `partisan timeline`."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.api.trace_search import Ask, Found, find_traces, get_traces, last_spans
from partisan_actors.api.tracing_service import SPANS_MAX, TRACES
from partisan_actors.cli.asking import Survey, Target, ask, json_option, show_json, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.files import output_option, write_file
from partisan_actors.cli.progress import steps
from partisan_actors.cli.table import counted, show_table
from partisan_actors.cli.tame import tame
from partisan_actors.cli.waterfall import milliseconds, waterfall
from partisan_actors.telemetry.chrome_json import chrome_document
from partisan_actors.telemetry.jaeger_json import jaeger_document
from partisan_actors.telemetry.otlp_plain import to_otlp
from partisan_actors.telemetry.plain_span import parse_trace_id, trace_id_text
from partisan_actors.telemetry.trace_query import LIMIT, LIMIT_MAX, TraceQuery, duration_ns, tags_of
from partisan_actors.telemetry.trace_summary import summary

__all__ = ["timeline", "traces"]

T = TypeVar("T")

FORMATS: Final[dict[str, Callable[[list[list[dict[str, Any]]]], dict[str, Any]]]] = {
    "jaeger": jaeger_document,
    "otlp": lambda found: to_otlp(span for trace in found for span in trace),
    "chrome": lambda found: chrome_document(span for trace in found for span in trace),
}
TIMELINE_SPANS: Final = 4_096
TRACE_ID_DIGITS: Final = 32

_NOTHING: Final = (
    "no spans are kept. Who calls decides what is traced: give it pa.init(tracing=True), or OTEL_* variables. "
    "Each node keeps its last 4,096 spans"
)


def query_options(command: Any) -> Any:
    """The options that say which traces are meant."""
    for option in (
        click.option("--service", default="", metavar="NAME", help="Of this service only."),
        click.option("--operation", default="", metavar="NAME", help="With a span of this name, such as Bank/pay."),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="K=V",
            help="With a span that has this attribute, such as error=true.",
        ),
        click.option("--min-duration", metavar="TIME", help="With a span of 1.5ms, 2s, ... at least."),
        click.option("--max-duration", metavar="TIME", help="With a span of at most so long."),
        click.option("--since", metavar="TIME", help="Begun in the last 10m, 2h, ..."),
        click.option("--limit", default=LIMIT, show_default=True, metavar="N", help=f"At most {LIMIT_MAX}."),
    ):
        command = option(command)
    return command


@click.group("traces")
def traces() -> None:
    """Look at traces without any other server.

    Each node that traces keeps its last 4,096 spans. All of them are asked, and what they know of a trace is put
    together. What a node has forgotten, or a node that does not answer knew, is missing.
    """


@traces.command()
@query_options
@json_option
@target_options
def ls(target: Target, as_json: bool, **options: Any) -> None:
    """List the newest traces.

    One is listed when one of its spans is all that the options ask for.
    """
    query = _query(options)
    cluster, found = _ask(target, lambda nodes: find_traces(nodes, query))
    rows = [summary(trace) for trace in found.traces]
    if as_json:
        show_json({**_facts(cluster, found), "cut": found.cut, "traces": rows})
        return
    more = " (and there are more: --limit)" if found.cut else ""
    click.echo(f"cluster {cluster}: {counted(len(rows), 'trace')}{more}")
    if rows:
        show_table(
            ("trace", "begun", "root", "ms", "spans", "errors", "nodes"), [_line(row) for row in rows], ("begun",)
        )
    else:
        click.echo(_NOTHING, err=True)
    _remark(cluster, found)


@traces.command()
@click.argument("trace_id", metavar="TRACE")
@click.option("--attributes", "with_attributes", is_flag=True, help="Also what is known of each span.")
@json_option
@target_options
def show(target: Target, trace_id: str, with_attributes: bool, as_json: bool) -> None:
    """Show the spans of one trace: who called whom, on which node, when and for how long.

    TRACE is its id, as `partisan traces ls` lists it; the first digits of it will do if they are those of one only.
    """
    cluster, found = _ask(target, lambda nodes: _named(nodes, [trace_id]))
    trace = found.traces[0]
    if as_json:
        show_json({**_facts(cluster, found), "trace": summary(trace), "spans": trace})
        return
    line_chars = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in waterfall(trace, with_attributes=with_attributes, line_chars=line_chars):
        click.echo(tame(line))
    _remark(cluster, found)


@traces.command()
@click.argument("trace_ids", metavar="[TRACE]...", nargs=-1)
@click.option("--format", "form", type=click.Choice(sorted(FORMATS)), default="jaeger", show_default=True)
@output_option
@query_options
@json_option
@target_options
def export(
    target: Target, trace_ids: tuple[str, ...], form: str, output: Path | None, as_json: bool, **options: Any
) -> None:
    """Write traces as a file for other tools.

    Those that are named, by their ids or the first digits of them, or else those that the options ask for. `jaeger` is
    what Jaeger's UI opens as a file, `otlp` what any OpenTelemetry backend takes, `chrome` a timeline for Perfetto.
    """
    query = _query(options)

    async def collect(nodes: Ask) -> Found:
        return await (_named(nodes, trace_ids) if trace_ids else find_traces(nodes, query))

    with steps("asking the nodes for spans", quiet=as_json or output is None):
        cluster, found = _ask(target, collect)
    _write(FORMATS[form](found.traces), output, cluster, found, as_json=as_json)


@click.command()
@click.option("--spans", default=TIMELINE_SPANS, show_default=True, metavar="N", help="The last so many of each node.")
@output_option
@json_option
@target_options
def timeline(target: Target, spans: int, output: Path | None, as_json: bool) -> None:
    """Write the last spans of all nodes as one timeline.

    The file is in Chrome's trace format: open it at https://ui.perfetto.dev or chrome://tracing. A node is a process
    there, and arrows lead from calls to what they caused on other nodes.
    """
    if not 1 <= spans <= SPANS_MAX:
        raise click.UsageError(f"--spans {spans}: from 1 to {SPANS_MAX}")
    with steps("asking the nodes for spans", quiet=as_json or output is None):
        cluster, found = _ask(target, lambda nodes: last_spans(nodes, spans))
    document = chrome_document(span for trace in found.traces for span in trace)
    _write(document, output, cluster, found, as_json=as_json)


async def _named(nodes: Ask, texts: Sequence[str]) -> Found:
    """The traces of these ids, or beginnings of ids; Failure unless each of them names one trace that is kept."""
    wanted = {text: text.strip().lower() for text in texts}
    for text in wanted.values():
        parse_trace_id(text)
    if any(len(text) < TRACE_ID_DIGITS for text in wanted.values()):
        listed = await find_traces(nodes, TraceQuery(limit=LIMIT_MAX))
        known = [trace[0]["trace_id"] for trace in listed.traces]
        wanted = {said: _completed(said, text, known) for said, text in wanted.items()}
    ids = {said: trace_id_text(parse_trace_id(text)) for said, text in wanted.items()}
    found = await get_traces(nodes, list(dict.fromkeys(ids.values())))
    kept = {trace[0]["trace_id"] for trace in found.traces}
    if missing := [said for said, trace_id in ids.items() if trace_id not in kept]:
        raise Failure(
            f"no node keeps a span of trace {', '.join(missing)}: see partisan traces ls "
            f"({found.answered} of {found.asked} nodes answered)",
            ExitCode.OTHER,
        )
    return found


def _completed(said: str, beginning: str, known: list[str]) -> str:
    ids = [trace_id for trace_id in known if trace_id.startswith(beginning)]
    if len(ids) > 1:
        raise Failure(f"{said} is the beginning of {len(ids)} traces: {', '.join(ids[:5])}", ExitCode.USAGE)
    return ids[0] if ids else beginning


def _query(options: dict[str, Any]) -> TraceQuery:
    durations = {
        f"{which}_duration_ns": duration_ns(options[f"{which}_duration"], f"--{which}-duration")
        for which in ("min", "max")
        if options[f"{which}_duration"] is not None
    }
    tags: dict[str, str] = {}
    for text in options["tags"]:
        key, separator, value = text.partition("=")
        tags |= {key: value} if separator else tags_of(text, "--tag")
    since = options["since"]
    start_ns = max(0, time.time_ns() - duration_ns(since, "--since")) if since is not None else None
    return TraceQuery(options["service"], options["operation"], tags, start_ns, limit=options["limit"], **durations)


def _ask(target: Target, question: Callable[[Ask], Coroutine[Any, Any, T]]) -> tuple[str, T]:
    """Put the question to all nodes that are up, the processes of isolated work among them."""

    async def put(observer: Observer) -> tuple[str, T]:
        live = [row for row in await observer.members() if row["state"] in LIVE]

        async def nodes(method: str, *args: Any) -> list[Answer]:
            return await observer.ask_all(live, TRACES, method, *args)

        return observer.cluster, await question(nodes)

    return ask(target, put)


def _write(document: dict[str, Any], output: Path | None, cluster: str, found: Found, *, as_json: bool) -> None:
    """Write or print the document, which is JSON anyway; `as_json` is for what is said of a file."""
    text = json.dumps(document, separators=(",", ":"))
    spans = sum(len(trace) for trace in found.traces)
    if output is None:
        click.echo(text)
    else:
        write_file(output, text + "\n")
        if as_json:
            show_json({**_facts(cluster, found), "file": str(output), "traces": len(found.traces), "spans": spans})
            return
        click.echo(f"{output}: {counted(spans, 'span')} of {counted(len(found.traces), 'trace')}")
    _remark(cluster, found)


def _line(row: dict[str, Any]) -> list[Any]:
    begun = time.strftime("%H:%M:%S", time.localtime(row["start_ns"] / 1e9))
    return [
        row["trace_id"],
        begun,
        f"{row['root_name']} ({row['root_service']})",
        milliseconds(row["duration_ns"]),
        row["spans"],
        row["errors"],
        ", ".join(row["nodes"]),
    ]


def _facts(cluster: str, found: Found) -> dict[str, Any]:
    return {"cluster": cluster, "asked": found.asked, "answered": found.answered, "unanswered": found.silent}


def _remark(cluster: str, found: Found) -> None:
    silent = [Answer(row, why=row["why"]) for row in found.silent]
    Survey(cluster, [], [*silent, *(Answer({"name": ""}, 1) for _ in range(found.answered))]).remark()
