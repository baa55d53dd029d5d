"""Who acts from a shell."""

from __future__ import annotations

import getpass
import os

import pytest

from partisan_actors.cli.asker import asker
from partisan_actors.node.config import host_name


def test_the_user_and_the_host_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert asker() == f"ada on {host_name()}"


@pytest.mark.parametrize("error", [OSError, KeyError, ImportError])
def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def nobody() -> str:
        raise error("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert asker() == f"user {os.getuid()} on {host_name()}"
