"""Tests of the OTEL_* variables that the SDK fails at: what is taken out of the environment, and what is logged."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from partisan_actors.telemetry.sampler import Sampler
from partisan_actors.telemetry.sdk_variables import otlp_transport, set_aside_what_makes_no_sense

LIMIT = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"
QUEUE = "OTEL_BSP_MAX_QUEUE_SIZE"
STARTS = """
import logging
from partisan_actors.ids import NodeId
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.tracing import start_tracing
logging.basicConfig(format="%(message)s")
started = start_tracing(Recorder(), NodeId("ada", 1), "shop")
print(started.close(60.0))
"""


@pytest.mark.parametrize(
    ("name", "text"), [(LIMIT, "64"), (LIMIT, " 0 "), (LIMIT, "unset"), (LIMIT, "Unset"), (QUEUE, "4096")]
)
def test_what_the_sdk_can_read_is_left_as_it_is(name: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    environ = {name: text, "HOME": "many"}

    set_aside_what_makes_no_sense(environ)

    assert environ == {name: text, "HOME": "many"} and not caplog.records


@pytest.mark.parametrize(("name", "text"), [(LIMIT, "many"), (LIMIT, "-1"), (QUEUE, "1e3"), (QUEUE, "unset")])
def test_what_it_cannot_read_is_taken_out_with_one_line(name: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    environ = {name: text}

    set_aside_what_makes_no_sense(environ)

    assert environ == {}
    assert [record.getMessage() for record in caplog.records] == [
        f"{name}={text!r} is no whole number from 0 on; the default is taken"
    ]


def test_an_empty_variable_counts_as_one_that_is_not_set(caplog: pytest.LogCaptureFixture) -> None:
    environ = {LIMIT: "", QUEUE: " "}

    set_aside_what_makes_no_sense(environ)

    assert environ == {} and not caplog.records


@pytest.mark.parametrize(
    ("environ", "transport"),
    [
        ({}, "http"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, "http"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": " "}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}, "http"),
    ],
)
def test_the_signals_protocol_comes_before_that_of_all(
    environ: dict[str, str], transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert otlp_transport(environ, "TRACES") == transport
    assert not caplog.records


def test_a_protocol_that_no_exporter_speaks_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert otlp_transport({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "TRACES") == "http"

    assert "OTEL_EXPORTER_OTLP_PROTOCOL='http/json' is not spoken here; using http/protobuf" in caplog.text


def test_a_sampler_is_read_again_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "many"}

    with caplog.at_level(logging.DEBUG):
        assert Sampler.from_environment(environ, logs=False) == Sampler(1.0)

    assert not caplog.records


def test_a_program_with_rubbish_in_every_variable_starts_and_logs_each_once() -> None:
    rubbish = {
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "long",
        LIMIT: "many",
        QUEUE: "deep",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon",
        "OTEL_TRACES_SAMPLER": "coin",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}

    told = subprocess.run(
        [sys.executable, "-c", STARTS],
        env={**kept, **rubbish},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert told.stdout == "True\n", told.stderr
    assert "Traceback" not in told.stderr
    for value in rubbish.values():
        assert told.stderr.count(repr(value)) == 1, told.stderr
    assert "Couldn't recognize" not in told.stderr
