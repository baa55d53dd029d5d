"""Ids as text, as bytes, and as hexadecimal digits."""

from __future__ import annotations

import pickle

import pytest

from partisan_actors.ids import ActorId, GroupId, MonitorId, NodeId, ObjectId, TaskId

NODE = NodeId("a node", 0x1F)
EACH = pytest.mark.parametrize(
    "each", [NODE, *(kind(NODE, 10) for kind in (ActorId, GroupId, MonitorId, ObjectId, TaskId))]
)


@EACH
def test_every_form_of_an_id_can_be_read_again(each: NodeId | ActorId) -> None:
    kind = type(each)

    assert kind.parse(str(each)) == each
    assert kind.from_hex(each.hex()) == each
    assert kind.from_binary(each.binary()) == each
    assert bytes.fromhex(each.hex()) == each.binary()
    assert not each.is_nil()
    assert pickle.loads(pickle.dumps(each)) == each


@pytest.mark.parametrize("digits", ["", "00", "xy", ActorId(NODE, 1).hex()])
def test_what_is_no_such_id_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        TaskId.from_hex(digits)


def test_a_node_s_id_is_the_tuple_that_it_always_was() -> None:
    assert NODE == ("a node", 0x1F)
    assert hash(NODE) == hash(("a node", 0x1F))
    assert repr(NODE) == "NodeId(name='a node', incarnation=31)"
    assert NodeId(*NODE) < NodeId("b", 0)
