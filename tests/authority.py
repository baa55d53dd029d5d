"""A certificate authority of tests, and the files that it makes for nodes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from partisan_actors.cli.certificates import issue, make_ca
from partisan_actors.node.tls import TlsFiles


class Authority:
    """Its own CA in a folder of its own."""

    def __init__(self, folder: Path, title: str = "tests") -> None:
        self.folder = folder / title
        self._numbers = itertools.count()
        make_ca(self.folder, title, 10)

    def issue(self, *names: str, folder: Path | None = None, days: int = 5, now: datetime | None = None) -> TlsFiles:
        """Files for the nodes of these names: ``partisan://`` goes before each, and ``*/*`` is the default."""
        out = folder or self.folder / f"node{next(self._numbers)}"
        issue(self.folder, out, "a node", self.uris(names or ("*/*",)), days, now)
        return TlsFiles.of_directory(out)

    @staticmethod
    def uris(names: Sequence[str]) -> list[str]:
        """What stands in the certificate."""
        return [name if "://" in name else f"partisan://{name}" for name in names]
