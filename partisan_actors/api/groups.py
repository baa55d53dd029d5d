"""Placement groups for users: resources reserved together, on nodes that a strategy chooses, for work to come."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from partisan_actors.actors.context import current_owner
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.capture import running_request
from partisan_actors.api.on_loop import on_loop
from partisan_actors.errors import CallTimeout, ConfigError, PartisanError, PlacementGroupRemoved, Unplaceable
from partisan_actors.ids import GroupId
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.store import ObjectStore
from partisan_actors.scheduler.groups import Groups
from partisan_actors.scheduler.groups_record import (
    CREATED,
    INFEASIBLE,
    NAME_MAX,
    PENDING,
    GroupRecord,
    parse_bundles,
    parse_group_strategy,
)
from partisan_actors.scheduler.labels import parse_selectors
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.scheduler.strategies import InPlacementGroup

__all__ = [
    "PlacementGroup",
    "get_current_placement_group",
    "get_placement_group",
    "placement_group",
    "placement_group_table",
    "remove_placement_group",
]

NUMBERS: Final = "placement group numbers"


class PlacementGroup:
    """A placement group, by its id: copy it, send it, and place work in it with `InPlacementGroup`.

    To drop it frees nothing: a group ends with `remove_placement_group`, or with its owner.
    """

    def __init__(self, group: GroupId, bundles: Sequence[Mapping[str, float]]) -> None:
        self.id = group
        self.bundle_specs: list[dict[str, float]] = [dict(bundle) for bundle in bundles]

    @property
    def bundle_count(self) -> int:
        """How many bundles it has."""
        return len(self.bundle_specs)

    def ready(self) -> ObjectRef[PlacementGroup]:
        """A ref whose value is this group, ready when all bundles are reserved.

        It raises Unplaceable when they can never be, and PlacementGroupRemoved when the group is over before.
        """
        system = session.system()
        store: ObjectStore = system.extensions["objects"]
        ref: ObjectRef[PlacementGroup] = store.new_ref()
        system.post(_Watch(_groups(system), self, ref).look)
        return ref

    def wait(self, timeout_seconds: float = 30.0) -> bool:
        """Whether all bundles are reserved within so many seconds. Blocks this thread. Raises as `ready` does."""
        try:
            self.ready().result(timeout_seconds)
        except CallTimeout:
            return False
        return True

    def __repr__(self) -> str:
        return f"PlacementGroup({self.id})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlacementGroup) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> tuple[Any, ...]:
        return PlacementGroup, (self.id, self.bundle_specs)


class _Watch:
    """Waits on the node's loop until a group has a place, or is over."""

    def __init__(self, groups: Groups, group: PlacementGroup, ref: ObjectRef[PlacementGroup]) -> None:
        self._groups = groups
        self._group = group
        self._ref = ref
        self._is_watching = False

    def look(self) -> None:
        """Tell what is known, or wait for it."""
        record = self._groups.known(self._group.id)
        if record is not None and record.state == CREATED:
            self._finish(None)
        elif record is not None and record.is_over:
            over = PlacementGroupRemoved(str(record), record.why)
            self._finish(Unplaceable(*_why_unplaceable(record)) if record.state == INFEASIBLE else over)
        elif not self._is_watching:
            self._is_watching = True
            self._groups.on_record.append(self._changed)
            self._groups.on_closed.append(self._finish)

    def _changed(self, group: GroupId, record: GroupRecord | None) -> None:
        if group == self._group.id:
            self.look()

    def _finish(self, error: PartisanError | None) -> None:
        if self._is_watching:
            self._groups.on_record.remove(self._changed)
            self._groups.on_closed.remove(self._finish)
            self._is_watching = False
        if error is None:
            self._ref.succeed(self._group)
        else:
            self._ref.fail(error)


def _why_unplaceable(record: GroupRecord) -> tuple[str, str, str]:
    wanted = ", ".join(f"{{{bundle}}}" for bundle in record.bundles[:5])
    more = "" if len(record.bundles) <= 5 else f" and {len(record.bundles) - 5} more"
    return str(record), f"{record.strategy} of {wanted}{more}", f"none: {record.why}"


