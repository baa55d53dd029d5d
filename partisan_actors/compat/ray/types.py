"""`ray.types`: the type of refs, for annotations."""

from __future__ import annotations

from partisan_actors import ObjectRef

__all__ = ["ObjectRef"]
