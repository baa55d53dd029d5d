"""Tests of the cookie: where it comes from, and that it is kept from others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.node.cookie import cookie_from_file, cookie_path, read_cookie


@pytest.fixture(autouse=True)
def cookie_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "folder" / "cookie"
    monkeypatch.setenv("PARTISAN_COOKIE_FILE", str(path))
    monkeypatch.delenv("PARTISAN_COOKIE", raising=False)
    return path


def test_a_cookie_that_is_given_wins_over_the_environment_and_that_over_the_file(
    cookie_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file = read_cookie()
    monkeypatch.setenv("PARTISAN_COOKIE", "from the environment")

    assert read_cookie("given by hand") == b"given by hand"
    assert read_cookie(b"given as bytes") == b"given as bytes"
    assert read_cookie() == b"from the environment"
    assert in_file not in (b"given by hand", b"from the environment")


def test_a_file_is_made_on_first_use_which_only_its_owner_can_read(cookie_file: Path) -> None:
    cookie = read_cookie()

    assert len(cookie) >= 32
    assert stat.S_IMODE(cookie_file.stat().st_mode) == 0o600
    assert read_cookie() == cookie == cookie_from_file(cookie_file)
    assert [path.name for path in cookie_file.parent.iterdir()] == ["cookie"]


def test_two_files_hold_two_secrets(tmp_path: Path) -> None:
    assert cookie_from_file(tmp_path / "a") != cookie_from_file(tmp_path / "b")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(cookie_file: Path, mode: int) -> None:
    read_cookie()
    cookie_file.chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        read_cookie()


def test_a_cookie_that_is_too_short_is_refused_and_not_shown(cookie_file: Path) -> None:
    with pytest.raises(ConfigError, match="at least 8 bytes") as error:
        read_cookie("secret")
    assert "secret'" not in str(error.value)

    cookie_file.parent.mkdir()
    cookie_file.touch(0o600)
    with pytest.raises(ConfigError, match="at least 8 bytes"):
        read_cookie()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PARTISAN_COOKIE_FILE", str(tmp_path / "file" / "cookie"))

    with pytest.raises(ConfigError, match="cookie file"):
        read_cookie()


def test_the_space_around_a_cookie_does_not_count(cookie_file: Path) -> None:
    cookie_file.parent.mkdir()
    cookie_file.touch(0o600)
    cookie_file.write_text("a secret of ours\n\n")

    assert read_cookie() == b"a secret of ours"


def test_without_a_word_the_file_is_below_the_users_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTISAN_COOKIE_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", os.sep + "somewhere")

    assert cookie_path() == Path("/somewhere/partisan-actors/cookie")


def test_whoever_comes_second_reads_the_cookie_of_the_first(cookie_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes start at once: the other one's file appears just before ours is put in its place."""
    put_in_place = os.link

    def late(source: Path, target: Path) -> None:
        Path(target).touch(0o600)
        Path(target).write_text("the other one's cookie")
        put_in_place(source, target)

    monkeypatch.setattr(os, "link", late)

    assert read_cookie() == b"the other one's cookie"
