"""What a query may say: parameters with types and bounds, how their texts are read, and how OpenAPI describes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from partisan_actors.dashboard.problems import Problem

__all__ = ["Choice", "Flag", "Integer", "Kind", "Parameter", "Shaped", "Text", "read"]

QUERY_ITEMS_MAX: Final = 50


class Kind(Protocol):
    """The type of a parameter."""

    def read(self, text: str) -> Any:
        """The value that `text` stands for. Raises ValueError with what is allowed."""
        ...

    def schema(self) -> dict[str, Any]:
        """As JSON schema."""
        ...


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number within bounds."""

    low: int
    high: int

    def read(self, text: str) -> int:
        digits = text.removeprefix("-")
        # int() would also take blanks, underscores and digits of other scripts, and be slow for a long one.
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 20 or not self.low <= int(text) <= self.high:
            raise ValueError(f"a whole number from {self.low} to {self.high}")
        return int(text)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at most so many characters, without control characters."""

    length_max: int = 200
    length_min: int = 0

    def read(self, text: str) -> str:
        if not self.length_min <= len(text) <= self.length_max or any(
            ord(each) < 32 or ord(each) == 127 for each in text
        ):
            least = f"{self.length_min} to " if self.length_min else "at most "
            raise ValueError(f"a text of {least}{self.length_max} characters, none of them a control character")
        return text

    def schema(self) -> dict[str, Any]:
        least = {"minLength": self.length_min} if self.length_min else {}
        return {"type": "string", **least, "maxLength": self.length_max, "pattern": r"^[^\x00-\x1f\x7f]*$"}


@dataclass(frozen=True, slots=True)
class Shaped:
    """A text that matches a regular expression as a whole; `about` says in words what that is."""

    pattern: str
    about: str

    def read(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(self.about)
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(f"one of {', '.join(self.words)}")
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def read(self, text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError("true or false")
        return text == "true"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a query, or with `in_path` of the path. `default` is its value when nothing was said."""

    name: str
    kind: Kind
    about: str
    default: Any = None
    in_path: bool = False
    is_needed: bool = False

    def plain(self) -> dict[str, Any]:
        """As OpenAPI."""
        default = {} if self.default is None else {"default": self.default}
        return {
            "name": self.name,
            "in": "path" if self.in_path else "query",
            "required": self.in_path or self.is_needed,
            "description": self.about,
            "schema": {**self.kind.schema(), **default},
        }


def read(
    parameters: Sequence[Parameter], path: Mapping[str, str], query: Iterable[tuple[str, str]], *, lenient: bool = False
) -> dict[str, Any]:
    """The values of all parameters by name. Raises Problem for what is unknown, said twice, or not allowed.

    When `lenient`, what is unknown is passed over: others' clients say things that we have no use for.
    """
    known = {each.name: each for each in parameters if not each.in_path}
    said: dict[str, str] = {}
    for number, (name, text) in enumerate(query):
        if number >= QUERY_ITEMS_MAX:
            raise Problem(400, f"a query has at most {QUERY_ITEMS_MAX} parameters")
        if name not in known:
            if lenient:
                continue
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise Problem(400, f"no parameter {name[:100]!r}: {there}")
        if name in said and not lenient:
            raise Problem(400, f"{name} is said twice")
        said[name] = text
    given: dict[str, Any] = {}
    for each in parameters:
        value = path.get(each.name) if each.in_path else said.get(each.name)
        if value is None:
            if each.is_needed:
                raise Problem(400, f"{each.name} is missing")
            given[each.name] = each.default
            continue
        try:
            given[each.name] = each.kind.read(value)
        except ValueError as error:
            raise Problem(400, f"{each.name}={value[:100]!r}: expected {error}") from None
    return given
