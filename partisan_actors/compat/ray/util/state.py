"""`ray.util.state`: rows of what there is in the cluster, by Ray's names. Any node answers; no dashboard is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import partisan_actors as pa
from partisan_actors.compat.ray.absent import refuse, refuser_of
from partisan_actors.compat.ray.cluster import in_rays_names
from partisan_actors.compat.ray.identity import to_hex
from partisan_actors.compat.ray.task_rows import summary_of_tasks, task_columns
from partisan_actors.compat.ray.util.placement_group import placement_group_table

__all__ = [
    "Row",
    "get_actor",
    "get_job",
    "get_node",
    "get_objects",
    "get_placement_group",
    "get_task",
    "get_worker",
    "list_actors",
    "list_jobs",
    "list_nodes",
    "list_objects",
    "list_placement_groups",
    "list_tasks",
    "list_workers",
    "summarize_actors",
    "summarize_objects",
    "summarize_tasks",
]

__getattr__ = refuser_of("util.state")

Filter = tuple[str, str, Any]

_ACTORS: Final = {
    "pending": "PENDING_CREATION",
    "starting": "PENDING_CREATION",
    "alive": "ALIVE",
    "restarting": "RESTARTING",
    "stopping": "ALIVE",
    "stopped": "DEAD",
}
_OBJECTS: Final = {"pending": "PENDING", "ready": "FINISHED", "failed": "FAILED"}
_JOBS: Final = {"up": "RUNNING", "suspect": "RUNNING", "left": "SUCCEEDED", "down": "FAILED"}
_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda value, wanted: str(value).lower() == str(wanted).lower(),
    "!=": lambda value, wanted: str(value).lower() != str(wanted).lower(),
}


class Row(dict[str, Any]):
    """A row whose columns are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no column {name!r}: there are {', '.join(self)}") from None


class Listing(Protocol):
    """Lists rows, with Ray's signature."""

    def __call__(
        self,
        address: str | None = None,
        filters: Sequence[Filter] | None = None,
        limit: int = 100,
        timeout: float = 30,
        detail: bool = False,
        raise_on_missing_output: bool = True,
    ) -> list[Row]:
        """The rows that `filters` let through, `limit` at most."""
        ...


def _listing(rows: Callable[[float], list[Row]]) -> Listing:
    """That lists `rows(timeout)` as Ray does."""

    def listed(
        address: str | None = None,
        filters: Sequence[Filter] | None = None,
        limit: int = 100,
        timeout: float = 30,
        detail: bool = False,
        raise_on_missing_output: bool = True,
    ) -> list[Row]:
        _check_address(address)
        return _chosen(rows(timeout), filters, limit)

    listed.__name__ = listed.__qualname__ = rows.__name__
    listed.__doc__ = rows.__doc__
    return listed


@_listing
def list_actors(timeout: float) -> list[Row]:
    """Actors, those that have ended as well, as far as nodes remember. Of `address` only this cluster is known.

    `filters` are (column, "=" or "!=", value), without regard to case. `detail` adds nothing: all columns are there.
    Raises ValueError, and GetTimeoutError.
    """
    nodes = {row["name"]: row["id"] for row in pa.nodes(processes=True)}
    pids = {row["name"]: row["pid"] for row in pa.nodes(processes=True)}
    return [
        Row(
            actor_id=to_hex(row["id"]),
            class_name=row["class"],
            state=_ACTORS[row["state"]],
            name=row["name"] or "",
            node_id=to_hex(nodes.get(row["node"], row["node"])),
            pid=pids.get(row["node"], 0),
            ray_namespace=row["namespace"],
            num_restarts=row["restarts"],
            is_detached=row["owner"] is None,
            death_cause=row["reason"] if row["state"] == "stopped" else None,
        )
        for row in pa.list_actors(timeout=timeout)
    ]


@_listing
def list_tasks(timeout: float) -> list[Row]:
    """Tasks, and calls of actors that have not ended. Arguments as for `list_actors`.

    Of tasks that are done, the last 5000 of each node that submitted them; `summarize_tasks` counts the calls, too.
    """
    return [Row(columns) for columns in task_columns(timeout)]


