"""docs/coming-from-ray.md says of every name of Ray Core what has become of it, and what it says is so."""

from __future__ import annotations

import importlib
import re
from typing import Final

from partisan_actors.compat.ray.absent import ABSENT
from tests.house.source import ROOT
from tests.ray_programs.differences import DIFFERENT
from tests.ray_programs.programs import PROGRAMS, recorded

# What `ray.__all__` lists in 2.60, without what begins with an underscore.
_RAYS: Final = """
    init shutdown is_initialized remote method get put wait kill cancel get_actor get_runtime_context get_gpu_ids nodes
    cluster_resources available_resources timeline LoggingConfig client ClientBuilder java_function java_actor_class
    cpp_function Language SCRIPT_MODE WORKER_MODE autoscaler ActorID NodeID JobID TaskID WorkerID ObjectRef ObjectID
    ObjectRefGenerator DynamicObjectRefGenerator PlacementGroupID FunctionID UniqueID ActorClassID actor exceptions util
    data workflow
"""

_ROW: Final = re.compile(r"^\| ((?:`ray\.[\w.]+`(?:, )?)+) \| (\w+) \|", re.MULTILINE)


def verdicts() -> dict[str, str]:
    """What the page says of each name, without "ray."."""
    page = (ROOT / "docs" / "coming-from-ray.md").read_text(encoding="utf-8")
    return {name: verdict for names, verdict in _ROW.findall(page) for name in re.findall(r"`ray\.([\w.]+)`", names)}


def test_every_name_of_ray_is_on_the_page() -> None:
    named = {name.split(".")[0] for name in verdicts()}

    assert not set(_RAYS.split()) - named


def test_what_is_said_to_be_there_is_there_and_nothing_else_is() -> None:
    said = verdicts()
    ours = importlib.import_module("partisan_actors.compat.ray")

    assert set(said.values()) <= {"equal", "better", "different", "absent"}
    for name, verdict in said.items():
        found: object = ours
        refuses = name in ABSENT
        try:
            for part in name.split("."):
                found = getattr(found, part, None) or module_in(found, part)
        except NotImplementedError:
            assert refuses, name
        assert (found is None or refuses) == (verdict == "absent"), name


def module_in(package: object, name: str) -> object:
    """A module that is imported by its own name only, as the one that needs joblib is."""
    try:
        return importlib.import_module(f"{getattr(package, '__name__', '')}.{name}")
    except ImportError:
        return None


def test_every_name_of_ours_is_on_the_page() -> None:
    ours = importlib.import_module("partisan_actors.compat.ray")
    named = {name.split(".")[0] for name in verdicts()}

    assert {name for name in ours.__all__ if not name.startswith("_")} <= named


def test_the_tests_that_the_page_names_are_there() -> None:
    page = (ROOT / "docs" / "coming-from-ray.md").read_text(encoding="utf-8")
    named = re.findall(r"\| `(test_\w+\.py)`: ([\w.]+) \|", page)
    files: dict[str, str] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        files[path.name] = files.get(path.name, "") + path.read_text(encoding="utf-8")

    assert len(named) > 50
    for file, test in named:
        there = test in PROGRAMS if file == "test_ray_programs.py" else f"def {test}(" in files.get(file, "")
        assert there, (file, test)


def test_the_page_has_the_figures_of_the_recording() -> None:
    page = (ROOT / "docs" / "coming-from-ray.md").read_text(encoding="utf-8")
    sights = sum(map(len, recorded().values()))

    assert f"{len(PROGRAMS)} programs" in page
    assert f"{sights} sights" in page
    assert f"the {len(DIFFERENT)} that" in page
