"""The same line of many processes is shown once, and then how often it came."""

from __future__ import annotations

from partisan_actors.api.repeats import KNOWN_MAX, WINDOW_S, Repeats
from partisan_actors.node.printed import Line, Writer


def said(pid: int, text: str, *, is_error: bool = False) -> Line:
    return Line(Writer("A", pid, "a"), text, is_error)


def test_what_one_process_repeats_is_shown_each_time() -> None:
    repeats = Repeats()

    assert [repeats.take(said(1, "hello"), number) for number in range(4)] == [["(A pid=1, node=a) hello"]] * 4
    assert repeats.due(100.0) == []


def test_what_others_say_as_well_is_counted_and_told_once_the_time_is_over() -> None:
    repeats = Repeats()

    shown = [repeats.take(said(pid, f"step {pid} done"), 10.0) for pid in range(1, 5)]

    assert shown == [["(A pid=1, node=a) step 1 done"], [], [], []]
    assert repeats.next_due() == 10.0 + WINDOW_S
    assert repeats.due(10.0 + WINDOW_S - 0.1) == []
    assert repeats.due(10.0 + WINDOW_S) == [("(A pid=4, node=a) step 4 done [repeated 3x across the cluster]", False)]
    assert repeats.next_due() is None
    assert repeats.take(said(2, "step 2 done"), 20.0) == ["(A pid=2, node=a) step 2 done"]


def test_one_repetition_is_shown_as_it_is() -> None:
    repeats = Repeats()
    repeats.take(said(1, "hello", is_error=True), 0.0)
    repeats.take(said(2, "hello", is_error=True), 0.0)

    assert repeats.due(WINDOW_S) == [("(A pid=2, node=a) hello", True)]


def test_other_words_other_streams_empty_lines_and_records_of_log_are_not_the_same() -> None:
    repeats = Repeats()

    records = [said(pid, '{"time": "now", "message": "hello"}') for pid in range(2)]

    for line in (said(1, "a"), said(2, "b"), said(3, "a", is_error=True), said(4, ""), said(5, ""), *records):
        assert repeats.take(line, 0.0) == [str(line)]


def test_a_bounded_number_of_lines_is_known_and_what_is_forgotten_is_told_before() -> None:
    repeats = Repeats()
    repeats.take(said(1, "first"), 0.0)
    repeats.take(said(2, "first"), 0.0)
    words = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(KNOWN_MAX)]

    shown = [text for word in words for text in repeats.take(said(1, word), 1.0)]

    assert "(A pid=2, node=a) first" in shown
    assert len(repeats._known) == KNOWN_MAX
