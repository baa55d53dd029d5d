"""cloudpickle, whose copies of functions still say which file they were written in."""

from __future__ import annotations

import io
import pickle
import sys
from collections import ChainMap
from collections.abc import Callable
from types import CodeType
from typing import Any, ClassVar, Final

import cloudpickle

__all__ = ["dump_by_value"]

_ANONYMOUS: Final = "<dynamic-code>"


def dump_by_value(value: Any, beside: Callable[[pickle.PickleBuffer], Any] | None = None) -> bytes:
    """`value` as cloudpickle has it, with large buffers given to `beside` if there is one. Raises what that raises."""
    with io.BytesIO() as file:
        _Pickler(file, 5, buffer_callback=beside).dump(value)
        return file.getvalue()


def _code_with_its_file(code: CodeType) -> tuple[Any, ...]:
    # cloudpickle writes the same name for every file, so that copies of the same code are the same bytes wherever it
    # stands. Here that would only save sending it again, and tracebacks and stacks would have no file and no lines.
    make, arguments = _reduce_code(code)
    file = sys.intern(code.co_filename)  # one string, so that it is written once
    return make, tuple(file if argument == _ANONYMOUS else argument for argument in arguments)


_reduce_code: Final[Callable[[CodeType], tuple[Any, tuple[Any, ...]]]] = cloudpickle.Pickler.dispatch_table[CodeType]


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no type information
    dispatch_table: ClassVar[ChainMap[type, Callable[..., Any]]] = ChainMap(
        {CodeType: _code_with_its_file}, cloudpickle.Pickler.dispatch_table
    )
