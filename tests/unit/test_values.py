"""Tests that a dataclass of ours is what the standard library would have made."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from typing import Any, ClassVar

import pytest

from partisan_actors import values


def plain(dataclass: Callable[..., Any]) -> Any:
    @dataclass(frozen=True, slots=True)
    class Plain:
        """Everything that ours have."""

        kind: ClassVar[str] = "plain"
        first: int
        hidden: int = field(repr=False)
        second: str = "two"
        many: list[int] = field(default_factory=list, compare=False)
        made: int = field(init=False, default=7)

        def __post_init__(self) -> None:
            object.__setattr__(self, "made", self.first * 2)

    return Plain


def one(dataclass: Callable[..., Any]) -> Any:
    @dataclass(frozen=True, slots=True)
    class One:
        only: int

    return One


def none(dataclass: Callable[..., Any]) -> Any:
    @dataclass(frozen=True, slots=True)
    class Empty:
        pass

    return Empty


def own(dataclass: Callable[..., Any]) -> Any:
    @dataclass(frozen=True, slots=True)
    class Own:
        """Has methods of its own."""

        number: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self))

        def __repr__(self) -> str:
            return "mine"

    return Own


def by_name(dataclass: Callable[..., Any]) -> Any:
    @dataclass(frozen=True, slots=True)
    class ByName:
        """Of the kind that the library makes."""

        first: int = field(default=1, kw_only=True)

    return ByName


KINDS = [(plain, (3, 4)), (one, (5,)), (none, ()), (own, (6,)), (by_name, ())]


@pytest.mark.parametrize(("kind", "given"), KINDS, ids=[kind.__name__ for kind, _ in KINDS])
def test_it_looks_and_behaves_as_the_librarys(kind: Callable[..., Any], given: tuple[int, ...]) -> None:
    ours, theirs = kind(values.dataclass), kind(dataclasses.dataclass)
    mine, other = ours(*given), theirs(*given)

    assert repr(mine) == repr(other)
    assert dataclasses.asdict(mine) == dataclasses.asdict(other) if kind is not own else True
    assert [each.name for each in dataclasses.fields(ours)] == [each.name for each in dataclasses.fields(theirs)]
    assert repr(ours.__dataclass_params__) == repr(theirs.__dataclass_params__)
    assert ours.__slots__ == theirs.__slots__ and ours.__match_args__ == theirs.__match_args__
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    assert ours(*given) == mine and mine != other and (mine == 1, mine != 1) == (other == 1, other != 1)
    assert hash(ours(*given)) == hash(mine)
    assert not hasattr(mine, "__dict__")
    assert copy.copy(mine) == mine


@pytest.mark.parametrize("dataclass", [values.dataclass, dataclasses.dataclass], ids=["ours", "the library's"])
def test_what_is_frozen_refuses_what_is_missing_is_named_and_what_differs_differs(dataclass: Any) -> None:
    kind = plain(dataclass)
    value = kind(1, 2, "three", [4])

    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'first'"):
        value.first = 5
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'first'"):
        del value.first
    with pytest.raises(TypeError, match=r"Plain.__init__\(\) missing 1 required positional argument: 'hidden'"):
        kind(1)
    assert value == dataclasses.replace(value, many=[5]) and hash(value) == hash(dataclasses.replace(value, many=[]))
    assert value != dataclasses.replace(value, second="two") and value != dataclasses.replace(value, hidden=0)
    assert dataclasses.replace(value, first=4).made == 8
    assert kind(1, 2).many is not kind(1, 2).many


@values.dataclass(frozen=True, slots=True)
class Sent:
    number: int
    text: str = "text"


def test_it_is_pickled_by_its_fields() -> None:
    assert pickle.loads(pickle.dumps(Sent(1))) == Sent(1, "text")


def test_an_heir_of_one_is_made_by_the_library() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Heir(Sent):
        more: int = 0

    @values.dataclass(frozen=True, slots=True)
    class OurHeir(Sent):
        more: int = 0

    assert Heir(1, "a", 2).more == OurHeir(1, "a", 2).more == 2
    assert repr(OurHeir(1)).endswith("OurHeir(number=1, text='text', more=0)")
