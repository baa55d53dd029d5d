"""`partisan shell`: a Python prompt that is a node of the cluster, or a program run so."""

from __future__ import annotations

import code
import shlex
import sys
from importlib.util import find_spec
from typing import Any

import click

import partisan_actors as pa
from partisan_actors.actors.references import ActorText, format_actor
from partisan_actors.api.observer import Observer
from partisan_actors.cli.actor_rows import the_one
from partisan_actors.cli.asking import Target, ask, survey, target_options
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.table import counted
from partisan_actors.cli.tame import tame
from partisan_actors.ids import ActorId

__all__ = ["names_of", "run_program", "shell"]

_NAMES = """\
  pa                            partisan_actors
  actor("till")                 the handle of an actor: by its name, its id, or how that ends
  pa.get(actor("till").m.remote(1))
  command("actors --node n")    any command of `partisan`, on this cluster
  ask("inspect", "status")      what each node answers when a service of it is asked
Ctrl-D ends it."""


@click.command()
@click.option("-c", "program", metavar="CODE", help="Run this instead, and end.")
@click.option("--name", metavar="NAME", help="What this node is called. [default: drawn at random]")
@click.option("--namespace", default="", metavar="NAME", help="Where names of actors are looked up and given.")
@target_options
def shell(target: Target, program: str | None, name: str | None, namespace: str) -> int:
    """A Python prompt in a running cluster.

    This process joins it, with the cookie and the certificates that other commands use, as a program does that calls
    init: it hosts no actors, and leaves at the end. IPython is used if it is installed. What is piped in, or given with
    -c, is run instead, and the exit code is 1 when it raises.

    These names are there: pa; actor(which), the handle of one by its name or id; command(line), any other command; and
    ask(service, method), what each node answers.
    """
    address, nodes = ask(target, _contact)
    with pa.init(
        address,
        name=name,
        cluster=target.cluster,
        cookie=None if target.insecure else target.cookie(),
        tls=target.tls(),
        insecure=target.insecure,
        namespace=namespace,
    ) as session:
        names = names_of(target, address)
        if program is not None:
            return run_program(program, names)
        if not sys.stdin.isatty():
            return run_program(sys.stdin.read(), names)
        _prompt(f"cluster {tame(session.cluster)}: {counted(nodes, 'node')} up\n{_NAMES}", names)
    return ExitCode.OK


def names_of(target: Target, address: str) -> dict[str, Any]:
    """What a program of the shell finds."""

    def actor(which: str) -> Any:
        """The handle of the actor that has this name or id, or whose id ends so."""
        try:
            row = the_one(pa.list_actors(), which)
        except Failure as failure:
            raise LookupError(failure.message) from None
        told = ActorText(ActorId.parse(row["id"]), row["class"], row["name"] or None)
        return pa.parse_ref(format_actor(told))

    def command(line: str) -> int:
        """Run `partisan` with these arguments on this cluster; its exit code."""
        from partisan_actors.cli.main import run  # which knows this module

        words = shlex.split(line)
        if words[:1] == ["shell"]:
            raise ValueError("this is one")
        return int(run([*words, *_options(target, address)]))

    def ask_all(service: str, method: str, *args: Any) -> dict[str, Any]:
        """What each node answers, by its name; the texts of errors where one does not."""
        found = survey(_at(target, address), service, method, *args)
        return {answer.name: answer.value if answer.why is None else answer.why for answer in found.answers}

    return {"__name__": "__main__", "pa": pa, "actor": actor, "command": command, "ask": ask_all}


def run_program(source: str, names: dict[str, Any]) -> int:
    """Run it; 1 when it raises, and then its traceback is on stderr, without our own calls."""
    console = _Console(names)
    try:
        compiled = compile(source, "<shell>", "exec")
    except (SyntaxError, ValueError, OverflowError):
        console.showsyntaxerror("<shell>")
    else:
        console.runcode(compiled)
    return ExitCode.OTHER if console.has_failed else ExitCode.OK


class _Console(code.InteractiveConsole):
    """Python's own, which shows exceptions of others without what a terminal would obey."""

    has_failed = False

    def write(self, data: str) -> None:
        self.has_failed = True  # it writes nothing else but banners, and a program has none
        super().write(tame(data))


def _prompt(banner: str, names: dict[str, Any]) -> None:
    if find_spec("IPython") is not None:
        from IPython import start_ipython  # type: ignore[import-not-found]  # who has it, has it

        click.echo(banner)
        start_ipython(argv=["--no-banner"], user_ns=names)
        return
    try:
        import readline
        import rlcompleter
    except ImportError:  # not on every system: then there is no completion
        pass
    else:
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    _Console(names).interact(banner=banner, exitmsg="")


async def _contact(observer: Observer) -> tuple[str, int]:
    """An address at which the cluster is joined, and how many nodes are up."""
    rows = await observer.members()
    contact = str(observer.contact)
    addresses = [address for row in rows if row["id"] == contact for address in row["addresses"]]
    if not addresses:
        raise Failure(f"node {contact} has no address to join", ExitCode.NO_CLUSTER)
    return addresses[0], sum(row["state"] == "up" and not row["hosted_by"] for row in rows)


def _at(target: Target, address: str) -> Target:
    return Target(address, target.cluster, target.cookie_file, target.tls_dir, target.insecure)


def _options(target: Target, address: str) -> list[str]:
    given = {"--cluster": target.cluster, "--cookie-file": target.cookie_file, "--tls-dir": target.tls_dir}
    options = [part for option, value in given.items() if value for part in (option, str(value))]
    return ["--address", address, *options, *(["--insecure"] if target.insecure else [])]
