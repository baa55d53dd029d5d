"""Lives that are over: who knows of a later one lets go of the former, and is not led back to it by others."""

from __future__ import annotations

from partisan_actors.errors import NodeDown
from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import Connect, Send
from partisan_actors.protocols.membership.hyparview_messages import ForwardJoin, KeepAlive
from tests.nodes import TestNode, overlay, quiet, until


def passive(node: TestNode) -> list[object]:
    return list(node.driver.stack.views["passive"])


async def test_whoever_hears_of_a_later_life_has_nothing_more_to_do_with_the_former() -> None:
    async with overlay("a", "b") as (a, b):
        answer = a.ask(b, 1)

        a.addresses.learn(NodeId("b", 2), ["nobody:1"])
        await until(lambda: answer.done())

        assert isinstance(answer.error, NodeDown) and "another life of it has started" in str(answer.error)
        assert b.me not in a.neighbours()
        await until(lambda: not a.peer(b).open)


async def test_a_former_life_that_is_named_again_is_neither_kept_nor_dialled() -> None:
    async with overlay("a", "b") as (a, b):
        former, later = NodeId("c", 1), NodeId("c", 2)
        a.addresses.learn(later, ["c:2"])
        a.addresses.learn(former, ["c:1"])
        await quiet()
        dialled = a.dialling.connection_count

        for message in (ForwardJoin(former, 3), ForwardJoin(former, 0)):
            a.driver.carry_out(a.driver.stack.receive(b.me, message, a.loop.time()))
        await quiet()

        assert former not in passive(a)
        assert a.dialling.connection_count == dialled
        assert not a.troubles.facts()


async def test_what_is_meant_for_a_former_life_goes_nowhere() -> None:
    async with overlay("a", "b") as (a, _):
        former = NodeId("c", 1)
        a.addresses.learn(NodeId("c", 2), ["c:2"])

        a.driver.carry_out([Send(former, KeepAlive(1, 1)), Connect(former)])
        await quiet()

        assert former not in a.router.peers
