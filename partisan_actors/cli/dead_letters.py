"""`partisan dead-letters`: messages that reached nobody and that nobody waits for, why, and from whom."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final

import click

from partisan_actors.actors.dead_letters import REASONS
from partisan_actors.api.inspection import INSPECT
from partisan_actors.cli.asking import Target, check_node, json_option, show_json, survey, target_options
from partisan_actors.cli.resending import resend
from partisan_actors.cli.subcommands import is_alone
from partisan_actors.cli.table import counted, show_table

__all__ = ["dead_letters"]

_COLUMNS: Final = ("when", "node", "number", "kept", "whom", "method", "from", "why")


@click.group("dead-letters", invoke_without_command=True)
@click.option(
    "-n", "--limit", default=100, show_default=True, type=click.IntRange(1), help="How many of the last to show."
)
@click.option("--node", "node_name", metavar="NAME", help="Those that got lost on this node only.")
@click.option("--reason", type=click.Choice(REASONS), help="Those that got lost for this reason only.")
@json_option
@target_options
@click.pass_context
def dead_letters(
    context: click.Context, target: Target, limit: int, node_name: str | None, reason: str | None, as_json: bool
) -> None:
    """Show messages that reached nobody: from whom, and why.

    These are tells, for which nobody waits; the last of them stand at the bottom.
    `node` is where a message got lost, `from` the node that has sent it. Each node counts them all, and keeps the last
    200. Calls are no dead letters: whoever called is told.

    What is `kept` can be sent again, by its node and its number: `partisan dead-letters resend NODE NUMBER`.
    """
    if not is_alone(context):
        return
    found = survey(target, INSPECT, "dead_letters")
    check_node(found.rows, node_name)
    answers = [answer for answer in found.answered if node_name in (None, answer.name)]
    reasons: Counter[str] = Counter()
    for answer in answers:
        reasons.update(answer.value["reasons"])
    rows = [{"node": answer.name, **row} for answer in answers for row in answer.value["rows"]]
    rows = [row for row in rows if reason in (None, row["reason"])]
    rows = sorted(rows, key=lambda row: row["time"])[-limit:]
    if as_json:
        show_json({**found.facts(), "count": reasons.total(), "reasons": dict(reasons.most_common()), "rows": rows})
        return
    told = ", ".join(f"{count} {words}" for words, count in reasons.most_common())
    summary = counted(reasons.total(), "dead letter") + (f" ({told})" if told else "")
    click.echo(f"cluster {found.cluster}: {summary}")
    if rows:
        show_table(_COLUMNS, [_line(row) for row in rows], ("from", "kept", "whom"))
    found.remark()


dead_letters.add_command(resend)


def _line(row: dict[str, Any]) -> list[Any]:
    at = datetime.fromtimestamp(row["time"]).isoformat(sep=" ", timespec="seconds")
    kept = "yes" if row["may_resend"] else "no"
    return [at, row["node"], row["number"], kept, row["whom"], row["method"], row["sender"], row["why"]]
