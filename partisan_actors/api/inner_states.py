"""What an actor says of its state: the answer of its own method `inspect_state()`, as plain data within bounds.

Nobody else looks inside an actor: what its fields mean is known to its class alone, and they change while it runs. So
it is asked, in its turn, as by any other call; and what it answers is made plain here, on its node, without running any
code of the values: nobody who looks has to unpickle anything.
"""

from __future__ import annotations

import asyncio
import datetime
import enum
import math
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any, Final

from partisan_actors.actors.cell import ALIVE, Cell
from partisan_actors.actors.ref import Location
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ActorNotFound, ConfigError
from partisan_actors.ids import ActorId

__all__ = ["INNER_STATES", "METHOD", "InnerStates", "plain_state"]

INNER_STATES: Final = "states"
# The method that a class has which lets people see its state.
METHOD: Final = "inspect_state"
# How long it is waited for. Whoever looks is told that it has not come to it, and may look again.
WAIT_S: Final = 1.5

VALUES_MAX: Final = 2_000
ITEMS_MAX: Final = 200
DEPTH_MAX: Final = 8
CHARS_MAX: Final = 1_000

_TEXTS: Final = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)


class InnerStates:
    """Asks the actors of one node, each for nobody more than once at a time."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._asked: dict[ActorId, Reply[Any]] = {}
        system.serve(INNER_STATES, self)

    async def look(self, peer: Any, actor: str) -> dict[str, Any]:
        """`state` as plain data, or `why` there is none yet; `cut` says that it was too much for one answer.

        Raises ActorNotFound for an actor that does not run here, ConfigError for one whose class has no such method.
        """
        cell = self._cell(actor)
        interface = cell.definition.interface
        if METHOD not in interface.methods:
            raise ConfigError("actor", str(cell), f"one whose class has a method {METHOD}()")
        if (reply := self._asked.get(cell.actor)) is None:
            # One that nobody waits for any more stays here until it is answered: calls do not pile up.
            reply = self._asked[cell.actor] = Reply(self._system.loop)
            self._system.ask(self._location(cell), METHOD, (), {}, reply)
        try:
            async with asyncio.timeout(WAIT_S):
                value = await reply
        except TimeoutError:
            if reply.done():
                return _without(f"{METHOD}() has failed: TimeoutError")
            size = cell.mailbox_size
            return _without(f"it has not come to that within {WAIT_S:g} s: {size} messages wait, or one runs long")
        except Exception as error:  # noqa: BLE001  # whatever code of users raises is an answer
            return _without(f"{METHOD}() has failed: {_cut(str(error) or type(error).__name__)}")
        finally:
            self._forget_the_ended()
        try:
            state, is_cut = plain_state(value)
        except RuntimeError:  # it has answered with what it goes on changing
            return _without(f"what {METHOD}() returned was changed meanwhile: return a copy")
        return {"state": state, "why": None, "cut": is_cut}

    def _forget_the_ended(self) -> None:
        self._asked = {actor: reply for actor, reply in self._asked.items() if not reply.done()}

    def _cell(self, actor: str) -> Cell:
        try:
            found = self._system.cell(ActorId.parse(actor))
        except ValueError as error:
            raise ConfigError("actor", actor, "the id of an actor, such as actor:node~1a/2") from error
        if found is None or found.state != ALIVE:
            raise ActorNotFound(f"{actor} on node {self._system.me.name}")
        return found

    def _location(self, cell: Cell) -> Location:
        interface, options = cell.definition.interface, cell.options
        location = self._system.location(
            cell.actor, interface.class_name, options.name, bool(options.max_restarts), None
        )
        self._system.found(location, self._system.me)
        return location


def _without(why: str) -> dict[str, Any]:
    return {"state": None, "why": why, "cut": False}


def plain_state(value: Any) -> tuple[Any, bool]:
    """`value` as lists, dicts with texts for keys, texts, numbers and None; and whether something was left out.

    Numbers that JSON has no words for are texts. Of an object that is no dataclass, its class is told, and of a value
    that is too deep, too. At most VALUES_MAX values in all, ITEMS_MAX of one collection, CHARS_MAX of one text.
    """
    told = _Telling()
    return told.plain(value, 0), told.is_cut


class _Telling:
    def __init__(self) -> None:
        self.is_cut = False
        self._left = VALUES_MAX

    def plain(self, value: Any, depth: int) -> Any:
        self._left -= 1
        kind = type(value)  # of heirs, whose methods are code of users, only the name is told
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if abs(value) < 2**53 else self._text(f"{value:#x}" if abs(value) >= 2**200 else str(value))
        if kind is float:
            return value if math.isfinite(value) else str(value)
        if kind is str:
            return self._text(value)
        if kind in (bytes, bytearray, memoryview):
            return f"<{len(value)} bytes>"
        if kind in _TEXTS:
            return str(value)
        if depth < DEPTH_MAX and self._left > 0:
            if kind is dict:
                return self._pairs(value, depth)
            if kind in (list, tuple, set, frozenset):
                return [self.plain(each, depth + 1) for each in self._some(value, len(value))]
            if is_dataclass(value):
                return self._fields(value, depth)
        elif kind in (dict, list, tuple, set, frozenset) and value:
            self.is_cut = True
        if isinstance(value, enum.Enum):
            return f"{kind.__name__}.{value.name}"
        return f"<{_cut(kind.__qualname__)}>"

    def _pairs(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, each in self._some(value.items(), len(value)):
            name = self._key(key)
            if name in found:  # several keys have the same text: they are numbered
                name = f"{name} #{len(found) + 1}"
            found[name] = self.plain(each, depth + 1)
        return found

    def _fields(self, value: Any, depth: int) -> Any:
        names = [each.name for each in fields(value)]
        found = {}
        for name in names[:ITEMS_MAX]:
            try:
                found[name] = self.plain(object.__getattribute__(value, name), depth + 1)
            except AttributeError:
                continue  # it has a field that is not set
        self.is_cut |= len(names) > ITEMS_MAX
        return found

    def _some(self, values: Any, count: int) -> list[Any]:
        most = max(0, min(ITEMS_MAX, self._left))
        self.is_cut |= count > most
        return list(islice(values, most))

    def _key(self, key: Any) -> str:
        if type(key) is str:
            return self._text(key)
        # Tuples are usual as keys: what is in them is what tells them apart.
        told = self.plain(key, DEPTH_MAX - 1 if type(key) is tuple else DEPTH_MAX)
        return self._text(f"({', '.join(map(str, told))})" if isinstance(told, list) else str(told))

    def _text(self, text: str) -> str:
        self.is_cut |= len(text) > CHARS_MAX
        return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= CHARS_MAX else text[:CHARS_MAX] + " ..."
