"""Faults as data: which messages suffer, which nodes, and when; the same for the simulator and for real nodes.

``with pa.faults(rule):`` subjects the messages of this process's node to rules, or to a plan, until the block ends.
What rules return is here: `DROP`, `DUPLICATE`, `CORRUPT`, `delay(s)`, `reorder(s)`; `between(side, other)` is a rule.

Floor: beside `protocols` and `wire`, pure. `operations` has the kinds of faults, `plan` puts them together and into
JSON, `selectors` names nodes before anybody knows them, `rules` judges messages by the operations in force, `messages`
is what rules of users judge, `shrink` makes a failing plan small, `omissions` finds which messages must not be lost.
Nothing here carries anything out: whoever has the network asks for verdicts and keeps them.

The package can be called, which is `api.fault_rules.open_faults`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from partisan_actors.faults.messages import CORRUPT, DROP, DUPLICATE, Fault, Passing, between, delay, reorder

__all__ = ["CORRUPT", "DROP", "DUPLICATE", "Fault", "Passing", "between", "delay", "reorder"]


class _Package(ModuleType):
    """This package. Its name is also that of the public function, and one name can only be one thing."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # By name, as the root finds all that is public: nothing here may import what is above it.
        return importlib.import_module("partisan_actors.api.fault_rules").open_faults(*args, **kwargs)


sys.modules[__name__].__class__ = _Package
