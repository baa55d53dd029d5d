"""Exceptions of users on their way: what to pickle instead of one, and what of one its attributes do not hold.

They belong to whoever wrote them, so nothing here may run their constructors.
"""

from __future__ import annotations

import contextlib
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

__all__ = ["copy_native_fields", "in_words", "portable"]


def in_words(error: BaseException | None) -> str:
    """Its class and its text, or what that raises, for the text is users' code as well."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception as why:  # noqa: BLE001 - users' code: whatever it raises, there is no text
        return f"{name}: <no text: its __str__ raises {type(why).__name__}>"


def portable(error: BaseException | None) -> Any:
    """What to pickle instead of `error`, so that it can be unpickled.

    Pickle calls an exception's class with its `args`, and many a constructor takes others than it passes on.
    """
    kind: Any = type(error)
    takes_its_own = isinstance(kind.__init__, FunctionType) and kind.__reduce__ is BaseException.__reduce__
    if error is None or not takes_its_own or any(vars(base).get("__slots__") for base in kind.__mro__):
        return error
    return _Portable(error)


class _Portable:
    """Pickles as an exception whose constructor is not called when it is unpickled."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self.error), self.error.args, vars(self.error))


def _revive(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def copy_native_fields(cause: BaseException | None, error: BaseException) -> None:
    """Give `error` the fields that classes written in C keep outside of `__dict__`, which would read as None else.

    Such are OSError.errno and UnicodeError.reason.
    """
    for base in type(cause).__mro__ if cause is not None else ():
        if base in (Exception, BaseException, object):
            continue
        for name, kind in vars(base).items():
            if isinstance(kind, (MemberDescriptorType, GetSetDescriptorType)) and not name.startswith("__"):
                with contextlib.suppress(AttributeError, TypeError):
                    setattr(error, name, getattr(cause, name))
