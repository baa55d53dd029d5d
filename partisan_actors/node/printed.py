"""Lines that processes have printed, each with who wrote it: as values, and as they travel through a pipe.

What runs in a process writes *marked* lines, which name the actor or the task; whatever else writes to the same pipe,
native code or a child of its own, writes plain ones. So a pipe carries both:

- A marked line is START, a flag, and the writer's fields and the text, with SEPARATOR between them. It comes in pieces
  of PIECE_BYTES_MAX, for the kernel writes so much at once or not at all; the flag says whether more of it follows.
- Any other line is plain, and its writer is whom the pipe belongs to.
"""

from __future__ import annotations

import functools
import select
from typing import Final, NamedTuple

__all__ = ["LINE_BYTES_MAX", "PIECE_BYTES_MAX", "RECORD", "WHO_CHARS_MAX", "Line", "Lines", "Writer", "pieces_of"]

START: Final = b"\x1e"
SEPARATOR: Final = b"\x1f"
LAST: Final = b"."
MORE: Final = b"+"
# So much a pipe takes in one piece: 4096 on Linux.
PIECE_BYTES_MAX: Final = select.PIPE_BUF
# A longer line is passed on in several.
LINE_BYTES_MAX: Final = 65536
# Of the name of a class or a task, which is any text of the user's.
WHO_CHARS_MAX: Final = 256
HEADS_MAX: Final = 1024


# How a line of log in JSON begins: it says itself whose it is, and with anything before it would be no JSON.
RECORD: Final = '{"time": "'


class Writer(NamedTuple):
    """Who wrote a line: the class of an actor or the name of a task, "" for the process itself; and where.

    `owner` is the id, as text, of the node of the program for which it ran; "" when nobody knows.
    """

    who: str
    pid: int
    node: str
    owner: str = ""

    @property
    def prefix(self) -> str:
        """What stands before its lines."""
        who = f"{_shown(self.who)} " if self.who else ""
        return f"({who}pid={self.pid}, node={self.node}) "


class Line(NamedTuple):
    """One line, without its end."""

    writer: Writer
    text: str
    is_error: bool = False

    @property
    def is_record(self) -> bool:
        """Whether it is a record of log in JSON, which stays as it is."""
        return self.text.startswith(RECORD)

    def __str__(self) -> str:
        return self.text if self.is_record else self.writer.prefix + self.text


def pieces_of(line: Line) -> list[bytes]:
    """A line, marked, as pieces to be written one after the other."""
    head = _head(line.writer)
    text = line.text.encode(errors="backslashreplace")
    room = PIECE_BYTES_MAX - len(START) - len(MORE) - len(head) - 1
    parts = [text[start : start + room] for start in range(0, len(text), room)] or [b""]
    flags = [MORE] * (len(parts) - 1) + [LAST]
    return [START + flag + head + part + b"\n" for flag, part in zip(flags, parts, strict=True)]


@functools.lru_cache(HEADS_MAX)
def _head(writer: Writer) -> bytes:
    fields = (_shown(writer.who), str(writer.pid), writer.node, writer.owner)
    return SEPARATOR.join([*(field.encode() for field in fields), b""])


def _shown(who: str) -> str:
    """A name as it can stand in a mark and before a line: a line's end in it would end the mark, too."""
    return "".join(each if each.isprintable() else "?" for each in who[:WHO_CHARS_MAX])


class Lines:
    """What has come through one pipe, as lines. `writer` is that of the plain ones; it may be exchanged."""

    def __init__(self, writer: Writer, *, is_error: bool) -> None:
        self.writer = writer
        self._is_error = is_error
        self._rest = b""
        # The pieces so far of a marked line, and the fields of who wrote it.
        self._fields: list[bytes] = []
        self._text = b""

    def feed(self, data: bytes) -> list[Line]:
        """The lines that are whole by now."""
        *raw, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            raw.append(self._rest)
            self._rest = b""
        return [line for each in raw for line in self._read(each)]

    def end(self) -> list[Line]:
        """Nothing more comes: what there is of a last line."""
        raw, self._rest = self._rest, b""
        found = self._read(raw) if raw else []
        return found + self._cut_off()

    def _read(self, raw: bytes) -> list[Line]:
        if not raw.startswith(START):
            return [self._line(self.writer, raw)]
        flag, *fields = raw[len(START) :].split(SEPARATOR, 4)
        if len(fields) != 4 or flag[:1] not in (LAST, MORE):
            return [self._line(self.writer, raw)]  # something else that begins with this character
        *fields, text = flag[1:], *fields
        found = self._cut_off() if self._fields != fields else []
        self._text += text
        if flag[:1] == MORE and len(self._text) < LINE_BYTES_MAX:
            self._fields = fields
            return found
        whole, self._text, self._fields = self._text, b"", []
        return [*found, self._line(_writer_of(fields) or self.writer, whole)]

    def _cut_off(self) -> list[Line]:
        """A line whose other pieces never came, because nobody had room for them."""
        if not self._fields:
            return []
        line = self._line(_writer_of(self._fields) or self.writer, self._text + b" ...")
        self._text, self._fields = b"", []
        return [line]

    def _line(self, writer: Writer, text: bytes) -> Line:
        return Line(writer, text.decode(errors="replace").rstrip("\r"), self._is_error)


def _writer_of(fields: list[bytes]) -> Writer | None:
    who, pid, node, owner = (field.decode(errors="replace") for field in fields)
    return Writer(who, int(pid), node, owner) if pid.isdecimal() else None
