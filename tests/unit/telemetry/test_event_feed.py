"""The feed of one node: what it keeps of each kind, and what is told to whoever asks and follows."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.event_feed import FIELD_CHARS_MAX, ROWS_PER_KIND_MAX, EventFeed


class Told:
    """A feed whose clock goes on by a second with each event."""

    def __init__(self) -> None:
        self.now = 0
        self.feed = EventFeed("n", self._clock)

    def _clock(self) -> int:
        self.now += 1
        return self.now * 1_000_000_000

    def down(self, *names: str) -> Told:
        for name in names:
            self.feed.tell("node.down", name, id=f"{name}~1", why="it does not answer")
        return self

    def lost(self, *names: str) -> Told:
        for name in names:
            self.feed.tell("name.lost", name)
        return self

    def about(self, **query: Any) -> list[str]:
        return [row["about"] for row in self.feed.tail(query)["rows"]]


def test_events_of_all_kinds_come_in_the_order_in_which_they_were_told() -> None:
    told = Told().down("a").lost("x").down("b")

    rows = told.feed.tail({})["rows"]

    assert [(row["seq"], row["kind"], row["about"]) for row in rows] == [
        (1, "node.down", "a"),
        (2, "name.lost", "x"),
        (3, "node.down", "b"),
    ]
    assert rows[0]["text"] == "node a is down: it does not answer"
    assert rows[0]["fields"] == {"id": "a~1", "why": "it does not answer"}


def test_a_flood_of_one_kind_forgets_no_other() -> None:
    told = Told().lost("first").down(*map(str, range(3 * ROWS_PER_KIND_MAX)))

    assert told.about(kinds=["name"]) == ["first"]
    assert len(told.about(limit=1000)) == ROWS_PER_KIND_MAX + 1


def test_who_follows_gets_each_once_and_hears_how_many_are_forgotten() -> None:
    told = Told().down("a")
    first = told.feed.tail({})
    told.down(*map(str, range(ROWS_PER_KIND_MAX + 5)))

    page = told.feed.tail({"after": first["next"], "limit": 3})
    rest = told.feed.tail({"after": page["next"], "limit": 1000})

    assert page["dropped"] == 5 and [row["about"] for row in page["rows"]] == ["5", "6", "7"]
    assert rest["rows"][0]["about"] == "8" and len(rest["rows"]) == ROWS_PER_KIND_MAX - 3 and rest["dropped"] == 0
    assert told.feed.tail({"after": rest["next"]}) == {"rows": [], "next": rest["next"], "dropped": 0}


def test_what_is_filtered_out_is_not_called_forgotten() -> None:
    told = Told().down("a", "b").lost("x")

    assert told.feed.tail({"after": 0, "kinds": ["name.lost"]})["dropped"] == 0


def test_events_are_chosen_by_kind_severity_time_and_text() -> None:
    told = Told().down("a").lost("x").down("b")

    assert told.about(kinds=["node"]) == told.about(kinds=["node.down"]) == ["a", "b"]
    assert told.about(severity="error") == ["a", "b"]
    assert told.about(since=2.0) == ["x", "b"]
    assert told.about(about="b") == ["b"]
    assert told.about(text="NODE A") == ["a"]


def test_long_texts_are_cut() -> None:
    told = Told()

    told.feed.tell("node.down", "a", id="a~1", why="x" * 100_000)

    (row,) = told.feed.tail({})["rows"]
    assert len(row["fields"]["why"]) == FIELD_CHARS_MAX + 4 and len(row["text"]) < FIELD_CHARS_MAX + 100


def test_an_event_that_is_not_as_the_table_has_it_is_our_bug() -> None:
    with pytest.raises(AssertionError, match=r"node\.down has"):
        EventFeed("n", lambda: 0).tell("node.down", "a", id="a~1")
    with pytest.raises(KeyError):
        EventFeed("n", lambda: 0).tell("node.wet", "a")


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": 0}, {"limit": True}, {"limit": 10**9}, {"after": -1}, {"after": "1"}, {"severity": "loud"}),
        *({"x": 1}, {"kinds": ["node.wet"]}, {"kinds": 7}, {"kinds": [["node"]]}, {"since": "now"}, {"since": True}),
    ],
)
def test_a_query_that_makes_no_sense_is_an_error(query: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Told().down("a").feed.tail(query)
