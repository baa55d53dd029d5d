"""`partisan dashboard`: a page in the browser that shows a running cluster, from this machine."""

from __future__ import annotations

import asyncio
import json
import signal
import webbrowser
from pathlib import Path

import click

from partisan_actors.cli.asking import Target, json_option, target_options
from partisan_actors.dashboard.options import DEFAULT_PORT, DashboardOptions
from partisan_actors.dashboard.running import Dashboard

__all__ = ["dashboard", "token_from"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address of this machine to listen at.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option(
    "--token",
    envvar="PARTISAN_DASHBOARD_TOKEN",
    default="",
    metavar="TEXT",
    help="What visitors have to know. [env: PARTISAN_DASHBOARD_TOKEN; default: made up, where others can reach it]",
)
@click.option(
    "--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The file with the token."
)
@click.option(
    "--allowed-host", "allowed_hosts", multiple=True, metavar="NAME", help="A name by which browsers may call it."
)
@click.option("--jaeger-url", default="", metavar="URL", help="Where a Jaeger's UI shows the same traces, for links.")
@click.option(
    "--view-token",
    envvar="PARTISAN_DASHBOARD_VIEW_TOKEN",
    default="",
    metavar="TEXT",
    help="Who knows this one may look, and not act. [env: PARTISAN_DASHBOARD_VIEW_TOKEN]",
)
@click.option(
    "--https/--no-https",
    default=None,
    help="Speak HTTPS, with the cluster's certificate. [default: if it has one, and other machines can reach this]",
)
@click.option("--https-cert", default="", metavar="FILE", help="Another certificate for that, as PEM ...")
@click.option("--https-key", default="", metavar="FILE", help="... and its key.")
@click.option("--read-only", is_flag=True, help="Refuse every action.")
@click.option(
    "--allow-faults/--no-faults",
    default=None,
    help="Let faults be injected from it, into nodes that allow it. [default: if no other machine can reach it]",
)
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@json_option
@target_options
def dashboard(
    target: Target,
    host: str,
    port: int,
    token: str,
    token_file: Path | None,
    allowed_hosts: tuple[str, ...],
    jaeger_url: str,
    view_token: str,
    https: bool | None,
    https_cert: str,
    https_key: str,
    read_only: bool,
    allow_faults: bool | None,
    opens: bool,
    as_json: bool,
) -> None:
    """Show a running cluster in the browser, until Ctrl-C.

    It is a client of the cluster, as every command is: no node depends on it. Whoever can open the page may also end
    actors and nodes, unless it is --read-only; where other machines can reach it, visitors need the token that is in
    the address.
    """
    given = token_from(token, token_file)
    options = DashboardOptions(
        host, port, given, read_only, allowed_hosts, jaeger_url, view_token, https, https_cert, https_key, allow_faults
    )
    target.addresses()  # a cluster that is not there is told before anything else
    asyncio.run(
        _serve(Dashboard(options, target.addresses, target.cookie(), target.cluster, tls=target.tls()), opens, as_json)
    )


def token_from(token: str, token_file: Path | None) -> str:
    """The token, from where it was given. Raises UsageError when it is given twice."""
    if token_file is None:
        return token
    if token:
        raise click.UsageError("give --token or --token-file, not both")
    return token_file.read_text(encoding="utf-8").strip()


async def _serve(made: Dashboard, opens: bool, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with made:
        if as_json:
            click.echo(json.dumps({"event": "started", "url": made.url, "port": made.port}))
        else:
            click.echo(f"dashboard at {made.url}")
            click.echo("(Ctrl-C ends it; the cluster goes on)")
        if opens:
            webbrowser.open(made.url)
        await stop.wait()
