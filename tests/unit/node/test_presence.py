"""Tests of who is taken to be up: nobody for ever, whatever is lost of its going."""

from __future__ import annotations

import asyncio

from partisan_actors.node.directory import LEFT, PREFIX, UP, NodeRecord
from tests.nodes import TestNode, nodes, overlay, quiet, until

SOON = {"last_record_s": 0.01}


def announce(node: TestNode, record: NodeRecord) -> None:
    """News of another node come to `node`."""
    stamp = (record.node.incarnation, 1, UP)
    node.write(PREFIX + record.node.name, stamp, record.plain())


async def test_a_neighbour_that_says_goodbye_is_looked_after_when_its_last_record_is_lost() -> None:
    async with overlay("a", "b", **SOON) as (a, b):
        b.driver.leave()
        b.flusher.flush()
        await quiet()
        assert a.directory.is_up(b.me)

        await b.close(graceful=False)

        await until(lambda: not a.directory.is_up(b.me), "b is known to be gone")


async def test_a_neighbour_that_says_goodbye_and_lives_stays_up() -> None:
    async with nodes("a", "x", **SOON) as (a, x):
        announce(a, NodeRecord(x.me, (x.address,), neighbours=("a",)))

        a.neighbour_down(x.me, failed=False)
        await until(lambda: a.peer(x).is_connected, "a asks whether x lives")
        await quiet()

        assert a.directory.is_up(x.me)


async def test_the_last_record_reaches_neighbours_that_the_tree_has_made_lazy() -> None:
    async with overlay("a", "b", "c", last_record_s=1e9) as (a, b, c):
        for node in (a, b, c):
            node.driver.broadcast("pruning", 1)
            await quiet()
        # The tree of three has two links: c's last word would reach a or b through the other one, which goes too.
        closing = [b.close(), c.close()]

        await asyncio.gather(*closing)

        await until(lambda: [record.node for record in a.directory.live()] == [a.me], "a is alone")
        assert [a.directory.records[name].state for name in "bc"] == [LEFT, LEFT]
