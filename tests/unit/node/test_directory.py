"""Tests of the directory: which record of a node counts, and who is told what, once."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node.directory import DOWN, LEFT, PREFIX, SUSPECT, UP, Directory, NodeRecord
from partisan_actors.wire.codec import pack

ME = NodeId("me", 1)


def record(name: str = "a", incarnation: int = 1, **changes: Any) -> NodeRecord:
    """A record of a node of a test."""
    return NodeRecord(NodeId(name, incarnation), (f"{name}:1",), **changes)


class Listener:
    """Writes down what a directory tells."""

    def __init__(self, directory: Directory) -> None:
        self.heard: list[tuple[str, str]] = []
        directory.on_up.append(lambda record: self.heard.append(("up", str(record.node))))
        directory.on_change.append(lambda record: self.heard.append(("change", str(record.node))))
        directory.on_down.append(lambda record, why: self.heard.append((f"down: {why}", str(record.node))))


def learn(directory: Directory, one: NodeRecord, state: int = UP, version: int = 1) -> bool:
    """The replicated map has this record now."""
    stamp = (one.node.incarnation, version, state)
    return directory.changed(PREFIX + one.node.name, stamp, one.packed())


def test_a_record_survives_the_way() -> None:
    one = record(total={"num_cpus": 2.0}, labels={"zone": "x"}, neighbours=("b",), actors=3, load=0.5, pid=7, host="h")

    assert NodeRecord.parse("a", (1, 1, UP), one.packed()) == one


@pytest.mark.parametrize(
    "change",
    [
        {"addresses": 1},
        {"incarnation": "x"},
        {"total": {"num_cpus": "many"}},
        {"total": [1]},
        {"labels": None},
        {"actors": None},
        {"neighbours": 3},
    ],
)
def test_a_malformed_record_is_no_record(change: dict[str, Any]) -> None:
    directory = Directory(ME)
    packed = pack({**record().plain(), **change})

    assert NodeRecord.parse("a", (1, 1, UP), packed) is None
    assert not directory.changed("node/a", (1, 1, UP), packed)
    assert directory.live() == []


@pytest.mark.parametrize("stamp", [(), (1, 1), (1, 1, 9), (1, 1, UP, 0), (1, 1, SUSPECT)])
def test_a_stamp_that_says_no_state_makes_no_record(stamp: tuple[int, ...]) -> None:
    assert NodeRecord.parse("a", stamp, record().packed()) is None


def test_a_field_that_is_missing_makes_no_record() -> None:
    for name in record().plain():
        plain = record().plain()
        del plain[name]
        assert NodeRecord.parse("a", (1, 1, UP), pack(plain)) is None


def test_a_node_is_told_of_once_up_then_as_changed_and_once_down() -> None:
    directory = Directory(ME)
    listener = Listener(directory)

    learn(directory, record())
    learn(directory, record(actors=1), version=2)
    learn(directory, record(), state=DOWN, version=2)
    learn(directory, record(), state=LEFT, version=3)

    assert listener.heard == [("up", "a~1"), ("change", "a~1"), ("down: it does not answer", "a~1")]
    assert not directory.is_up(NodeId("a", 1))


def test_a_node_that_refutes_its_end_is_up_again() -> None:
    directory = Directory(ME)
    listener = Listener(directory)
    learn(directory, record())
    learn(directory, record(), state=DOWN)

    learn(directory, record(), version=2)

    assert [what for what, _ in listener.heard] == ["up", "down: it does not answer", "up"]
    assert directory.is_up(NodeId("a", 1))


def test_another_life_ends_the_one_before() -> None:
    directory = Directory(ME)
    listener = Listener(directory)
    learn(directory, record())

    learn(directory, record(incarnation=2))

    assert listener.heard == [("up", "a~1"), ("down: another life of it has started", "a~1"), ("up", "a~2")]
    assert [each.node for each in directory.live()] == [NodeId("a", 2)]
    assert directory.find(NodeId("a", 1)) is None and directory.find(NodeId("a", 2)) is not None


def test_whoever_writes_that_this_node_is_down_is_wrong_and_nothing_changes() -> None:
    directory = Directory(ME)
    learn(directory, record("me"))
    listener = Listener(directory)

    is_false = learn(directory, record("me"), state=DOWN)

    assert is_false and directory.is_up(ME) and listener.heard == []
    assert directory.stamps["me"] == (1, 1, DOWN)


def test_that_a_former_life_of_this_node_is_down_is_true() -> None:
    directory = Directory(NodeId("me", 2))

    assert not learn(directory, record("me"), state=DOWN)


def test_a_record_that_was_forgotten_is_gone() -> None:
    directory = Directory(ME)
    learn(directory, record(), state=DOWN)

    directory.changed("node/a", (1, 1, DOWN), None)

    assert list(directory) == [] and directory.stamps == {}


def test_records_come_in_the_order_of_their_ids_whatever_order_they_arrived_in() -> None:
    for names in itertools.permutations("abc"):
        directory = Directory(ME)
        for name in names:
            learn(directory, record(name))
        assert [each.node.name for each in directory] == ["a", "b", "c"]
        assert [each.node.name for each in directory.live()] == ["a", "b", "c"]


def test_states_have_names() -> None:
    assert [record(state=state).state_name for state in (UP, DOWN, LEFT)] == ["up", "down", "left"]


def test_the_keeper_of_a_process_is_the_node_that_hosts_it_while_that_is_up() -> None:
    directory = Directory(ME)
    learn(directory, record("host"))
    learn(directory, record("process", hosted_by="host"))

    assert directory.keeper(NodeId("process", 1)) == NodeId("host", 1)
    assert directory.keeper(NodeId("host", 1)) is None
    assert directory.keeper(NodeId("nobody", 1)) is None

    learn(directory, record("host"), DOWN)

    assert directory.keeper(NodeId("process", 1)) is None


def test_the_processes_of_a_node_are_those_that_are_up_and_hosted_by_it() -> None:
    directory = Directory(ME)
    for name in ("p", "q", "r"):
        learn(directory, record(name, hosted_by="host"))
    learn(directory, record("other", hosted_by="elsewhere"))
    learn(directory, record("q", hosted_by="host"), DOWN)

    assert directory.processes_of("host") == [NodeId("p", 1), NodeId("r", 1)]
    assert directory.processes_of("elsewhere") == [NodeId("other", 1)]

    directory.forget_others("alone")

    assert directory.processes_of("host") == directory.processes_of("p") == []


def test_why_a_node_is_down_is_told_when_somebody_knows() -> None:
    directory = Directory(ME)
    listener = Listener(directory)
    learn(directory, record("process", hosted_by="host"))

    learn(directory, record("process", hosted_by="host", why="signal 9"), DOWN)

    assert listener.heard[-1] == ("down: signal 9", "process~1")
