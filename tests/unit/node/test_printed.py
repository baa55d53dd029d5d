"""Marked lines: who wrote them goes with them through a pipe, in pieces that it takes whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.node.printed import LINE_BYTES_MAX, PIECE_BYTES_MAX, WHO_CHARS_MAX, Line, Lines, Writer, pieces_of

PROCESS = Writer("", 7, "host")
TALKER = Writer("Talker", 8, "host-w1", "driver~5")

texts = st.text(st.characters(exclude_characters="\n\r\x1e\x1f", exclude_categories=["Cs"]), max_size=9000)


def through(data: bytes, cut: int = 1) -> list[Line]:
    """What comes out of a pipe that gives so many bytes at once."""
    lines = Lines(PROCESS, is_error=False)
    found = [line for start in range(0, len(data), cut) for line in lines.feed(data[start : start + cut])]
    return found + lines.end()


@given(st.lists(st.tuples(st.sampled_from([TALKER, TALKER._replace(who="Other"), None]), texts)), st.integers(1, 9999))
def test_lines_arrive_as_they_were_written_marked_or_not(written: list[tuple[Writer | None, str]], cut: int) -> None:
    data = b"".join(
        text.encode() + b"\n" if writer is None else b"".join(pieces_of(Line(writer, text))) for writer, text in written
    )

    assert through(data, cut) == [Line(writer or PROCESS, text) for writer, text in written]


def test_every_piece_is_one_that_a_pipe_takes_whole() -> None:
    pieces = pieces_of(Line(TALKER, "ü" * LINE_BYTES_MAX))

    assert len(pieces) > 1
    assert max(map(len, pieces)) <= PIECE_BYTES_MAX
    assert all(piece.endswith(b"\n") and piece.count(b"\n") == 1 for piece in pieces)


def test_a_line_whose_end_never_came_is_shown_as_cut_off_before_the_next_one() -> None:
    first, *_ = pieces_of(Line(TALKER, "x" * 10_000))
    other = TALKER._replace(who="Other")

    begun, whole = through(first + b"".join(pieces_of(Line(other, "next"))))

    assert begun.writer == TALKER and begun.text.endswith("x ...")
    assert whole == Line(other, "next")


def test_what_only_looks_like_a_mark_is_a_line_of_the_process() -> None:
    assert through(b"\x1eabc\n\x1e.a\x1fb\x1f\x1f\x1fd\n") == [Line(PROCESS, "\x1eabc"), Line(PROCESS, "d")]


def test_what_is_no_text_is_shown_all_the_same() -> None:
    assert through(b"\xff\xfe\r\n") == [Line(PROCESS, "\ufffd\ufffd")]
    assert through(b"".join(pieces_of(Line(TALKER, "\udcff")))) == [Line(TALKER, "\\udcff")]


@pytest.mark.parametrize(
    "who", ["a\nb", "a\x1fb", "\x1b[2Ja", "\ud800", *("x" * size for size in range(4060, 4100)), "x" * 9000]
)
def test_whatever_a_task_is_called_its_lines_arrive_whole(who: str) -> None:
    line = Line(TALKER._replace(who=who), "text " * 1000)

    (found,) = through(b"".join(pieces_of(line)), 1000)

    assert found.text == line.text
    assert found.writer.prefix == line.writer.prefix
    assert found.writer.who.isprintable() and 0 < len(found.writer.who) <= WHO_CHARS_MAX


def test_a_record_in_json_stays_as_it_is() -> None:
    record = Line(TALKER, '{"time": "2026-11-28", "message": "hello"}')

    assert record.is_record and str(record) == record.text
