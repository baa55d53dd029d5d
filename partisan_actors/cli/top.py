"""`partisan top`: what the cluster does now, node by node and method by method, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from partisan_actors.api.observer import Observer
from partisan_actors.cli.asking import Target, ask, json_option, show_json, target_options
from partisan_actors.cli.contacts import Contacts
from partisan_actors.cli.looks import between, look
from partisan_actors.cli.measured import bytes_text, calls_text, ordered, seconds_text
from partisan_actors.cli.methods import METHOD_NAMES
from partisan_actors.cli.table import plain_table, rich_table
from partisan_actors.cli.tame import tame

__all__ = ["SORTS", "Screen", "top"]

# What methods can be sorted by, in the order in which the key `s` goes through them, and the column that is meant.
SORTS: Final = {"calls": "calls_per_s", "run": "run_p99_s", "wait": "wait_p99_s", "errors": "errors_per_s"}
METHODS_SHOWN: Final = 20
_NODE_HEADINGS: Final = ("node", "state", "cpu", "memory", "fds", "threads", "lag", "actors", "calls/s")
_HEADINGS: Final = ("calls/s", "errors/s", "in flight", "wait p50", "wait p99", "run p50", "run p99")


@click.command()
@click.option("--interval", default=2.0, show_default=True, type=click.FloatRange(0.1, 3600.0), help="Seconds between.")
@click.option("--once", is_flag=True, help="Show what happens within one interval, and end.")
@click.option("--sort", type=click.Choice(list(SORTS)), default="calls", show_default=True, help="The most first.")
@json_option
@target_options
def top(target: Target, interval: float, once: bool, sort: str, as_json: bool) -> None:
    """What the cluster does now: nodes and methods, live.

    All figures are of the last interval; cpu is in cores. On a terminal the key s sorts methods by another column, and
    q ends. Elsewhere a plain text is printed each time, with --json a line of JSON.
    """
    screen = Screen(sort)

    async def watch(observer: Observer) -> None:
        is_live = not (once or as_json) and sys.stdout.isatty()
        contacts = Contacts(observer, screen.tell if is_live else None)
        before = await look(observer, await contacts.members())
        with _shown(screen, is_live=is_live) as show:
            while not await screen.wait_quit(interval):
                after = await look(observer, await contacts.members())
                facts = {"cluster": observer.cluster, **after.facts(), **between(before, after)}
                before = after
                if as_json:
                    show_json(facts) if once else click.echo(json.dumps(facts))
                else:
                    show(facts)
                if once:
                    return

    ask(target, watch)


class Screen:
    """What is shown, and the keys that change it."""

    def __init__(self, sort: str) -> None:
        self.sort = sort
        self._note = ""
        self._quit = asyncio.Event()

    def key(self, key: str) -> None:
        """A key was pressed."""
        if key in ("q", "Q", "\x03", "\x1b"):
            self._quit.set()
        elif key in ("s", "S"):
            names = list(SORTS)
            self.sort = names[(names.index(self.sort) + 1) % len(names)]

    def tell(self, text: str) -> None:
        """Something that is shown below the tables from now on."""
        self._note = text

    async def wait_quit(self, seconds: float) -> bool:
        """Return when so many seconds have passed, or the user has had enough; says whether that is so."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quit.wait(), seconds)
        return self._quit.is_set()

    def headline(self, facts: dict[str, Any]) -> str:
        """All of it in one line."""
        complete = "" if facts["answered"] == facts["asked"] else f" ({facts['answered']} of {facts['asked']} answered)"
        return (
            f"cluster {facts['cluster']}: {facts['asked']} nodes{complete}, {calls_text(facts)}, "
            f"{facts['errors_per_s']:.4g} errors/s, {facts['in_flight']} in flight"
        )

    def nodes(self, facts: dict[str, Any]) -> list[list[Any]]:
        """The cells of the upper table."""
        return [
            [
                row["node"],
                row["state"],
                "" if row["cpu"] is None else f"{row['cpu']:.2f}",
                "" if row["rss_bytes"] is None else bytes_text(row["rss_bytes"]),
                *("" if row[name] is None else row[name] for name in ("fds", "threads")),
                seconds_text(row["loop_lag_s"]),
                row["actors"],
                "" if row["calls_per_s"] is None else round(row["calls_per_s"], 1),
            ]
            for row in facts["nodes"]
        ]

    def methods(self, facts: dict[str, Any]) -> list[list[Any]]:
        """The cells of the lower one: what was called, or runs."""
        rows = [row for row in facts["methods"] if row["calls"] or row["in_flight"]]
        times = ("wait_p50_s", "wait_p99_s", "run_p50_s", "run_p99_s")
        return [
            [
                *(row[name] for name in METHOD_NAMES),
                *(round(row[name], 1) for name in ("calls_per_s", "errors_per_s")),
                row["in_flight"],
                *(seconds_text(row[name]) for name in times),
            ]
            for row in ordered(rows, SORTS[self.sort], names=METHOD_NAMES)[:METHODS_SHOWN]
        ]

    def text(self, facts: dict[str, Any]) -> str:
        """All of it, plain."""
        tables = ((_NODE_HEADINGS, self.nodes(facts)), ((*METHOD_NAMES, *_HEADINGS), self.methods(facts)))
        return "\n\n".join([tame(self.headline(facts)), *(plain_table(*table) for table in tables)]) + "\n"

    def rich(self, facts: dict[str, Any], width: int) -> Any:
        """All of it, for a terminal."""
        from rich.console import Group
        from rich.text import Text

        return Group(
            Text(tame(self.headline(facts)), style="bold"),
            rich_table(_NODE_HEADINGS, self.nodes(facts), width, ("fds", "threads")),
            Text(""),
            rich_table((*METHOD_NAMES, *_HEADINGS), self.methods(facts), width, ("kind", "wait p50", "run p50")),
            Text(f"sorted by {self.sort}; s: another column, q: end", style="dim"),
            Text(tame(self._note), style="yellow"),
        )


@contextlib.contextmanager
def _shown(screen: Screen, *, is_live: bool) -> Iterator[Any]:
    """Gives what shows facts: on a terminal in the same place each time, and keys are read meanwhile."""
    if not is_live:
        yield lambda facts: click.echo(screen.text(facts))
        return
    from rich.live import Live

    with Live(auto_refresh=False, screen=True) as live, _keys(screen):
        yield lambda facts: live.update(screen.rich(facts, live.console.width), refresh=True)


@contextlib.contextmanager
def _keys(screen: Screen) -> Iterator[None]:
    """Have the screen told of each key at once."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, lambda: screen.key(sys.stdin.read(1)))
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
