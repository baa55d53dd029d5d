"""Which GPUs the running actor or task has."""

from __future__ import annotations

from partisan_actors.api import session
from partisan_actors.api.capture import running_token
from partisan_actors.api.on_loop import on_loop
from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["get_gpu_ids"]


def get_gpu_ids() -> list[int]:
    """The numbers of the GPUs that the running actor or task holds, whole or in part; none outside of both.

    A node numbers its GPUs from 0, as far as it was given any (`resources={"num_gpus": 2}`). Actors and tasks of one
    node share its process, so nothing but these numbers keeps them apart.
    """
    system, token = session.system(), running_token()
    scheduler: Scheduler = system.extensions["scheduler"]
    return [] if token is None else on_loop(system, scheduler.room.gpus, token)
