"""What a command writes to a file that somebody names, and not to standard output."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from partisan_actors.cli.failure import ExitCode, Failure

__all__ = ["output_option", "write_file"]

output_option: Final = click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="The file to write. [default: print it]"
)


def write_file(path: Path, text: str) -> None:
    """Write it, in the place of what stood there. Raises Failure."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}", ExitCode.OTHER) from error
