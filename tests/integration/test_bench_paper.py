"""The paper's experiments for real: the wire that is imitated, and each experiment once, as small as it gets."""

from __future__ import annotations

import asyncio
import csv
import os
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from partisan_actors.cli.bench.paper.command import paper
from partisan_actors.cli.bench.paper.proxy import DelayProxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_the_proxy_passes_every_byte_both_ways_and_no_earlier_than_a_round_trip_later() -> None:
    sent = os.urandom(300_000)
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = DelayProxy(0.01, 64 * 1024)
    listener = await proxy.listen()
    with closing(server), closing(proxy):
        proxy.target(listener, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        host, port = listener.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))

        begin = time.monotonic()
        writer.write(b"!")
        assert await reader.readexactly(1) == b"!"
        assert time.monotonic() - begin >= 0.02

        writer.write(sent)
        writer.write_eof()
        assert await asyncio.wait_for(reader.readexactly(len(sent)), 30) == sent
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_who_dials_what_is_not_there_through_the_proxy_is_hung_up_on() -> None:
    proxy = DelayProxy(0.001, 1000)
    listener = await proxy.listen()
    with closing(proxy):
        proxy.target(listener, "127.0.0.1:1")
        host, port = listener.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 30)
        writer.close()


@pytest.mark.parametrize(
    "experiment", ["echo", *(pytest.param(each, marks=pytest.mark.slow) for each in ("latency", "queues", "kvs"))]
)
def test_an_experiment_runs_and_leaves_its_raw_figures(experiment: str, tmp_path: Path) -> None:
    file = tmp_path / "raw.csv"
    ways = [] if experiment == "queues" else ["--ways", "one,affinity"]

    result = CliRunner().invoke(
        paper,
        [experiment, "--actors", "2", "--sizes", "64KiB", "--rtt", "1", "--seconds", "0.1", "--repetitions", "2",
         "--messages", "5", "--lanes", "1,2", "--csv", str(file), *ways],
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    lines = list(csv.DictReader(file.open()))
    assert [line["Repetition"] for line in lines] == ["0", "0", "1", "1"]
    assert all(int(line["MedianLatencyUs"]) >= 1000 and int(line["Num"]) >= 2 for line in lines)
