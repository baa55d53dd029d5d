"""Tests of what a class says about its actors: which methods there are, and which arguments they take."""

from __future__ import annotations

import functools
import pickle
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from partisan_actors.actors.actor import ASYNC, SYNC, Definition
from partisan_actors.api.typed import method
from partisan_actors.errors import ConfigError


class Base:
    def inherited(self) -> int:
        return 1


class Counter(Base):
    """Counts."""

    limit = 3

    class Inner:
        pass

    def __init__(self, start: int, step: int = 1, *, name: str = "x") -> None:
        self.n = start

    def add(self, k: int, /, twice: bool = False) -> int:
        return k

    async def read(self) -> int:
        return self.n

    def many(self, *values: int) -> int:
        return sum(values)

    def named(self, *, key: int) -> int:
        return key

    @staticmethod
    def static(x: int) -> int:
        return x

    @classmethod
    def make(cls, x: int) -> Counter:
        return cls(x)

    @functools.cache  # noqa: B019 - a decorator that is no function
    def cached(self) -> int:
        return 1

    @property
    def size(self) -> int:
        return self.n

    def __call__(self, x: int) -> int:
        return x

    def __len__(self) -> int:
        return self.n

    def items(self) -> Iterator[int]:
        yield 1

    async def stream(self) -> AsyncIterator[int]:
        yield 1

    async def on_start(self) -> None: ...

    def on_stop(self) -> None: ...


INTERFACE = Definition.of(Counter).interface


def test_public_methods_can_be_called_from_afar_and_hooks_and_dunders_cannot() -> None:
    assert sorted(INTERFACE.methods) == [
        "__call__",
        "add",
        "cached",
        "inherited",
        "items",
        "make",
        "many",
        "named",
        "read",
        "static",
        "stream",
    ]


def test_a_special_method_that_is_marked_can_be_called_from_afar() -> None:
    class Sized:
        @method(num_returns=1)
        def __len__(self) -> int:
            return 3

        def __bool__(self) -> bool:
            return True

    assert set(Definition.of(Sized).interface.methods) == {"__len__"}


def test_what_cannot_be_called_says_why() -> None:
    assert sorted(INTERFACE.refused) == ["size"]
    assert "property" in INTERFACE.refused["size"]


def test_the_kind_of_a_method_decides_where_it_runs() -> None:
    assert {name for name, method in INTERFACE.methods.items() if method.kind == ASYNC} == {"read", "stream"}
    assert {method.kind for method in INTERFACE.methods.values()} == {ASYNC, SYNC}
    assert [name for name, method in sorted(INTERFACE.methods.items()) if method.streams] == ["items", "stream"]


def test_a_decorator_does_not_hide_that_a_method_is_a_coroutine_function() -> None:
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    class Decorated:
        @logged
        async def read(self) -> int:
            return 1

    assert Definition.of(Decorated).interface.methods["read"].kind == ASYNC


@pytest.mark.parametrize(
    ("name", "least", "most"), [("add", 1, 2), ("read", 0, 0), ("many", 0, None), ("static", 1, 1), ("make", 1, 1)]
)
def test_a_method_knows_how_many_positional_arguments_it_takes(name: str, least: int, most: int | None) -> None:
    method = INTERFACE.methods[name]

    assert (method.least, method.most) == (least, most)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("add", (1,), {}),
        ("add", (1, True), {}),
        ("add", (1,), {"twice": True}),
        ("many", (1, 2, 3), {}),
        ("named", (), {"key": 1}),
        ("static", (1,), {}),
        ("__call__", (1,), {}),
    ],
)
def test_arguments_that_fit_are_taken(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    INTERFACE.methods[name].bind(f"Counter.{name}", args, kwargs)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("add", (), {}),
        ("add", (), {"k": 1}),
        ("add", (1, True, 2), {}),
        ("add", (1,), {"thrice": True}),
        ("read", (1,), {}),
        ("named", (), {}),
        ("named", (1,), {}),
        ("static", (), {}),
    ],
)
def test_arguments_that_do_not_fit_are_refused_and_the_method_named(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=rf"^Counter\.{name}\("):
        INTERFACE.methods[name].bind(f"Counter.{name}", args, kwargs)


def test_a_method_whose_keywords_are_required_is_never_called_without_a_look() -> None:
    method = INTERFACE.methods["named"]

    assert method.least > 1000


def test_the_constructor_is_known_as_well() -> None:
    constructor = INTERFACE.constructor

    assert (constructor.least, constructor.most) == (1, 2)
    constructor.bind("Counter", (1, 2), {"name": "y"})
    with pytest.raises(TypeError, match=r"^Counter\("):
        constructor.bind("Counter", (1, 2, 3), {})


def test_a_class_without_a_constructor_takes_no_arguments() -> None:
    class Plain:
        pass

    constructor = Definition.of(Plain).interface.constructor

    assert (constructor.least, constructor.most) == (0, 0)


def test_a_class_written_in_c_takes_what_it_takes() -> None:
    class Own(dict[str, int]):
        pass

    assert Definition.of(Own).interface.constructor.most is None


def test_a_class_that_takes_its_arguments_in_new_takes_those() -> None:
    class Point:
        def __new__(cls, x: int, y: int = 0) -> Point:
            return object.__new__(cls)

    constructor = Definition.of(Point).interface.constructor

    assert (constructor.least, constructor.most) == (1, 2)
    with pytest.raises(TypeError):
        constructor.bind("Point", (), {})


def test_an_interface_can_be_sent_whatever_its_annotations_and_defaults_are() -> None:
    lock = threading.Lock()

    class Odd:
        def wait(self, gate: Any = lock) -> int:
            return 1

    interface = pickle.loads(pickle.dumps(Definition.of(Odd).interface))

    assert interface.methods["wait"].most == 1
    interface.methods["wait"].bind("Odd.wait", (), {})


def test_what_is_no_class_makes_no_actors() -> None:
    with pytest.raises(ConfigError, match="a class"):
        Definition.of(lambda: None)  # type: ignore[arg-type]  # what is wrong on purpose


def test_coroutine_functions_are_told_from_what_only_returns_a_coroutine() -> None:
    assert Definition.of(Counter).coroutines == {"read"}