def placement_group(
    bundles: Sequence[Mapping[str, float]],
    strategy: str = "PACK",
    name: str = "",
    lifetime: str | None = None,
    bundle_label_selector: Sequence[Mapping[str, str]] | None = None,
) -> PlacementGroup:
    """Reserve all of `bundles`, each on one node, or none. Returns at once; see `PlacementGroup.ready`.

    A bundle maps resources to amounts. "STRICT_PACK" puts all on one node, "STRICT_SPREAD" each on a node of its own;
    "PACK" and "SPREAD" do so as far as possible. `bundle_label_selector` has the labels that the node of each bundle
    must have. The group ends with the node that made it, or with whoever owns the running actor or task, unless
    `lifetime` is "detached". Bundles of a node that goes down are reserved anew elsewhere; the work in them has ended.
    Raises ConfigError; for a `name` too that another group known here has.
    """
    amounts = parse_bundles(bundles)
    if lifetime not in (None, "detached"):
        raise ConfigError("lifetime", lifetime, 'None or "detached"')
    if not isinstance(name, str) or len(name) > NAME_MAX:
        raise ConfigError("name", name, f"a text of at most {NAME_MAX} characters")
    selectors = tuple(dict(each) for each in bundle_label_selector or ())
    if selectors and len(selectors) != len(amounts):
        raise ConfigError("bundle_label_selector", bundle_label_selector, f"one for each of the {len(amounts)} bundles")
    for selector in selectors:
        parse_selectors(selector)
    system = session.system()
    groups = _groups(system)
    if name and on_loop(system, groups.named, name) is not None:
        raise ConfigError("name", name, "a name that no other placement group has")
    number = next(system.extensions.setdefault(NUMBERS, itertools.count(1)))
    record = GroupRecord(
        GroupId(system.me, number),
        parse_group_strategy(strategy),
        amounts,
        selectors,
        (None,) * len(amounts),
        None if lifetime == "detached" else current_owner.get() or system.me,
        name,
        PENDING,
    )
    on_loop(system, groups.create, record)
    return PlacementGroup(record.group, bundles)


def remove_placement_group(group: PlacementGroup) -> None:
    """Free what the group has reserved. Actors and tasks in it end with PlacementGroupRemoved. May be done twice."""
    if not isinstance(group, PlacementGroup):
        raise TypeError(f"remove_placement_group takes a PlacementGroup, not a {type(group).__name__}")
    system = session.system()
    on_loop(system, _groups(system).remove, group.id)


def get_placement_group(name: str) -> PlacementGroup:
    """The group of that name, as far as this node knows. Raises ValueError when there is none."""
    system = session.system()
    record = on_loop(system, _groups(system).named, name) if name else None
    if record is None:
        raise ValueError(f"there is no placement group named {name!r}: see placement_group_table()")
    return PlacementGroup(record.group, [bundle.plain() for bundle in record.bundles])


def get_current_placement_group() -> PlacementGroup | None:
    """The group that the running actor or task was placed in; None when it is in none, and outside of both."""
    system = session.system()
    scheduler: Scheduler = system.extensions["scheduler"]
    request = running_request(scheduler)
    if request is None or not isinstance(request.strategy, InPlacementGroup):
        return None
    record = on_loop(system, scheduler.groups.known, request.strategy.group)
    bundles = [] if record is None else [bundle.plain() for bundle in record.bundles]
    return PlacementGroup(request.strategy.group, bundles)


def placement_group_table(group: PlacementGroup | None = None) -> dict[str, Any]:
    """All groups that this node knows by the text of their ids, or the row of one.

    A row has the keys placement_group_id, name, strategy, state, why, bundles (by index), bundles_to_node_id and owner.
    """
    system = session.system()
    groups = _groups(system)
    if group is None:
        return {str(record.group): _row(record) for record in on_loop(system, groups.all)}
    record = on_loop(system, groups.known, group.id)
    return {} if record is None else _row(record)


def _row(record: GroupRecord) -> dict[str, Any]:
    return {
        "placement_group_id": str(record.group),
        "name": record.name,
        "strategy": record.strategy,
        "state": record.state,
        "why": record.why,
        "bundles": {index: bundle.plain() for index, bundle in enumerate(record.bundles)},
        "bundles_to_node_id": {index: host and str(host) for index, host in enumerate(record.hosts)},
        "owner": record.owner and str(record.owner),
    }


def _groups(system: ActorSystem) -> Groups:
    scheduler: Scheduler = system.extensions["scheduler"]
    return scheduler.groups
