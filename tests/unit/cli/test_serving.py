"""Tests of what `partisan start` tells while it runs."""

from __future__ import annotations

import io
import json
from typing import Any

from partisan_actors.cli.serving import Story
from partisan_actors.ids import NodeId
from partisan_actors.node.directory import NodeRecord

FACTS: dict[str, Any] = {"name": "a", "address": "127.0.0.1:1", "cluster": "c", "overlay": "hyparview", "nodes": ["a"]}
OTHER = NodeRecord(NodeId("b", 1), ("127.0.0.1:2",))


def told(as_json: bool) -> list[str]:
    """The lines of a short life."""
    output = io.StringIO()
    story = Story(as_json=as_json, output=output)
    story.started(FACTS, "")
    story.joined(OTHER)
    story.gone(OTHER, "it left")
    story.stopping()
    story.stopped()
    return output.getvalue().splitlines()


def test_people_read_the_address_and_how_to_join() -> None:
    lines = told(as_json=False)

    assert lines[0] == "node a is up at 127.0.0.1:1 (cluster c, hyparview)"
    assert any("partisan start --join 127.0.0.1:1" in line for line in lines)
    assert lines[-4:] == ["node b has joined", "node b is gone: it left", "leaving the cluster", "stopped"]


def test_people_read_what_else_is_needed_to_be_let_in() -> None:
    output = io.StringIO()

    Story(output=output).started({**FACTS, "let_in": (" --tls-dir t", ", tls='t'")}, "")

    lines = output.getvalue().splitlines()
    assert lines[1].endswith("--join 127.0.0.1:1 --tls-dir t") and lines[3].endswith("partisan status --tls-dir t")
    assert lines[2].endswith("""init(address="127.0.0.1:1", tls='t')""")


def test_programs_read_one_object_a_line() -> None:
    events = [json.loads(line) for line in told(as_json=True)]

    assert [event["event"] for event in events] == ["started", "joined", "gone", "stopping", "stopped"]
    assert events[0]["address"] == "127.0.0.1:1"
    assert events[2] == {"event": "gone", "node": "b", "why": "it left"}
