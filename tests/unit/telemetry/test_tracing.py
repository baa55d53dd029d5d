"""Switching tracing on."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished
from partisan_actors.telemetry.tracing import is_disabled_by, start_tracing
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
    flushed = tracing.close(10.0)

    assert flushed
    assert [span.name for span in receiver.spans()] == ["Bank/pay"]
    assert check_spans(receiver.requests) == []


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
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.strip() == "None False []"
