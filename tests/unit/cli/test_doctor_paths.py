"""Tests of what the doctor finds about the ways to nodes on other hosts."""

from __future__ import annotations

import sys

import pytest

from partisan_actors.api.observer import Answer
from partisan_actors.cli.doctor.findings import ERROR, NOTE, OK
from partisan_actors.cli.doctor.paths import PROBE_BYTES, Way, find_ways, judge_ways, mtu_to


class Asked:
    """An observer whose nodes answer, are silent, or refuse, as their name says."""

    async def ask_row(self, row: dict[str, object], service: str, method: str, data: bytes) -> Answer:
        assert (service, method, len(data)) == ("checkup", "echo", PROBE_BYTES)
        if row["name"] == "silent":
            return Answer(dict(row), why="nothing came", is_silent=True)
        if row["name"] == "old":
            return Answer(dict(row), why="no such method")
        return Answer(dict(row), data)


def asked(name: str, *addresses: str) -> Answer:
    return Answer({"name": name, "addresses": list(addresses)}, 1)


async def test_only_ways_beyond_this_host_are_looked_at_and_only_silence_is_loss() -> None:
    answered = [
        asked("near", "127.0.0.1:1", "[::1]:1"),
        asked("far", "127.0.0.1:1", "192.0.2.1:1"),
        asked("silent", "192.0.2.2:1"),
        asked("old", "192.0.2.3:1"),
    ]

    ways = await find_ways(Asked(), answered)  # type: ignore[arg-type]  # that much of an observer

    assert [(way.node, way.address, way.lost) for way in ways] == [
        ("far", "192.0.2.1:1", ""),
        ("silent", "192.0.2.2:1", "nothing came"),
        ("old", "192.0.2.3:1", ""),
    ]


@pytest.mark.parametrize(
    ("way", "severity", "words"),
    [
        (Way("a", "192.0.2.1:1", 1500), OK, "64 KiB come through"),
        (Way("a", "192.0.2.1:1", None), OK, "packets of unknown size"),
        (Way("a", "192.0.2.1:1", 1420), NOTE, "at most 1420 bytes"),
        (Way("a", "192.0.2.1:1", 1500, "nothing came"), ERROR, "and 64 KiB and back do not (nothing came)"),
    ],
)
def test_a_way_that_loses_what_is_large_is_an_error_and_a_narrow_one_a_note(
    way: Way, severity: str, words: str
) -> None:
    (found,) = judge_ways([way])

    assert (found.severity, found.check, found.where) == (severity, "path", "a") and words in found.text
    assert bool(found.remedy) == (severity != OK)


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel tells it in this way")
def test_the_kernel_tells_how_large_packets_may_be() -> None:
    assert (mtu_to("127.0.0.1", 9) or 0) >= 576
    assert mtu_to("no.such.host.invalid", 9) is None
