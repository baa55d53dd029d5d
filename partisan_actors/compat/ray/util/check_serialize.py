"""`ray.util.check_serialize`: which parts of a value cannot be sent."""

from __future__ import annotations

from partisan_actors.util.serializability import Unserializable as FailureTuple
from partisan_actors.util.serializability import inspect_serializability

__all__ = ["FailureTuple", "inspect_serializability"]
