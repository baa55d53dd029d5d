"""The paper's experiments: what they are told, what they make of their samples, and what they show."""

from __future__ import annotations

import csv
import io

import pytest

from partisan_actors.cli.bench.paper.actors import QUORUM, Operations
from partisan_actors.cli.bench.paper.fitting import obstacle, round_s
from partisan_actors.cli.bench.paper.plan import (
    AFFINITY,
    CHANNELS,
    CONFIGURATIONS,
    DEFAULTS,
    ONE,
    Configuration,
    Setting,
    Wire,
    parse_size,
)
from partisan_actors.cli.bench.paper.report import show, size_text
from partisan_actors.cli.bench.paper.results import COLUMNS, Record, points, to_csv
from partisan_actors.errors import ConfigError
from partisan_actors.wire.channels import check_channels

WIRE = Wire(20, 256 * 1024)


def setting(how: Configuration = ONE, actors: int = 128, size: int = 512 * 1024, wire: Wire = WIRE) -> Setting:
    return Setting(how, size, actors, wire, 1.0, 100)


def record(how: Configuration, took: list[float], repetition: int = 0, experiment: str = "latency") -> Record:
    return Record(experiment, setting(how), repetition, took, seconds=2.0)


@pytest.mark.parametrize(("text", "size"), [("7", 7), ("1KiB", 1024), ("512K", 512 * 1024), ("8mib", 8 << 20)])
def test_sizes_are_read_as_they_are_written(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1.5MiB", "3GB", "8 MiB"])
def test_what_is_no_size_is_refused_with_what_one_looks_like(text: str) -> None:
    with pytest.raises(ConfigError, match="a size like 1KiB"):
        parse_size(text)


@pytest.mark.parametrize("size", [1, 512 * 1024, 8 << 20, 1500])
def test_a_size_that_is_shown_says_how_many_bytes_it_is(size: int) -> None:
    assert parse_size(size_text(size).replace(" ", "").removesuffix("B").replace("Ki", "K").replace("Mi", "M")) == size


def test_every_way_to_connect_is_made_of_channels_that_can_be_had() -> None:
    for how in CONFIGURATIONS.values():
        checked = check_channels(how.options())
        assert [checked[name].parallelism for name in how.options()] == [how.lanes] * (how.channels or bool(how.lanes))


def test_senders_are_dealt_to_the_channels_in_turn_and_to_none_by_default() -> None:
    assert [CHANNELS.channel_of(number) for number in range(5)] == [
        "channels0", "channels1", "channels2", "channels3", "channels0",
    ]  # fmt: skip
    assert DEFAULTS.channel_of(3) is None


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("size", lambda: setting(size=0)),
        ("actors", lambda: setting(actors=0)),
        ("seconds", lambda: Setting(ONE, 1, 1, WIRE, 0.0, 1)),
        ("messages", lambda: Setting(ONE, 1, 1, WIRE, 1.0, 0)),
        ("lanes", lambda: setting(Configuration("many", 1, 1000, None))),
        ("rtt", lambda: Wire(-1, 1)),
        ("window", lambda: Wire(1, 0)),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(field: str, make: object) -> None:
    with pytest.raises(ConfigError) as caught:
        make()  # type: ignore[operator]  # each is a function

    assert caught.value.field == field


def test_a_point_is_the_median_of_its_repetitions_with_the_lowest_and_the_highest() -> None:
    found = points(
        [record(ONE, [0.3], 0), record(AFFINITY, [9.0], 0), record(ONE, [0.1, 0.1], 1), record(ONE, [0.2], 2)]
    )

    assert [(each.setting.configuration.name, each.repetitions) for each in found] == [("one", 3), ("affinity", 1)]
    assert (found[0].median_s, found[0].lowest_s, found[0].highest_s) == (0.2, 0.1, 0.3)
    assert (found[0].per_second, found[0].fewest_per_second, found[0].most_per_second) == (0.5, 0.5, 1.0)


def test_the_raw_file_has_the_originals_columns_first_and_a_line_for_each_repetition() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv([record(ONE, [0.25, 0.5, 0.5]), record(AFFINITY, [0.1], 1)]))))

    assert list(lines[0])[:11] == list(COLUMNS)[:11] == [
        "App", "Transport", "Concurrency", "Channels", "Monotonic", "Parallelism", "Affinity", "Size", "Num", "Latency",
        "Time",
    ]  # fmt: skip
    assert [(line["Num"], line["MedianLatencyUs"], line["Affinity"]) for line in lines] == [
        ("3", "500000", "False"), ("1", "100000", "True"),
    ]  # fmt: skip


def test_the_table_compares_with_one_connection_and_with_what_was_published() -> None:
    text = show("latency", points([record(ONE, [0.4]), record(AFFINITY, [0.02])]))

    one, affinity = (line.split() for line in text.splitlines()[1:3])
    assert one[-3:] == ["1.00", "454", "ms"]
    assert affinity[-3:] == ["20.00", "17.6", "ms"]
    assert "The baseline is ours on one connection" in text


def test_services_are_compared_by_operations_a_second() -> None:
    text = show(
        "kvs", points([record(ONE, [0.1] * 4, experiment="kvs"), record(AFFINITY, [0.1] * 12, experiment="kvs")])
    )

    assert " 3.00" in text.splitlines()[2]
    assert "112/s (Erlang 62/s)" in text.splitlines()[2]


LARGE = setting(actors=128, size=8 << 20, wire=Wire(20.0, 256 * 1024))


def test_what_fits_is_run_and_what_does_not_says_why() -> None:
    assert obstacle("latency", setting(), 24 << 30, 60.0) is None
    assert obstacle("latency", LARGE, 24 << 30, 1000.0) is None

    slow, big = obstacle("latency", LARGE, 24 << 30, 60.0), obstacle("kvs", LARGE, 12 << 30, 1000.0)

    assert slow == "not run: one message of each takes 82 s at least, and --patience is 60 s"
    assert big is not None and big.startswith("not run: about 9.0 GiB of payloads, and 12.0 GiB are free")


async def test_an_operation_ends_with_the_last_answer_it_needs_and_later_ones_are_dropped() -> None:
    operations = Operations()
    first, first_done = operations.begin(QUORUM)
    second, second_done = operations.begin(1)

    operations.answered(first)
    assert not first_done.done()
    operations.answered(second)
    assert second_done.done() and not first_done.done()
    operations.answered(first)
    operations.answered(first)
    operations.answered(99)

    assert first_done.done()


def test_more_connections_take_less_time_and_loopback_none() -> None:
    assert round_s("latency", setting(AFFINITY, wire=Wire(20.0, 256 * 1024))) < round_s("latency", setting()) / 8
    assert round_s("latency", setting(wire=Wire(0, 1))) == 0.0
    assert round_s("echo", setting()) < round_s("kvs", setting())


def test_a_row_that_was_not_run_is_in_the_table() -> None:
    text = show("latency", points([record(ONE, [0.4])]), [(LARGE, "not run: too large")])

    row = next(line for line in text.splitlines() if "8 MiB" in line)
    assert row.split()[:6] == ["8", "MiB", "20", "256", "KiB", "128"] and row.endswith("not run: too large")
    assert "not run" in show("latency", [], [(LARGE, "not run: too large")])
