"""What one node tells of objects: which it owns or has borrowed, where their values are, and why they are kept."""

from __future__ import annotations

from sys import getrefcount
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.referrers import referrers_of
from partisan_actors.errors import ConfigError
from partisan_actors.ids import ObjectId
from partisan_actors.objects.keeping import Kept
from partisan_actors.objects.lending import LINGER_S, Lent
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.store import ObjectStore

__all__ = ["OBJECT_ROWS", "ROWS_MAX", "ObjectRows"]

OBJECT_ROWS: Final = "objects_kept"
# The most rows of one answer: the largest objects. `left_out` says how many more there are.
ROWS_MAX: Final = 1000
OWNER, BORROWER = "owner", "borrower"


class ObjectRows:
    """Answers for one node.

    It knows of what it owns when others may hold it, or when it is large; of the rest nobody keeps account. `handles`
    is how many references its process has to an object beside our own: variables, lists, arguments of running methods.
    """

    def __init__(self, system: ActorSystem, store: ObjectStore) -> None:
        self._system = system
        self._store = store
        system.serve(OBJECT_ROWS, self)

    async def all(self, peer: Any) -> dict[str, Any]:
        """The ROWS_MAX largest, and the node's memory for them."""
        rows = [self._row(*each) for each in self._owned()] + [self._borrowed_row(*each) for each in self._borrowed()]
        rows.sort(key=lambda row: (-row["size_bytes"], row["id"]))
        keeping = self._store.keeping
        segments = self._store.sharing.segments
        return {
            "node": self._system.me.name,
            "rows": rows[:ROWS_MAX],
            "left_out": max(0, len(rows) - ROWS_MAX),
            "bytes_used": keeping.bytes_used,
            "bytes_max": keeping.bytes_max,
            "shared_bytes": segments.bytes_used if segments is not None else 0,
            "mapped_bytes": segments.bytes_adopted if segments is not None else 0,
            "spilled": keeping.spilled_count,
            "restored": keeping.restored_count,
        }

    async def one(self, peer: Any, identity: str) -> dict[str, Any] | None:
        """The row of one object, with `referrers`: who has it in this process. None when this node knows nothing of it.

        Raises ConfigError for what is no id.
        """
        try:
            wanted = ObjectId.parse(identity)
        except ValueError as error:
            raise ConfigError("object", identity, "the id of an object, such as object:node~1a/2") from error
        owned = [each for each in self._owned() if each[0].id == wanted]
        borrowed = [each for each in self._borrowed() if each[0].id == wanted]
        rows = [self._row(*each) for each in owned] + [self._borrowed_row(*each) for each in borrowed]
        if not rows:
            return None
        named = owned[0] if owned else borrowed[0]
        has_handles = rows[0]["handles"] > 0
        found = await self._system.loop.run_in_executor(None, _referrers, named) if has_handles else []
        return {**rows[0], "referrers": found}

    def _owned(self) -> list[tuple[ObjectRef[Any], Kept | None, Lent | None]]:
        kept = self._store.keeping.all()
        lent = {each.ref: each for each in list(self._store.lending.lent.values())}
        return [(ref, kept.get(ref), lent.get(ref)) for ref in {**kept, **lent}]

    def _borrowed(self) -> list[tuple[ObjectRef[Any]]]:
        return [(ref,) for ref in self._store.borrowed()]

    def _row(self, ref: ObjectRef[Any], kept: Kept | None, lent: Lent | None) -> dict[str, Any]:
        now = self._system.loop.time()
        since = [each.since for each in (kept, lent) if each is not None and each.since]
        on_the_way_s = lent.until - now if lent is not None else 0.0
        held_by = sorted(node.name for node in lent.borrowers) if lent is not None else []
        lingering = self._store.lending.lingering(ref)
        on_the_way_s = max(0.0, on_the_way_s, LINGER_S if lingering else 0.0)
        handles = _handles(ref, (lent is not None) + lingering)
        state = _state(ref)
        where = "" if state != "ready" else self._where(kept)
        return {
            "id": str(ref.id),
            "role": OWNER,
            "owner": ref.id.node.name,
            "size_bytes": kept.size if kept is not None else ref.size_bytes,
            "state": state,
            "where": where,
            "is_pinned": kept is not None and kept.stays,
            "handles": handles,
            "held_by": held_by,
            "copies_on": sorted(node.name for node in lent.copies) if lent is not None else [],
            "on_the_way_s": on_the_way_s,
            "age_s": now - min(since) if since else None,
        }

    def _borrowed_row(self, ref: ObjectRef[Any]) -> dict[str, Any]:
        is_recent = self._store.is_recent(ref)
        state = _state(ref)
        return {
            "id": str(ref.id),
            "role": BORROWER,
            "owner": ref.id.node.name,
            "size_bytes": ref.size_bytes,
            "state": state,
            "where": "memory" if state == "ready" else "",
            "is_pinned": is_recent,
            "handles": _handles(ref, int(is_recent)),
            "held_by": [],
            "copies_on": [],
            "on_the_way_s": 0.0,
            "age_s": None,
        }

    def _where(self, kept: Kept | None) -> str:
        if kept is None:
            return "memory"
        if kept.body is None:
            return "disk"
        segments = self._store.sharing.segments
        views = [buffer for buffer in kept.buffers if type(buffer) is memoryview]
        is_shared = segments is not None and any(segments.find(view) is not None for view in views)
        return "shared memory" if is_shared else "memory"


def _state(ref: ObjectRef[Any]) -> str:
    return "pending" if not ref.done() else "failed" if ref.has_failed else "ready"


def _referrers(named: tuple[Any, ...]) -> list[str]:
    ours = f"an item of a tuple of {len(named)}"  # that is `named` itself
    found = referrers_of(named[0], but=(Lent,))
    if ours in found:
        found.remove(ours)
    return found


def _handles(ref: ObjectRef[Any], ours: int) -> int:
    """How many references there are beside `ours`, and those of who asks."""
    return max(0, getrefcount(ref) - ours - _ASKING)


def _count_asking() -> int:
    # What getrefcount answers, by the same way, of what nobody else has; Pythons differ.
    def row(ref: object, _: None) -> int:
        return asked(ref, 0)

    def asked(ref: object, _: int) -> int:
        return getrefcount(ref)

    found = [(object(), None)]
    return [row(*each) for each in found][0]  # noqa: RUF015 - as rows are made, by a list


_ASKING: Final = _count_asking()
