"""Every error crosses nodes: it pickles and copies with its fields, its text and its notes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, Final

import pytest

from partisan_actors import errors
from partisan_actors.errors import PartisanError, TaskFailed


def _pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


COPIES: Final[dict[str, Callable[[Any], Any]]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle{protocol}": _pickled(protocol) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)},
}


def every_class() -> list[type[PartisanError]]:
    """Every class of the tree that `partisan_actors.errors` names in `__all__`."""
    return [getattr(errors, name) for name in errors.__all__]


def example(cls: type[PartisanError]) -> PartisanError:
    """One error of `cls`, each field with a value of its own."""
    if issubclass(cls, TaskFailed):
        return TaskFailed.of(FileNotFoundError(2, "gone", "a.txt"), "task f on w1", "Traceback: ...")
    fields = cls._fields
    values = [float(number) if field == "timeout_s" else f"<{field}>" for number, field in enumerate(fields)]
    return cls(*values)


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("cls", every_class(), ids=lambda cls: cls.__name__)
def test_an_error_survives_the_journey_whole(cls: type[PartisanError], way: str) -> None:
    error = example(cls)
    error.add_note("on the way to w2")

    arrived = COPIES[way](error)

    assert type(arrived).__mro__[1:] == type(error).__mro__[1:]
    assert isinstance(arrived, cls)
    assert str(arrived) == str(error)
    assert arrived.__notes__ == ["on the way to w2"]
    for field in cls._fields:
        assert repr(getattr(arrived, field)) == repr(getattr(error, field))


def test_a_failed_task_is_still_of_its_cause_s_class_when_it_arrives() -> None:
    arrived = pickle.loads(pickle.dumps(example(TaskFailed)))

    assert isinstance(arrived, FileNotFoundError)
    assert isinstance(arrived.__cause__, FileNotFoundError)
    assert arrived.errno == 2


def test_every_error_class_of_the_module_is_public() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, PartisanError) and value.__module__ == errors.__name__
    }

    assert {name for name in defined if not name.startswith("_")} == set(errors.__all__)


def test_the_tree_in_the_docstring_names_every_class() -> None:
    tree = (errors.__doc__ or "").split()

    assert set(errors.__all__) <= set(tree)


@pytest.mark.parametrize("cls", every_class(), ids=lambda cls: cls.__name__)
def test_every_field_is_in_the_text_and_the_class_says_what_it_means(cls: type[PartisanError]) -> None:
    error = example(cls)

    assert (cls.__doc__ or "").strip().endswith(".")
    if cls is not TaskFailed:  # its text is the remote traceback, which holds the cause
        for field in cls._fields:
            value = getattr(error, field)
            assert (f"{value:g}" if isinstance(value, float) else str(value)) in str(error)
