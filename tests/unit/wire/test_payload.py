"""Tests of users' values as bytes: three ways, what each is for, and what an error names."""

from __future__ import annotations

import enum
import pickle
import threading
from typing import Any

import numpy as np
import pytest

from partisan_actors.errors import SerializationError
from partisan_actors.wire.frames import INLINE_BYTES_MAX
from partisan_actors.wire.payload import (
    Payload,
    can_be_sent,
    decode,
    encode,
    encode_call,
    encode_code,
    encode_value,
    is_scalars,
)


def travel(payload: Payload) -> Any:
    """Decode what was encoded, with buffers as a connection delivers them."""
    return decode(payload.body, [bytearray(view) for view in payload.buffers])


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "is_scalar"),
    [
        (None, True),
        (True, True),
        (1.5, True),
        (2**64 - 1, True),
        (2**64, False),
        (-(2**63), True),
        (-(2**63) - 1, False),
        ("text", True),
        ("é", False),
        ("\ud800", False),
        (b"bytes", True),
        (b"x" * (INLINE_BYTES_MAX + 1), False),
        (Colour.RED, False),
        (np.float64(1.0), False),
        ([1], False),
        ((), False),
    ],
)
def test_only_exact_small_scalars_travel_in_the_envelope(value: object, is_scalar: bool) -> None:
    assert is_scalars([value]) is is_scalar
    assert is_scalars([1, value]) is is_scalar


@pytest.mark.parametrize("value", [Colour.RED, np.float64(1.5), 2**70, "\ud800", {1: [2, (3,)]}, {"a"}, b"x" * 100_000])
def test_a_value_arrives_as_it_was(value: object) -> None:
    arrived = travel(encode(value, "it"))

    assert arrived == value and type(arrived) is type(value)


def test_a_large_array_is_not_copied_into_the_pickle() -> None:
    array = np.arange(100_000)

    payload = encode({"a": array}, "it")

    assert len(payload.body) < 1000
    assert [view.nbytes for view in payload.buffers] == [array.nbytes]
    assert np.shares_memory(np.frombuffer(payload.buffers[0], array.dtype), array)
    assert (travel(payload)["a"] == array).all()


def test_an_array_that_arrived_may_be_written_to() -> None:
    arrived = travel(encode(np.zeros(10), "it"))

    arrived[0] = 1.0

    assert arrived[0] == 1.0


def test_large_bytes_among_the_arguments_leave_the_pickle_and_arrive_as_bytes() -> None:
    large = b"x" * (INLINE_BYTES_MAX + 1)

    payload = encode_call((1, large), {"k": 2}, "it")

    assert len(payload.body) < 1000
    assert travel(payload) == ((1, large), {"k": 2})
    assert type(travel(payload)[0][1]) is bytes
    assert travel(encode_value(large, "it")) == large


def test_a_closure_and_a_local_class_travel_by_value() -> None:
    offset = 3

    class Local:
        def __init__(self) -> None:
            self.number = offset

    function = travel(encode(lambda x: x + offset, "it"))
    instance = travel(encode(Local(), "it"))

    assert function(1) == 4 and instance.number == 3


def test_what_lives_in_main_travels_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    import __main__

    class Visitor:
        greeting = "hello"

    Visitor.__module__, Visitor.__qualname__ = "__main__", "Visitor"
    monkeypatch.setattr(__main__, "Visitor", Visitor, raising=False)
    payload = encode(Visitor(), "it")
    monkeypatch.delattr(__main__, "Visitor")

    assert travel(payload).greeting == "hello"


def test_code_of_a_module_travels_as_its_name() -> None:
    encoded = encode_code(pickle.dumps, "a function")

    assert len(encoded) < 100 and pickle.loads(encoded) is pickle.dumps


class Holder:
    def __init__(self, inside: object) -> None:
        self.inside = inside


def with_lock() -> Any:
    lock = threading.Lock()
    return lambda: lock


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (threading.Lock(), "value of type lock"),
        ([1, {"k": threading.Lock()}], "value[1]['k'] of type lock"),
        (Holder([threading.Lock()]), "value.inside[0] of type lock"),
        (with_lock(), "value.<closure lock> of type lock"),
    ],
)
def test_what_cannot_be_sent_is_named_with_its_path_inside_the_value(value: object, path: str) -> None:
    with pytest.raises(SerializationError) as error:
        encode(value, "the thing")

    assert error.value.what == "the thing"
    assert error.value.path == path
    assert "lock" in error.value.why
    assert not can_be_sent(value) and can_be_sent([1])


def test_an_argument_that_cannot_be_sent_is_named_as_the_caller_wrote_it() -> None:
    with pytest.raises(SerializationError) as positional:
        encode_call((1, threading.Lock()), {}, "the arguments of f")
    with pytest.raises(SerializationError) as named:
        encode_call((), {"k": [threading.Lock()]}, "the arguments of f")

    assert positional.value.path.startswith("args[1] ")
    assert named.value.path.startswith("kwargs['k'][0] ")


def test_a_class_that_cannot_be_sent_is_named() -> None:
    lock = threading.Lock()

    class Local:
        guard = lock

    with pytest.raises(SerializationError) as error:
        encode_code(Local, "the class Local")

    assert error.value.what == "the class Local"


def test_a_class_whose_pickling_raises_something_odd_is_an_ordinary_error() -> None:
    class Odd:
        def __reduce__(self) -> Any:
            raise ZeroDivisionError("odd")

    with pytest.raises(SerializationError, match="odd"):
        encode([Odd()], "it")


def test_what_cannot_be_imported_here_says_what_to_do() -> None:
    for text in (b"cno_such_module\nThing\n.", b"cthreading\nNoSuchThing\n."):
        with pytest.raises((ImportError, AttributeError)) as raised:
            decode(text)

        assert "py_modules" in "".join(raised.value.__notes__)


def test_an_error_of_users_that_unpickling_meets_is_left_as_it_is() -> None:
    class Breaks:
        def __reduce__(self) -> Any:
            return getattr, (1, "nothing")

    with pytest.raises(AttributeError) as raised:
        decode(pickle.dumps(Breaks()))

    assert not hasattr(raised.value, "__notes__")


def test_code_that_ends_the_program_when_it_is_pickled_is_refused_as_what_cannot_be() -> None:
    class Ends:
        def __reduce__(self) -> Any:
            raise SystemExit(3)

    class Local:
        held = Ends()

    with pytest.raises(SerializationError, match="SystemExit"):
        encode_code(Local, "the class Local")
