"""Workers that are started while a session runs."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from partisan_actors.api import starting
from partisan_actors.api.starting import start_another


async def test_two_workers_that_are_asked_for_at_once_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    workers: list[Any] = []
    both_asked = threading.Event()

    def start_one(name: str) -> Any:
        both_asked.wait(30)
        worker = SimpleNamespace(name=name, epitaph=lambda: None)
        workers.append(worker)
        return worker

    def live() -> list[Any]:
        return [SimpleNamespace(node=SimpleNamespace(name=worker.name)) for worker in workers]

    crew: Any = SimpleNamespace(workers=workers, start_another=start_one)
    begun: Any = SimpleNamespace(workers=workers)
    children: list[str] = []
    runtime: Any = SimpleNamespace(
        config=SimpleNamespace(name="home"),
        node=SimpleNamespace(directory=SimpleNamespace(live=live)),
        draining=SimpleNamespace(children=children),
    )
    monkeypatch.setattr(starting, "_configure_workers", lambda *_: None)
    naming = asyncio.Lock()
    asked = [asyncio.ensure_future(start_another(begun, runtime, crew, naming)) for _ in range(2)]
    await asyncio.sleep(0)  # both have begun
    both_asked.set()
    assert await asyncio.gather(*asked) == ["home-w1", "home-w2"]
    assert sorted(children) == ["home-w1", "home-w2"]
