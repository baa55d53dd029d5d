"""What was logged on nodes in memory, told by each with who made it, and logging itself as it was before."""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import nodes, until

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


@pa.actor
class Failing:
    async def fail(self) -> None:
        raise ValueError("no such shop")

    def fail_on_a_thread(self) -> None:
        raise ValueError("no such shop")


async def test_an_exception_of_a_call_is_its_caller_s_and_one_of_a_tell_is_logged_once_by_the_actor_s_node() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            failing = Failing.options(scheduling_strategy=pa.NodeAffinity("b")).remote()
            for call in (failing.fail, failing.fail_on_a_thread):
                with pytest.raises(ValueError, match="no such shop"):
                    await call.remote()
            failing.fail.tell()
            failing.fail_on_a_thread.tell()
            with pytest.raises(ValueError, match="no such shop"):
                await failing.fail.remote()

            def rows(name: str) -> list[dict[str, Any]]:
                found: list[dict[str, Any]] = cluster[name].logs._recent.tail({"text": "no such shop"})["rows"]
                return found

            await until(lambda: len(rows("b")) == 2)
            assert rows("a") == []

    assert all("told and not asked" in row["message"] and "Traceback" in row["message"] for row in rows("b"))


async def test_formats_say_which_actor_and_node_it_was_also_on_threads_and_queues() -> None:
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(waiting)  # type: ignore[arg-type]  # a SimpleQueue will do
    logger.addHandler(handler)
    try:
        async with nodes("a", "b") as cluster:
            with cluster.at("a"):
                shop = Shop.options(scheduling_strategy=pa.NodeAffinity("b")).remote()
                await shop.sell.remote("apples")
                await shop.count.remote()
            logger.warning("outside", extra={"node": "mine", "price": 3})
    finally:
        logger.removeHandler(handler)

    sold, counted, outside = (json.loads(pa.JsonFormatter().format(waiting.get())) for _ in range(3))
    assert (sold["node"], sold["actor_class"], sold["message"]) == ("b", "Shop", "sold apples")
    assert (counted["node"], counted["actor_class"]) == ("b", "Shop")
    assert (outside["node"], outside["price"]) == ("mine", 3) and "actor_id" not in outside
