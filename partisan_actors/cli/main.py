"""The door of the `partisan` command: finds the subcommand, and turns what goes wrong into a line and an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

import partisan_actors
from partisan_actors.cli.failure import ExitCode, Failure, explain
from partisan_actors.cli.lazy import LazyGroup, Subcommand
from partisan_actors.errors import PartisanError

__all__ = ["SUBCOMMANDS", "main", "partisan", "run"]

SUBCOMMANDS: Final = {
    "start": Subcommand(
        "partisan_actors.cli.start", "start", "Start a cluster on this machine, or join a running one."
    ),
    "status": Subcommand("partisan_actors.cli.status", "status", "How the cluster and each of its nodes are."),
    "members": Subcommand("partisan_actors.cli.members", "members", "Which nodes are in the cluster."),
    "overlay": Subcommand("partisan_actors.cli.overlay", "overlay", "Who is whose active and passive neighbour."),
    "logs": Subcommand("partisan_actors.cli.logs", "logs", "Show what was logged on the nodes, in the order of time."),
    "events": Subcommand(
        "partisan_actors.cli.events", "events", "Show what has happened in the cluster, in the order of time."
    ),
    "dashboard": Subcommand(
        "partisan_actors.cli.dashboard", "dashboard", "Show a running cluster in the browser, until Ctrl-C."
    ),
    "shell": Subcommand("partisan_actors.cli.shell", "shell", "A Python prompt in a running cluster."),
    "join": Subcommand("partisan_actors.cli.membership", "join", "Have a node join another one of its cluster."),
    "leave": Subcommand("partisan_actors.cli.membership", "leave", "Have a node leave its cluster and go on alone."),
    "evict": Subcommand("partisan_actors.cli.membership", "evict", "Put a node out of its cluster."),
    "actors": Subcommand(
        "partisan_actors.cli.actors", "actors", "Which actors there are, where, in which state, and how busy they are."
    ),
    "tree": Subcommand("partisan_actors.cli.tree", "tree", "Who has made whom, and what becomes of whom."),
    "nodes": Subcommand("partisan_actors.cli.nodes", "nodes", "What the process of each node uses, and how it is."),
    "methods": Subcommand(
        "partisan_actors.cli.methods",
        "methods",
        "How often each method is called, how often it fails, how long calls wait and run.",
    ),
    "channels": Subcommand(
        "partisan_actors.cli.channels", "channels", "What goes over each channel, and what waits in front of it."
    ),
    "objects": Subcommand(
        "partisan_actors.cli.objects", "objects", "Which objects there are, where their values are, and who holds them."
    ),
    "top": Subcommand("partisan_actors.cli.top", "top", "What the cluster does now: nodes and methods, live."),
    "stack": Subcommand(
        "partisan_actors.cli.stack", "stack", "Show what a node or an actor runs now, and what it waits for."
    ),
    "profile": Subcommand("partisan_actors.cli.profile", "profile", "Record where a node or an actor spends its time."),
    "deadlocks": Subcommand(
        "partisan_actors.cli.deadlocks",
        "deadlocks",
        "Which calls wait for each other in a ring, so that none of them ever ends.",
    ),
    "dead-letters": Subcommand(
        "partisan_actors.cli.dead_letters", "dead_letters", "Show messages that reached nobody: from whom, and why."
    ),
    "traces": Subcommand("partisan_actors.cli.traces", "traces", "Look at traces without any other server."),
    "timeline": Subcommand(
        "partisan_actors.cli.traces", "timeline", "Write the last spans of all nodes as one timeline."
    ),
    "why": Subcommand(
        "partisan_actors.cli.why", "why", "What tasks and actors wait for that are not done, or have no place."
    ),
    "config": Subcommand(
        "partisan_actors.cli.config", "config", "The settings of each node, and where each comes from."
    ),
    "drain": Subcommand("partisan_actors.cli.drain", "drain", "Empty the node NAME, and end it."),
    "stop": Subcommand("partisan_actors.cli.stop", "stop", "Stop the whole cluster, or one node of it."),
    "certs": Subcommand(
        "partisan_actors.cli.certs", "certs", "Make and look at the certificates of a cluster's nodes."
    ),
    "doctor": Subcommand(
        "partisan_actors.cli.doctor.command",
        "doctor",
        "Look for what is wrong with this machine and with each node, and say what to do about it.",
    ),
    "faults": Subcommand(
        "partisan_actors.cli.faults", "faults", "Inject faults into nodes that allow it: loss, cuts, delays, crashes."
    ),
    "demo": Subcommand(
        "partisan_actors.cli.demo.command",
        "demo",
        "Spread an index of Python's standard library over a cluster, kill a node, and compare every answer.",
    ),
    "bench": Subcommand(
        "partisan_actors.cli.bench.command",
        "bench",
        "Measure what calls and actors cost on this machine, as ratios to bare uvloop and msgpack.",
    ),
    "simulate": Subcommand(
        "partisan_actors.cli.simulate.command",
        "simulate",
        "Run clusters in virtual time: the real protocols over a simulated network, repeatable from a seed.",
    ),
}

EPILOG: Final = """\b
Exit codes:
  0    done
  1    it could not be done; the line on stderr says why
  2    the command line, a setting or a file it names is not valid
  3    no cluster: none runs here, or nobody answers at that address
  4    not authenticated: another cookie, another cluster, or a refused certificate
  130  interrupted

\b
Which cluster: --address HOST:PORT of any node, else $PARTISAN_ADDRESS, else
the only one that `partisan start` runs on this machine; --cluster NAME
chooses among several.
"""


@click.group(cls=LazyGroup, subcommands=SUBCOMMANDS, invoke_without_command=True, epilog=EPILOG)
@click.version_option(partisan_actors.__version__, prog_name="partisan")
@click.pass_context
def partisan(ctx: click.Context) -> None:
    """Run and look at clusters of partisan_actors: actors and tasks without a head node."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns the exit code; what goes wrong is told on stderr, with `--json` as JSON."""
    as_json = "--json" in arguments
    try:
        status = partisan.main(args=list(arguments), prog_name="partisan", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", ExitCode.INTERRUPTED, as_json)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "partisan"
        text = f"{error.format_message().rstrip('.')} (see {where} --help)"
        return _complain(text, ExitCode.USAGE, as_json)
    except Failure as failure:
        return _complain(failure.message, failure.code, as_json)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code, as_json)
    except PartisanError as error:
        explained = explain(error)
        return _complain(explained.message, explained.code, as_json)
    except BrokenPipeError:
        # Whoever read has had enough; Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OTHER
    except OSError as error:
        return _complain(str(error), ExitCode.OTHER, as_json)
    return status if isinstance(status, int) else ExitCode.OK


def _complain(text: str, code: int, as_json: bool) -> int:
    line = json.dumps({"error": text, "code": int(code)}) if as_json else f"partisan: {' '.join(text.split())}"
    click.echo(line, err=True)
    return int(code)
