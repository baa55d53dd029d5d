"""Where threads and coroutines of this process stand, as plain data: they go on meanwhile."""

from __future__ import annotations

import gc
import linecache
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NamedTuple

import partisan_actors

__all__ = ["FRAMES_MAX", "Place", "await_chain", "described", "is_users", "nothing_collected", "thread_places"]

# Of a deeper stack, those in which it stands are told.
FRAMES_MAX: Final = 100
TEXT_MAX: Final = 200

_OURS: Final = os.path.dirname(os.path.abspath(partisan_actors.__file__)) + os.sep
_LIBRARY: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


# One thread looks at a time: otherwise the first that is done would have collections go on while another one looks.
_looking: Final = threading.RLock()


class Place(NamedTuple):
    """A line of code that has been entered."""

    file: str
    line: int
    function: str


@contextmanager
def nothing_collected() -> Iterator[None]:
    """In such a block the calls of other threads may be looked at, by `f_back`.

    That makes an object, and a collection which this begins may run a finalizer, which may give the interpreter to the
    very thread whose stack it is. CPython (3.11 at least) then writes to a call that is over, and crashes.
    """
    with _looking:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_enabled:
                gc.enable()


def thread_places() -> dict[int, list[Place]]:
    """For each thread, by its number, where it stands: the outermost call first."""
    with nothing_collected():
        return {ident: _places_of(frame) for ident, frame in sys._current_frames().items()}


def _places_of(frame: FrameType | None) -> list[Place]:
    places: list[Place] = []
    while frame is not None and len(places) < FRAMES_MAX:
        places.append(_place(frame))
        frame = frame.f_back
    return places[::-1]


def await_chain(coroutine: Any) -> list[Place]:
    """Where a coroutine that waits stands: its own line first, then that of the coroutine it awaits, and so on.

    On the loop that it runs on.
    """
    places: list[Place] = []
    while coroutine is not None:
        frame = next(filter(None, (getattr(coroutine, name, None) for name in _FRAMES)), None)
        if frame is not None:
            places.append(_place(frame))
        following = next(filter(None, (getattr(coroutine, name, None) for name in _AWAITED)), None)
        if following is coroutine:
            break
        coroutine = following
    return places[-FRAMES_MAX:]


_FRAMES: Final = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED: Final = ("cr_await", "gi_yieldfrom", "ag_await")


def _place(frame: FrameType) -> Place:
    code = frame.f_code
    return Place(code.co_filename, frame.f_lineno or code.co_firstlineno, code.co_qualname)


def described(places: Iterable[Place]) -> list[dict[str, Any]]:
    """As plain data, with the text of each line, and whether it is of users. Reads files, so not on a loop."""
    return [
        {
            **place._asdict(),
            "text": linecache.getline(place.file, place.line).strip()[:TEXT_MAX],
            "is_users": is_users(place),
        }
        for place in places
    ]


def is_users(place: Place) -> bool:
    """Whether it is code neither of ours nor of Python's library, nor of what is installed in that."""
    return not place.file.startswith(("<frozen ", _OURS, _LIBRARY)) and "-packages" not in place.file
