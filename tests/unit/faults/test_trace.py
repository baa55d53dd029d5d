"""Following a trace: the same order whatever the order of arrival, or a diagnosis."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.errors import ConfigError
from partisan_actors.faults.trace import Entry, Follower, digest_of, first_line, nameless, parse_trace

ENTRIES = st.builds(
    Entry, st.sampled_from("ab"), st.sampled_from(["call", "tell"]), st.just("T (actor:a/1)"), st.sampled_from("fg")
)


def delivered(follower: Follower[Entry], arrivals: Iterable[Entry]) -> list[Entry]:
    return [each for entry in arrivals for each in follower.arrived(entry, entry)]


@given(st.lists(ENTRIES, max_size=30), st.randoms(use_true_random=False))
def test_whatever_the_order_of_arrival_the_trace_is_followed(entries: list[Entry], rng: object) -> None:
    arrivals = list(entries)
    rng.shuffle(arrivals)  # type: ignore[attr-defined]  # a Random
    follower: Follower[Entry] = Follower(entries)

    assert delivered(follower, arrivals) == entries
    assert follower.is_complete and not follower.mismatch and not follower.is_waiting


@given(st.lists(ENTRIES, min_size=1, max_size=20))
def test_what_is_not_in_the_trace_ends_it_with_a_diagnosis_and_nothing_is_kept(entries: list[Entry]) -> None:
    follower: Follower[Entry] = Follower(entries)
    surplus = Entry("c", "call", "T (actor:a/1)", "h")
    held = [entry for entry in entries[1:] if entry != entries[0]]
    passed = delivered(follower, held)

    passed += follower.arrived(surplus, surplus)
    passed += follower.arrived(entries[0], entries[0])

    assert len(passed) == len(held) + 2
    assert "a call of h from c" in follower.mismatch and "the next one is" in follower.mismatch


def test_giving_up_says_what_was_next_and_what_waits() -> None:
    first, second = Entry("a", "call", "T", "f", "12"), Entry("b", "tell", "T", "g")
    follower: Follower[str] = Follower([first, second])
    assert follower.arrived(second, "second") == []

    assert follower.give_up("for 5 s nothing came that is next") == ["second"]
    assert follower.mismatch == (
        "for 5 s nothing came that is next. After 0 of 2 messages, the next one is a call of f from a to T "
        "with arguments 12. Held instead: a tell of g from b to T"
    )


def test_the_lives_of_nodes_are_left_out_and_arguments_told_apart() -> None:
    assert nameless("Target 'it~5' (actor:n1~5f3/2a)") == "Target 'it~5' (actor:n1/2a)"
    assert digest_of(b"1") != digest_of(b"2")


def test_a_trace_is_what_was_written() -> None:
    entries = [Entry("a", "call", "T 'ä'", "f", "0a"), Entry("b", "tell", "T", "g")]
    lines = [first_line("n1"), *(entry.line() for entry in entries)]

    assert list(parse_trace(lines, "n1")) == entries
    assert json.loads(lines[0]) == {"version": 1, "node": "n1"}


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        (["nonsense"], "line 1"),
        ([first_line("other")], "line 1"),
        ([first_line("n1"), "{"], "line 2"),
        ([first_line("n1"), "[]"], "line 2"),
        ([first_line("n1"), '{"sender": 1}'], "line 2"),
    ],
)
def test_what_is_no_trace_is_told_with_its_place(lines: list[str], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        list(parse_trace(lines, "n1"))
