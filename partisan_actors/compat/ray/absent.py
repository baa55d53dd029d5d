"""What Ray has and this has not: a clear word about what to do instead, where it would be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

__all__ = ["ABSENT", "absent", "refuse"]

# By name: what to do instead.
ABSENT: Final = {
    "ClientBuilder": "there is no client protocol: ray.init(address=...) makes this process a node",
    "client": "there is no client protocol: ray.init(address=...) makes this process a node",
    "cpp_function": "actors and tasks are Python's: call C++ through a Python module",
    "java_actor_class": "actors and tasks are Python's",
    "java_function": "actors and tasks are Python's",
}


def refuse(what: str, instead: str) -> NoReturn:
    """Raises NotImplementedError that names the alternative."""
    raise NotImplementedError(f"{what} is not supported: {instead}")


def absent(name: str) -> Callable[..., NoReturn]:
    """What stands for that name of Ray."""

    def refused(*_args: Any, **_kwargs: Any) -> NoReturn:
        refuse(f"ray.{name}", ABSENT[name])

    refused.__name__ = refused.__qualname__ = name
    refused.__doc__ = f"Raises NotImplementedError: {ABSENT[name]}."
    return refused
