"""Tests of what processes print: whole lines, with who wrote them, and the last of them kept."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from partisan_actors.node.outputs import TAIL_LINES, Outputs, show_here
from partisan_actors.node.printed import LINE_BYTES_MAX, Line, Writer

PATIENCE_S = 60.0
A = Writer("A", 1, "a")


def pass_on(*pieces: bytes) -> tuple[list[Line], tuple[str, ...]]:
    """The lines, and the tail, of a stream into which somebody has written these pieces, and which was closed then."""
    read, write = os.pipe()
    lines: list[Line] = []
    outputs = Outputs(lines.extend)
    output = outputs.add(read, A, is_error=True, at_end=lambda: None)
    for piece in pieces:
        os.write(write, piece)
    os.close(write)
    outputs.wait_ended(PATIENCE_S)
    assert outputs.have_ended
    outputs.close()
    return lines, output.tail


def test_lines_come_whole_whatever_pieces_they_are_written_in() -> None:
    lines, _ = pass_on(b"on", b"e\ntw", b"o\n", b"three")

    assert lines == [Line(A, text, is_error=True) for text in ("one", "two", "three")]


def test_the_last_lines_are_kept() -> None:
    _, tail = pass_on(b"".join(b"%d\n" % number for number in range(100)))

    assert tail == tuple(str(number) for number in range(100 - TAIL_LINES, 100))


def test_a_line_without_end_is_passed_on_in_pieces() -> None:
    lines, _ = pass_on(*[b"x" * 32_000] * 5)

    assert len(lines) > 1
    assert "".join(line.text for line in lines) == "x" * 160_000
    assert max(len(line.text) for line in lines) < 3 * LINE_BYTES_MAX


def test_many_streams_are_read_by_one_thread() -> None:
    found: list[Line] = []
    outputs = Outputs(found.extend)
    threads = set(threading.enumerate())
    ends = []
    for number in range(20):
        read, write = os.pipe()
        outputs.add(read, A._replace(pid=number), is_error=False, at_end=lambda: None)
        ends.append(write)
    for write in ends:
        os.write(write, b"here\n")
        os.close(write)

    outputs.wait_ended(PATIENCE_S)
    assert set(threading.enumerate()) <= threads
    assert sorted(found) == [Line(A._replace(pid=number), "here") for number in range(20)]
    outputs.close()


def test_after_a_flush_everything_that_was_written_before_has_been_read() -> None:
    read, write = os.pipe()
    lines: list[Line] = []
    outputs = Outputs(lines.extend)
    outputs.add(read, A, is_error=False, at_end=lambda: None)

    for number in range(100):
        os.write(write, b"%d\n" % number)
        outputs.flush(PATIENCE_S)
        assert len(lines) == number + 1

    os.close(write)
    outputs.wait_ended(PATIENCE_S)
    outputs.close()
    outputs.flush(PATIENCE_S)


def test_one_that_is_over_is_not_waited_for() -> None:
    outputs = Outputs(lambda lines: None)
    outputs.close()
    outputs.wait_closed(PATIENCE_S)

    began = time.monotonic()
    outputs.flush(2 * PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S


def test_closing_it_once_more_writes_nothing_to_whoever_has_its_descriptors_now() -> None:
    outputs = Outputs(lambda lines: None)
    outputs.close()
    outputs.wait_closed(PATIENCE_S)
    pairs = [socket.socketpair() for _ in range(10)]

    outputs.close()
    outputs.flush(PATIENCE_S)

    for end in [end for pair in pairs for end in pair]:
        end.setblocking(False)
        with pytest.raises(BlockingIOError):
            end.recv(1)
    for end in [end for pair in pairs for end in pair]:
        end.close()


def test_what_is_in_a_pipe_at_the_end_is_passed_on_though_somebody_might_write_more() -> None:
    read, write = os.pipe()
    lines: list[Line] = []
    outputs = Outputs(lines.extend)
    outputs.add(read, A, is_error=False, at_end=lambda: None)
    os.write(write, b"whole\nbegun")

    outputs.close()
    outputs.wait_closed(PATIENCE_S)

    assert [line.text for line in lines] == ["whole", "begun"]
    os.close(write)


def test_a_stream_that_comes_after_the_end_is_closed_and_not_kept_open() -> None:
    outputs = Outputs(lambda lines: None)
    outputs.close()
    outputs.wait_closed(PATIENCE_S)
    read, write = os.pipe()

    outputs.add(read, A, is_error=False, at_end=lambda: None)

    with pytest.raises(BrokenPipeError):
        os.write(write, b"for nobody\n")
    os.close(write)
    assert outputs.have_ended


def test_what_nobody_else_shows_is_shown_here_by_stream_behind_who_wrote_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_here([Line(A, "one"), Line(A, "two", is_error=True), Line(Writer("", 2, "b"), "three")])

    captured = capsys.readouterr()
    assert captured.out == "(A pid=1, node=a) one\n(pid=2, node=b) three\n"
    assert captured.err == "(A pid=1, node=a) two\n"
