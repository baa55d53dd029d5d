"""What is traced, from what a user says."""

from __future__ import annotations

import pytest

from partisan_actors.api.tracing_choice import tracing_choice
from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.options import TracingOptions


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (True, TracingOptions(level="calls")),
        (False, None),
        (None, None),
        ("off", None),
        ("full", TracingOptions(level="full")),
        (TracingOptions(level="hops"), TracingOptions(level="hops")),
        (TracingOptions(level="off"), None),
    ],
)
def test_it_is_what_was_said(said: bool | str | TracingOptions | None, expected: TracingOptions | None) -> None:
    assert tracing_choice(said) == expected


def test_an_endpoint_for_spans_is_a_wish_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")

    assert tracing_choice(None) == TracingOptions()
    assert tracing_choice(False) is None


@pytest.mark.parametrize("said", ["yes", 1, {"level": "calls"}])
def test_anything_else_is_refused_with_what_may_be_said(said: object) -> None:
    with pytest.raises(ConfigError, match="'off', 'calls', 'hops', 'full' or TracingOptions"):
        tracing_choice(said)  # type: ignore[arg-type]  # on purpose


def test_whoever_says_by_the_environment_how_much_is_wanted_has_no_limit_beside_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_on")

    assert tracing_choice(True) == TracingOptions(traces_per_second=None)
    assert tracing_choice(TracingOptions(traces_per_second=7)) == TracingOptions(traces_per_second=7)
