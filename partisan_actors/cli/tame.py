"""Texts of others at a terminal: names, messages and lines of log, without what a terminal would obey."""

from __future__ import annotations

from typing import Final

__all__ = ["tame"]

# All control characters but tabs and ends of lines: such as ESC, with which a text could retitle the window, move the
# cursor over what stands there, or on some terminals have something typed.
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


def tame(text: str) -> str:
    """The text with its control characters written out, as in ``\\x1b``."""
    return text.translate(_CONTROLS)
