"""The one table of what nodes tell in the feed of events: kinds, how bad each is, its fields, and its sentence.

Code that tells an event names its kind and fills in its fields; the sentence is made of them here, so that the feed,
the page of reference and the tests cannot say different things. `{about}` is whom or what the event is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final

from partisan_actors.values import dataclass

__all__ = ["ERROR", "INFO", "KINDS", "SEVERITIES", "WARNING", "EventKind"]

INFO: Final = "info"
WARNING: Final = "warning"
ERROR: Final = "error"
# The least severe one first.
SEVERITIES: Final = (INFO, WARNING, ERROR)


@dataclass(frozen=True, slots=True)
class EventKind:
    """One row of the table. Many nodes tell of the same event if it is `shared`: whoever merges them counts it once."""

    name: str
    severity: str
    sentence: str
    about: str
    fields: Mapping[str, type] = field(default_factory=dict)
    shared: bool = False


_ALL: Final[tuple[EventKind, ...]] = (
    # Nodes.
    EventKind(
        "node.started",
        INFO,
        "node {about} has started at {address}",
        "the node that tells",
        {"id": str, "address": str, "overlay": str, "pid": int, "version": str},
    ),
    EventKind("node.up", INFO, "node {about} has joined", "a node", {"id": str, "address": str}, shared=True),
    EventKind(
        "node.suspected", WARNING, "node {about} is suspected by {by}", "a node", {"id": str, "by": str}, shared=True
    ),
    EventKind("node.refuted", INFO, "node {about} was suspected, and lives", "a node", {"id": str}, shared=True),
    EventKind("node.down", ERROR, "node {about} is down: {why}", "a node", {"id": str, "why": str}, shared=True),
    EventKind("node.left", INFO, "node {about} has left: {why}", "a node", {"id": str, "why": str}, shared=True),
    EventKind(
        "node.draining", INFO, "node {about} takes no new work: it is drained", "a node", {"id": str}, shared=True
    ),
    EventKind("node.undrained", INFO, "node {about} takes new work again", "a node", {"id": str}, shared=True),
    EventKind("node.given_up", WARNING, "the others took node {about} for down, and it lives", "the node that tells"),
    EventKind("node.parted", INFO, "node {about} leaves its cluster: {why}", "the node that tells", {"why": str}),
    EventKind("node.steered", WARNING, "{who} {did} node {about}", "the node that tells", {"who": str, "did": str}),
    EventKind(
        "node.trouble",
        ERROR,
        "node {about} has trouble: {text}",
        "the node that tells",
        {"trouble": str, "text": str},
    ),
    EventKind(
        "node.configured",
        WARNING,
        "{who} changed {setting} of node {about} from {before} to {now}",
        "a node",
        {"setting": str, "before": str, "now": str, "who": str},
    ),
    # The overlay.
    EventKind("overlay.linked", INFO, "{about} is a neighbour of {node} now", "a node", {"node": str}),
    EventKind("overlay.unlinked", INFO, "{about} is no neighbour of {node} any more", "a node", {"node": str}),
    # Actors.
    EventKind(
        "actor.restarted",
        WARNING,
        "{what} was made again on node {to} (restart {restarts}): {cause}",
        "an actor, by its id",
        {"what": str, "class": str, "to": str, "restarts": int, "cause": str},
    ),
    EventKind(
        "actor.not_restarted",
        ERROR,
        "{what} could not be made again: {why} ({cause})",
        "an actor, by its id",
        {"what": str, "class": str, "cause": str, "why": str},
    ),
    EventKind(
        "actor.failed",
        ERROR,
        "{what} has ended: {why}",
        "an actor, by its id",
        {"what": str, "class": str, "end": str, "why": str},
    ),
    EventKind(
        "actor.ended",
        INFO,
        "{what} has ended: {why}",
        "an actor, by its id",
        {"what": str, "class": str, "end": str, "why": str},
    ),
    EventKind(
        "actor.steered",
        WARNING,
        "{who} {did} {what}",
        "an actor, by its id",
        {"what": str, "who": str, "did": str},
    ),
    EventKind("name.lost", WARNING, "the name {about} is free again: its actor is lost", "a name"),
    EventKind(
        "name.taken",
        WARNING,
        "{actor} runs on without the name {about}: the older claim of {by} has it",
        "a name",
        {"actor": str, "by": str},
    ),
    # Processes of isolated work.
    EventKind(
        "process.crashed",
        ERROR,
        "the process of {about} has crashed: {why}",
        "what ran in it",
        {"pid": int, "why": str},
    ),
    EventKind(
        "process.out_of_memory",
        ERROR,
        "the kernel has most likely ended the process of {about} for want of memory",
        "what ran in it",
        {"pid": int, "why": str},
    ),
    # Placement groups.
    EventKind(
        "group.created",
        INFO,
        "{what} has all its places",
        "a group, by its id",
        {"what": str, "strategy": str},
        shared=True,
    ),
    EventKind(
        "group.removed",
        INFO,
        "{what} is removed: {why}",
        "a group, by its id",
        {"what": str, "why": str},
        shared=True,
    ),
    EventKind(
        "group.infeasible",
        ERROR,
        "{what} can have no place: {why}",
        "a group, by its id",
        {"what": str, "why": str},
        shared=True,
    ),
    EventKind(
        "group.lost",
        WARNING,
        "{what} is lost: {why}",
        "a group, by its id",
        {"what": str, "why": str},
        shared=True,
    ),
    # What is lost, stuck, or broken on purpose.
    EventKind("object.lost", ERROR, "{about} is lost: {why}", "an object, by its id", {"owner": str, "why": str}),
    EventKind(
        "deadlock.found",
        ERROR,
        "calls wait for each other for ever: {text}",
        "the actor or task of the first of them",
        {"calls": int, "waiting": int, "text": str},
        shared=True,
    ),
    EventKind(
        "faults.injected",
        WARNING,
        "faults are injected on node {about}: {what}",
        "the node that tells",
        {"what": str, "rules": int},
    ),
    EventKind(
        "faults.ended",
        INFO,
        "faults have ended on node {about}; {rules} rules are left",
        "the node that tells",
        {"rules": int},
    ),
    EventKind(
        "exporter.dropped",
        WARNING,
        "node {about} had no room for {dropped} records of traces",
        "the node that tells",
        {"dropped": int, "total": int},
    ),
    EventKind(
        "connection.refused",
        WARNING,
        "node {about} has refused or cut connections, {count} more: {why}",
        "the node that tells",
        {"reason": str, "count": int, "why": str},
    ),
)

KINDS: Final[Mapping[str, EventKind]] = MappingProxyType({kind.name: kind for kind in _ALL})
