"""Why an actor ended: the words its monitors and links get, the text its callers get, and what an exit signal does.

A cell keeps one text, which callers see in ActorStopped. The reason that travels to monitors and along links is read
out of it here, where the texts are made, so that nothing has to be kept twice and a tombstone can still tell it.
"""

from __future__ import annotations

from typing import Final

from partisan_actors.errors import ActorGroupRemoved, ActorStopped
from partisan_actors.portable import in_words

__all__ = [
    "KILL",
    "KILLED",
    "KINDS",
    "NODE_DOWN",
    "NODE_STOPPED",
    "NOPROC",
    "NORMAL",
    "OUT_OF_SCOPE",
    "REASON_MAX",
    "UNREADABLE",
    "ActorExit",
    "Flushed",
    "effect_of_exit",
    "end_of",
    "exited",
    "kind_of",
    "raised",
    "reason_of",
]

# Erlang's words. KILL is what is asked for, and cannot be trapped; KILLED is what others then hear.
NORMAL: Final = "normal"
KILL: Final = "kill"
KILLED: Final = "killed"
NOPROC: Final = "noproc"
NODE_DOWN: Final = "node down"
# Characters of a reason; longer ones are refused where they are given.
REASON_MAX: Final = 1_000_000

# The text for callers of an actor that nobody had a handle of any more, and the reason.
OUT_OF_SCOPE: Final = "out of scope"

_KILLED: Final = "it was killed"
_EXITED: Final = "it exited: "
_RAISED: Final = "its constructor raised "
UNREADABLE: Final = "its class or its arguments could not be unpickled: "
_GROUP_GONE: Final = "its placement group "
NODE_STOPPED: Final = "its node stopped"


# How the texts of ends begin, and what kind of end that is.
KINDS: Final = (
    (OUT_OF_SCOPE, "out of scope"),
    (_KILLED, "killed"),
    (_EXITED, "exited"),
    (_RAISED, "constructor failed"),
    (UNREADABLE, "unreadable"),
    ("its owner, ", "owner gone"),
    (NODE_STOPPED, "node down"),
    ("its node ", "node down"),
    ("the other nodes believed its node ", "node down"),
    ("another life of it ", "superseded"),
    ("its process ", "process ended"),
    ("signal ", "ended by a signal"),
    ("the kernel most likely ended its process ", "out of memory"),
    (_GROUP_GONE, "placement group removed"),
    ("its bundle of ", "placement group removed"),
)


class ActorExit(BaseException):
    """Raised by `exit_actor` in the actor's own code. Not an Exception, so that nothing catches it by accident."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Flushed(Exception):
    """Raised in place of arguments: the message was taken back while it waited, and is not handled."""


def exited(reason: str) -> str:
    """The text for callers of an actor that ended for `reason`, by itself or by an exit signal."""
    return _KILLED if reason == KILLED else f"{_EXITED}{reason}"


def raised(error: BaseException) -> str:
    """The text for callers of an actor whose own code ended it, or whose constructor or `on_start` raised."""
    if isinstance(error, ActorExit):
        return exited(error.reason)
    return f"{_RAISED}{in_words(error)}"


def reason_of(text: str) -> str:
    """The reason in the text that callers of an ended actor get."""
    if text.startswith(_KILLED):
        return KILLED
    if text == NODE_STOPPED:
        return f"{NODE_DOWN}: it stopped"
    for beginning in (_EXITED, _RAISED):
        if text.startswith(beginning):
            return text.removeprefix(beginning)
    return text


def end_of(whom: str, text: str) -> ActorStopped:
    """The error for callers of an actor that ended so."""
    return (ActorGroupRemoved if text.startswith(_GROUP_GONE) else ActorStopped)(whom, text)


def kind_of(text: str) -> str:
    """The kind of end in the text that callers of an ended actor get: one of KINDS."""
    return next((kind for beginning, kind in KINDS if text.startswith(beginning)), "other")


def effect_of_exit(reason: str, *, traps: bool, is_link: bool, is_itself: bool) -> str | None:
    """What an exit signal does to an actor: the reason for which it ends, "" when it is told instead, or None.

    As in Erlang: KILL cannot be trapped and ends it as KILLED, unless it comes along a link, where it is a word like
    any other; who traps is told of everything else; NORMAL ends only who sends it to itself.
    """
    if reason == KILL and not is_link:
        return KILLED
    if traps:
        return ""
    if reason == NORMAL and not is_itself:
        return None
    return reason
