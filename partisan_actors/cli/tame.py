"""Texts of others at a terminal: names, messages and lines of log, without what a terminal would obey."""

from __future__ import annotations

from typing import Final

__all__ = ["tame"]

# All control characters but tabs and ends of lines: such as ESC, with which a text could retitle the window, move the
# cursor over what stands there, or on some terminals have something typed.
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
# Halves of characters, as Python makes of names of files that are no UTF-8: no terminal and no file takes them.
_HALVES: Final = {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
_WRITTEN_OUT: Final = {**_CONTROLS, **_HALVES}


def tame(text: str) -> str:
    """The text with its control characters written out, as in ``\\x1b``; so is what no encoding has, as ``\\udc80``."""
    return text.translate(_WRITTEN_OUT)
