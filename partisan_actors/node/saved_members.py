"""What a node keeps on disk, so that it finds its cluster again after a crash: the members, and its own incarnation.

One JSON file for each node name in a directory. It is replaced as a whole, so a reader sees the former or the new one,
never a half. It holds MEMBERS_MAX members at most, and nobody reads one of more than BYTES_MAX.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass
from partisan_actors.wire.addresses import parse_address

__all__ = ["MEMBERS_MAX", "Saved", "SavedMember", "SavedMembers"]

FORMAT: Final = 1
MEMBERS_MAX: Final = 256
BYTES_MAX: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SavedMember:
    """One other node: who it was, and where it could be dialled."""

    name: str
    incarnation: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """What one node knew. `members` has those first that it should try first."""

    name: str
    cluster: str
    incarnation: int
    overlay: str
    overlay_options: Mapping[str, Any] = field(default_factory=dict)
    members: tuple[SavedMember, ...] = ()
    broadcast_options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def of_json(cls, text: str) -> Saved:
        """The inverse. Raises ValueError for whatever `to_json` cannot have written."""
        try:
            plain = json.loads(text)
            if plain["format"] != FORMAT:
                raise ValueError(f"format {plain['format']!r}, expected {FORMAT}")
            saved = cls(
                name=_checked(plain["name"], str),
                cluster=_checked(plain["cluster"], str),
                incarnation=_checked(plain["incarnation"], int),
                overlay=_checked(plain["overlay"], str),
                overlay_options=_checked(plain["overlay_options"], dict),
                broadcast_options=_checked(plain.get("broadcast_options", {}), dict),
                members=tuple(_member(each) for each in _checked(plain["members"], list)[:MEMBERS_MAX]),
            )
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        return saved


class SavedMembers:
    """The file of one node. Raises ConfigError when its directory can be neither found nor made."""

    def __init__(self, directory: str, name: str) -> None:
        self.path = Path(directory) / f"{name}.members.json"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError("data_dir", directory, f"a directory that can be made and written ({error})") from error

    def read(self) -> Saved | None:
        """What was saved; None when nothing was. Raises ValueError when it is damaged, OSError when unreadable."""
        try:
            with self.path.open("rb") as file:
                data = file.read(BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        if len(data) > BYTES_MAX:
            raise ValueError(f"more than {BYTES_MAX} bytes")
        return Saved.of_json(data.decode())

    def write(self, saved: Saved) -> None:
        """Replace what was saved. Raises OSError; what was saved before is there still, then."""
        new = self.path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            file.write(saved.to_json())
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)

    def set_aside(self) -> Path:
        """Rename a damaged file, for whoever wants to look into it, and return where it is now. Raises OSError."""
        aside = self.path.with_suffix(".corrupt")
        os.replace(self.path, aside)
        return aside


def _member(plain: Any) -> SavedMember:
    addresses = tuple(_checked(address, str) for address in _checked(plain["addresses"], list))
    for address in addresses:
        parse_address(address)
    return SavedMember(_checked(plain["name"], str), _checked(plain["incarnation"], int), addresses)


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value
