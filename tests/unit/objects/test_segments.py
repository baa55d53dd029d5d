"""Segments: what is copied there can be mapped by another node, and is given back when nobody has it."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.objects.places import Place
from partisan_actors.objects.segments import Piece, Segments

MEGABYTE = 1024 * 1024

Make = Callable[..., Segments]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Segments] = []

    def make_one(name: str, bytes_max: int = 64 * MEGABYTE) -> Segments:
        segments = Segments(Place(tmp_path / "base", "tests", NodeId(name, 1)), bytes_max)
        made.append(segments)
        return segments

    yield make_one
    for segments in made:
        segments.close()
    assert not (tmp_path / "base").exists()


def files(segments: Segments) -> int:
    return len(list(segments.path.iterdir()))


def copied(segments: Segments, *buffers: bytes) -> list[memoryview]:
    views = segments.copy([memoryview(buffer) for buffer in buffers])
    assert views is not None
    return views


def test_copies_are_read_only_equal_and_in_one_file(make: Make) -> None:
    segments = make("a")

    views = copied(segments, b"x" * 100, b"", b"y" * 1000)

    assert [bytes(view) for view in views] == [b"x" * 100, b"", b"y" * 1000]
    assert all(view.readonly for view in views)
    assert files(segments) == 1
    assert next(segments.path.iterdir()).stat().st_mode & 0o777 == 0o600


def test_another_node_maps_pieces_and_keeps_them_when_their_writer_is_gone(make: Make) -> None:
    writer, reader = make("a"), make("b")
    views = copied(writer, b"one" * 500, b"two" * 500)
    pieces = [writer.find(view) for view in views]
    assert all(pieces)

    adopted = reader.adopt(writer.path, [piece for piece in pieces if piece is not None])
    views.clear()
    writer.close()
    gc.collect()

    assert [bytes(view) for view in adopted] == [b"one" * 500, b"two" * 500]
    assert files(reader) == 1
    adopted.clear()
    gc.collect()
    assert files(reader) == 0


def test_what_was_adopted_can_be_passed_on(make: Make) -> None:
    first, second, third = make("a"), make("b"), make("c")
    (view,) = copied(first, b"z" * 5000)
    piece = first.find(view)
    assert piece is not None
    (adopted,) = second.adopt(first.path, [piece])

    passed_on = second.find(adopted[1000:2000])

    assert passed_on is not None
    assert (passed_on.offset, passed_on.size) == (1000, 1000)
    (again,) = third.adopt(second.path, [passed_on])
    assert bytes(again) == b"z" * 1000


def test_other_memory_is_not_found(make: Make) -> None:
    segments = make("a")
    (view,) = copied(segments, bytes(100))

    assert segments.find(memoryview(bytes(100))) is None
    assert segments.find(memoryview(bytearray(0))) is None
    assert segments.find(view[50:]) is not None


def test_a_segment_is_written_again_once_nobody_has_it(make: Make) -> None:
    writer, reader = make("a"), make("b")
    views = copied(writer, b"1" * MEGABYTE)
    piece = writer.find(views[0])
    assert piece is not None
    adopted = reader.adopt(writer.path, [piece])
    views.clear()

    (other,) = copied(writer, b"2" * MEGABYTE)  # the reader still has the first one
    assert bytes(adopted[0][:1]) == b"1"
    assert files(writer) == 2

    adopted.clear()
    (third,) = copied(writer, b"3" * MEGABYTE)
    assert files(writer) == 2
    assert (bytes(other[:1]), bytes(third[:1])) == (b"2", b"3")


def test_a_condemned_segment_is_not_written_again(make: Make) -> None:
    segments = make("a")
    views = copied(segments, b"1" * MEGABYTE)
    first = next(segments.path.iterdir()).name
    segments.condemn(views[0])
    views.clear()

    copied(segments, b"2" * MEGABYTE)

    assert first not in {path.name for path in segments.path.iterdir()}


def test_no_more_than_the_limit_is_in_use_and_freed_room_is_used_again(make: Make) -> None:
    segments = make("a", bytes_max=3 * MEGABYTE)
    held = [copied(segments, bytes(MEGABYTE)) for _ in range(3)]

    assert segments.copy([memoryview(bytes(MEGABYTE))]) is None
    assert segments.bytes_used == 3 * MEGABYTE

    held.pop()
    assert segments.copy([memoryview(bytes(MEGABYTE // 4))]) is not None  # the spare one makes room
    assert segments.bytes_used <= 3 * MEGABYTE


def test_a_segment_where_another_one_was_before_is_found(make: Make) -> None:
    segments = make("a")
    for number in range(50):
        (view,) = copied(segments, bytes([number]) * MEGABYTE)

        piece = segments.find(view)

        assert piece is not None
        assert (segments.path / f"{piece.segment:x}").read_bytes()[piece.offset :] == bytes(view)


def test_what_is_spare_is_given_back_after_two_trims(make: Make) -> None:
    segments = make("a")
    copied(segments, bytes(MEGABYTE))
    assert files(segments) == 1

    segments.trim()
    assert files(segments) == 1
    segments.trim()

    assert files(segments) == 0
    assert segments.bytes_used == 0


@pytest.mark.parametrize(
    "piece", [Piece(1, 100, 50, 51), Piece(1, 99, 0, 99), Piece(1, 100, -1, 10), Piece(2, 100, 0, 100)]
)
def test_pieces_that_are_none_are_refused(make: Make, piece: Piece) -> None:
    writer, reader = make("a"), make("b")
    view = copied(writer, bytes(100))

    with pytest.raises((OSError, ValueError)):
        reader.adopt(writer.path, [piece])
    assert files(reader) == 0
    assert view


def test_a_link_to_something_else_is_not_followed(make: Make, tmp_path: Path) -> None:
    writer, reader = make("a"), make("b")
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(100))
    os.symlink(secret, writer.path / "7")

    with pytest.raises(OSError, match="symbolic links"):
        reader.adopt(writer.path, [Piece(7, 100, 0, 100)])


def test_a_full_memory_is_no_error(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = make("a")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert segments.copy([memoryview(bytes(100))]) is None
    monkeypatch.undo()

    assert (segments.bytes_used, files(segments)) == (0, 0)
    assert segments.copy([memoryview(bytes(100))]) is not None


def test_a_child_made_by_fork_takes_nothing_away(make: Make) -> None:
    segments = make("a")
    views = copied(segments, b"kept" * 1000)
    child = os.fork()
    if child == 0:
        views.clear()
        segments.trim()
        segments.trim()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    assert files(segments) == 1
    assert segments.find(views[0]) is not None
