"""Tests of the files that tell which nodes run here."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from partisan_actors.errors import ConfigError, NotYetConnected
from partisan_actors.node.config import host_name
from partisan_actors.node.rundir import (
    Announcement,
    RunningNode,
    contacts_of_only_cluster,
    run_dir,
    running_clusters,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of this test's own, not made yet."""
    monkeypatch.setenv("PARTISAN_RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


def running(name: str = "a", cluster: str = "c", started: float = 1.0, host: str | None = None) -> RunningNode:
    return RunningNode(f"127.0.0.1:{len(name)}", cluster, name, os.getpid(), started, host or host_name())


def test_an_announced_node_is_found_until_it_closes() -> None:
    announcement = Announcement(running())

    assert running_clusters() == {"c": [running()]}

    announcement.close()
    assert running_clusters() == {}


def test_only_the_owner_can_read_what_is_announced(folder: Path) -> None:
    with Announcement(running()) as announcement:
        assert announcement.path.stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700


def test_nodes_are_listed_by_cluster_the_oldest_first() -> None:
    with (
        Announcement(running("young", "c", 2.0)),
        Announcement(running("old", "c", 1.0)),
        Announcement(running("x", "d")),
    ):
        names = {cluster: [node.name for node in nodes] for cluster, nodes in running_clusters().items()}

    assert names == {"c": ["old", "young"], "d": ["x"]}


def test_a_file_that_nobody_holds_is_left_over_and_swept(folder: Path) -> None:
    folder.mkdir()
    left_over = folder / "left.json"
    left_over.write_text(json.dumps(asdict(running())))

    assert running_clusters() == {}
    assert not left_over.exists()


def test_a_file_of_another_host_is_neither_believed_nor_swept(folder: Path) -> None:
    folder.mkdir()
    elsewhere = folder / "elsewhere.json"
    elsewhere.write_text(json.dumps(asdict(running(host="another-host"))))

    assert running_clusters() == {}
    assert elsewhere.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"address": 1}', "\x00"])
def test_a_file_that_is_not_one_of_ours_is_passed_over(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "garbage.json").write_text(text)

    assert running_clusters() == {}


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    with Announcement(running(), tmp_path / "other") as announcement:
        folder.mkdir()
        (folder / "link.json").symlink_to(announcement.path)

        assert running_clusters() == {}


def test_the_same_node_can_announce_itself_again() -> None:
    Announcement(running()).close()

    with Announcement(running()):
        assert running_clusters() == {"c": [running()]}


def test_a_directory_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="PARTISAN_RUN_DIR"):
        Announcement(running(), tmp_path / "file" / "run")


def test_the_only_cluster_is_the_one_that_is_meant() -> None:
    with Announcement(running("a")), Announcement(running("bb", started=2.0)):
        assert contacts_of_only_cluster() == ["127.0.0.1:1", "127.0.0.1:2"]


def test_of_several_clusters_one_has_to_be_named() -> None:
    with Announcement(running("a", "c")), Announcement(running("bb", "d")):
        assert contacts_of_only_cluster("d") == ["127.0.0.1:2"]
        with pytest.raises(ConfigError, match="c, d"):
            contacts_of_only_cluster()


def test_without_a_cluster_the_error_says_how_to_start_one() -> None:
    with pytest.raises(NotYetConnected, match="partisan start"):
        contacts_of_only_cluster()


def test_the_directory_is_the_named_one_or_the_session_s_or_the_user_s(tmp_path: Path) -> None:
    assert run_dir({"PARTISAN_RUN_DIR": "/x", "XDG_RUNTIME_DIR": str(tmp_path)}) == Path("/x")
    assert run_dir({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "partisan-actors"
    assert run_dir({"XDG_RUNTIME_DIR": "/nowhere/at/all"}) == Path.home() / ".cache" / "partisan-actors" / "run"
    assert run_dir({}) == Path.home() / ".cache" / "partisan-actors" / "run"
