"""Tests of which cluster a command asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from partisan_actors.api.observer import Answer
from partisan_actors.cli.asking import Survey, Target, check_node
from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.node.config import host_name
from partisan_actors.node.rundir import Announcement, RunningNode


@pytest.fixture(autouse=True)
def _own_run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTISAN_RUN_DIR", str(tmp_path))


@pytest.fixture
def red() -> Iterator[RunningNode]:
    """A running node of cluster red."""
    node = RunningNode("127.0.0.1:1", "red", "a", os.getpid(), 1.0, host_name())
    with Announcement(node):
        yield node


@pytest.fixture
def blue() -> Iterator[RunningNode]:
    """A running node of cluster blue."""
    node = RunningNode("127.0.0.1:2", "blue", "b", os.getpid(), 2.0, host_name())
    with Announcement(node):
        yield node


def test_a_member_that_is_not_there_is_named_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": "b", "state": "up"}, {"name": "a", "state": "down"}]

    check_node(rows, None)
    check_node(rows, "b")
    assert capsys.readouterr().err == ""
    check_node(rows, "a")
    assert capsys.readouterr().err == "node a is down, and is not asked\n"
    with pytest.raises(Failure, match="no node 'c' is in the cluster; there are a, b") as caught:
        check_node(rows, "c")
    assert caught.value.code is ExitCode.USAGE


def test_a_given_address_is_the_one(red: RunningNode) -> None:
    assert Target("h:9", "", None).addresses() == ["h:9"]


def test_the_only_cluster_is_meant(red: RunningNode) -> None:
    assert Target(None, "", None).addresses() == [red.address]


def test_of_several_clusters_the_named_one_is_meant(red: RunningNode, blue: RunningNode) -> None:
    assert Target(None, "blue", None).addresses() == [blue.address]


def test_several_clusters_are_listed_with_their_addresses(red: RunningNode, blue: RunningNode) -> None:
    with pytest.raises(Failure, match=r"--cluster NAME: blue \(at 127.0.0.1:2\), red \(at 127.0.0.1:1\)") as caught:
        Target(None, "", None).addresses()

    assert caught.value.code is ExitCode.USAGE


def test_a_cluster_that_does_not_run_here_is_told_with_those_that_do(red: RunningNode) -> None:
    with pytest.raises(Failure, match=r"no cluster 'green'.*there is red.*--address") as caught:
        Target(None, "green", None).addresses()

    assert caught.value.code is ExitCode.NO_CLUSTER


def test_the_cookie_file_counts_more_than_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cookie"
    file.write_text("from the file\n")
    file.chmod(0o600)
    monkeypatch.setenv("PARTISAN_COOKIE", "from the environment")

    assert Target(None, "", file).cookie() == b"from the file"
    assert Target(None, "", None).cookie() == b"from the environment"


def test_a_survey_says_who_did_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    survey = Survey("red", [], [Answer({"name": "a"}, 1), Answer({"name": "b"}, why="it is gone")])

    survey.remark()

    assert survey.facts() == {
        "cluster": "red",
        "asked": 2,
        "answered": 1,
        "unanswered": [{"name": "b", "why": "it is gone"}],
    }
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["no answer from b: it is gone", "1 of 2 nodes answered"]
