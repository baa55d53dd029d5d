"""What users of Ray import beside actors and tasks: lines of progress, what is logged once, environments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import partisan_actors.compat.ray as ray
from partisan_actors.compat.ray.experimental import tqdm_ray
from partisan_actors.compat.ray.runtime_env import RuntimeEnv, RuntimeEnvConfig
from partisan_actors.compat.ray.util import debug


@pytest.fixture(autouse=True)
def _forgets() -> Iterator[None]:
    yield
    debug.reset_log_once()
    debug._is_off = debug._is_periodic = False


def test_a_bar_writes_how_far_it_is_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    items = list(tqdm_ray.tqdm(range(3), desc="work", flush_interval_s=1000.0))

    assert items == [0, 1, 2]
    assert capsys.readouterr().err == "work: 3/3 it, 0 s\n"


def test_a_bar_that_is_updated_by_hand_writes_each_time_when_it_may(capsys: pytest.CaptureFixture[str]) -> None:
    bar = tqdm_ray.tqdm(total=10, unit="pages", flush_interval_s=0.0)
    bar.update(4)
    bar.set_description("read")
    bar.update(6)
    bar.close()
    bar.close()

    lines = [line.rpartition(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["4/10 pages", "read: 10/10 pages"]


def test_a_bar_over_nothing_says_so() -> None:
    with pytest.raises(ValueError, match="without an iterable"):
        iter(tqdm_ray.tqdm(total=3)).__next__()
    with pytest.raises(TypeError):
        tqdm_ray.tqdm(3)  # type: ignore[arg-type]  # what it refuses


def test_what_has_a_key_is_logged_once_until_it_is_forgotten() -> None:
    assert [ray.util.log_once("a"), ray.util.log_once("a"), ray.util.log_once("b")] == [True, False, True]

    debug.reset_log_once("a")
    assert ray.util.log_once("a")
    ray.util.disable_log_once_globally()
    assert not ray.util.log_once("c")


def test_of_more_keys_than_are_remembered_the_one_not_asked_about_is_logged_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(debug, "KEYS_MAX", 2)

    assert [debug.log_once(key) for key in "abca"] == [True, True, True, True]
    assert not debug.log_once("c")
    assert [debug.log_once(key) for key in "bca"] == [True, False, True]


def test_periodic_logging_is_once_a_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug, "PERIOD_S", -1.0)
    assert [debug.log_once("a"), debug.log_once("a")] == [True, False]

    debug.enable_periodic_logging()

    assert debug.log_once("a")


def test_an_environment_is_a_map_of_what_was_said() -> None:
    made = RuntimeEnv(env_vars={"A": "1"}, excludes=["*.bin"])

    assert made == {"env_vars": {"A": "1"}, "excludes": ["*.bin"]} == made.to_dict()
    assert (made.env_vars(), made.has_working_dir(), made.working_dir()) == ({"A": "1"}, False, None)
    made.set("working_dir", "/x")
    assert made.has_working_dir()
    with pytest.raises(TypeError, match="RuntimeEnv has no nonsense"):
        RuntimeEnv(nonsense=1)
    assert RuntimeEnvConfig(setup_timeout_seconds=1).to_dict() == {"setup_timeout_seconds": 1, "eager_install": True}


def test_a_logging_config_survives_being_a_map() -> None:
    config = ray.LoggingConfig(encoding="JSON", log_level="DEBUG")

    assert ray.LoggingConfig.from_dict({**config.to_dict(), "unknown": 1}) == config
