"""Switching tracing on."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.options import TRACES_PER_SECOND, TracingOptions
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished
from partisan_actors.telemetry.tracing import begin_recording, inherit, is_disabled_by, start_tracing
from tests.otlp_receiver import OtlpReceiver, check_spans

ADA = NodeId("ada", 1)


@pytest.mark.parametrize(("value", "expected"), [("true", True), (" TRUE ", True), ("false", False), ("1", False)])
def test_the_sdk_can_be_disabled_from_outside(value: str, expected: bool) -> None:
    assert is_disabled_by({"OTEL_SDK_DISABLED": value}) is expected


def test_nothing_is_disabled_by_silence() -> None:
    assert not is_disabled_by({})


def test_what_was_recorded_between_start_and_close_is_exported(receiver: OtlpReceiver) -> None:
    recorder = Recorder()

    tracing = start_tracing(recorder, ADA, "shop")
    assert tracing is not None
    recorder.record(AskFinished(recorder.begin(), recorder.clock(), recorder.clock(), "actor:1", "Bank", "pay"))
    flushed = tracing.close(60.0)

    assert flushed
    assert [span.name for span in receiver.spans()] == ["Bank/pay"]
    assert check_spans(receiver.requests) == []


def test_what_happens_before_opentelemetry_is_loaded_is_exported_too(receiver: OtlpReceiver) -> None:
    recorder = Recorder()

    begun = begin_recording(recorder, TracingOptions(level="hops"))
    recorder.record(AskFinished(recorder.begin(), recorder.clock(), recorder.clock(), "actor:1", "Bank", "early"))
    tracing = start_tracing(recorder, ADA, "shop", TracingOptions(level="hops"))
    assert tracing is not None
    tracing.close(60.0)

    assert begun
    assert [span.name for span in receiver.spans()] == ["Bank/early"]


def test_recording_begins_with_the_level_and_sampler_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    recorder = Recorder()

    begin_recording(recorder, TracingOptions(level="hops"))

    assert (recorder.enabled, recorder.hops_enabled) == (True, True)
    assert not recorder.begin().is_sampled


@pytest.mark.parametrize(
    ("sampler", "given", "begun"),
    [
        ("", {}, TRACES_PER_SECOND),
        ("parentbased_always_on", {}, 2_000),
        ("parentbased_always_on", {"traces_per_second": 10}, 10),
        ("", {"traces_per_second": None}, 2_000),
    ],
)
def test_the_usual_limit_is_for_those_who_have_not_said_how_much_they_want(
    sampler: str, given: dict[str, Any], begun: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    recorder = Recorder(clock=lambda: 0)

    begin_recording(recorder, TracingOptions(**given))

    assert sum(recorder.begin_traced() is not None for _ in range(2_000)) == begun


def test_recording_does_not_begin_when_the_environment_forbids_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    recorder = Recorder()

    assert not begin_recording(recorder, TracingOptions())
    assert not recorder.enabled


def test_a_program_may_be_a_part_of_the_trace_of_whoever_started_it() -> None:
    recorder = Recorder(enabled=True)

    inherit(recorder, {"TRACEPARENT": f"00-{7:032x}-{8:016x}-01", "TRACESTATE": "vendor=1"})
    begun, traced = recorder.begin(), recorder.begin_traced()

    assert traced is not None
    assert {(context.trace_id, context.parent_span_id, context.trace_state) for context in (begun, traced)} == {
        (7, 8, "vendor=1")
    }


def test_a_trace_that_is_not_sampled_there_is_not_here_either() -> None:
    recorder = Recorder(enabled=True)

    inherit(recorder, {"TRACEPARENT": f"00-{7:032x}-{8:016x}-00"})

    assert recorder.begin_traced() is None


@pytest.mark.parametrize("text", ["yes", "00-0-0-01", f"ff-{7:032x}-{8:016x}-01", "x" * 10_000])
def test_what_is_no_trace_context_is_logged_and_ignored(text: str, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(enabled=True)

    inherit(recorder, {"TRACEPARENT": text})
    context = recorder.begin_traced()

    assert context is not None and not context.parent_span_id
    assert "TRACEPARENT" in caplog.text and len(caplog.text) < 500


def test_disabled_tracing_stays_off_and_loads_no_opentelemetry() -> None:
    program = """
        import os, sys
        os.environ["OTEL_SDK_DISABLED"] = "true"
        from partisan_actors.ids import NodeId
        from partisan_actors.telemetry.recorder import Recorder
        from partisan_actors.telemetry.tracing import start_tracing

        recorder = Recorder()
        tracing = start_tracing(recorder, NodeId("ada", 1), "shop")
        print(tracing, recorder.enabled, [name for name in sys.modules if name.startswith("opentelemetry")])
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stdout.strip() == "None False []"
