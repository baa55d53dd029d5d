"""Namespaces of actors' names: a name is unique within its namespace. Pure.

In the cluster's map a name stands under its key: the name itself in the default namespace, which has no name, and
otherwise namespace and name with a character between them that neither may have.
"""

from __future__ import annotations

from typing import Final

from partisan_actors.errors import ConfigError

__all__ = ["DEFAULT", "check_namespace", "key_of", "name_of", "shown"]

DEFAULT: Final = ""
TEXT_MAX: Final = 256
_BETWEEN: Final = "\0"


def key_of(namespace: str, name: str) -> str:
    """The key of a name in a namespace."""
    return f"{namespace}{_BETWEEN}{name}" if namespace else name


def name_of(key: str) -> tuple[str, str]:
    """The namespace and the name of a key."""
    namespace, between, name = key.rpartition(_BETWEEN)
    return (namespace, name) if between else (DEFAULT, key)


def shown(key: str) -> str:
    """A key, for people."""
    namespace, name = name_of(key)
    return f"{name!r} in namespace {namespace!r}" if namespace else repr(name)


def check_namespace(value: object) -> str:
    """A namespace as the user gave it. Raises ConfigError."""
    if not isinstance(value, str) or len(value) > TEXT_MAX or _BETWEEN in value:
        raise ConfigError("namespace", value, f"a text of at most {TEXT_MAX} characters; an empty one is the default")
    return value
