"""Who is who: NodeId, ActorId, ObjectId, TaskId, MonitorId, GroupId: what each holds, how it prints and how it parses.

All of them are immutable, hashable, totally ordered tuples, so that every iteration order is repeatable.
An id always carries an *incarnation*, so a reference to a former life never reaches another one.
"""

from __future__ import annotations

from typing import NamedTuple, Self

__all__ = ["ActorId", "GroupId", "MonitorId", "NodeId", "ObjectId", "TaskId"]


class _Written:
    """What all ids have: their text as bytes and as hexadecimal digits, for what takes no other text."""

    __slots__ = ()

    def binary(self) -> bytes:
        """The text of this id, in UTF-8."""
        return str(self).encode()

    def hex(self) -> str:
        """The same in hexadecimal digits."""
        return self.binary().hex()

    def is_nil(self) -> bool:
        """False: there is no id of nothing."""
        return False

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`. Raises ValueError."""
        raise NotImplementedError

    @classmethod
    def from_binary(cls, id_bytes: bytes) -> Self:
        """The inverse of `binary`. Raises ValueError."""
        return cls.parse(id_bytes.decode())

    @classmethod
    def from_hex(cls, hex_id: str) -> Self:
        """The inverse of `hex`. Raises ValueError."""
        return cls.from_binary(bytes.fromhex(hex_id))


class _Life(NamedTuple):
    name: str
    incarnation: int


class NodeId(_Life, _Written):
    """One life of one node: its name and the microseconds since 1970 at which that life began.

    Prints as ``name~incarnation`` (hexadecimal).
    """

    __slots__ = ()

    def __str__(self) -> str:
        return f"{self.name}~{self.incarnation:x}"

    @classmethod
    def parse(cls, text: str) -> NodeId:
        """The inverse of `str`. Raises ValueError when `text` is not a node id."""
        name, separator, incarnation = text.rpartition("~")
        if not separator or not name:
            raise ValueError(f"not a node id: {text!r} (expected name~incarnation)")
        return cls(name, int(incarnation, 16))


class _Numbered(NamedTuple):
    node: NodeId
    number: int


class _NumberedId(_Numbered, _Written):
    """Ids of different kinds are never equal, though they are the same tuple."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, tuple):
            return NotImplemented  # a MonitorRef knows
        return type(self) is type(other) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = _Numbered.__hash__


class ActorId(_NumberedId):
    """An actor: the node that asked for it, and a number that node never uses twice.

    The id stays the same when the actor is restarted; which life is meant travels beside it where it matters.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return f"actor:{self.node}/{self.number:x}"

    def __repr__(self) -> str:
        return f"ActorId({self})"

    @classmethod
    def parse(cls, text: str) -> ActorId:
        """The inverse of `str`. Raises ValueError when `text` is not an actor id."""
        return cls(*_parse_numbered("actor", text))


class ObjectId(_NumberedId):
    """A value: its owner (the node that called or put) and a number that node never uses twice."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"object:{self.node}/{self.number:x}"

    def __repr__(self) -> str:
        return f"ObjectId({self})"

    @classmethod
    def parse(cls, text: str) -> ObjectId:
        """The inverse of `str`. Raises ValueError when `text` is not an object id."""
        return cls(*_parse_numbered("object", text))


class TaskId(_NumberedId):
    """A remote function call: the node that made it and a number that node never uses twice."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"task:{self.node}/{self.number:x}"

    def __repr__(self) -> str:
        return f"TaskId({self})"

    @classmethod
    def parse(cls, text: str) -> TaskId:
        """The inverse of `str`. Raises ValueError when `text` is not a task id."""
        return cls(*_parse_numbered("task", text))


class MonitorId(_NumberedId):
    """A monitor: the node that set it and a number that node never uses twice."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"monitor:{self.node}/{self.number:x}"

    def __repr__(self) -> str:
        return f"MonitorId({self})"

    @classmethod
    def parse(cls, text: str) -> MonitorId:
        """The inverse of `str`. Raises ValueError when `text` is not a monitor id."""
        return cls(*_parse_numbered("monitor", text))


class GroupId(_NumberedId):
    """A placement group: the node that asked for it and a number that node never uses twice."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"group:{self.node}/{self.number:x}"

    def __repr__(self) -> str:
        return f"GroupId({self})"

    @classmethod
    def parse(cls, text: str) -> GroupId:
        """The inverse of `str`. Raises ValueError when `text` is not a group id."""
        return cls(*_parse_numbered("group", text))


def _parse_numbered(kind: str, text: str) -> tuple[NodeId, int]:
    prefix, _, rest = text.partition(":")
    node, _, number = rest.rpartition("/")
    if prefix != kind or not node or not number:
        raise ValueError(f"not {kind} id: {text!r} (expected {kind}:name~incarnation/number)")
    return NodeId.parse(node), int(number, 16)
