"""`partisan bench paper`: run one experiment of the paper, print its table, keep the raw figures, draw it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import click

from partisan_actors.cli.bench.environment import describe_machine, free_memory_bytes
from partisan_actors.cli.bench.overlay.plan import raise_file_limit
from partisan_actors.cli.bench.paper.experiments import pairs, services
from partisan_actors.cli.bench.paper.fitting import obstacle, round_s
from partisan_actors.cli.bench.paper.plan import (
    CONFIGURATIONS,
    DEFAULTS,
    WIDE_BULK,
    Configuration,
    Setting,
    Wire,
    parse_size,
)
from partisan_actors.cli.bench.paper.report import show, size_text
from partisan_actors.cli.bench.paper.results import Record, points, to_csv
from partisan_actors.cli.bench.paper.stage import PlayerLost
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.errors import ConfigError

__all__ = ["paper"]

FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
# What each experiment uses unless told otherwise. The paper's machine had many cores and more than this one's memory
# bandwidth: 8 MiB from 128 actors at once are a gibibyte, so the largest are not all in the default run.
DEFAULT_ACTORS: Final = {"latency": "16,32,64,128", "queues": "32", "echo": "16,64", "kvs": "16,64"}
DEFAULT_SIZES: Final = {"latency": "512KiB", "queues": "8MiB", "echo": "1KiB,512KiB", "kvs": "1KiB,512KiB"}
DEFAULT_TRIPS: Final = {"latency": "1,20", "queues": "1", "echo": "1,20", "kvs": "1,20"}
DEFAULT_WAYS: Final = {
    "latency": "one,parallel,affinity,channels,defaults",
    "queues": "affinity",
    "echo": "one,affinity,defaults",
    "kvs": "one,affinity,defaults",
}
# Starting the nodes of an experiment, and opening every connection.
START_S: Final = 10.0
QUEUES: Final = "1,2,4,8,16,32,64,128"


@click.command("paper")
@click.argument("name", type=click.Choice(list(DEFAULT_ACTORS)))
@click.option("--actors", help="Numbers of pairs, or of clients on each node. [default: by experiment]")
@click.option("--sizes", help="Payloads, like 512KiB,8MiB. [default: by experiment]")
@click.option("--rtt", "trips", help="Round trips in ms, like 1,20; 0 is loopback itself. [default: by experiment]")
@click.option("--window", default="256KiB", show_default=True, help="Bytes on the way, per connection and direction.")
@click.option("--ways", help=f"Ways to connect: {', '.join(CONFIGURATIONS)}. [default: by experiment]")
@click.option("--lanes", default=QUEUES, show_default=True, help="queues: how many lanes.")
@click.option("--seconds", default=3.0, show_default=True, help="How long senders begin new messages, a repetition.")
@click.option("--messages", default=1000, show_default=True, help="latency, queues: at most so many for each pair.")
@click.option("--repetitions", default=5, show_default=True, type=click.IntRange(1, 1000))
@click.option(
    "--patience",
    "patience_s",
    default=60.0,
    show_default=True,
    help="Seconds; what the wire cannot carry in so many, one message of each actor, is not run, and its row says so.",
)
@click.option("--csv", "csv_file", type=FILE, help="Write every repetition to this file.")
@click.option("--figure", "figure_file", type=FILE, help="Draw it into this file; needs matplotlib.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON instead of a table.")
def paper(
    name: str, csv_file: Path | None, figure_file: Path | None, as_json: bool, patience_s: float, **given: Any
) -> None:
    """Repeat an experiment of the paper (USENIX ATC 2019) on this machine.

    latency: pairs of actors on two nodes that stop and wait. queues: the same over more and more lanes. echo and kvs:
    services on three nodes, the second with quorums of 2 of 3. A proxy makes every byte late and bounds what is on the
    way for each connection; the window decides how much several connections gain, so it is part of every result.
    What does not fit into the memory that is free is not run, and its row says so.
    """
    signal.signal(signal.SIGTERM, _leave)  # by the front door, so that no process stays behind
    raise_file_limit()
    records: list[Record] = []
    left_out: list[tuple[Setting, str]] = []
    try:
        groups = [_sorted(name, settings, patience_s) for settings in _groups(name, given)]
        _announce_time(name, [settings for settings, _ in groups if settings], given["repetitions"])
        for fitting, others in groups:
            left_out += others
            run = pairs if name in ("latency", "queues") else services
            records += run(name, fitting, given["repetitions"], _announce) if fitting else []
    except PlayerLost as error:
        raise Failure(str(error), ExitCode.OTHER) from error
    finally:
        if csv_file is not None and records:
            csv_file.write_text(to_csv(records))
    found = points(records)
    if figure_file is not None and found:
        from partisan_actors.cli.bench.paper.figure import draw

        draw(found, figure_file)
    if as_json:
        runs = [dict(zip(_KEYS, _values(record), strict=True)) for record in records]
        not_run = [{"setting": setting.to_json(), "why": why} for setting, why in left_out]
        click.echo(json.dumps({"machine": describe_machine().to_json(), "runs": runs, "not_run": not_run}, indent=1))
    else:
        click.echo(show(name, found, left_out))


_KEYS: Final = ("experiment", "setting", "repetition", "seconds", "messages", "median_s", "p99_s", "per_second")


def _values(record: Record) -> tuple[object, ...]:
    measured = (record.median_s, record.p99_s, record.per_second)
    setting = record.setting.to_json()
    return (record.experiment, setting, record.repetition, record.seconds, len(record.took), *measured)


def _groups(name: str, given: dict[str, Any]) -> list[list[Setting]]:
    """The settings of one run, those that share a wire and a size together."""
    actors = _numbers("actors", given["actors"] or DEFAULT_ACTORS[name])
    sizes = [parse_size(part) for part in (given["sizes"] or DEFAULT_SIZES[name]).split(",")]
    trips = _numbers("rtt", given["trips"] or DEFAULT_TRIPS[name])
    window = parse_size(given["window"])
    if name == "queues":
        ways = [Configuration(f"lanes{int(n)}_", 1, int(n), "sender") for n in _numbers("lanes", given["lanes"])]
    else:
        ways = [_way(part) for part in (given["ways"] or DEFAULT_WAYS[name]).split(",")]
        if DEFAULTS in ways and WIDE_BULK in ways:
            raise ConfigError(
                "ways", given["ways"], "not both defaults and bulk: they use the same channel, so run each apart"
            )
    return [
        [
            Setting(way, size, int(count), Wire(trip, window), given["seconds"], given["messages"])
            for count in actors
            for way in ways
        ]
        for trip in trips
        for size in sizes
    ]


def _sorted(
    name: str, settings: Sequence[Setting], patience_s: float
) -> tuple[list[Setting], list[tuple[Setting, str]]]:
    """Those that can be run here, and the others, each with the reason."""
    free_bytes = free_memory_bytes()
    found = [(setting, obstacle(name, setting, free_bytes, patience_s)) for setting in settings]
    return [each for each, why in found if why is None], [(each, why) for each, why in found if why is not None]


def _way(name: str) -> Configuration:
    if name not in CONFIGURATIONS:
        raise ConfigError("ways", name, f"some of {', '.join(CONFIGURATIONS)}")
    return CONFIGURATIONS[name]


def _numbers(field: str, text: str) -> Sequence[float]:
    try:
        return [float(part) if "." in part else int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(field, text, "numbers separated by commas, like 16,32,64") from None


def _announce(record: Record) -> None:
    setting = record.setting
    click.echo(
        f"{record.experiment} {size_text(setting.size)} {setting.wire.round_trip_ms:g} ms {setting.actors} actors "
        f"{setting.configuration.name}: {record.median_s * 1e3:.1f} ms, {record.per_second:.1f}/s "
        f"({len(record.took)} in {record.seconds:.1f} s)",
        err=True,
    )


def _announce_time(name: str, groups: Sequence[Sequence[Setting]], repetitions: int) -> None:
    """How long all of it will take, about: senders begin for so many seconds, and then finish."""
    each_s = [setting.seconds + 1.5 * round_s(name, setting) for settings in groups for setting in settings]
    minutes = (START_S * len(groups) + repetitions * sum(each_s)) / 60
    click.echo(f"{len(each_s)} settings, {repetitions} times each: about {minutes:.1f} minutes", err=True)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
