"""What has gone over channels, after the connections and the peers are gone."""

from __future__ import annotations

from tests.nodes import nodes, until


async def test_what_was_counted_with_a_peer_is_kept_no_longer_than_the_peer() -> None:
    async with nodes("a", "b") as (a, b):
        b.tell(a, "hello")
        await until(lambda: a.told == ["hello"])
        await b.close()
        await until(lambda: not a.router.peer(b.me).open and a.traffics._closed_with)
        received = sum(traffic.received_messages for traffic in a.traffics.by_channel().values())

        a.router.forget(b.me)
        rows = list(a.traffics.rows())

        assert not rows and not a.traffics._closed_with
        assert sum(traffic.received_messages for traffic in a.traffics.by_channel().values()) >= received > 0
