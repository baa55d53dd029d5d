"""What `partisan start` is told of channels and delivery: all its nodes have it, and nonsense is told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells

OPTIONS = (
    *("--channel", "gossip=2", "--channel", "gauges.monotonic=true", "--channel", "bulk.compression=zlib"),
    *("--session-resume", "25", "--checksums"),
    *("--object-store-memory", "64MiB", "--no-shared-memory", "--namespace", "shop", "--prestart"),
    *("--causal-label", "orders", "--causal-label", "stock", "--delivery-option", "give_up_s=60"),
)


@pytest.fixture
def shells(programs: Programs, tmp_path: Path) -> Iterator[Shells]:
    own = Shells(programs, tmp_path)
    yield own
    own.end()


@pytest.mark.slow
def test_every_node_has_the_channels_and_the_delivery_that_were_given(shells: Shells, tmp_path: Path) -> None:
    spill_dir = str(tmp_path / "spilled")
    _, address = shells.start("--name", "first", "--nodes", "2", "--spill-dir", spill_dir, *OPTIONS)
    wait_until(lambda: len(shells.facts("status", "--address", address)["node_status"]) == 2, "both to be there")

    for row in shells.facts("status", "--address", address)["node_status"]:
        assert row["channels"]["gauges"]["monotonic"] is True and row["channels"]["gossip"]["parallelism"] == 2
        assert row["compression"]["bulk"]["with"] == "zlib:1"
        assert (row["session_resume_s"], row["checksums"]) == (25.0, True)
        assert (row["object_store_bytes_max"], row["spill_dir"]) == (64 * 2**20, spill_dir)
        assert (row["shared_memory"], row["namespace"]) == (False, "shop")
        assert (row["delivery"]["causal_labels"], row["delivery"]["give_up_s"]) == (["orders", "stock"], 60)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--channel", "bulk.compression=gzip"), "channel 'bulk': compression = 'gzip' is not valid: expected None, 0"),
        (("--channel", "bulk.compresion=zlib"), "did you mean 'compression'?"),
        (("--channel", "calls"), "'calls' is not KEY=VALUE"),
        (
            ("--session-resume", "-1"),
            "session_resume_s = -1.0 is not valid: expected a positive number",
        ),
        (("--delivery-option", "give_up_s=soon"), "give_up_s must be a positive number of seconds"),
        (("--delivery-option", "patience_s=1"), "delivery = "),
        (("--causal-label", ""), "causal_labels"),
        (("--object-store-memory", "much"), "'much' is not a number of bytes, as in 500MB or 2GiB"),
    ],
    ids=str,
)
def test_a_bad_choice_is_told_in_one_line_with_what_is_allowed(
    shells: Shells, arguments: tuple[str, ...], text: str
) -> None:
    program = shells.launch("--bind", "127.0.0.1:0", *arguments)

    assert program.wait() == 2
    assert text in program.output and len(program.lines) == 1, program.output
