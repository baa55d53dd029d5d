"""What is shown of a demo: the placement, the overlay's edges, the kill, the verdict, and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

from partisan_actors.cli.demo.index import Answer, Shelf
from partisan_actors.cli.demo.outcome import Difference, Kill, Load, Outcome, Plan, Return
from partisan_actors.cli.demo.report import facts, is_right, plain_text, tables, to_json, verdict
from partisan_actors.cli.demo.trace import Trace

TRACE = Trace("trace.jsonl", 12, "", "trace.jsonl: 12 spans")

OUTCOME = Outcome(
    plan=Plan(nodes=3, shards=4, queries=10),
    files=30,
    words=1234,
    started_s=1.0,
    indexed_s=0.5,
    shelves=(Shelf(1, 8, 400), Shelf(2, 8, 400), Shelf(3, 7, 300), Shelf(1, 7, 300)),
    before=("demo-w1", "demo-w2", "demo-w3", "demo-w1"),
    after=("demo-w2", "demo-w2", "demo-w3", "demo-w3"),
    overlay_before={
        "demo": ("demo-w1", "demo-w2"),
        "demo-w1": ("demo", "demo-w2"),
        "demo-w2": ("demo", "demo-w1", "demo-w3"),
        "demo-w3": ("demo-w2",),
    },
    overlay_after={"demo": ("demo-w2",), "demo-w2": ("demo", "demo-w3"), "demo-w3": ("demo-w2",)},
    quiet=Load(calls=2000, lost_calls=0, took_s=0.5, slowest_s=0.01),
    load=Load(calls=4000, lost_calls=7, took_s=2.0, slowest_s=0.4),
    kill=Kill("demo-w1", 4711, 0.012, (Return(0, "demo-w2", 0.05), Return(3, "demo-w3", 0.07))),
    differences=(),
    took_s=5.0,
)

WRONG = replace(
    OUTCOME,
    differences=tuple(Difference(f"query {number}", Answer(1, ((1, "a.py"),)), Answer(0, ())) for number in range(5)),
)


def test_the_placement_table_has_each_node_s_shards_before_and_after_the_kill() -> None:
    placement, _ = tables(OUTCOME)

    assert placement.rows == (("demo", "-", "-"), ("w1", "0 3", "killed"), ("w2", "1", "0 1"), ("w3", "2", "2 3"))


def test_the_overlay_table_has_each_node_s_neighbours_and_counts_an_edge_once() -> None:
    _, overlay = tables(OUTCOME)

    assert "4 edges at first, 2 after the kill" in overlay.title
    assert overlay.rows[1] == ("w1", "demo w2", "killed")
    assert overlay.rows[2] == ("w2", "demo w1 w3", "demo w3")


def test_the_facts_say_calls_a_second_what_the_kill_did_and_where_the_trace_is() -> None:
    found = dict(facts(OUTCOME, TRACE))

    assert found["calls"].startswith("4,000 a second before the kill")
    assert "process 4711" in found["the kill"] and "12 ms; 7 calls failed" in found["the kill"]
    assert "the slowest query took 400 ms, before the kill 10 ms" in found["the kill"]
    assert found["recovery"].startswith("70 ms") and "0 on w2 after 50 ms, 3 on w3 after 70 ms" in found["recovery"]
    assert found["trace"] == TRACE.text


def test_the_verdict_names_some_of_the_answers_that_differ() -> None:
    assert is_right(OUTCOME) and verdict(OUTCOME).startswith("All 10 answers equal")
    assert not is_right(WRONG) and verdict(WRONG).startswith("5 of 10 answers differ")
    assert "query 2" in verdict(WRONG) and "query 3" not in verdict(WRONG)


def test_the_plain_text_is_aligned_and_fits_a_terminal_as_far_as_its_tables_go() -> None:
    text = plain_text(OUTCOME, TRACE)

    assert "  w1     0 3        killed" in text.splitlines()
    assert max(len(line) for line in text.split("\n\n")[1].splitlines()) <= 80
    assert text.endswith(verdict(OUTCOME))


def test_the_json_holds_everything_and_says_whether_it_is_right() -> None:
    plain = json.loads(json.dumps(to_json(WRONG, TRACE)))

    assert plain["is_right"] is False and len(plain["differences"]) == 5
    assert plain["calls_per_s_before_the_kill"] == 4000 and plain["recovery_s"] == 0.07
    assert plain["edges_after"] == [["demo", "demo-w2"], ["demo-w2", "demo-w3"]]
    assert plain["kill"]["returns"][0] == {"shard": 0, "node": "demo-w2", "after_s": 0.05}
    assert plain["trace"]["spans"] == 12
