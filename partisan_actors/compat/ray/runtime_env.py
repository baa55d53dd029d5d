"""`ray.runtime_env`: what actors and tasks find in their processes, as a map that checks its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["RuntimeEnv", "RuntimeEnvConfig"]

_KEYS: Final = (
    "py_modules",
    "py_executable",
    "working_dir",
    "pip",
    "conda",
    "container",
    "env_vars",
    "worker_process_setup_hook",
    "nsight",
    "rocprof_sys",
    "config",
    "image_uri",
    "uv",
    "excludes",
)


class RuntimeEnvConfig(dict[str, Any]):
    """How long setting up may take, and when it is done: taken, and changes nothing."""

    def __init__(self, setup_timeout_seconds: int = 600, eager_install: bool = True, log_files: Any = None) -> None:
        super().__init__(setup_timeout_seconds=setup_timeout_seconds, eager_install=eager_install)
        if log_files is not None:
            self["log_files"] = log_files

    def to_dict(self) -> dict[str, Any]:
        """A plain map."""
        return dict(self)


class RuntimeEnv(dict[str, Any]):
    """A map for ``runtime_env=``. What is supported of it is said where it is used: see docs/coming-from-ray.md."""

    def __init__(
        self,
        *,
        py_modules: list[str] | None = None,
        py_executable: str | None = None,
        working_dir: str | None = None,
        pip: Any = None,
        conda: Any = None,
        container: Mapping[str, Any] | None = None,
        env_vars: Mapping[str, str] | None = None,
        worker_process_setup_hook: Any = None,
        nsight: Any = None,
        rocprof_sys: Any = None,
        config: Mapping[str, Any] | None = None,
        image_uri: str | None = None,
        uv: Any = None,
        **kwargs: Any,
    ) -> None:
        """Raises TypeError for other keys."""
        given = {name: value for name, value in locals().items() if name in _KEYS} | kwargs
        unknown = sorted(set(kwargs) - set(_KEYS))
        if unknown:
            raise TypeError(f"RuntimeEnv has no {', '.join(unknown)}: there are {', '.join(_KEYS)}")
        super().__init__({name: value for name, value in given.items() if value is not None})

    def set(self, name: str, value: Any) -> None:
        """Have that value; None for none."""
        if value is None:
            self.pop(name, None)
        else:
            self[name] = value

    def to_dict(self) -> dict[str, Any]:
        """A plain map."""
        return dict(self)

    def has_working_dir(self) -> bool:
        """Whether it ships a folder to work in."""
        return "working_dir" in self

    def working_dir(self) -> str | None:
        """That folder."""
        return self.get("working_dir")

    def env_vars(self) -> dict[str, str]:
        """The variables."""
        return dict(self.get("env_vars", {}))

    def py_modules(self) -> list[str]:
        """The folders of modules."""
        return list(self.get("py_modules", ()))
