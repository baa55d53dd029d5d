"""Tests of channels: what may be said of them, and the one error for anything else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.wire.channels import (
    BUILT_IN,
    CHANNELS_MAX,
    LANES_MAX,
    ChannelOptions,
    check_channels,
    partition_of,
)


def test_without_a_word_there_are_the_built_in_channels_with_a_lane_each() -> None:
    assert check_channels({}) == dict(BUILT_IN)
    assert {options.parallelism for options in BUILT_IN.values()} == {1}


def test_a_channel_is_given_as_a_number_a_map_or_options() -> None:
    channels = check_channels({"fast": 4, "wide": {"parallelism": 2, "queue_bytes_max": 9}, "own": ChannelOptions(3)})

    assert channels["fast"] == ChannelOptions(4)
    assert channels["wide"] == ChannelOptions(2, 9)
    assert channels["own"] == ChannelOptions(3)


def test_a_built_in_channel_may_be_widened() -> None:
    assert check_channels({"calls": 8})["calls"].parallelism == 8


@pytest.mark.parametrize("name", ["", "Upper", "9lives", "with space", "x" * 33, "a/b", 7])
def test_a_bad_name_is_refused(name: object) -> None:
    with pytest.raises(ConfigError, match="channel name"):
        check_channels({name: 1})  # type: ignore[dict-item]  # what is wrong on purpose


@pytest.mark.parametrize("given", [True, "4", None, 1.5, {"lanes": 3}])
def test_a_bad_value_is_refused_and_the_channel_named(given: object) -> None:
    with pytest.raises(ConfigError, match="channel 'fast'"):
        check_channels({"fast": given})  # type: ignore[dict-item]  # what is wrong on purpose


@pytest.mark.parametrize(
    "options",
    [
        {"parallelism": 0},
        {"parallelism": LANES_MAX + 1},
        {"parallelism": "1"},
        {"parallelism": True},
        {"queue_bytes_max": 0},
        {"interleave": 1},
        {"monotonic": "yes"},
        {"fallback": None},
        {"overflow": "drop"},
        {"priority": 101},
        {"priority": 0.5},
    ],
)
def test_options_out_of_range_are_refused_and_the_field_named(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        ChannelOptions(**options)

    assert refused.value.field == next(iter(options))


def test_a_map_changes_what_it_names_and_nothing_else() -> None:
    bulk = check_channels({"bulk": {"parallelism": 2}})["bulk"]

    assert bulk == replace(BUILT_IN["bulk"], parallelism=2)


def test_an_option_that_does_not_exist_is_refused_with_what_may_be_meant() -> None:
    with pytest.raises(ConfigError, match=r"channel 'fast' = 'paralelism'.*did you mean 'parallelism'"):
        check_channels({"fast": {"paralelism": 2}})
    with pytest.raises(ConfigError, match=r"channel 'fast': priority = 1000"):
        check_channels({"fast": {"priority": 1000}})


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_no_built_in_channel_can_be_monotonic(name: str) -> None:
    with pytest.raises(ConfigError, match="a channel of your own"):
        check_channels({name: {"monotonic": True}})


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("control", {"parallelism": 2}, "one stream"),
        ("control", {"overflow": "error"}, "no threads"),
        ("control", {"interleave": False}, "nothing large"),
        ("control", {"fallback": False}, "every node"),
        ("broadcast", {"parallelism": 2}, "one stream"),
        ("broadcast", {"overflow": "error"}, "no threads"),
        ("broadcast", {"interleave": False}, "nothing large"),
        ("calls", {"fallback": False}, "every node"),
        ("bulk", {"interleave": False}, "large messages go"),
        ("bulk", {"fallback": False}, "every node"),
    ],
)
def test_what_a_built_in_channel_cannot_be_is_refused_and_why(name: str, options: dict[str, Any], why: str) -> None:
    for given in (options, replace(BUILT_IN[name], **options)):
        with pytest.raises(ConfigError, match=why) as caught:
            check_channels({name: given})
        assert caught.value.field == f"channel '{name}': {next(iter(options))}"


def test_the_other_options_of_built_in_channels_are_free() -> None:
    for name in BUILT_IN:
        options = check_channels({name: {"queue_bytes_max": 9, "priority": 3, "compression": 6}})[name]
        assert (options.queue_bytes_max, options.priority, options.compression) == (9, 3, 6)
    assert check_channels({"bulk": 4})["bulk"].parallelism == 4
    assert check_channels({"calls": {"interleave": False, "overflow": "error"}})["calls"].overflow == "error"


def test_a_partition_key_is_a_number_or_a_text() -> None:
    assert [partition_of(key) for key in (0, 7, "a", "a")] == [0, 7, partition_of("a"), 3904355907]
    for key in (-1, 2**32, 1.5, True, None, b"a"):
        with pytest.raises(ConfigError, match="partition_key"):
            partition_of(key)


def test_too_many_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match=f"at most {CHANNELS_MAX}"):
        check_channels({f"channel-{number}": 1 for number in range(CHANNELS_MAX)})
