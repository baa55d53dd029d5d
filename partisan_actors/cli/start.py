"""`partisan start`: the options, and whether the nodes run here or in the background."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from partisan_actors.api.beside import check_dashboard
from partisan_actors.api.joining import AUTO
from partisan_actors.api.log_choice import FORMATS
from partisan_actors.cli.asking import Target, insecure_option, json_option, tls_option
from partisan_actors.cli.option_sources import option_sources
from partisan_actors.cli.plan import StartPlan, advertise_addresses, bind_addresses, nested, pairs, size
from partisan_actors.node.config import ROUTINGS, memory_share, random_name
from partisan_actors.node.cookie import cookie_from_file, read_cookie
from partisan_actors.node.overlay_names import DEFAULT_OVERLAY, OVERLAYS
from partisan_actors.node.tls import find_tls
from partisan_actors.telemetry.options import CALLS, LEVELS, OFF
from partisan_actors.wire.addresses import parse_address

__all__ = ["start"]

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@click.command()
@click.option(
    "--join",
    "contacts",
    multiple=True,
    metavar="HOST:PORT",
    help="Join the cluster of this node; 'auto': the one here.",
)
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1, 1024), help="How many, a process each.")
@click.option(
    "--overlay",
    metavar="NAME",
    help=f"How nodes are connected: {', '.join(OVERLAYS)}, or package.module:Class. [default: as joined, or "
    f"{DEFAULT_OVERLAY}]",
)
@click.option(
    "--overlay-option",
    "overlay_options",
    multiple=True,
    callback=nested,
    metavar="K=V",
    help="An option of it, such as active_max=4 or redial.first_s=0.5. [default: as joined]",
)
@click.option(
    "--broadcast-option",
    "broadcast_options",
    multiple=True,
    callback=nested,
    metavar="K=V",
    help="An option of the broadcast tree, such as trees=per_root. [default: as joined]",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    callback=nested,
    metavar="K=V",
    help="A channel: NAME=LANES, or an option of it, such as bulk.compression=zlib.",
)
@click.option(
    "--session-resume",
    "session_resume_s",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a lane whose connection broke may take to go on; 0: not at all.",
)
@click.option("--checksums", is_flag=True, help="Find damage that TCP does not.")
@click.option(
    "--causal-label",
    "causal_labels",
    multiple=True,
    metavar="LABEL",
    help="A label of causal order, the same on all nodes.",
)
@click.option(
    "--delivery-option",
    "delivery_options",
    multiple=True,
    callback=nested,
    metavar="K=V",
    help="A bound of acknowledged and causal messages, such as give_up_s=60.",
)
@click.option("--routing", default="auto", show_default=True, type=click.Choice(ROUTINGS))
@click.option("--name", help="The node's name; with --nodes the others are NAME-w1 and so on. [default: random]")
@click.option("--cluster", default="", metavar="NAME", help="The cluster's name. [default: random, or as joined]")
@click.option(
    "--bind",
    multiple=True,
    metavar="HOST:PORT",
    help="Where to listen, once or several times; port 0 takes a free one. [default: 127.0.0.1:7946]",
)
@click.option("--port", type=click.IntRange(0, 65535), help="The port alone.")
@click.option(
    "--advertise", multiple=True, metavar="HOST[:PORT]", help="Where others dial it. [default: where it listens]"
)
@click.option(
    "--resource",
    "resources",
    multiple=True,
    callback=pairs(float),
    metavar="K=V",
    help="What each node offers, such as num_cpus=4.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    callback=pairs(str),
    metavar="K=V",
    help="What placement may ask for, such as zone=a.",
)
@click.option(
    "--object-store-memory",
    callback=size,
    metavar="SIZE",
    help="How much of large values each node keeps in memory, such as 2GiB. [default: 30 % of the machine's]",
)
@click.option("--spill-dir", default="", metavar="DIR", help="Where the rest goes. [default: with temporary files]")
@click.option(
    "--no-shared-memory", is_flag=True, help="Nodes of this host send each other arrays, and do not share them."
)
@click.option("--namespace", default="", metavar="NAME", help="Where names of actors are, unless they say otherwise.")
@click.option("--prestart", is_flag=True, help="Be ready for actors with processes of their own before one is made.")
@click.option("--data-dir", default="", metavar="DIR", help="Keep the members there, to join them again after a crash.")
@click.option(
    "--cookie-file", type=click.Path(dir_okay=False, path_type=Path), help="The secret; made if it is not there."
)
@tls_option
@insecure_option
@click.option("--allow-faults", is_flag=True, help="Let `partisan faults` break things on these nodes.")
@click.option(
    "--tracing",
    is_flag=False,
    flag_value=CALLS,
    default=None,
    type=click.Choice(LEVELS),
    metavar="[LEVEL]",
    help=f"Traces: {', '.join(LEVELS)}; {CALLS} if no level is given. [default: as the OTEL_* variables say]",
)
@click.option("--no-tracing", is_flag=True, help="As --tracing off.")
@click.option(
    "--dashboard",
    is_flag=False,
    flag_value="",
    metavar="[[HOST:]PORT]",
    help="Show the cluster in the browser, too: see `partisan dashboard`. [env: PARTISAN_DASHBOARD_TOKEN]",
)
@click.option("--log-level", default="WARNING", show_default=True, type=click.Choice(LOG_LEVELS, case_sensitive=False))
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    help="Say of each record which node, actor and trace it is of, as text or as JSON. [default: do not]",
)
@click.option("--detach", is_flag=True, help="Run in the background, and return once the nodes are members.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Where --detach writes its output.")
@json_option
def start(
    contacts: tuple[str, ...],
    cookie_file: Path | None,
    detach: bool,
    log_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Start a cluster on this machine, or join a running one.

    The nodes run here until Ctrl-C or SIGTERM, and then leave the cluster; a second Ctrl-C ends them at once. They
    listen on 127.0.0.1:7946, or with --join at any free port, unless --bind says otherwise. Each offers one CPU,
    unless --resource num_cpus=N says otherwise. Actors can import the modules of the directory this is started in.
    """
    if log_file is not None and not detach:
        raise click.UsageError("--log-file is for --detach; here, redirect the output")
    if options["data_dir"] and not options["name"]:
        raise click.UsageError("--data-dir needs --name: what is kept there belongs to the node of that name")
    cookie = cookie_from_file(cookie_file) if cookie_file else read_cookie(insecure=options["insecure"])
    plan = _plan(_contacts(contacts), cookie, options)
    plan.node_config()
    for warning in plan.warnings():
        click.echo(f"partisan: {warning}", err=True)
    if detach:
        from partisan_actors.cli.detached import start_detached

        start_detached(plan, log_file, as_json=as_json)
        return
    from partisan_actors.cli.serving import Story, run

    status = run(plan, Story(as_json=as_json))
    with suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
        sys.stderr.flush()
    # Threads of methods that never return must not keep the process.
    os._exit(status)


