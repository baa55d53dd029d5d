"""`partisan doctor`: the command."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from typing import Any, Final

import click

from partisan_actors.api.checkup import CHECKUP
from partisan_actors.api.host_facts import host_facts
from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Survey, Target, ask, json_option, show_json, target_options
from partisan_actors.cli.doctor.cluster import CLUSTER, Clock, judge_cluster
from partisan_actors.cli.doctor.findings import ERROR, OK, SEVERITIES, WARNING, Finding, alike_together, graver_first
from partisan_actors.cli.doctor.here import judge_here
from partisan_actors.cli.doctor.paths import Way, find_ways, judge_ways
from partisan_actors.cli.failure import ExitCode, Failure, explain
from partisan_actors.cli.table import counted
from partisan_actors.cli.tame import tame
from partisan_actors.errors import ConfigError, PartisanError
from partisan_actors.node.rundir import running_clusters

__all__ = ["doctor"]

_COLOURS: Final = {ERROR: "red", WARNING: "yellow", OK: "green"}


@click.command()
@click.option("--here", "only_here", is_flag=True, help="Look at this machine only, and ask no cluster.")
@click.option("--all", "with_ok", is_flag=True, help="Also show what is as it should be.")
@json_option
@target_options
def doctor(target: Target, only_here: bool, with_ok: bool, as_json: bool) -> int:
    """Look for what is wrong with this machine and with each node, and say what to do about it.

    Looks at this machine, and at the cluster, if one runs: ports and addresses, cookie and certificates, clocks,
    versions, open files, shared memory and what was left over in it, the disk for what is spilled, late loops,
    silent nodes, lost spans, and whether large messages come through to nodes on other hosts. Nothing is changed.

    An error does not work, a warning may not soon or elsewhere, a note is no trouble. The exit code is 1 when there is
    an error, else 0.
    """
    facts, now = host_facts(), time.time()
    findings = list(judge_here(facts, running_clusters(), target.cookie_file, target.tls_dir, target.insecure, now))
    found: Survey | None = None
    if not only_here:
        found, more = _of_cluster(target, has_errors=any(finding.severity == ERROR for finding in findings))
        findings += more
    findings = graver_first(findings)
    code = ExitCode.OTHER if any(finding.severity == ERROR for finding in findings) else ExitCode.OK
    if as_json:
        asked = found.facts() if found is not None else {"cluster": None, "asked": 0, "answered": 0, "unanswered": []}
        show_json({**asked, "healthy": code == ExitCode.OK, "findings": [finding.plain() for finding in findings]})
    else:
        _show(findings, found, with_ok=with_ok)
    return code


def _of_cluster(target: Target, *, has_errors: bool) -> tuple[Survey | None, list[Finding]]:
    try:
        found, clocks, ways = ask(target, _question)
    except (Failure, PartisanError) as error:
        failure = error if isinstance(error, Failure) else explain(error)
        if failure.code == ExitCode.USAGE and isinstance(error, Failure):
            raise  # several clusters run here
        if isinstance(error, ConfigError) and has_errors:
            return None, []  # it is the same again that was found here
        is_none_meant = failure.code == ExitCode.NO_CLUSTER and not target.address and not target.cluster
        severity = OK if is_none_meant else ERROR
        return None, [Finding(severity, "answers", CLUSTER, failure.message)]
    return found, [*judge_cluster(found.rows, found.answers, clocks, time.time()), *judge_ways(ways)]


async def _question(observer: Observer) -> tuple[Survey, list[Clock], list[Way]]:
    rows = await observer.members()
    live = [row for row in rows if row["state"] in LIVE]
    found = Survey(observer.cluster, rows, await observer.ask_all(live, CHECKUP, "facts"))
    clocks = await asyncio.gather(*(_clock(observer, answer.row) for answer in found.answered))
    ways = await find_ways(observer, found.answered)
    return found, [clock for clock in clocks if clock is not None], ways


async def _clock(observer: Observer, row: dict[str, Any]) -> Clock | None:
    asked_at = time.time()
    answer = await observer.ask_row(row, CHECKUP, "now")
    return Clock(answer.name, answer.value, asked_at, time.time()) if answer.why is None else None


def _show(findings: list[Finding], found: Survey | None, *, with_ok: bool) -> None:
    findings = alike_together(findings)
    for finding in findings:
        if finding.severity == OK and not with_ok:
            continue
        severity = f"{finding.severity:7}"
        if sys.stdout.isatty():
            severity = click.style(severity, fg=_COLOURS.get(finding.severity))
        click.echo(f"{severity} " + tame(f"{finding.check} ({finding.where}): {finding.text}"))
        if finding.remedy:
            click.echo(f"        {tame(finding.remedy)}")
    counts = Counter(finding.severity for finding in findings)
    told = ", ".join(_counted(counts[severity], severity) for severity in SEVERITIES if counts[severity])
    where = f"this machine and cluster {found.cluster}" if found is not None else "this machine; no cluster was asked"
    click.echo(f"looked at {tame(where)}: {told}")
    if found is not None:
        found.remark()


def _counted(number: int, severity: str) -> str:
    return f"{number} {OK}" if severity == OK else counted(number, severity)
