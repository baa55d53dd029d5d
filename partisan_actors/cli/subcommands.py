"""Commands that do something alone, and have subcommands: each takes its own options, and only its own."""

from __future__ import annotations

import click
from click.core import ParameterSource

__all__ = ["is_alone"]


def is_alone(context: click.Context) -> bool:
    """Whether it was called without a subcommand. Raises UsageError for options in front of one, which it cannot see.

    They would be ignored, and `partisan actors --cluster other kill till` would kill one of this cluster.
    """
    if context.invoked_subcommand is None:
        return True
    for parameter in context.command.params:
        if context.get_parameter_source(parameter.name or "") == ParameterSource.COMMANDLINE:
            option, inner = parameter.opts[0], context.invoked_subcommand
            raise click.UsageError(f"{option} stands before {inner}: options of {inner} come behind it", context)
    return False
