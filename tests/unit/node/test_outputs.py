"""Tests of what processes print: whole lines, behind a prefix, and the last of them kept."""

from __future__ import annotations

import os
import threading

import pytest

from partisan_actors.node.outputs import LINE_BYTES_MAX, TAIL_LINES, Outputs

PATIENCE_S = 30.0


def pass_on(*pieces: bytes) -> tuple[str, ...]:
    """The tail of a stream into which somebody has written these pieces, once it has been read to its end."""
    read, write = os.pipe()
    ended = threading.Event()
    outputs = Outputs()
    output = outputs.add(read, "(A pid=1) ", is_error=True, at_end=ended.set)
    for piece in pieces:
        os.write(write, piece)
    os.close(write)
    assert ended.wait(PATIENCE_S)
    outputs.close()
    return output.tail


def test_lines_come_behind_a_prefix_whatever_pieces_they_are_written_in(capsys: pytest.CaptureFixture[str]) -> None:
    pass_on(b"on", b"e\ntw", b"o\n", b"three")

    assert capsys.readouterr().err == "(A pid=1) one\n(A pid=1) two\n(A pid=1) three\n"


def test_what_is_no_text_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    pass_on(b"\xff\xfe\n")

    assert capsys.readouterr().err == "(A pid=1) \ufffd\ufffd\n"


@pytest.mark.usefixtures("capsys")
def test_the_last_lines_are_kept() -> None:
    tail = pass_on(b"".join(b"%d\n" % number for number in range(100)))

    assert tail == tuple(str(number) for number in range(100 - TAIL_LINES, 100))


def test_a_line_without_end_is_passed_on_in_pieces(capsys: pytest.CaptureFixture[str]) -> None:
    chunk = b"x" * 32_000

    pass_on(*[chunk] * 5)

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert "".join(line.removeprefix("(A pid=1) ") for line in lines) == "x" * 160_000
    assert max(map(len, lines)) < 3 * LINE_BYTES_MAX


def test_many_streams_are_read_by_one_thread(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = Outputs()
    threads = set(threading.enumerate())
    ended = [threading.Event() for _ in range(20)]
    ends = []
    for number, event in enumerate(ended):
        read, write = os.pipe()
        outputs.add(read, f"{number} ", is_error=True, at_end=event.set)
        ends.append(write)
    for write in ends:
        os.write(write, b"here\n")
        os.close(write)

    assert all(event.wait(PATIENCE_S) for event in ended)
    assert set(threading.enumerate()) <= threads
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(f"{number} here" for number in range(20))
    outputs.close()
