"""`ray.init` with arguments of its own: the local mode, how to log, and where to join."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import partisan_actors.compat.ray as ray


@pytest.fixture(autouse=True)
def no_session() -> Iterator[None]:
    ray.shutdown()
    yield
    ray.shutdown()


def test_in_local_mode_everything_runs_in_this_process() -> None:
    @ray.remote
    class Actor:
        def where(self) -> tuple[int, int]:
            return os.getpid(), threading.get_ident()

        async def soon(self) -> int:
            return os.getpid()

    @ray.remote
    def where(actor: Any) -> tuple[int, int]:
        return os.getpid(), ray.get(actor.where.remote())[0]

    with ray.init(local_mode=True, num_cpus=2):
        actor = Actor.options(name="here").remote()
        pid, thread = ray.get(actor.where.remote(), timeout=60)
        assert pid == os.getpid() and thread != threading.get_ident()
        assert ray.get(ray.get_actor("here").soon.remote(), timeout=60) == os.getpid()
        assert ray.get(where.remote(actor), timeout=60) == (os.getpid(), os.getpid())
    with ray.init(num_cpus=2):
        assert ray.get(Actor.remote().where.remote(), timeout=60)[0] != os.getpid()


def test_the_local_mode_joins_nobody() -> None:
    with pytest.raises(ValueError, match="local_mode"):
        ray.init("127.0.0.1:1", local_mode=True)


def test_the_address_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ConnectionError):
        ray.init()
    with pytest.raises(ValueError, match="existing cluster"):
        ray.init(num_cpus=1)

    with ray.init("local", num_cpus=1):
        assert ray.is_initialized()


def test_records_of_log_are_text_or_json_from_a_level_on(capfd: pytest.CaptureFixture[str]) -> None:
    import json
    import logging

    with ray.init(num_cpus=1, logging_config=ray.LoggingConfig(encoding="JSON", log_level="INFO")):
        logging.getLogger("shop").info("sold")
    lines = [line for line in capfd.readouterr().err.splitlines() if "sold" in line]

    assert [json.loads(line)["message"] for line in lines] == ["sold"]
    with pytest.raises(ValueError, match="encoding"):
        ray.LoggingConfig(encoding="YAML")
    with pytest.raises(NotImplementedError, match="LogFields"):
        ray.LoggingConfig(additional_log_standard_attrs=["name"])


def test_an_accelerator_is_a_label() -> None:
    @ray.remote(accelerator_type="A100", enable_task_events=False)
    def where() -> str:
        return "there"

    with ray.init(num_cpus=2, labels={"ray.io/accelerator-type": "A100"}):
        assert ray.get(where.remote(), timeout=60) == "there"
        with pytest.raises(ray.exceptions.RayError):
            ray.get(where.options(accelerator_type="H100").remote(), timeout=60)
