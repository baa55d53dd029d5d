"""`CellOptions`: how one actor runs, as its cell needs to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from partisan_actors.ids import NodeId
from partisan_actors.values import dataclass

__all__ = ["CellOptions"]


@dataclass(frozen=True, slots=True)
class CellOptions:
    """How one actor runs. `owner` is the node whose end ends it, None for a detached one; `life` counts restarts.

    With `trap_exit`, exit signals are told to it and do not end it. `trace` is the trace context in which it
    is made, in wire form; empty when that is not traced. Its `on_stop` has `stop_timeout_s` seconds. Its
    own names, and those of what it makes, are in `namespace`. `tracing` is what its class says of that. `made_by` is
    as in its spec.
    """

    name: str | None = None
    owner: NodeId | None = None
    life: int = 0
    max_restarts: int = 0
    max_concurrency: int | None = None
    mailbox_max: int = 100_000
    dedicated_thread: bool = False
    trap_exit: bool = False
    trace: bytes = b""
    stop_timeout_s: float = 5.0
    concurrency_groups: Mapping[str, int] = field(default_factory=dict)
    namespace: str = ""
    tracing: str | float | None = None
    made_by: str = ""
