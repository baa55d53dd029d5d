"""Files that a process reads again when they have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from partisan_actors.node.pem import PemFiles, no_password


def test_one_that_is_replaced_or_goes_or_comes_is_noticed_once(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    one.write_text("1")
    files = PemFiles([str(one), str(other)])
    assert not files.have_changed()

    other.write_text("2")
    assert files.have_changed() and not files.have_changed()
    new = tmp_path / "new.pem"
    new.write_text("3")
    os.replace(new, one)
    assert files.have_changed() and not files.have_changed()
    one.unlink()
    assert files.have_changed() and not files.have_changed()


def test_nobody_is_asked_for_a_password() -> None:
    with pytest.raises(ValueError, match="encrypted"):
        no_password()
