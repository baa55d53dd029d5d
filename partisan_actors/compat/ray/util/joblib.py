"""`ray.util.joblib`: joblib's backend "ray". Importing it needs joblib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joblib import register_parallel_backend

from partisan_actors.compat.ray.lifecycle import ensure_session
from partisan_actors.compat.ray.options import task_options
from partisan_actors.util.joblib import PartisanBackend

__all__ = ["register_ray"]


class RayBackend(PartisanBackend):
    """Tasks with processes of their own; `ray_remote_args` are their options."""

    def __init__(
        self, nesting_level: int | None = None, *, ray_remote_args: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        """Raises ValueError, TypeError for what is no option of a task."""
        ensure_session()
        super().__init__(nesting_level, isolation="process", **task_options(ray_remote_args or {}), **more)


def register_ray() -> None:
    """Make the backend known to joblib as "ray"."""
    register_parallel_backend("ray", RayBackend)
