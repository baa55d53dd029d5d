"""Files mapped read-only into memory, and where in memory a buffer is.

`mmap.mmap` keeps a descriptor open for each file (until Python 3.13 it has to), and a process may not have many. What
is mapped here is unmapped when the last view of it is gone, on whichever thread that happens.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from collections.abc import Callable
from typing import Any, Final

__all__ = ["address_of", "map_file"]

_libc: Final = ctypes.CDLL(None, use_errno=True)
_mmap: Any = _libc.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_munmap: Any = _libc.munmap
_munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_FAILED: Final = ctypes.c_void_p(-1).value


def map_file(descriptor: int, size: int, on_unmapped: Callable[[], None]) -> tuple[int, memoryview]:
    """The address and a read-only view of the first `size` bytes of an open file, which may be closed afterwards.

    When no view of it is left, it is unmapped, and `on_unmapped` is called first, on any thread. Raises OSError.
    """
    address = _mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if address == _FAILED:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    room = (ctypes.c_char * size).from_address(address)
    weakref.finalize(room, _unmap, address, size, on_unmapped).atexit = False
    return address, memoryview(room).cast("B").toreadonly()


def _unmap(address: int, size: int, on_unmapped: Callable[[], None]) -> None:
    on_unmapped()
    _munmap(address, size)


class _Buffer(ctypes.Structure):
    """Py_buffer, as it has been laid out since Python 3."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get_buffer: Any = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int]
_release_buffer: Any = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = [ctypes.c_void_p]
_release_buffer.restype = None


def address_of(view: memoryview) -> int:
    """Where the bytes of a contiguous view begin in this process."""
    buffer = _Buffer()
    _get_buffer(view, ctypes.byref(buffer), 0)
    try:
        return buffer.buf or 0
    finally:
        _release_buffer(ctypes.byref(buffer))
