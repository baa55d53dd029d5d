"""How a command asks a running cluster: which one is meant, with which cookie, and what the nodes answer."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from partisan_actors.api.inspection import LIVE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.tame import tame
from partisan_actors.node.cookie import cookie_from_file, read_cookie
from partisan_actors.node.rundir import RunningNode, run_dir, running_clusters
from partisan_actors.node.tls import TlsFiles, find_tls

__all__ = [
    "Survey",
    "Target",
    "ask",
    "check_node",
    "insecure_option",
    "json_option",
    "show_json",
    "survey",
    "target_options",
    "tls_option",
]

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster the command line means."""

    address: str | None
    cluster: str
    cookie_file: Path | None
    tls_dir: Path | None = None
    insecure: bool = False

    def addresses(self) -> list[str]:
        """Where to try. Raises Failure when there is no cluster to be found, or more than one."""
        return [self.address] if self.address else _addresses(running_clusters(), self.cluster)

    def cookie(self) -> bytes:
        """What to authenticate with. Raises ConfigError."""
        return cookie_from_file(self.cookie_file) if self.cookie_file else read_cookie(insecure=self.insecure)

    def tls(self) -> TlsFiles | None:
        """The certificates to show. Raises ConfigError."""
        return find_tls(self.tls_dir)


@dataclass(frozen=True, slots=True)
class Survey:
    """What the nodes of a cluster said: every known member's row, and the answers of those asked."""

    cluster: str
    rows: list[dict[str, Any]]
    answers: list[Answer]

    @property
    def answered(self) -> list[Answer]:
        """Those that did answer."""
        return [answer for answer in self.answers if answer.why is None]

    def facts(self) -> dict[str, Any]:
        """How complete this is, for the JSON of a command."""
        silent = [{"name": answer.name, "why": answer.why} for answer in self.answers if answer.why is not None]
        return {
            "cluster": self.cluster,
            "asked": len(self.answers),
            "answered": len(self.answered),
            "unanswered": silent,
        }

    def remark(self) -> None:
        """Tell a person on stderr whom to miss in the table."""
        for answer in self.answers:
            if answer.why is not None:
                click.echo(tame(f"no answer from {answer.name}: {answer.why}"), err=True)
        if len(self.answered) < len(self.answers):
            click.echo(f"{len(self.answered)} of {len(self.answers)} nodes answered", err=True)


def target_options(command: Function) -> Function:
    """Give `command` the options that say which cluster is meant; it gets them as one `target`."""

    @functools.wraps(command)
    def with_target(*args: Any, **given: Any) -> Any:
        target = Target(*(given.pop(each.name) for each in fields(Target)))
        return command(*args, target=target, **given)

    for option in (
        insecure_option,
        tls_option,
        click.option(
            "--cookie-file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="The file with the cluster's cookie.",
        ),
        click.option("--cluster", default="", metavar="NAME", help="The cluster's name, where several run."),
        click.option(
            "--address", envvar="PARTISAN_ADDRESS", metavar="HOST:PORT", help="Any node of it. [env: PARTISAN_ADDRESS]"
        ),
    ):
        option(with_target)
    return with_target  # type: ignore[return-value]  # the same call, seen from click


tls_option = click.option(
    "--tls-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The certificates, as `partisan certs` makes them. [env: PARTISAN_TLS_DIR]",
)
insecure_option = click.option(
    "--insecure", is_flag=True, help="The cluster has no cookie: whoever can reach its nodes can run code there."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def ask(target: Target, question: Callable[[Observer], Coroutine[Any, Any, T]]) -> T:
    """Connect to the cluster and put the question. Raises Failure and PartisanError."""
    addresses, cookie, tls = target.addresses(), target.cookie(), target.tls()

    async def put() -> T:
        async with Observer(cookie, target.cluster, tls=tls) as observer:
            await observer.connect(addresses)
            return await question(observer)

    return asyncio.run(put())


def survey(target: Target, service: str, method: str, *args: Any, processes: bool = True) -> Survey:
    """Ask every node that is up the same thing, and its `processes`, too. Raises as `ask` does."""

    async def question(observer: Observer) -> Survey:
        rows = [row for row in await observer.members() if processes or not row["hosted_by"]]
        live = [row for row in rows if row["state"] in LIVE]
        return Survey(observer.cluster, rows, await observer.ask_all(live, service, method, *args))

    return ask(target, question)


def check_node(rows: Iterable[Mapping[str, Any]], name: str | None, *, state: str = "in the cluster") -> None:
    """Raises Failure unless one of these members has that name, if one is named; stderr tells of one that is down."""
    states = {row["name"]: row["state"] for row in rows}
    if name is None:
        return
    if name not in states:
        there = f"there {'are' if len(states) > 1 else 'is'} {', '.join(sorted(states)) or 'none'}"
        raise Failure(f"no node {name!r} is {state}; {there}", ExitCode.USAGE)
    if states[name] not in LIVE:
        click.echo(f"node {name} is {states[name]}, and is not asked", err=True)


def show_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2))


def _addresses(clusters: dict[str, list[RunningNode]], wanted: str) -> list[str]:
    if wanted:
        if wanted not in clusters:
            there = f"; there is {', '.join(sorted(clusters))}" if clusters else ""
            raise Failure(
                f"no cluster {wanted!r} of yours runs on this machine{there}. If it runs elsewhere, give --address",
                ExitCode.NO_CLUSTER,
            )
        return [node.address for node in clusters[wanted]]
    if not clusters:
        raise Failure(
            "no cluster of yours runs on this machine. Start one with: partisan start; "
            f"or give the address of one with --address HOST:PORT (looked in {run_dir()})",
            ExitCode.NO_CLUSTER,
        )
    if len(clusters) > 1:
        listed = ", ".join(f"{name} (at {nodes[0].address})" for name, nodes in sorted(clusters.items()))
        raise Failure(f"several clusters run here; choose one with --cluster NAME: {listed}", ExitCode.USAGE)
    ((_, nodes),) = clusters.items()
    return [node.address for node in nodes]
