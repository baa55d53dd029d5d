"""Tests of connections that deliver nothing: they are found while the peer lives, and their lanes go on on others."""

from __future__ import annotations

from typing import Any

from partisan_actors.node.one_way import PATIENCE, Stalled
from partisan_actors.transport.connection import Connection
from partisan_actors.transport.session import FRUITLESS_MAX
from tests.nodes import TestNode, nodes, quiet, until

FOR_EVER = 1e9
MISSES = 3
# What these tests say of time: they call what is called once in a period. Frames are short, so no seconds are added.
BY_HAND = {"keep_alive_s": FOR_EVER, "keep_alive_misses": MISSES, "load_period_s": FOR_EVER}
PERIODS = MISSES * PATIENCE


class Swallowing:
    """Stands for a connection's stream: takes what is written, and delivers none of it."""

    def __init__(self, connection: Connection) -> None:
        self._stream: Any = connection._transport
        connection._transport = self  # type: ignore[assignment]  # it does what a connection uses

    def write(self, data: Any) -> None:
        pass

    def writelines(self, pieces: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


async def pass_periods(count: int, *nodes: TestNode) -> None:
    for _ in range(count):
        await quiet()
        for node in nodes:
            node.keep_alive.one_way.tell()
        await quiet()
        for node in nodes:
            node.keep_alive.one_way.check()
    await quiet()


async def connected(a: TestNode, b: TestNode) -> Connection:
    a.tell(b, "first")
    await until(lambda: b.told == ["first"])
    await pass_periods(1, a, b)
    connection = a.peer(b).calls
    assert connection is not None and connection.session.oldest_unacknowledged is None
    return connection


async def test_a_direction_that_swallows_is_cut_in_the_end_and_what_it_swallowed_arrives_once_and_in_order() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        connection = await connected(a, b)
        Swallowing(connection)

        a.tell(b, "second")
        a.tell(b, "third")
        for number in range(PERIODS + 1):
            assert a.peer(b).calls is connection and a.keep_alive.one_way.cut_count == 0
            b.tell(a, number)  # the other direction is in the best of health
            await pass_periods(1, a, b)
        assert b.told == ["first"] and a.told == list(range(PERIODS + 1))
        await pass_periods(1, a, b)

        await until(lambda: b.told == ["first", "second", "third"])
        # So does the other end: what should acknowledge its own frames was swallowed, too.
        assert a.keep_alive.one_way.cut_count == 1 and b.keep_alive.one_way.cut_count <= 1 and a.sessions.resumed == 1
        assert a.lost == b.lost == []


async def test_who_only_listens_acknowledges_once_in_a_period_and_nothing_is_ever_cut() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        connection = await connected(a, b)
        for number in range(3 * PERIODS):
            a.tell(b, number)
            await pass_periods(1, a, b)

            assert connection.session.oldest_unacknowledged is None
        assert a.peer(b).calls is connection and a.keep_alive.one_way.cut_count == 0
        assert b.told == ["first", *range(3 * PERIODS)]


async def test_an_acknowledgement_that_is_due_by_time_alone_is_no_traffic() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        connection = await connected(a, b)
        a.tell(b, 1)
        await until(lambda: len(b.told) == 2)
        before = connection.bytes_in

        await pass_periods(1, a, b)

        assert connection.session.oldest_unacknowledged is None and connection.bytes_in == before


async def test_when_everything_is_acknowledged_nothing_is_said() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        connection = await connected(a, b)
        await pass_periods(2, a, b)
        transport: Any = connection._transport
        written: list[bytes] = []
        write, transport.write = transport.write, written.append

        await pass_periods(10, a, b)

        transport.write = write
        assert written == []


async def test_a_peer_that_acknowledges_too_rarely_is_asked_for_a_sign() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        connection = await connected(a, b)
        a.tell(b, 1)

        await pass_periods(3 * PERIODS, a)  # by b's clock no time has passed

        assert a.peer(b).calls is connection and a.keep_alive.one_way.cut_count == 0


async def test_while_the_peer_is_suspected_no_connection_is_to_blame() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        connection = await connected(a, b)
        Swallowing(connection)
        a.tell(b, "second")
        a.keep_alive.one_way._is_doubtful = lambda node: True

        await pass_periods(3 * PERIODS, a)
        assert a.peer(b).calls is connection
        a.keep_alive.one_way._is_doubtful = lambda node: False
        await pass_periods(PERIODS, a)
        assert a.peer(b).calls is connection
        await pass_periods(2, a)

        await until(lambda: b.told == ["first", "second"])
        assert a.keep_alive.one_way.cut_count == 1


async def test_a_lane_that_no_connection_helps_is_given_up_in_the_end() -> None:
    async with nodes("a", "b", **BY_HAND) as (a, b):
        await connected(a, b)
        answer = a.ask(b, 1)
        await until(lambda: b.asked)
        cuts = 0
        while answer.error is None:
            connection = a.peer(b).calls
            assert connection is not None and cuts <= FRUITLESS_MAX
            cuts += 1
            connection.cut(Stalled("as it was before"))
            await until(lambda cuts=cuts: a.sessions.resumed == cuts or answer.error is not None)

        assert cuts >= FRUITLESS_MAX
