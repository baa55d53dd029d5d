"""Which public names a module that calls itself Ray has, with their signatures: Ray's own are kept in surface.json.

``RAY_MODULE=ray python -m tests.ray_programs.surface --record`` writes it, where Ray is installed; without
``--record`` what there is, and is not there, is printed.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import types
from pathlib import Path
from typing import Any, Final, TypeVar

__all__ = ["MODULES", "SURFACE", "names_in", "recorded_surface", "signature_of"]

SURFACE: Final = Path(__file__).with_name("surface.json")
# Of Ray Core: what users of actors, tasks and objects import.
MODULES: Final = (
    "",
    "actor",
    "autoscaler.sdk",
    "client_builder",
    "cluster_utils",
    "cross_language",
    "dag",
    "exceptions",
    "experimental",
    "experimental.internal_kv",
    "experimental.locations",
    "experimental.queue",
    "experimental.tqdm_ray",
    "internal",
    "job_config",
    "job_submission",
    "remote_function",
    "runtime_context",
    "runtime_env",
    "types",
    "util",
    "util.accelerators",
    "util.actor_group",
    "util.actor_pool",
    "util.annotations",
    "util.check_serialize",
    "util.collective",
    "util.debug",
    "util.helpers",
    "util.iter",
    "util.joblib",
    "util.metrics",
    "util.multiprocessing",
    "util.placement_group",
    "util.queue",
    "util.rpdb",
    "util.scheduling_strategies",
    "util.serialization",
    "util.state",
    "util.tracing",
)
# Of what stands in an __all__ nothing is left out; elsewhere, what a module imports is not its own.
_LANGUAGE: Final = ("typing", "builtins", "abc", "collections", "enum", "logging", "functools")


def names_in(module: types.ModuleType) -> dict[str, Any]:
    """Its public names."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        # What is listed may be missing: that is so in Ray, too.
        return {name: vars(module)[name] for name in sorted(set(listed) & vars(module).keys()) if name[0] != "_"}
    return {name: value for name, value in sorted(vars(module).items()) if _is_own(module, name, value)}


def _is_own(module: types.ModuleType, name: str, value: Any) -> bool:
    if name.startswith("_") or isinstance(value, types.ModuleType | TypeVar):
        return False
    return getattr(value, "__module__", None) == module.__name__


def signature_of(value: Any) -> list[list[str]] | None:
    """Each parameter with its kind, and what it is without being given; None of what tells none."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[each.name, each.kind.name, _default(each.default)] for each in parameters if each.name != "self"]


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    is_plain = isinstance(value, str | int | float | bool | tuple | list | dict | type(None))
    return repr(value) if is_plain else "something"


def told(value: Any) -> dict[str, Any]:
    """What it is; of a class, its public members, too."""
    if isinstance(value, types.ModuleType):
        return {"is": "module"}
    if not isinstance(value, type):
        return {"is": "function" if callable(value) else "value", "signature": signature_of(value)}
    about: dict[str, Any] = {"is": "class", "signature": signature_of(value)}
    if issubclass(value, BaseException):
        about["caught_as"] = [each.__name__ for each in value.__mro__[1:] if each is not object]
    theirs = {name: member for name, member in inspect.getmembers_static(value) if _is_members_own(value, name)}
    about["members"] = {name: signature_of(getattr(value, name)) for name in sorted(theirs)}
    return about


def _is_members_own(cls: type, name: str) -> bool:
    """Not what every exception, map, text or number has."""
    owner = next((each for each in cls.__mro__ if name in vars(each)), object)
    return not name.startswith("_") and owner.__module__.partition(".")[0] not in _LANGUAGE


def surface(package: str) -> dict[str, Any]:
    """By module, by name: what it is; None for a module that is not there."""
    found: dict[str, Any] = {}
    for name in MODULES:
        try:
            module = importlib.import_module(f"{package}.{name}" if name else package)
        except ImportError:
            found[name] = None
            continue
        found[name] = {each: told(value) for each, value in names_in(module).items()}
    return found


def as_lines(package: str, version: str) -> str:
    """All of it as JSON, a line for each name."""
    modules = []
    for module, names in surface(package).items():
        lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(about)}" for name, about in (names or {}).items())
        modules.append(f"{json.dumps(module)}: {{\n{lines}\n}}")
    return f'{{"ray": {json.dumps(version)}, "names": {{\n' + ",\n".join(modules) + "\n}}\n"


def recorded_surface() -> dict[str, dict[str, Any]]:
    """Ray's, by module and name."""
    found: dict[str, dict[str, Any]] = json.loads(SURFACE.read_text(encoding="utf-8"))["names"]
    return found


if __name__ == "__main__":
    from tests.ray_programs.face import MODULE, ray

    if "--record" in sys.argv:
        SURFACE.write_text(as_lines(MODULE, ray.__version__), encoding="utf-8")
    else:
        print(as_lines(MODULE, ""))
