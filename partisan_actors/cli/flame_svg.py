"""A profile as a picture: a flame graph in SVG, in which each function stands below the one that calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from partisan_actors.cli.profile_formats import place_text, seconds_of
from partisan_actors.cli.tame import tame

__all__ = ["flame_svg"]

WIDTH: Final = 1200.0
ROW: Final = 18
LETTER: Final = 6.6
THIN: Final = 0.5  # what is narrower than that is not drawn
_COLOURS: Final = {"users": "#e8a33d", "others": "#b9c4cf", "thread": "#dfe5ea"}
_STYLE: Final = "text{font:11px monospace;fill:#1b1f24;pointer-events:none}rect{stroke:#fff;stroke-width:.5}"


def flame_svg(profile: Mapping[str, Any], clock: str, title: str) -> str:
    """One document, which needs nothing else: to point at a function tells its name, its place and its time."""
    frames: Sequence[Mapping[str, Any]] = profile["frames"]
    seconds = seconds_of(profile, clock)
    whole = seconds(frames[0])
    lefts, ends, depths = [0.0] * len(frames), [0.0] * len(frames), [0] * len(frames)
    boxes, deepest = [], 0
    # A row stands behind the one that calls it, so that one's place is known, and how much of it is taken.
    for place, frame in enumerate(frames):
        parent = frame["parent"]
        if parent >= 0:
            lefts[place], depths[place] = ends[parent], depths[parent] + 1
        ends[place] = lefts[place]
        width = seconds(frame) / whole * WIDTH if whole else 0.0
        if parent >= 0:
            ends[parent] += width
        if width >= THIN:
            deepest = max(deepest, depths[place])
            boxes.append(_box(frame, lefts[place], depths[place] + 1, width, seconds(frame), whole))
    head = f'<text x="4" y="{ROW - 5}">{_safe(title)}{"" if whole else ": nothing was seen to run"}</text>'
    height = (deepest + 2) * ROW
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height}" width="{WIDTH:g}" '
            f'height="{height}"><style>{_STYLE}</style>',
            '<rect width="100%" height="100%" fill="#fff"/>',
            head,
            *boxes,
            "</svg>",
        ]
    )


def _box(frame: Mapping[str, Any], left: float, row: int, width: float, seconds: float, whole: float) -> str:
    kind = "users" if frame["is_users"] else "others" if frame["file"] else "thread"
    letters = int((width - 4) / LETTER)
    name = tame(frame["function"])
    shown = name if len(name) <= letters else name[: letters - 1] + "…" if letters > 3 else ""
    where = f"\n{place_text(frame)}" if frame["file"] else ""
    about = _safe(f"{frame['function']}: {seconds:.3g} s, {100 * seconds / whole:.1f} %{where}")
    box = f'<rect x="{left:.2f}" y="{row * ROW}" width="{width:.2f}" height="{ROW - 1}" fill="{_COLOURS[kind]}"/>'
    text = f'<text x="{left + 3:.2f}" y="{row * ROW + 12}">{_safe(shown)}</text>' if shown else ""
    return f"<g><title>{about}</title>{box}{text}</g>"


def _safe(text: str) -> str:
    return escape(tame(text))
