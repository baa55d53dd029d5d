"""Tests of where settings are said to come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from partisan_actors.node.config import NodeConfig
from partisan_actors.node.sources import DEFAULT, GIVEN, source_of, with_source
from tests.authority import Authority


def test_defaults_are_told_from_what_was_given() -> None:
    config = NodeConfig(name="a", routing="relay")

    assert source_of(config, "routing") == GIVEN and source_of(config, "checksums") == DEFAULT
    assert source_of(config, "name") == GIVEN and source_of(NodeConfig(), "name") == "drawn at random"
    assert source_of(replace(config, sources={"routing": "option --routing"}), "routing") == "option --routing"


def test_what_was_changed_on_the_way_says_by_what() -> None:
    before = NodeConfig(name="a", sources={"routing": "option --routing"})

    after = with_source(before, replace(before, overlay="full_mesh"), "cluster that was joined")

    assert dict(after.sources) == {"routing": "option --routing", "overlay": "cluster that was joined"}
    assert with_source(before, before, "nothing") is before


def test_the_cookie_is_from_the_environment_from_the_file_or_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cookie"
    path.write_text("0123456789abcdef")
    path.chmod(0o600)
    monkeypatch.setenv("PARTISAN_COOKIE_FILE", str(path))
    monkeypatch.delenv("PARTISAN_COOKIE", raising=False)
    from_file, other = NodeConfig(cookie=b"0123456789abcdef"), NodeConfig(cookie=b"another cookie")

    assert source_of(from_file, "cookie") == f"file {path}" and source_of(other, "cookie") == GIVEN
    assert source_of(other, "cookie", {"PARTISAN_COOKIE": "another cookie"}) == "environment PARTISAN_COOKIE"
    path.unlink()
    assert source_of(from_file, "cookie") == GIVEN and not path.exists()


def test_certificates_are_from_the_environment_or_given(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue()
    config = NodeConfig(name="a", tls=files)

    assert source_of(config, "tls", {}) == GIVEN
    environ = {"PARTISAN_TLS_DIR": str(Path(files.cert).parent)}
    assert source_of(config, "tls", environ) == "environment PARTISAN_TLS_DIR"
