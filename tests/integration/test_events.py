"""What nodes in memory tell of what happens to them: who comes and goes, restarts with their cause, what is lost."""

from __future__ import annotations

from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import Nodes, nodes, until


@pa.actor(max_restarts=2)
class Counter:
    async def add(self, number: int) -> int:
        return number


@pa.actor
class Broken:
    def __init__(self) -> None:
        raise ValueError("no such shop")


@pa.actor
class Keeper:
    async def keep(self) -> list[Any]:
        return [pa.put("kept")]


@pa.actor
class Named:
    async def hello(self) -> str:
        return "hello"


async def told(cluster: Nodes, name: str, kind: str, about: str = "") -> list[dict[str, Any]]:
    found = await cluster[name].events.tail(None, {"kinds": [kind], "about": about, "limit": 1000})
    rows: list[dict[str, Any]] = found["rows"]
    return rows


async def first(cluster: Nodes, name: str, kind: str, about: str = "") -> dict[str, Any]:
    """The first event of that kind, once there is one."""

    def look() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = cluster[name].node.feed.tail({"kinds": [kind], "about": about})["rows"]
        return rows

    found: list[dict[str, Any]] = await until(look)
    return found[0]


async def test_joins_and_crashes_are_told_and_who_was_there_before_is_no_news() -> None:
    async with nodes("a", "b") as cluster:
        await first(cluster, "a", "node.up", "b")
        await cluster.add("c")
        await first(cluster, "b", "node.up", "c")
        started = await first(cluster, "c", "node.started", "c")
        await first(cluster, "c", "overlay.linked")

        assert await told(cluster, "c", "node.up") == []
        assert started["fields"]["address"] == cluster["c"].node.address

        await cluster.crash("b")
        down = await first(cluster, "c", "node.down", "b")
        unlinked = await first(cluster, "a", "overlay.unlinked", "b")

    assert down["severity"] == "error" and down["fields"]["why"] in down["text"]
    assert unlinked["fields"] == {"node": "a"}


async def test_who_leaves_says_so_and_has_not_lost_the_others() -> None:
    async with nodes("a", "b") as cluster:
        await first(cluster, "a", "node.up", "b")

        await cluster["b"].node.membership.leave()

        left = await first(cluster, "a", "node.left", "b")
        await first(cluster, "b", "node.parted", "b")
        assert await told(cluster, "b", "node.down") == []
    assert left["severity"] == "info"


async def test_a_restart_is_told_with_its_cause_by_whoever_made_the_actor_again() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            counter = Counter.options(scheduling_strategy=pa.NodeAffinity("b", soft=True)).remote()
            assert await counter.add.remote(1) == 1
            await until(lambda: cluster["a"].scheduler.guardian.record_count)
            await cluster.crash("b")
            actor = str(counter._location.actor)

            restarted = await first(cluster, "a", "actor.restarted", actor)

    assert restarted["fields"]["cause"].startswith("node b") and restarted["fields"]["restarts"] == 1
    assert restarted["fields"]["class"] == "Counter" and restarted["fields"]["to"] in ("a", "c")


async def test_an_actor_that_fails_is_told_and_one_that_nobody_wants_any_more_is_not() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            broken = Broken.remote()
            failed = await first(cluster, "a", "actor.failed")
            unwanted = Counter.remote()
            await unwanted.add.remote(1)
            del unwanted
            await until(lambda: not cluster["a"].system.local_cells())

        assert await told(cluster, "a", "actor.ended") == []
    assert failed["fields"]["end"] == "constructor failed" and "no such shop" in failed["text"]
    del broken


async def test_a_name_is_told_to_be_free_whose_actor_went_down_with_its_node() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            named = Named.options(
                name="shop", lifetime="detached", scheduling_strategy=pa.NodeAffinity("b", soft=True)
            ).remote()
            assert await named.hello.remote() == "hello"
            await cluster.crash("b")

            def lost() -> list[dict[str, Any]]:
                return [
                    row
                    for runtime in cluster.runtimes.values()
                    for row in runtime.node.feed.tail({"kinds": ["name.lost"]})["rows"]
                ]

            (row, *_) = await until(lost)
    assert row["about"] == "shop"


