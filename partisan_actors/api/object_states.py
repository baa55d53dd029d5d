"""`list_objects`: which values there are in the cluster, where they are, and who has them."""

from __future__ import annotations

from typing import Any, Final

from partisan_actors.api import session
from partisan_actors.api.everybody import answers_of_all, blocking
from partisan_actors.api.object_rows import OBJECT_ROWS, OWNER
from partisan_actors.errors import ConfigError

__all__ = ["list_objects"]

STATES: Final = ("pending", "ready", "failed")


def list_objects(*, state: str | None = None, owner: str | None = None, timeout: float = 10.0) -> list[dict[str, Any]]:
    """A row for each object of the cluster, as its owner tells; of those with everything that is given.

    A row has the keys id, owner (the name of the node), size_bytes, state ("pending", "ready" or "failed"), where
    ("memory", "shared memory" or "disk" when it is ready), held_by and copies_on (names of other nodes that have a ref,
    and the value), handles (references in the owner's own process), is_pinned, on_the_way_s and age_s. Nobody keeps
    account of small objects that never left their node. A node tells of its 1,000 largest. Blocks, and raises as
    `list_actors` does.
    """
    if state is not None and state not in STATES:
        raise ConfigError("state", state, f"one of {', '.join(STATES)}")
    system = session.system()
    found = blocking(system, answers_of_all(system, OBJECT_ROWS, "all"), "list_objects", "its objects", timeout)
    rows = [row for answer in found if answer.why is None for row in answer.value["rows"] if row["role"] == OWNER]
    return [
        {key: value for key, value in row.items() if key != "role"}
        for row in rows
        if state in (None, row["state"]) and owner in (None, row["owner"])
    ]
