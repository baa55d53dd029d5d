"""`partisan channels`: what goes over each channel, and what waits in front of it."""

from __future__ import annotations

from typing import Any, Final

import click

from partisan_actors.api.metering import METRICS_SERVICE
from partisan_actors.cli.asking import Target, check_node, json_option, show_json, survey, target_options
from partisan_actors.cli.measured import bytes_text, ordered, seconds_text
from partisan_actors.cli.table import counted, show_table

__all__ = ["channels"]

_NAMES: Final = ("node", "channel", "peer")
_SORTS: Final = {
    "sent": "sent_bytes",
    "received": "received_bytes",
    "queued": "queued_messages",
    "wait": "oldest_wait_s",
    "reconnects": "reconnects",
    **{name: name for name in _NAMES},
}
_SUMMED: Final = (
    *("lanes", "queued_messages", "queued_bytes", "sent_messages", "sent_bytes"),
    *("received_messages", "received_bytes", "reconnects"),
)


@click.command()
@click.option("--node", "node_name", metavar="NAME", help="The ends at this node only.")
@click.option("--channel", "channel_name", metavar="NAME", help="This channel only.")
@click.option("--peers", "with_peers", is_flag=True, help="A row for each peer, too.")
@click.option("--sort", type=click.Choice(list(_SORTS)), default="queued", show_default=True, help="The most first.")
@json_option
@target_options
def channels(
    target: Target, node_name: str | None, channel_name: str | None, with_peers: bool, sort: str, as_json: bool
) -> None:
    """What goes over each channel, and what waits in front of it.

    Each node tells of its own ends, since it was started. `waits` is how long the first message has been waiting that a
    peer is too slow for, `queued` how many there are; `reconnects` how often a lane broke and went on.
    """
    found = survey(target, METRICS_SERVICE, "channels")
    check_node(found.rows, node_name)
    rows = [
        {"node": answer.name, **row}
        for answer in found.answered
        for row in answer.value
        if node_name in (None, answer.name) and channel_name in (None, row["channel"])
    ]
    rows = ordered(rows if with_peers else by_channel(rows), _SORTS[sort], names=_NAMES)
    if as_json:
        show_json({**found.facts(), "channels": rows})
        return
    nodes = {row["node"] for row in rows}
    click.echo(f"cluster {found.cluster}: {counted(len(nodes), 'node')}")
    peers = "peer" if with_peers else "peers"
    headings = ("node", "channel", peers, "lanes", "queued", "bytes", "waits", "sent", "bytes", "received", "bytes")
    show_table((*headings, "reconnects"), [_line(row) for row in rows])
    found.remark()


def by_channel(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each channel of each node; `peer` is how many there are."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["node"], row["channel"]), []).append(row)
    return [
        {
            "node": node,
            "channel": channel,
            "peer": len(same),
            **{name: sum(row[name] for row in same) for name in _SUMMED},
            "oldest_wait_s": max(row["oldest_wait_s"] for row in same),
        }
        for (node, channel), same in grouped.items()
    ]


def _line(row: dict[str, Any]) -> list[Any]:
    return [
        *(row[name] for name in (*_NAMES, "lanes", "queued_messages")),
        bytes_text(row["queued_bytes"]),
        seconds_text(row["oldest_wait_s"]) if row["queued_messages"] else "",
        row["sent_messages"],
        bytes_text(row["sent_bytes"]),
        row["received_messages"],
        bytes_text(row["received_bytes"]),
        row["reconnects"],
    ]
