"""Names of overlays: what may be one, which class it means, and what is said of one that means none."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.overlay_names import OVERLAYS, check_overlay, class_of, own_options
from partisan_actors.protocols.membership.full_mesh import FullMesh
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.strategy import MembershipStrategy


class Half:
    """Some of a strategy."""

    def start(self, now: float) -> list[Any]:
        return []


class Mine(FullMesh):
    """A strategy that is not one of ours."""

    @staticmethod
    def own_options(joins: bool) -> dict[str, Any]:
        return {"removed_max": 7 if joins else 8}


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_of_our_names_means_a_strategy_that_says_what_its_messages_and_options_are(name: str) -> None:
    cls = class_of(name)

    assert all(hasattr(cls, method) for method in vars(MembershipStrategy) if not method.startswith("_"))
    assert isinstance(cls.messages, tuple) and isinstance(cls.options_type, type)
    assert check_overlay(cls) == name


def test_a_class_of_the_user_s_is_known_by_its_path() -> None:
    path = check_overlay(Mine)

    assert path == f"{__name__}:Mine"
    assert class_of(path) is Mine
    assert NodeConfig(overlay=Mine).overlay == path  # type: ignore[arg-type]  # kept as its path
    assert class_of("hyparview") is HyParView


@pytest.mark.parametrize("value", ["ring", "", "a.b", "a:", ":B", "a.b:C.D", "a b:C", 7, None])
def test_what_cannot_be_a_name_is_refused_with_the_list_of_those_that_can(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"hyparview, xbot, .*, or a class of yours as 'package.module:Class'"):
        check_overlay(value)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("no_such_module:Ring", "can import .ModuleNotFoundError: No module named 'no_such_module'"),
        ("random:Ring", "can import .AttributeError"),
        ("random:choice", "a membership strategy; it lacks start, join"),
        (f"{__name__}:Half", "a membership strategy; it lacks join, leave, receive, peer_up"),
    ],
)
def test_a_path_that_leads_to_no_strategy_says_what_is_wrong(path: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        class_of(path)


def test_a_class_inside_a_function_is_refused_for_no_other_process_could_import_it() -> None:
    class Hidden(FullMesh):
        pass

    with pytest.raises(ConfigError, match="at the top of a module"):
        check_overlay(Hidden)


def test_the_started_program_is_not_imported_a_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "my_program.py"
    program.write_text(
        "from partisan_actors.node.overlay_names import check_overlay, class_of\n"
        "from partisan_actors.protocols.membership.full_mesh import FullMesh\n"
        "class Ring(FullMesh): pass\n"
        "name = check_overlay(Ring)\n"
        "is_same = class_of(name) is Ring\n"
    )
    monkeypatch.setattr(sys, "argv", [str(program)])

    left = runpy.run_path(str(program), run_name="__main__")

    assert left["name"] == "my_program:Ring" and left["is_same"]


def test_options_of_each_node_s_own_are_asked_of_the_class() -> None:
    assert own_options(f"{__name__}:Mine", joins=True) == {"removed_max": 7}
    assert own_options("full_mesh", joins=True) == {}
    assert own_options("client_server", joins=True) == {"tag": "client"}
    assert own_options("client_server", joins=False) == {"tag": "server"}