async def test_an_actor_that_loses_its_name_to_an_older_claim_is_told_by_its_host_and_runs_on() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            loser = Named.options(name="shop", scheduling_strategy=pa.NodeAffinity("a")).remote()
            assert await loser.hello.remote() == "hello"
        with cluster.at("b"):
            winner = Named.options(scheduling_strategy=pa.NodeAffinity("b")).remote()
            assert await winner.hello.remote() == "hello"
        driver = cluster["b"].node.driver

        def settled() -> list[tuple[str, Any]]:
            exchange = driver.stack.exchange
            assert exchange is not None
            return [item for item in exchange.items("name/") if item[1].value and item[1].value["host"]]

        ((key, entry),) = await until(settled)
        # What the other side of a partition, where the name was given out earlier, brings when it heals.
        older = (entry.stamp[0] + 1_000_000, 1)
        other = winner._location.actor
        theirs = {
            "actor": [*other.node, other.number], "handle": entry.value["handle"], "host": list(cluster["b"].node.me),
        }  # fmt: skip
        driver.write(key, older, entry.value | theirs)

        row = await first(cluster, "a", "name.taken", "shop")
        assert row["fields"] == {"actor": str(loser._location.actor), "by": str(other)}
        assert await loser.hello.remote() == "hello"
        driver.write(key, (older[0], 2), entry.value | theirs)  # the same winner, in its second life
        with cluster.at("a"):
            second = Named.options(name="kiosk").remote()
            assert await second.hello.remote() == "hello"
        assert len(await told(cluster, "a", "name.taken")) == 1
        assert await told(cluster, "b", "name.taken") == []


async def test_placement_groups_and_faults_are_told() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            group = pa.placement_group([{"num_cpus": 1}], strategy="PACK", name="pair")
            await group.ready()
            created = await first(cluster, "a", "group.created")
            pa.remove_placement_group(group)
            removed = await first(cluster, "a", "group.removed")
            with pa.faults(lambda passing: None):
                injected = await first(cluster, "a", "faults.injected", "a")
            ended = await first(cluster, "a", "faults.ended", "a")

    assert "'pair'" in created["text"] and created["fields"]["strategy"] == "PACK"
    assert removed["about"] == created["about"]
    assert injected["fields"]["rules"] == 1 and ended["fields"]["rules"] == 0


async def test_what_is_only_counted_is_told_when_it_has_grown() -> None:
    async with nodes("a") as cluster:
        cluster["a"].recorder.dropped += 3

        dropped = await first(cluster, "a", "exporter.dropped")
        cluster["a"].node.troubles.tell("weather", "it rains")
        cluster["a"].node.troubles.tell("weather", "it rains again")
        trouble = await told(cluster, "a", "node.trouble")

    assert dropped["fields"] == {"dropped": 3, "total": 3}
    assert [row["text"] for row in trouble] == ["node a has trouble: it rains"]


async def test_a_suspicion_and_its_refutation_are_told() -> None:
    async with nodes("a", "b") as cluster:
        a, b = cluster["a"].node, cluster["b"].node
        await until(lambda: a.directory.is_up(b.me))

        a._presence.tell_suspicion(b.me)

        suspected = await first(cluster, "a", "node.suspected", "b")
        await first(cluster, "a", "node.refuted", "b")
    assert suspected["fields"]["by"] == "a" and suspected["severity"] == "warning"


async def test_a_node_that_is_drained_and_takes_work_again_is_told_by_the_others() -> None:
    async with nodes("a", "b") as cluster:
        await until(lambda: cluster["a"].node.directory.is_up(cluster["b"].node.me))

        cluster["b"].scheduler.close_room()
        await first(cluster, "a", "node.draining", "b")
        cluster["b"].scheduler.close_room(is_closed=False)

        await first(cluster, "a", "node.undrained", "b")


async def test_an_object_that_went_down_with_its_owner_is_told_by_who_wanted_it() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            keeper = Keeper.options(scheduling_strategy=pa.NodeAffinity("b")).remote()
            (ref,) = await keeper.keep.remote()
            identity, owner = str(ref.id), str(cluster["b"].node.me)
            await cluster.crash("b")
            await until(lambda: len(cluster["a"].node.directory.live()) == 1)
            with pytest.raises(pa.ObjectLost):
                await ref

            lost = await first(cluster, "a", "object.lost", identity)
    assert lost["fields"]["owner"] == owner
