"""Room for what is to be received, without the zeros: memory that the system has not given yet costs nothing.

Python fills new memory. For eight megabytes that takes milliseconds, most of them for the system to find the pages, and
the loop stands still meanwhile. What is made here is CPython's own uninitialised object, as its sockets make them; the
pages come as the bytes do, piece by piece. Whoever asks has to fill all of it before anybody else sees it.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final, cast

__all__ = ["bytearray_of", "bytes_of"]

_new_bytes: Any = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_bytes.restype = ctypes.py_object
_new_bytes.argtypes = [ctypes.c_char_p, ctypes.c_ssize_t]
_new_bytearray: Any = ctypes.pythonapi.PyByteArray_FromStringAndSize
_new_bytearray.restype = ctypes.py_object
_new_bytearray.argtypes = [ctypes.c_char_p, ctypes.c_ssize_t]

# Where the content begins: a bytes object ends with it and a zero.
_CONTENT: Final = bytes.__basicsize__ - 1


def bytes_of(size: int) -> tuple[bytes, memoryview]:
    """A bytes object of that size, and the view to fill it through. Nobody may look into it, or hash it, before."""
    made: bytes = _new_bytes(None, size)
    return made, memoryview((ctypes.c_char * size).from_address(id(made) + _CONTENT)).cast("B")


def bytearray_of(size: int) -> bytearray:
    """A bytearray of that size, to be filled."""
    return cast("bytearray", _new_bytearray(None, size))