@_listing
def list_nodes(timeout: float) -> list[Row]:
    """Nodes, those that are down as well. Arguments as for `list_actors`."""
    return [
        Row(
            node_id=to_hex(row["id"]),
            node_ip=_host(row),
            node_name=row["name"],
            is_head_node=False,
            state="ALIVE" if row["state"] in ("up", "suspect") else "DEAD",
            resources_total=in_rays_names(row["resources"]),
            labels=dict(row["labels"]),
        )
        for row in pa.nodes()
    ]


@_listing
def list_workers(timeout: float) -> list[Row]:
    """Processes: of nodes, of isolated actors, and of programs that joined. Arguments as for `list_actors`."""
    return [
        Row(
            worker_id=to_hex(row["id"]),
            is_alive=row["state"] in ("up", "suspect"),
            worker_type=_worker_type(row),
            node_id=to_hex(row["id"]),
            ip=_host(row),
            pid=row["pid"],
        )
        for row in pa.nodes(processes=True)
    ]


@_listing
def list_placement_groups(timeout: float) -> list[Row]:
    """Placement groups that this node knows of. Arguments as for `list_actors`."""
    return [Row(row) for row in placement_group_table().values()]


@_listing
def list_objects(timeout: float) -> list[Row]:
    """Objects that are large, or that other nodes may hold: of the rest nobody keeps account. Else as `list_actors`."""
    nodes = {row["name"]: row for row in pa.nodes(processes=True)}
    rows = []
    for row in pa.list_objects(timeout=timeout):
        owner = nodes.get(row["owner"])
        rows.append(
            Row(
                object_id=to_hex(row["id"]),
                object_size=row["size_bytes"],
                task_status=_OBJECTS[row["state"]],
                reference_type="LOCAL_REFERENCE",
                call_site="disabled",
                type=_worker_type(owner) if owner is not None else "WORKER",
                pid=owner["pid"] if owner is not None else 0,
                ip=_host(owner) if owner is not None else "",
            )
        )
    return rows


@_listing
def list_jobs(timeout: float) -> list[Row]:
    """The programs that are its nodes, or were; the cluster is the job of them all. Arguments as for `list_actors`."""
    job_id = to_hex(pa.get_runtime_context().cluster)
    return [
        Row(
            job_id=job_id,
            submission_id=None,
            type="DRIVER",
            status=_JOBS[row["state"]],
            entrypoint="",
            message="" if row["state"] != "down" else "its node is down",
            driver_info={"id": job_id, "node_ip_address": _host(row), "pid": str(row["pid"])},
            driver_node_id=to_hex(row["id"]),
        )
        for row in pa.nodes()
        if _worker_type(row) == "DRIVER"
    ]


def get_actor(id: str, address: str | None = None, timeout: float = 30) -> Row | None:
    """The row of an actor, or None."""
    return _one(list_actors(address, limit=_ALL, timeout=timeout), "actor_id", id)


def get_task(id: Any, address: str | None = None, timeout: float = 30) -> Row | None:
    """The row of a task, by its id or a ref to its result, or None."""
    wanted = id.task_id().hex() if isinstance(id, pa.ObjectRef) else id
    return _one(list_tasks(address, limit=_ALL, timeout=timeout), "task_id", wanted)


def get_node(id: str, address: str | None = None, timeout: float = 30) -> Row | None:
    """The row of a node, or None."""
    return _one(list_nodes(address, limit=_ALL, timeout=timeout), "node_id", id)


def get_objects(id: Any, address: str | None = None, timeout: float = 30) -> list[Row]:
    """The rows of an object, by its id or a ref to it: one, or none."""
    wanted = id.hex() if isinstance(id, pa.ObjectRef) else id
    return [row for row in list_objects(address, limit=_ALL, timeout=timeout) if row["object_id"] == wanted]


def get_job(id: str, address: str | None = None, timeout: float = 30) -> Row | None:
    """The row of a program of the job, which is the cluster, or None: the one that runs, if one does."""
    rows = [row for row in list_jobs(address, limit=_ALL, timeout=timeout) if row["job_id"] == id]
    return next((row for row in rows if row["status"] == "RUNNING"), rows[0] if rows else None)


