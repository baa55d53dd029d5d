"""The page of overlays names every overlay and every option with its default, and no others."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Final

import pytest

from partisan_actors.node.overlay_names import OVERLAYS, class_of
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.membership.redial import RedialOptions
from partisan_actors.protocols.membership.xbot_options import XBotOptions
from tests.house.source import ROOT

PAGE: Final = (ROOT / "docs" / "overlays.md").read_text(encoding="utf-8")
ROW: Final = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def section(overlay: str) -> str:
    """What stands under the heading that names this overlay."""
    for part in PAGE.partition("## Options")[2].split("\n### ")[1:]:
        heading, _, text = part.partition("\n")
        if overlay in heading.replace(" and ", " ").split():
            return text
    raise AssertionError(f"no heading names {overlay}")


def shown(value: Any) -> str:
    """A default as the page shows it."""
    if isinstance(value, RedialOptions):
        return "see [below](#redial)"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value!r}`"


def expected(options_type: Any) -> dict[str, str]:
    made = options_type()
    return {field.name: shown(getattr(made, field.name)) for field in dataclasses.fields(options_type)}


def rows(text: str) -> dict[str, str]:
    return {name: default for name, default, _ in ROW.findall(text)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_option_of_every_overlay_is_there_with_its_default(overlay: str) -> None:
    options = expected(class_of(overlay).options_type)
    if class_of(overlay).options_type is XBotOptions:  # its section says that it has those, too
        options = {name: default for name, default in options.items() if name not in expected(HyParViewOptions)}

    assert rows(section(overlay)) == options


def test_the_waits_between_tries_are_there_with_their_defaults() -> None:
    assert rows(section("redial")) == expected(RedialOptions)


def test_every_overlay_is_in_the_table_to_choose_from() -> None:
    table = PAGE.partition("## Choosing one")[2].partition("\n## ")[0]

    assert all(f"`{overlay}`" in table for overlay in OVERLAYS)
