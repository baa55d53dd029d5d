"""fingerprint: equal values hash alike everywhere, different ones do not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.protocols.broadcast.fingerprint import fingerprint
from partisan_actors.protocols.broadcast.lww_map import Update


def test_a_tuple_hashes_as_the_list_it_becomes_on_the_wire() -> None:
    assert fingerprint("k", (1, ("a", b"b"))) == fingerprint("k", [1, ["a", b"b"]])


def test_the_order_of_a_mapping_does_not_matter() -> None:
    assert fingerprint({"a": 1, "b": 2.5}) == fingerprint({"b": 2.5, "a": 1})


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((1,), (True,)),
        ((1,), (1.0,)),
        (("a", "bc"), ("ab", "c")),
        (("1",), (1,)),
        (("a",), (b"a",)),
        ((None,), ("",)),
        (([1, 2],), ([[1], 2],)),
        (({"a": 1},), ({"a": 2},)),
        ((Update("k", (1,), 1, 0.0),), (Update("k", (1,), 2, 0.0),)),
        ((NodeId("a", 1),), (NodeId("a", 2),)),
    ],
)
def test_different_values_hash_differently(one: tuple[object, ...], two: tuple[object, ...]) -> None:
    assert fingerprint(*one) != fingerprint(*two)


def test_another_process_with_another_hash_seed_gets_the_same() -> None:
    program = (
        "from partisan_actors.protocols.broadcast.fingerprint import fingerprint;"
        "print(fingerprint('key', (1, 2), {'a': [None, True, 1.5, b'x']}))"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONHASHSEED": "12345", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert int(other.stdout) == fingerprint("key", (1, 2), {"a": [None, True, 1.5, b"x"]})


def test_a_value_that_cannot_travel_is_refused_by_the_name_of_its_class() -> None:
    with pytest.raises(TypeError, match="object"):
        fingerprint("k", [object()])
