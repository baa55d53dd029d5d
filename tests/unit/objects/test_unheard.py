"""An error that nobody has asked about is told once, and one that somebody has is not."""

from __future__ import annotations

import asyncio
import gc
import itertools
import pickle
from typing import Any

import pytest

from partisan_actors.errors import ActorStopped, TaskCancelled, TaskFailed
from partisan_actors.ids import NodeId, ObjectId
from partisan_actors.objects import unheard
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.unheard import Unheard


class Store:
    """What refs need, and no more."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.on_failure: list[Any] = []
        self.unheard = Unheard(lambda call, *args: call(*args))
        self._numbers = itertools.count(1)

    def new_id(self) -> ObjectId:
        return ObjectId(NodeId("a", 1), next(self._numbers))

    def lend(self, ref: ObjectRef[Any]) -> None:
        """It is sent."""

    rebuild = ObjectId

    def failed(self, error: BaseException) -> ObjectRef[Any]:
        ref: ObjectRef[Any] = ObjectRef(self)  # type: ignore[arg-type]  # enough of a store
        ref.fail(error)
        return ref


def error(text: str = "lost") -> TaskFailed:
    return TaskFailed.of(ValueError(text), "f", f"ValueError: {text}")


async def test_a_failure_is_told_when_its_ref_is_gone_and_not_before(caplog: pytest.LogCaptureFixture) -> None:
    ref = Store().failed(error())
    assert not caplog.messages

    del ref

    (message,) = caplog.messages
    assert "nobody asked for the result of work that failed" in message
    assert "ValueError: lost" in message


async def test_a_failure_that_came_too_late_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    ref: ObjectRef[Any] = ObjectRef(store)  # type: ignore[arg-type]  # enough of a store
    watch = store.unheard.failed

    def succeeds_meanwhile(which: Any, why: BaseException) -> None:
        watch(which, why)
        which.succeed(1)

    store.unheard.failed = succeeds_meanwhile  # type: ignore[method-assign]  # as another thread may do
    ref.fail(error())

    assert ref.result() == 1
    del ref
    assert not caplog.messages


@pytest.mark.parametrize("way", ["result", "exception", "await", "future", "sent"])
async def test_a_failure_that_somebody_has_heard_of_is_not_told(way: str, caplog: pytest.LogCaptureFixture) -> None:
    ref = Store().failed(error())
    if way == "exception":
        assert isinstance(ref.exception(), ValueError)
    elif way == "sent":
        pickle.dumps(ref)
    else:
        with pytest.raises(ValueError, match="lost"):
            await ref if way == "await" else (ref if way == "result" else ref.future()).result()

    del ref

    assert not caplog.messages


async def test_of_several_results_that_have_one_error_one_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    store, one = Store(), error()
    refs = [store.failed(one) for _ in range(3)]
    refs.clear()
    assert len(caplog.messages) == 1

    refs = [store.failed(one) for _ in range(3)]
    assert refs[0].exception() is one
    refs.clear()
    assert len(caplog.messages) == 1


async def test_who_only_looks_on_has_not_heard(caplog: pytest.LogCaptureFixture) -> None:
    ref = Store().failed(error())
    assert ref.failure is not None and ref.has_failed

    del ref

    assert len(caplog.messages) == 1


@pytest.mark.parametrize("other", [TaskCancelled("f"), ActorStopped("A", "it was killed")])
async def test_what_the_system_has_to_say_is_not_told(other: Exception, caplog: pytest.LogCaptureFixture) -> None:
    Store().failed(other)

    assert not caplog.messages


async def test_the_oldest_of_too_many_and_all_after_the_end_are_not_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unheard, "UNHEARD_MAX", 2)
    store = Store()
    refs = [store.failed(error(text)) for text in ("first", "second", "third")]
    del refs[0]
    assert not caplog.messages
    del refs[0]
    assert len(caplog.messages) == 1

    store.unheard.close()
    refs.clear()

    assert len(caplog.messages) == 1


async def test_it_is_told_on_the_loop_and_not_in_the_middle_of_whatever_let_go_of_the_ref(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, posted = Store(), []
    store.unheard = Unheard(lambda *call: posted.append(call))
    ref = store.failed(error())

    del ref
    assert not caplog.messages
    ((call, *args),) = posted
    call(*args)

    assert len(caplog.messages) == 1


async def test_the_collector_may_find_such_refs_while_somebody_hears_of_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, known = Store(), error("known")
    before = gc.get_threshold()
    gc.disable()
    try:
        for _ in range(900):
            circle: list[Any] = [store.failed(error())]
            circle.append(circle)
        del circle
        ref = store.failed(known)
        pairs = [(number, number) for number in range(4_000)]  # no pair is ready to be used again, which costs nothing
        gc.set_threshold(gc.get_count()[0] + 300, *before[1:])  # so it looks when it is in the middle of them
        gc.enable()

        assert ref.exception() is known
    finally:
        gc.set_threshold(*before)
        gc.enable()

    del ref, pairs
    gc.collect()
    assert len(caplog.messages) == 900
