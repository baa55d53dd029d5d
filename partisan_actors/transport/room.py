"""Room for what is to be received, without the zeros: memory that the system has not given yet costs nothing.

Python fills new memory. For eight megabytes that takes milliseconds, most of them for the system to find the pages, and
the loop stands still meanwhile. What is made here is CPython's own uninitialised object, as its sockets make them; the
pages come as the bytes do, piece by piece. Whoever asks has to fill all of it before anybody else sees it.

Somebody may announce more than ever comes. So a room begins with AT_ONCE_BYTES and doubles when it is full: that many
are beyond what the C library keeps for itself, so what it grows by is mapped behind, and nothing is copied on Linux.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final, cast

__all__ = ["AT_ONCE_BYTES", "BytearrayRoom", "BytesRoom", "Room", "room_for"]

AT_ONCE_BYTES: Final = 64 * 1024 * 1024

_api: Any = ctypes.pythonapi
_new_bytes, _new_bytearray = _api.PyBytes_FromStringAndSize, _api.PyByteArray_FromStringAndSize
_new_bytes.restype = ctypes.c_void_p
_new_bytearray.restype = ctypes.py_object
_new_bytes.argtypes = _new_bytearray.argtypes = [ctypes.c_char_p, ctypes.c_ssize_t]
_resize_bytes, _resize_bytearray = _api._PyBytes_Resize, _api.PyByteArray_Resize
_resize_bytes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_ssize_t]
_resize_bytearray.argtypes = [ctypes.py_object, ctypes.c_ssize_t]
_content_of_bytearray = _api.PyByteArray_AsString
_content_of_bytearray.argtypes, _content_of_bytearray.restype = [ctypes.py_object], ctypes.c_void_p
_let_go = _api.Py_DecRef
_let_go.argtypes = [ctypes.c_void_p]

# Where the content begins: a bytes object ends with it and a zero.
_CONTENT: Final = bytes.__basicsize__ - 1


class Room:
    """One object of `size` bytes that is being received. `view` is the part of it that there is yet.

    A view does not keep its room: whoever writes through one holds the room, and gets another one after `grow`.
    """

    __slots__ = ("size", "view")

    def __init__(self, size: int) -> None:
        self.size = size
        self.view = memoryview(b"")

    @property
    def is_whole(self) -> bool:
        """Whether there is all of it, though not yet filled."""
        return len(self.view) == self.size

    def grow(self) -> None:
        """`view` is full: let there be more of it. Raises MemoryError."""
        raise NotImplementedError

    def finish(self) -> bytes | bytearray:
        """The object. All of it is filled, and nobody looks at `view` any more."""
        raise NotImplementedError

    def _grown(self) -> int:
        return min(self.size, 2 * len(self.view))


class BytearrayRoom(Room):
    """A bytearray."""

    __slots__ = ("_made",)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        first = min(size, AT_ONCE_BYTES)
        self._made = cast("bytearray", _new_bytearray(None, first))
        self._look(first)

    def grow(self) -> None:
        size = self._grown()
        _resize_bytearray(self._made, size)
        self._look(size)

    def finish(self) -> bytearray:
        return self._made

    def _look(self, size: int) -> None:
        # Not a view of the object, which could not grow while there are any.
        self.view = _view(_content_of_bytearray(self._made), size)


class BytesRoom(Room):
    """A bytes object. Nobody but this knows of it before it is finished, for it must not have moved since then."""

    __slots__ = ("_address",)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        first = min(size, AT_ONCE_BYTES)
        self._address = ctypes.c_void_p()
        self._address = ctypes.c_void_p(_new_bytes(None, first))
        self._look(first)

    def grow(self) -> None:
        size = self._grown()
        _resize_bytes(self._address, size)
        self._look(size)

    def finish(self) -> bytes:
        return cast("bytes", ctypes.cast(self._address, ctypes.py_object).value)

    def __del__(self) -> None:
        if self._address.value is not None:
            _let_go(self._address)

    def _look(self, size: int) -> None:
        address = self._address.value
        assert address is not None
        self.view = _view(address + _CONTENT, size)


def room_for(size: int) -> Room:
    """For a bytes object of -`size` bytes, or a bytearray of `size`. Raises MemoryError."""
    return BytearrayRoom(size) if size > 0 else BytesRoom(-size)


def _view(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")