def get_worker(id: str, address: str | None = None, timeout: float = 30) -> Row | None:
    """The row of a process, or None."""
    return _one(list_workers(address, limit=_ALL, timeout=timeout), "worker_id", id)


def get_placement_group(id: str, address: str | None = None, timeout: float = 30) -> Row | None:
    """The row of a placement group, or None."""
    return _one(list_placement_groups(address, limit=_ALL, timeout=timeout), "placement_group_id", id)


def summarize_actors(
    address: str | None = None, timeout: float = 30, raise_on_missing_output: bool = True
) -> dict[str, Any]:
    """How many actors of each class are in each state."""
    counts: dict[str, Counter[str]] = {}
    for row in list_actors(address, limit=_ALL, timeout=timeout):
        counts.setdefault(row["class_name"], Counter())[row["state"]] += 1
    summary = {name: {"class_name": name, "state_counts": dict(states)} for name, states in counts.items()}
    count = sum(sum(states.values()) for states in counts.values())
    return {"cluster": {"summary": summary, "total_actors": count, "summary_by": "class"}}


def summarize_tasks(
    address: str | None = None, timeout: float = 30, raise_on_missing_output: bool = True
) -> dict[str, Any]:
    """How many tasks of each function, and calls of each method of actors, are in each state.

    Of what is done, the tasks that `list_tasks` lists, and the calls of actors on nodes that are up.
    """
    return summary_of_tasks(list_tasks(address, limit=_ALL, timeout=timeout), timeout)


def summarize_objects(
    address: str | None = None, timeout: float = 30, raise_on_missing_output: bool = True
) -> dict[str, Any]:
    """How many there are, and how large, of those that `list_objects` lists; nobody keeps account of call sites."""
    rows = list_objects(address, limit=_ALL, timeout=timeout)
    megabytes = sum(row["object_size"] for row in rows) / 1024**2
    all_of_them = {
        "total_objects": len(rows),
        "total_size_mb": megabytes,
        "total_num_workers": len({(row["ip"], row["pid"]) for row in rows}),
        "total_num_nodes": len({row["ip"] for row in rows}),
        "task_state_counts": dict(Counter(row["task_status"] for row in rows)),
        "ref_type_counts": dict(Counter(row["reference_type"] for row in rows)),
    }
    summary = {"disabled": all_of_them} if rows else {}
    return {
        "cluster": {
            "summary": summary,
            "total_objects": len(rows),
            "total_size_mb": megabytes,
            "callsite_enabled": False,
            "summary_by": "callsite",
        }
    }


# As many as there are.
_ALL: Final = 2**31


def _chosen(rows: Iterable[Row], filters: Sequence[Filter] | None, limit: int) -> list[Row]:
    chosen = list(rows)
    for column, test, wanted in filters or ():
        if test not in _TESTS:
            raise ValueError(f"a filter's test is one of {', '.join(map(repr, _TESTS))}, not {test!r}")
        if any(column not in row for row in chosen):
            raise ValueError(f"there is no column {column!r}: there are {', '.join(chosen[0])}")
        chosen = [row for row in chosen if _TESTS[test](row[column], wanted)]
    return chosen[:limit]


def _one(rows: Iterable[Row], column: str, wanted: str) -> Row | None:
    return next((row for row in rows if row[column] == wanted), None)


def _worker_type(row: Mapping[str, Any]) -> str:
    """A program's node offers no place to others, unless it is this one, which may."""
    here = pa.get_runtime_context()
    is_this = row["is_me"] and here.actor_id is None and here.task_id is None
    return "DRIVER" if not row["hosted_by"] and (is_this or not row["hosts_actors"]) else "WORKER"


def _host(row: Mapping[str, Any]) -> str:
    return str(row["addresses"][0].rpartition(":")[0]) if row["addresses"] else ""


def _check_address(address: str | None) -> None:
    if address not in (None, "auto"):
        refuse("asking another cluster", "partisan status --address HOST:PORT --json, or partisan actors, tells of any")
