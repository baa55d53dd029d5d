"""What was logged on nodes in memory, told by each with who made it, and logging itself as it was before."""

from __future__ import annotations

import logging
from typing import Any

import partisan_actors as pa
from tests.integration.nodes import nodes

logger = logging.getLogger("tests.shop")


@pa.actor
class Shop:
    async def sell(self, what: str) -> None:
        logger.warning("sold %s", what)

    def count(self) -> None:
        logger.error("counted on a thread")


async def test_each_node_tells_what_its_actors_logged_and_what_nobody_s_code_did() -> None:
    before, handlers = logging.getLogRecordFactory(), list(logging.getLogger().handlers)
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            shop = Shop.options(scheduling_strategy=pa.NodeAffinity("b")).remote()
            await shop.sell.remote("apples")
            await shop.count.remote()
        logger.warning("outside of all actors")

        told = {name: await cluster[name].logs.tail(None, {"logger": "tests.shop"}) for name in ("a", "b")}
        assert list(logging.getLogger().handlers) == handlers

    rows: list[dict[str, Any]] = told["b"]["rows"]
    assert [row["message"] for row in rows] == ["sold apples", "counted on a thread", "outside of all actors"]
    assert [row["actor_class"] for row in rows] == ["Shop", "Shop", None]
    assert {row["node"] for row in rows} == {"b"} and rows[0]["actor_id"] == str(shop._location.actor)
    assert [row["message"] for row in told["a"]["rows"]] == ["outside of all actors"]
    assert logging.getLogRecordFactory() is before


async def test_what_is_below_the_level_of_its_logger_is_not_kept() -> None:
    async with nodes("a") as cluster:
        logger.setLevel(logging.ERROR)
        try:
            logger.warning("not for anybody")
        finally:
            logger.setLevel(logging.NOTSET)

        assert (await cluster["a"].logs.tail(None, {"logger": "tests.shop"}))["rows"] == []
