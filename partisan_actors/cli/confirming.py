"""The question that a command asks before it does what cannot be undone."""

from __future__ import annotations

import sys

import click

from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.cli.tame import tame

__all__ = ["confirm", "is_somebody_there", "yes_option"]

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask, which only happens at a terminal anyway.")


def is_somebody_there() -> bool:
    """Whether a person is at a terminal, who can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def confirm(question: str) -> None:
    """Go on when that person says yes. Raises Failure.

    To be called while no loop runs, for it blocks: a connection that was made before may break meanwhile.
    """
    if not click.confirm(tame(question)):
        raise Failure("nothing was done", ExitCode.OTHER)
