"""Tests of how settings are shown, and where those of `partisan start` come from."""

from __future__ import annotations

from typing import Any

from partisan_actors.api.observer import Answer
from partisan_actors.cli.config import VALUE_MAX, in_lines, refusals
from partisan_actors.cli.option_sources import option_sources
from partisan_actors.cli.start import start


def row(node: str, value: Any, source: str = "default", name: str = "routing") -> dict[str, Any]:
    return {"node": node, "name": name, "value": value, "source": source}


def test_nodes_with_the_same_value_from_the_same_source_share_a_line() -> None:
    rows = [row("a", "auto"), row("a", 3, name="lanes"), row("b", "auto", "given"), row("b", 3, name="lanes")]

    assert in_lines(rows, 2) == [
        ["routing", "auto", "default", "a"],
        ["routing", "auto", "given", "b"],
        ["lanes", "3", "default", "all"],
    ]


def test_a_long_value_is_cut() -> None:
    ((_, text, _, _),) = in_lines([row("a", {"key": "x" * 200})], 1)

    assert len(text) == VALUE_MAX and text.endswith("...")


def test_options_that_were_given_are_the_sources_of_what_they_make() -> None:
    arguments = ["--port", "0", "--causal-label", "x", "--no-shared-memory", "--cookie-file", "c", "--channel", "a=2"]
    context = start.make_context("start", arguments)

    assert option_sources(context) == {
        "bind": "option --port",
        "resources": "default",
        "log_level": "default",
        "delivery": "option --causal-label",
        "shared_memory": "option --no-shared-memory",
        "cookie": "option --cookie-file",
        "channels": "option --channel",
    }


def test_every_reason_of_a_refusal_is_told_with_the_nodes_that_have_it() -> None:
    answers = [
        Answer({"name": "a"}, why="no class Shop on node a"),
        Answer({"name": "b"}, why="off, as OTEL_SDK_DISABLED says"),
        Answer({"name": "c"}, why="no class Shop on node c"),
    ]

    assert refusals(answers) == "a, c: no class Shop on the node; b: off, as OTEL_SDK_DISABLED says"
