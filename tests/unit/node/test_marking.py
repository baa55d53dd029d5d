"""What a process prints is marked line by line, and a pipe that nobody reads holds up nobody."""

from __future__ import annotations

import io
import logging
import os
import threading
from collections.abc import Iterator

import pytest

from partisan_actors.node.marking import LineStream, Upwards
from partisan_actors.node.printed import LINE_BYTES_MAX, Line, Lines, Writer

A, B = Writer("A", 1, "a"), Writer("B", 1, "a")


class Stage:
    """A stream, and who runs."""

    def __init__(self) -> None:
        self.before = io.StringIO()
        self.runs: Writer | None = A
        self.lines: list[Line] = []
        self.stream = LineStream(self.before, lambda: self.runs, self.lines.extend, is_error=False)

    def texts(self) -> list[str]:
        return [f"{line.writer.who} {line.text}" for line in self.lines]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_line_is_passed_on_at_its_end_with_who_printed_it(stage: Stage) -> None:
    print("one", 2, file=stage.stream)
    print("begun", end=" ", file=stage.stream)
    assert stage.texts() == ["A one 2"]

    stage.runs = B
    print("other", file=stage.stream)
    stage.runs = A
    print("and\nended", file=stage.stream)

    assert stage.texts() == ["A one 2", "B other", "A begun and", "A ended"]


def test_what_was_begun_is_passed_on_when_it_is_flushed_and_at_the_end(stage: Stage) -> None:
    print("dots", end="", flush=True, file=stage.stream)
    print("rest", end="", file=stage.stream)
    stage.runs = None
    stage.stream.flush_all()

    assert stage.texts() == ["A dots", "A rest"]


def test_what_threads_print_at_once_is_not_mixed(stage: Stage) -> None:
    begun, gone_on = threading.Barrier(2), threading.Barrier(2)

    def talk() -> None:
        stage.stream.write("there ")
        begun.wait(60)
        gone_on.wait(60)
        stage.stream.write("it is\n")

    other = threading.Thread(target=talk)
    other.start()
    stage.stream.write("here ")
    begun.wait(60)
    stage.stream.write("I am\n")
    gone_on.wait(60)
    other.join(60)

    assert stage.texts() == ["A here I am", "A there it is"]


def test_what_nobody_known_prints_goes_where_it_always_went(stage: Stage) -> None:
    stage.runs = None

    print("plain", file=stage.stream)

    assert stage.before.getvalue() == "plain\n"
    assert not stage.lines


def test_a_line_that_never_ends_is_passed_on_when_it_is_too_long(stage: Stage) -> None:
    stage.stream.write("x" * (LINE_BYTES_MAX + 1))

    assert [line.text for line in stage.lines] == ["x" * (LINE_BYTES_MAX + 1)]


def test_it_is_a_stream_that_logging_writes_to(stage: Stage) -> None:
    logger = logging.getLogger("tests.marking")
    handler = logging.StreamHandler(stage.stream)
    logger.addHandler(handler)
    logger.warning("watch out")
    logger.removeHandler(handler)

    assert stage.texts() == ["A watch out"]
    assert isinstance(stage.stream, io.TextIOBase) and stage.stream.writable() and not stage.stream.isatty()


# ---- into a pipe -----------------------------------------------------------------------------------------------------


class Pipe:
    def __init__(self) -> None:
        self.read_end, write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self.write_end = write_end
        self.upwards = Upwards(Writer("", 1, "a"), write_end, write_end)
        self.lines = Lines(Writer("nobody", 0, ""), is_error=False)

    def read(self) -> list[Line]:
        found: list[Line] = []
        try:
            while data := os.read(self.read_end, 65536):
                found += self.lines.feed(data)
        except BlockingIOError:
            pass
        return found


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.read_end)
    os.close(pipe.write_end)


def test_lines_come_out_of_the_pipe_as_they_are(pipe: Pipe) -> None:
    written = [Line(A, "short"), Line(B, "long " * 5000), Line(A, "")]

    pipe.upwards.take(written)

    assert pipe.read() == written


def test_who_prints_is_not_held_up_by_a_reader_that_sleeps_and_the_lost_lines_are_counted(pipe: Pipe) -> None:
    written = [Line(A, f"{number} {'x' * 500}") for number in range(2000)]  # a megabyte

    pipe.upwards.take(written)  # would never return, if it waited

    first = pipe.read()
    assert first == written[: len(first)] and 20 < len(first) < len(written)
    pipe.upwards.take([Line(B, "again")])
    told, again = pipe.read()
    assert told.text == f"... {len(written) - len(first)} lines were lost here: nobody read them fast enough"
    assert again == Line(B, "again")


def test_nobody_at_the_other_end_is_no_error() -> None:
    read_end, write_end = os.pipe()
    upwards = Upwards(A, write_end, write_end)
    os.close(read_end)

    upwards.take([Line(A, "nobody hears")])

    os.close(write_end)
