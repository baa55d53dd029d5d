"""The module examples/ring.py, as programs beside it import it."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Final

from tests.integration.programs import ROOT

RING: Final = ROOT / "examples" / "ring.py"


def load() -> ModuleType:
    """The module, made once in this process: its messages can be declared only once."""
    if "ring" not in sys.modules:
        spec = importlib.util.spec_from_file_location("ring", RING)
        assert spec is not None and spec.loader is not None
        module = sys.modules["ring"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["ring"]
