"""Looking at the stacks of other threads."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from partisan_actors.api.frames import nothing_collected, thread_places


@pytest.fixture(autouse=True)
def _collected_afterwards() -> Iterator[None]:
    yield
    gc.enable()


def test_nothing_is_collected_while_stacks_are_looked_at() -> None:
    with nothing_collected():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_whoever_has_switched_collection_off_finds_it_off_afterwards() -> None:
    gc.disable()

    functions = [place.function for place in thread_places()[threading.get_ident()]]

    assert "test_whoever_has_switched_collection_off_finds_it_off_afterwards" in functions
    assert not gc.isenabled()


def test_whoever_is_done_first_lets_nothing_be_collected_while_another_thread_looks() -> None:
    came, may_go = threading.Event(), threading.Event()

    def look() -> None:
        with nothing_collected():
            came.set()
            may_go.wait(60)

    def look_too() -> None:
        with nothing_collected():
            found.append(gc.isenabled())

    found: list[bool] = []
    threads = [threading.Thread(target=each) for each in (look, look_too)]
    threads[0].start()
    assert came.wait(60)
    threads[1].start()
    may_go.set()
    for thread in threads:
        thread.join(60)

    assert found == [False] and gc.isenabled()
