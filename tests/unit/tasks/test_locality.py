"""How much of a task's arguments is where."""

from __future__ import annotations

from typing import Any

from partisan_actors.ids import NodeId
from partisan_actors.node.directory import PREFIX, UP, Directory, NodeRecord
from partisan_actors.objects.locations import ObjectLocation
from partisan_actors.tasks.locality import LARGE_BYTES, argument_bytes, nearest

A, B, C, D = (NodeId(name, 1) for name in "abcd")


class Ref:
    """A ref, as far as this looks at one."""

    def __init__(self, size: int, *nodes: NodeId, ready: bool = True) -> None:
        self.place = ObjectLocation(nodes, size)
        self.ready = ready

    def done(self) -> bool:
        return self.ready


class Store:
    """Knows where they are."""

    def whereabouts(self, ref: Any) -> ObjectLocation:
        place: ObjectLocation = ref.place
        return place


def directory() -> Directory:
    """Four nodes, of which the first two share a host."""
    known = Directory(A)
    for node, host in ((A, "one"), (B, "one"), (C, "two"), (D, "three")):
        record = NodeRecord(node, (f"{node.name}:1",), host=host)
        known.changed(PREFIX + node.name, (1, 1, UP), record.packed())
    return known


def counted(*refs: Ref) -> dict[NodeId, int]:
    store: Any = Store()
    some: Any = refs
    return dict(argument_bytes(store, directory(), some))


def test_every_node_of_a_host_that_has_a_value_has_it() -> None:
    assert counted(Ref(LARGE_BYTES, A, C), Ref(2 * LARGE_BYTES, C)) == {
        A: LARGE_BYTES,
        B: LARGE_BYTES,
        C: 3 * LARGE_BYTES,
    }


def test_small_values_and_those_that_are_not_ready_do_not_count() -> None:
    assert counted(Ref(LARGE_BYTES - 1, A), Ref(LARGE_BYTES, B, ready=False)) == {}


def test_a_node_that_is_gone_has_nothing() -> None:
    assert counted(Ref(LARGE_BYTES, NodeId("gone", 1))) == {}


def test_the_nearest_are_all_that_have_the_most() -> None:
    assert nearest({A: 2, B: 3, C: 3}) == {B, C}
    assert nearest({}) == frozenset()