def _dashboard(given: str | None) -> bool | str:
    """As `init` takes it. Raises ConfigError."""
    return False if given is None else check_dashboard(given or True)


def _contacts(given: tuple[str, ...]) -> list[str]:
    contacts: list[str] = []
    for address in given:
        if address == AUTO:
            contacts += Target(None, "", None).addresses()
        else:
            parse_address(address)
            contacts.append(address)
    return contacts


def _plan(contacts: list[str], cookie: bytes, options: dict[str, Any]) -> StartPlan:
    config = {
        "name": options["name"] or random_name(),
        "cluster": options["cluster"],
        "bind": bind_addresses(options["bind"], options["port"], joins=bool(contacts)),
        "advertise": advertise_addresses(options["advertise"]),
        "overlay": DEFAULT_OVERLAY if options["overlay"] is None else options["overlay"],
        "overlay_options": options["overlay_options"],
        "broadcast_options": options["broadcast_options"],
        "channels": options["channels"],
        "session_resume_s": options["session_resume_s"],
        "checksums": options["checksums"],
        "delivery": {"causal_labels": list(options["causal_labels"]), **options["delivery_options"]},
        "routing": options["routing"],
        "resources": {"memory": memory_share(options["nodes"]), **options["resources"]},
        "labels": options["labels"],
        "object_store_bytes_max": options["object_store_memory"],
        "spill_dir": os.path.abspath(options["spill_dir"]) if options["spill_dir"] else "",
        "shared_memory": not options["no_shared_memory"],
        "namespace": options["namespace"],
        "prestart": options["prestart"],
        "insecure": options["insecure"],
        "allow_faults": options["allow_faults"],
        "data_dir": os.path.abspath(options["data_dir"]) if options["data_dir"] else "",
    }
    level = options["log_level"].upper()
    tls = find_tls(options["tls_dir"])
    config["sources"] = option_sources(click.get_current_context())
    return StartPlan(
        config,
        cookie.hex(),
        contacts,
        options["nodes"],
        OFF if options["no_tracing"] else options["tracing"],
        level,
        any_overlay=options["overlay"] is None,
        tls=tls.plain() if tls is not None else None,
        dashboard=_dashboard(options["dashboard"]),
        log_format=options["log_format"],
    )
