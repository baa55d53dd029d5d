"""Gates: how threads wait for the loop."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from partisan_actors.actors.blocking import gate, own_gates, result_of


@pytest.mark.parametrize("once", [True, False])
def test_a_gate_is_closed_until_it_is_opened(once: bool) -> None:
    made = gate(once=once)

    assert not made.wait(0.0)
    threading.Timer(0.01, made.open).start()

    assert made.wait(30)
    assert not made.wait(0.0)


def test_each_opening_lets_one_pass() -> None:
    made = gate()

    made.open()
    made.open()

    assert [made.wait(0.0) for _ in range(3)] == [True, True, False]


def test_the_result_of_a_job_is_waited_for_or_its_error_or_not_for_ever() -> None:
    done: Future[int] = Future()
    failed: Future[int] = Future()
    threading.Timer(0.01, done.set_result, (3,)).start()
    failed.set_exception(ZeroDivisionError())

    assert result_of(done, 60.0) == 3
    with pytest.raises(ZeroDivisionError):
        result_of(failed)
    with pytest.raises(TimeoutError):
        result_of(Future[int](), 0.01)


def test_a_thread_may_bring_gates_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Open:
        def open(self) -> None: ...

        def wait(self, timeout: float | None = None) -> bool:
            return True

    monkeypatch.setattr(own_gates, "make", Open)

    assert isinstance(gate(), Open)
    assert isinstance(gate(once=True), Open)
