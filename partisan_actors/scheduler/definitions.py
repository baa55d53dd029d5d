"""The classes of actors that this node makes."""

from __future__ import annotations

from partisan_actors.actors.actor import Definition
from partisan_actors.actors.system import ActorSystem
from partisan_actors.scheduler.spec import ActorSpec

__all__ = ["definition_of"]


def definition_of(system: ActorSystem, spec: ActorSpec) -> Definition:
    """Its class, read once. Raises what importing or unpickling it raises."""
    cls = system.code.load(spec.code)
    known: dict[tuple[bytes, str], Definition] = system.extensions.setdefault("definitions", {})
    definition = known.get((spec.code, spec.class_name))
    if definition is None:
        definition = known[spec.code, spec.class_name] = Definition.of(cls, spec.class_name)
    return definition
