"""What Ray's errors have beside their text is on those that stand for them."""

from __future__ import annotations

import inspect
from typing import Any

import partisan_actors as pa
from partisan_actors.compat.ray import exceptions
from partisan_actors.ids import ActorId, NodeId

ACTOR = ActorId(NodeId("n1", 5), 7)


def test_every_name_is_an_error_of_this_package() -> None:
    for name in exceptions.__all__:
        kind = getattr(exceptions, name)
        assert inspect.isclass(kind)
        assert issubclass(kind, exceptions.RayError)


def test_an_actor_s_error_has_the_fields_that_ray_s_has() -> None:
    error: Any = pa.ActorStopped(f"Counter on node n1 ({ACTOR})", "it was killed")

    assert error.error_msg == str(error)
    assert ActorId.from_hex(error.actor_id) == ACTOR
    assert (error.actor_init_failed, error.preempted) == (False, False)
    away: Any = pa.ActorUnavailable("somebody", "it is away")
    assert away.actor_id is None


def test_of_a_constructor_that_raised_it_says_so() -> None:
    failed: Any = pa.TaskFailed.of(KeyError("no"), f"Counter.__init__ ({ACTOR})", "KeyError: no", True)
    heard: Any = pa.ActorStopped(f"Counter ({ACTOR})", "its constructor raised KeyError: no")

    assert failed.actor_init_failed and heard.actor_init_failed
    assert failed.as_instanceof_cause() is failed
    assert isinstance(failed, KeyError)


def test_no_coroutine_can_raise_a_stop_so_it_is_the_cause_only() -> None:
    for kind in (StopIteration, StopAsyncIteration):
        error = pa.TaskFailed.of(kind(5), "a task", "StopIteration: 5")
        assert not isinstance(error, kind)
        assert isinstance(error.cause, kind)
