"""The file of members: whole or not there, and never trusted to be what this node wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.node.saved_members import BYTES_MAX, MEMBERS_MAX, Saved, SavedMember, SavedMembers


def saved(members: int = 2) -> Saved:
    others = tuple(SavedMember(f"n{number}", number, (f"10.0.0.1:{number + 1}",)) for number in range(members))
    return Saved("a", "tests", 7, "hyparview", {"active_max": 4}, others, {"trees": "per_root"})


def test_what_is_written_is_read_and_nothing_else_lies_around(tmp_path: Path) -> None:
    file = SavedMembers(str(tmp_path / "deep" / "inside"), "a")

    assert file.read() is None
    file.write(saved())
    file.write(saved(3))

    assert file.read() == saved(3)
    assert [path.name for path in file.path.parent.iterdir()] == ["a.members.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        "\x00\xff",
        json.dumps({**json.loads(saved().to_json()), "format": 2}),
        json.dumps({**json.loads(saved().to_json()), "incarnation": "7"}),
        json.dumps({**json.loads(saved().to_json()), "incarnation": True}),
        json.dumps({**json.loads(saved().to_json()), "members": {"a": 1}}),
        json.dumps({**json.loads(saved().to_json()), "members": [["n", 1, []]]}),
        json.dumps(
            {**json.loads(saved().to_json()), "members": [{"name": "n", "incarnation": 1, "addresses": ["no"]}]}
        ),
        json.dumps({**json.loads(saved().to_json()), "overlay_options": None}),
        "[" * 100_000,
        saved().to_json()[:-30],
        " " * (BYTES_MAX + 1),
    ],
    ids=range(17),
)
def test_a_damaged_file_is_a_value_error_and_can_be_set_aside(tmp_path: Path, text: str) -> None:
    file = SavedMembers(str(tmp_path), "a")
    file.path.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"."):
        file.read()

    aside = file.set_aside()
    assert aside.suffix == ".corrupt" and aside.read_text(encoding="utf-8") == text
    assert file.read() is None


def test_more_members_than_the_bound_are_cut(tmp_path: Path) -> None:
    file = SavedMembers(str(tmp_path), "a")
    file.write(saved(MEMBERS_MAX + 5))

    read = file.read()

    assert read is not None and len(read.members) == MEMBERS_MAX


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fileno: int) -> None:
        raise OSError(28, "No space left on device")

    file = SavedMembers(str(tmp_path), "a")
    file.write(saved())
    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(OSError, match="No space left"):
        file.write(saved(5))

    assert file.read() == saved()


def test_a_directory_that_cannot_be_made_is_a_bad_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="a directory that can be made and written"):
        SavedMembers(str(tmp_path / "file" / "inside"), "a")
