"""Head sampling, against OpenTelemetry's own samplers."""

from __future__ import annotations

from random import Random

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.sampler import RateLimit, Sampler


@pytest.mark.parametrize("ratio", [0.0, 1e-9, 0.01, 0.5, 0.999, 1.0])
def test_decides_as_the_sdk_does_for_the_same_trace_id(ratio: float) -> None:
    ours, theirs = Sampler(ratio), TraceIdRatioBased(ratio)
    random = Random(11)

    for trace_id in (random.getrandbits(128) for _ in range(500)):
        expected = theirs.should_sample(None, trace_id, "name").decision is Decision.RECORD_AND_SAMPLE
        assert ours.samples(trace_id) is expected


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_outside_0_to_1_is_refused(ratio: float) -> None:
    with pytest.raises(ConfigError, match="from 0 to 1"):
        Sampler(ratio)


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("", "", Sampler(1.0)),
        ("always_on", "", Sampler(1.0, follows_parent=False)),
        ("always_off", "", Sampler(0.0, follows_parent=False)),
        ("parentbased_always_on", "0.5", Sampler(1.0)),
        ("parentbased_always_off", "", Sampler(0.0)),
        ("traceidratio", "0.25", Sampler(0.25, follows_parent=False)),
        ("parentbased_traceidratio", "0.25", Sampler(0.25)),
        ("ParentBased_TraceIdRatio", " 0.25 ", Sampler(0.25)),
        ("traceidratio", "", Sampler(1.0, follows_parent=False)),
    ],
)
def test_reads_the_environment_as_opentelemetry_names_it(name: str, argument: str, expected: Sampler) -> None:
    environ = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument}

    assert Sampler.from_environment(environ) == expected


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("jaeger_remote", "", Sampler(1.0)),
        ("traceidratio", "most", Sampler(1.0, follows_parent=False)),
        ("parentbased_traceidratio", "7", Sampler(1.0)),
    ],
)
def test_a_value_it_does_not_understand_is_logged_and_taken_as_unset(
    name: str, argument: str, expected: Sampler, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument}

    assert Sampler.from_environment(environ) == expected
    assert "OTEL_TRACES_SAMPLER" in caplog.text


def test_a_rate_limit_lets_as_many_pass_as_it_says_and_more_as_time_goes() -> None:
    limit = RateLimit(2.0, 0)

    at_once = [limit.takes(0) for _ in range(4)]
    half_a_second_later = [limit.takes(500_000_000) for _ in range(2)]
    an_hour_later = [limit.takes(3_600 * 10**9) for _ in range(4)]

    assert at_once == [True, True, False, False]
    assert half_a_second_later == [True, False]
    assert an_hour_later == [True, True, False, False], "what was not used is not saved"


def test_a_rate_below_one_lets_the_first_pass_and_the_next_when_it_is_due() -> None:
    limit = RateLimit(0.1, 0)

    assert limit.takes(0)
    assert not limit.takes(9 * 10**9)
    assert limit.takes(10 * 10**9)
