"""`inspect_serializability` names the innermost parts that are at fault, and nothing else."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest

from partisan_actors.util import inspect_serializability


class Holder:
    def __init__(self, held: Any) -> None:
        self.held = held


def names(value: Any, **options: Any) -> list[str]:
    ok, failures = inspect_serializability(value, print_file=io.StringIO(), **options)
    assert ok is not bool(failures)
    return sorted(failure.name for failure in failures)


def test_what_can_be_sent_has_no_such_part() -> None:
    out = io.StringIO()

    assert inspect_serializability({"a": [1]}, print_file=out) == (True, set())
    assert out.getvalue() == "value can be sent\n"


def test_parts_are_named_by_their_path() -> None:
    lock = threading.Lock()

    assert names({"a": [1, lock], "b": 2}) == ["value['a'][1]"]
    assert names(Holder(Holder(lock)), name="holder") == ["holder.held.held"]


def test_a_function_is_asked_for_what_it_has_from_outside() -> None:
    lock = threading.Lock()

    def function() -> Any:
        return lock

    assert names(function) == ["function:lock"]


def test_the_part_and_what_holds_it_are_told() -> None:
    lock = threading.Lock()
    inner = [lock]
    out = io.StringIO()

    _, failures = inspect_serializability([inner], print_file=out)

    (failure,) = failures
    assert failure.obj is lock
    assert failure.parent is inner
    assert out.getvalue() == "value cannot be sent, because of\n  value[0][0] (lock)\n"


def test_it_looks_no_deeper_than_it_was_told() -> None:
    assert names([[[threading.Lock()]]], depth=1) == ["value[0]"]
    with pytest.raises(ValueError, match="depth"):
        names(1, depth=0)


def test_what_holds_itself_has_an_end() -> None:
    ring: list[Any] = [threading.Lock()]
    ring.append(ring)

    assert names(ring, depth=20) == ["value[0]"]
