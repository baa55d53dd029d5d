"""The values of users as bytes: pickle protocol 5 with out-of-band buffers, cloudpickle where pickle cannot.

Only authenticated peers' payloads are ever decoded. Three ways, cheapest first:

- plain scalars (None, bool, int, float and short str and bytes) travel inside the msgpack envelope and never come here;
- pickle, with every large buffer out of band, so that a NumPy array or a megabyte of bytes is not copied on sending;
- cloudpickle, by value, for what pickle cannot do or would do wrongly: lambdas, local classes, and anything that lives
  in `__main__` (a script, a notebook, the REPL), which another process could not import.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final, NamedTuple

import cloudpickle

from partisan_actors.errors import SerializationError
from partisan_actors.portable import in_words, portable
from partisan_actors.wire.by_value import dump_by_value
from partisan_actors.wire.frames import INLINE_BYTES_MAX

__all__ = [
    "KeptBuffers",
    "Payload",
    "can_be_sent",
    "decode",
    "encode",
    "encode_call",
    "encode_code",
    "encode_scalars",
    "encode_value",
    "encode_whole",
    "is_by_value",
    "is_scalars",
]

_TINY: Final = frozenset({int, float, bool, type(None)})
_TEXT: Final = frozenset({str, bytes})
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1
_DEPTH_MAX: Final = 12


class Payload(NamedTuple):
    """An encoded value: the pickle, and the buffers that travel beside it."""

    body: bytes
    buffers: list[memoryview]


def is_scalars(values: Iterable[Any]) -> bool:
    """Whether every value may travel inside the envelope: exact scalar types only, none of them large.

    Subclasses (an IntEnum, numpy.float64) and integers beyond 64 bits are not scalars in this sense.
    """
    for value in values:
        kind = type(value)
        if kind in _TINY:
            if kind is int and not _INT_MIN <= value <= _INT_MAX:
                return False
        elif kind not in _TEXT or len(value) > INLINE_BYTES_MAX or (kind is str and not value.isascii()):
            # A str that is not ASCII may hold lone surrogates, which only pickle carries.
            return False
    return True


def encode(value: Any, what: str) -> Payload:
    """Encode `value`; `what` names it in errors ("argument k of Counter.add").

    Raises SerializationError, naming the path inside the value, when neither pickle nor cloudpickle can.
    """
    buffers: list[pickle.PickleBuffer] = []
    body = _dump(value, what, buffers)
    return Payload(body, [buffer.raw() for buffer in buffers])


def encode_whole(value: Any, what: str) -> bytes:
    """Encode `value` into one piece, for what is passed on from node to node. Raises SerializationError."""
    return _dump(value, what, None)


def _dump(value: Any, what: str, buffers: list[pickle.PickleBuffer] | None) -> bytes:
    beside = buffers.append if buffers is not None else None
    try:
        body = pickle.dumps(value, 5, buffer_callback=beside)
        if b"__main__" in body or _by_value_registered():
            raise pickle.PicklingError("lives in __main__")
    except (Exception, SystemExit):  # noqa: BLE001 - whatever the user's classes raise, cloudpickle may still manage
        if buffers is not None:
            buffers.clear()
        try:
            body = dump_by_value(value, beside)
        except (Exception, SystemExit) as error:
            path, why = _culprit(value, error)
            raise SerializationError(what, path, why) from error
    return body


def encode_call(args: tuple[Any, ...], kwargs: dict[str, Any], what: str) -> Payload:
    """Encode the arguments of a call. Large top-level `bytes` leave the pickle and are not copied."""
    if any(_needs_care(value) for value in args):
        args = tuple(_cared_for(value) for value in args)
    try:
        return encode((args, kwargs), what)
    except SerializationError as error:
        # The pair of args and kwargs is ours, not the caller's: name what the caller wrote.
        path = error.path.replace("value[0]", "args", 1).replace("value[1]", "kwargs", 1)
        raise SerializationError(error.what, path, error.why) from error.__cause__


def encode_scalars(args: tuple[Any, ...]) -> bytes:
    """As `encode_call`, for arguments that `is_scalars` has found to be such: nothing in them needs a look."""
    return pickle.dumps((args, {}), 5)


def encode_value(value: Any, what: str) -> Payload:
    """Encode one result or object. Large `bytes` leave the pickle and are not copied."""
    return encode(_cared_for(value), what)


def can_be_sent(value: Any) -> bool:
    """Whether `encode` can do it. As costly as encoding it: for the way to an error, not for the way to the wire."""
    return _failure(value) is None


_NOT_HERE: Final = (
    "What was sent is pickled by the name of its module, which cannot be imported here as there. Install the "
    "module for this node, start the node in the folder of the program, ship the module with "
    "runtime_env={'py_modules': [...]}, or have it copied: cloudpickle.register_pickle_by_value(module)."
)


def decode(body: bytes | memoryview, buffers: Iterable[Any] = ()) -> Any:
    """The inverse of `encode`. Only call it on what an authenticated peer sent.

    What unpickling raises goes through; a module, or a name in one, that there is not here has a note with what to do.
    """
    try:
        return pickle.loads(body, buffers=buffers)
    except (ImportError, AttributeError) as error:
        if isinstance(error, ImportError) or str(error).startswith("Can't get attribute"):
            error.add_note(_NOT_HERE)
        raise


def encode_code(code: Any, what: str) -> bytes:
    """A class or function as bytes: by reference when it can be imported, else by value."""
    try:
        return dump_by_value(code)
    except (Exception, SystemExit) as error:
        path, why = _culprit(code, error)
        raise SerializationError(what, path, why) from error


def is_by_value(module: ModuleType) -> bool:
    """Whether what that module defines is to be copied, and not imported, as `cloudpickle` was told."""
    names = cloudpickle.list_registry_pickle_by_value()
    return any(module.__name__ == name or module.__name__.startswith(f"{name}.") for name in names)


def _by_value_registered() -> bool:
    return bool(cloudpickle.list_registry_pickle_by_value())


class KeptBuffers:
    """The buffers of a payload that is sent later, perhaps more than once, inside another value.

    There, too, they travel beside the pickle. What its owner may still change is copied once.
    """

    __slots__ = ("_buffers",)

    def __init__(self, buffers: Iterable[Any]) -> None:
        self._buffers = tuple(buffers)

    @classmethod
    def of(cls, payload: Payload) -> KeptBuffers:
        """Those of `payload`, as they are now."""
        return cls(view if view.readonly else bytearray(view) for view in payload.buffers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._buffers)

    def __reduce__(self) -> tuple[Any, ...]:
        return _kept_from, tuple(pickle.PickleBuffer(buffer) for buffer in self._buffers)


def _kept_from(*buffers: Any) -> KeptBuffers:
    # Pickle shows what was read-only over there through a read-only view; the memory below is ours.
    return KeptBuffers(buffer.obj if _shows_its_own(buffer) else buffer for buffer in buffers)


def _shows_its_own(buffer: Any) -> bool:
    # Shared memory has several readers, and stays behind its read-only view.
    return isinstance(buffer, memoryview) and isinstance(buffer.obj, (bytes, bytearray))


class _BesideBytes:
    """Pickles a bytes object as an out-of-band buffer; arrives as real bytes."""

    __slots__ = ("value",)

    def __init__(self, value: bytes) -> None:
        self.value = value

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return bytes, (pickle.PickleBuffer(self.value),)


def _needs_care(value: Any) -> bool:
    return (type(value) is bytes and len(value) > INLINE_BYTES_MAX) or isinstance(value, BaseException)


def _cared_for(value: Any) -> Any:
    if not _needs_care(value):
        return value
    return _BesideBytes(value) if type(value) is bytes else portable(value)


def _culprit(value: Any, error: BaseException) -> tuple[str, str]:
    """The path to the innermost part that cannot be pickled, and why."""
    path, current, why = "value", value, error
    for _ in range(_DEPTH_MAX):
        for step, part in _parts(current):
            inner = _failure(part)
            if inner is not None:
                path, current, why = path + step, part, inner
                break
        else:
            break
    return f"{path} of type {type(current).__qualname__}", in_words(why)


def _failure(part: Any) -> BaseException | None:
    try:
        dump_by_value(part)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is what was asked for
        return error
    return None


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", item) for key, item in value.items())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif callable(value) and getattr(value, "__closure__", None):
        names = value.__code__.co_freevars
        for name, cell in zip(names, value.__closure__, strict=True):
            try:
                yield f".<closure {name}>", cell.cell_contents
            except ValueError:  # an empty cell
                continue
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from ((f".{name}", item) for name, item in vars(value).items())
