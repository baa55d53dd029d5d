"""Ids as Ray shows them: text in hexadecimal digits, from which the id can be read again."""

from __future__ import annotations

__all__ = ["from_hex", "to_hex"]


def to_hex(identity: object) -> str:
    """The text of an id, in hexadecimal digits."""
    return str(identity).encode().hex()


def from_hex(text: str) -> str:
    """The text of an id that `to_hex` made; any other is given back as it is, as a node's name is."""
    try:
        return bytes.fromhex(text).decode()
    except ValueError:
        return text
