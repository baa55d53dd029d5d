"""The strategy and the test that docs/own-strategy.md shows do what the page says."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "own-strategy.md"


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """The names of the page's test file, which imports the page's strategy."""
    strategy, test = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module = types.ModuleType("everybody")
    sys.modules["everybody"] = module  # dataclasses look up the module of a class
    exec(compile(strategy, "own-strategy.md", "exec"), module.__dict__)
    names: dict[str, Any] = {"__name__": "everybody_test"}
    exec(compile(test, "own-strategy.md", "exec"), names)
    return names


def test_the_strategy_of_the_page_passes_the_suite(shown: dict[str, Any]) -> None:
    suite = shown["TestEverybody"]()
    suite.seeds = range(1)  # the page leaves it at more
    tests = [name for name in dir(suite) if name.startswith("test")]

    assert len(tests) >= 20, "some twenty, says the page"
    for name in tests:
        getattr(suite, name)()


def test_the_page_names_every_claim_that_can_be_made(shown: dict[str, Any]) -> None:
    suite = shown["TestEverybody"]
    claims = {name for base in suite.__mro__ for name in getattr(base, "__annotations__", {})}

    page = PAGE.read_text(encoding="utf-8")
    assert claims == {"connects", "heals", "forgets", "rejoins", "nodes", "seeds", "settle_s"}
    assert all(name in page for name in claims)
