"""What the name of an overlay means: one of ours, or the user's own class by where it is, ``"package.module:Class"``.

A class is imported when a node asks for it, and no sooner: whoever starts a node pays for one overlay. Classes are
named by path, so that every process of a cluster can import them; one of the program that was started is known to the
others by the name of its file.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from partisan_actors.errors import ConfigError

__all__ = ["DEFAULT_OVERLAY", "OVERLAYS", "check_overlay", "class_of", "own_options"]

_MEMBERSHIP: Final = "partisan_actors.protocols.membership"
OVERLAYS: Final[Mapping[str, str]] = {
    "hyparview": f"{_MEMBERSHIP}.hyparview:HyParView",
    "xbot": f"{_MEMBERSHIP}.xbot:XBot",
    "full_mesh": f"{_MEMBERSHIP}.full_mesh:FullMesh",
    "scamp_v1": f"{_MEMBERSHIP}.scamp:ScampV1",
    "scamp_v2": f"{_MEMBERSHIP}.scamp:ScampV2",
    "client_server": f"{_MEMBERSHIP}.star:ClientServer",
    "static": f"{_MEMBERSHIP}.static:Static",
}
DEFAULT_OVERLAY: Final = "hyparview"

_ALLOWED: Final = f"{', '.join(OVERLAYS)}, or a class of yours as 'package.module:Class'"
_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_MEMBERS: Final = (
    "start", "join", "leave", "receive", "peer_up", "peer_down", "timer_fired", "neighbours", "views",
)  # fmt: skip


def check_overlay(overlay: object) -> str:
    """The name of an overlay that is given by name or as a class. Raises ConfigError for what can be neither.

    Whether the class is there is found out by `class_of`.
    """
    if isinstance(overlay, type):
        return _name_of(overlay)
    if not isinstance(overlay, str) or not (overlay in OVERLAYS or _PATH.fullmatch(overlay)):
        raise ConfigError("overlay", overlay, _ALLOWED)
    return overlay


def class_of(overlay: str) -> Any:
    """The class that this name means. Raises ConfigError when there is none, or it is no membership strategy."""
    module_name, _, class_name = OVERLAYS.get(overlay, overlay).partition(":")
    try:
        module = sys.modules["__main__"] if module_name == _main_name() else importlib.import_module(module_name)
        cls = getattr(module, class_name)
    except Exception as error:  # a module of the user's may raise anything
        why = f"{type(error).__name__}: {error}"
        raise ConfigError("overlay", overlay, f"a class that this process can import ({why})") from error
    missing = [name for name in _MEMBERS if not hasattr(cls, name)]
    if not isinstance(cls, type) or missing:
        lacks = f"it lacks {', '.join(missing)}" if missing else "it is no class"
        raise ConfigError("overlay", overlay, f"a membership strategy; {lacks}")
    return cls


def own_options(overlay: str, *, joins: bool) -> Mapping[str, Any]:
    """The options that are each node's own, not its cluster's, with their values for one that starts or joins it.

    A strategy that has such options tells them: its class has a static method ``own_options(joins: bool)``.
    """
    own = getattr(class_of(overlay), "own_options", None)
    return {} if own is None else own(joins)


def _name_of(cls: type) -> str:
    path = f"{cls.__module__}:{cls.__qualname__}"
    for name, known in OVERLAYS.items():
        if path == known:
            return name
    if cls.__module__ == "__main__":
        path = f"{_main_name()}:{cls.__qualname__}"
    if not _PATH.fullmatch(path):
        raise ConfigError("overlay", cls, "a class at the top of a module that every node of the cluster can import")
    return path


def _main_name() -> str:
    """How another process would import the program that was started; empty when it is not from a file."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    return str(spec.name) if spec is not None else Path(file).stem if file else ""
