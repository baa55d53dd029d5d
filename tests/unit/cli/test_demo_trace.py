"""The demo's trace: where it goes, how much of it, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from partisan_actors.cli.demo.trace import SAMPLED_SHARE, describe_trace, sample_some, tracing_options

LINE = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a"}, {"name": "b"}]}, {}]}]})


def test_without_a_collector_the_trace_goes_to_the_file_only(tmp_path: Path) -> None:
    options = tracing_options(tmp_path / "trace.jsonl", {})

    assert options.trace_file == str(tmp_path / "trace.jsonl") and not options.export


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_with_a_collector_the_trace_is_exported_too_and_the_viewer_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / "trace.jsonl"
    environ = {name: "http://collector.example:4318"}

    options = tracing_options(file, environ)

    assert options.export and options.trace_file
    trace = describe_trace(file, environ)
    assert trace.viewer == "http://collector.example:16686" and trace.viewer in trace.text


def test_a_trace_of_an_earlier_demo_is_not_added_to(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text(LINE)

    tracing_options(file, {})

    assert describe_trace(file, {}).spans == 0


def test_the_spans_of_all_lines_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text(f"{LINE}\n{LINE}\n")

    trace = describe_trace(file, {})

    assert trace.spans == 4
    assert str(file) in trace.text and "4 spans" in trace.text


def test_a_share_of_the_queries_is_sampled_and_the_report_says_so(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text(LINE)
    environ: dict[str, str] = {}

    sample_some(environ)

    assert environ == {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(SAMPLED_SHARE)}
    assert f"a share of {SAMPLED_SHARE}" in describe_trace(file, environ).text


def test_a_sampler_that_the_user_chose_is_kept() -> None:
    environ = {"OTEL_TRACES_SAMPLER": "always_on"}

    sample_some(environ)

    assert environ == {"OTEL_TRACES_SAMPLER": "always_on"}


def test_a_trace_that_the_user_forbids_is_said_to_be_off(tmp_path: Path) -> None:
    trace = describe_trace(tmp_path / "never-written.jsonl", {"OTEL_SDK_DISABLED": "true"})

    assert trace.spans == 0 and "OTEL_SDK_DISABLED" in trace.text
