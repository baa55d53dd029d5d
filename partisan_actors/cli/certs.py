"""`partisan certs`: a CA of the cluster's own, certificates for its nodes, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from partisan_actors.cli.asking import json_option, show_json
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.tame import tame
from partisan_actors.errors import ConfigError
from partisan_actors.node.tls import CA_FILE, CERT_FILE, SCHEME

__all__ = ["certs", "make_certificates"]

CA_DAYS: Final = 3650
NODE_DAYS: Final = 365
# Who has a certificate for a node may run its workers, and look at the cluster with the commands.
COMPANIONS: Final = ("{name}-w*", "observer-*")


def _name(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9*][A-Za-z0-9._*-]{0,62}", value):
        raise click.BadParameter(f"{value!r}: letters, digits, '.', '_', '-' and '*', at most 63", ctx, parameter)
    return value


directory_argument = click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
name_option = click.option("--name", default="*", callback=_name, show_default=True, help="The node; * is any text.")
cluster_option = click.option(
    "--cluster", default="*", callback=_name, show_default=True, help="The cluster; * is any text."
)
host_option = click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name or address by which browsers call a dashboard of the node's, once or several times.",
)
days_option = click.option(
    "--days", default=NODE_DAYS, show_default=True, type=click.IntRange(1, 36500), help="How long it is valid."
)


@click.group("certs", invoke_without_command=True)
@click.pass_context
def certs(ctx: click.Context) -> None:
    """Make and look at the certificates of a cluster's nodes.

    A node's certificate names it as partisan://CLUSTER/NAME, and its workers and the commands with it. Give the
    directory to `partisan start --tls-dir`, `init(tls=...)` or $PARTISAN_TLS_DIR. What is in a directory is replaced
    while nodes run: they use it from their next connection on.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@certs.command("init")
@directory_argument
@name_option
@cluster_option
@host_option
@days_option
@json_option
def init(directory: Path, name: str, cluster: str, hosts: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a CA in DIRECTORY, and a certificate for a node.

    The certificate is for any node of any cluster, unless told otherwise. ca.key stays where you issue certificates;
    nodes need ca.pem, node.pem and node.key.
    """
    made = _certificates()
    title = "partisan_actors" if cluster == "*" else f"partisan_actors {cluster}"
    made.make_ca(directory, title, max(CA_DAYS, days))
    _issue(made, directory, directory, name, cluster, hosts, days, as_json=as_json)


@certs.command("issue")
@directory_argument
@name_option
@cluster_option
@host_option
@days_option
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to. [default: DIRECTORY]")
@json_option
def issue(
    directory: Path, name: str, cluster: str, hosts: tuple[str, ...], days: int, out: Path | None, as_json: bool
) -> None:
    """Make a certificate for a node, issued by the CA in DIRECTORY.

    Writes node.key, node.pem and ca.pem; those that are there are replaced.
    """
    _issue(_certificates(), directory, out or directory, name, cluster, hosts, days, as_json=as_json)


@certs.command("show")
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def show(path: Path, as_json: bool) -> None:
    """Tell whom the certificates in PATH are for, a directory or a file, and until when.

    The exit code is 1 when one of them is not valid today.
    """
    made = _certificates()
    if path.is_dir():
        paths = [path / name for name in (CERT_FILE, CA_FILE) if (path / name).exists()]
        if not paths:
            raise ConfigError("directory", str(path), f"one with {CERT_FILE} or {CA_FILE}")
    else:
        paths = [path]
    found = [made.facts_of(each) for each in paths]
    if as_json:
        show_json([facts.plain() for facts in found])
    else:
        for facts in found:
            _show(facts)
    problems = [f"{facts.path}: {facts.problem}" for facts in found if facts.problem]
    if problems:
        raise Failure("; ".join(problems), ExitCode.OTHER)


def make_certificates(directory: Path) -> None:
    """What `partisan certs init` does, without a word. Raises Failure without the package `cryptography`."""
    made = _certificates()
    made.make_ca(directory, "partisan_actors", CA_DAYS)
    made.issue(directory, directory, "any node", [f"{SCHEME}*/*"], NODE_DAYS)


def _issue(
    made: Any, ca: Path, out: Path, name: str, cluster: str, hosts: Sequence[str], days: int, *, as_json: bool
) -> None:
    nodes = [name] if name == "*" else [name, *(each.format(name=name) for each in COMPANIONS)]
    made.issue(ca, out, f"{cluster}/{name}", [f"{SCHEME}{cluster}/{node}" for node in nodes], days, hosts=hosts)
    facts = made.facts_of(out / CERT_FILE)
    if as_json:
        show_json(facts.plain())
        return
    _show(facts)
    click.echo(f"use it:  partisan start --tls-dir {out}")


def _show(facts: Any) -> None:
    kind = "CA" if facts.is_ca else "node"
    click.echo(f"{facts.path}  ({kind}, issued by {facts.issuer})")
    for name in facts.names:
        click.echo(tame(f"  for      {name}"))
    click.echo(f"  valid    {facts.starts:%Y-%m-%d %H:%M} to {facts.ends:%Y-%m-%d %H:%M} UTC")
    click.echo(f"  sha256   {facts.fingerprint}")


def _certificates() -> Any:
    try:
        from partisan_actors.cli import certificates
    except ImportError as error:
        if error.name is None or not error.name.startswith("cryptography"):
            raise
        text = "this needs the package cryptography: pip install 'partisan-actors[tls]'"
        raise Failure(text, ExitCode.OTHER) from error
    return certificates
