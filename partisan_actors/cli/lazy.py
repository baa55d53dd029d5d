"""A command group whose subcommands are imported when they are run, so that `partisan --help` answers at once."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

__all__ = ["LazyGroup", "Subcommand"]


@dataclass(frozen=True, slots=True)
class Subcommand:
    """Where a subcommand is defined, and what the list of commands says of it: the first line of its own help."""

    module: str
    attribute: str
    summary: str

    def load(self) -> click.Command:
        """Import it."""
        command: click.Command = getattr(importlib.import_module(self.module), self.attribute)
        return command


class LazyGroup(click.Group):
    """Knows its subcommands by name and place only."""

    def __init__(self, *args: Any, subcommands: Mapping[str, Subcommand], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subcommands = subcommands

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self.subcommands.get(cmd_name)
        return found.load() if found is not None else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.subcommands and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.subcommands, n=1)
            guess = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self.subcommands)}"
            raise click.UsageError(f"no command {name!r}: {guess}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in self.subcommands.items()])
