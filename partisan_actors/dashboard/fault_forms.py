"""The faults that can be asked for on a page: what each does, what it has to be told, and the plan of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from partisan_actors.faults.plan import FaultPlan
from partisan_actors.faults.selectors import is_selector

__all__ = ["BEGINS_S", "FORMS", "Form", "plan_of", "sentence_of"]

# When it begins: all nodes have heard of it by then.
BEGINS_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of fault: what it does, the field for its nodes, and which other parameters it has."""

    about: str
    whom: str
    takes: tuple[str, ...] = ()
    lasts: bool = True

    def plain(self) -> dict[str, Any]:
        """For the page."""
        return {"about": self.about, "takes": ["nodes", *self.takes, *(("seconds",) if self.lasts else ())]}


FORMS: Final[Mapping[str, Form]] = {
    "loss": Form("Messages that these nodes send are lost, and nobody is told.", "senders", ("percent",)),
    "delay": Form("Messages that these nodes send come later.", "senders", ("delay_ms",)),
    "duplicate": Form("Messages that these nodes send come twice.", "senders", ("percent",)),
    "reorder": Form("Messages that these nodes send are overtaken.", "senders", ("percent", "delay_ms")),
    "cut": Form("These nodes and the others cannot reach each other: a partition.", "side", ("one_way",)),
    "hold": Form("What these nodes and the others send each other waits until the end.", "side", ("one_way",)),
    "slow": Form("These nodes take longer for each message.", "nodes", ("delay_ms",)),
    "stall": Form("These nodes stand still, as in a long garbage collection.", "nodes"),
    "reset": Form("Connections of these nodes break, and what was on its way is lost.", "side", lasts=False),
    "crash": Form("The processes of these nodes end, without a word. There is no way back.", "nodes", lasts=False),
    "leave": Form("These nodes leave the cluster in good order. There is no way back.", "nodes", lasts=False),
}


def plan_of(operation: str, given: Mapping[str, Any]) -> FaultPlan:
    """The plan of one fault; `given` has the values of all parameters. Raises ConfigError."""
    form = FORMS[operation]
    text = given["nodes"].strip()
    names = [name for name in (each.strip() for each in text.split(",")) if name]
    made: dict[str, Any] = {"do": operation, "at_s": BEGINS_S, form.whom: text if is_selector(text) else names}
    if form.lasts:
        made["until_s"] = BEGINS_S + given["seconds"]
    if "percent" in form.takes:
        made["rate"] = given["percent"] / 100
    if "delay_ms" in form.takes:
        made[{"delay": "delay_s", "reorder": "window_s", "slow": "input_s"}[operation]] = given["delay_ms"] / 1000
    if "one_way" in form.takes:
        made["one_way"] = given["one_way"]
    return FaultPlan.from_data({"version": 1, "operations": [made]})


def sentence_of(operation: Mapping[str, Any]) -> str:
    """A fault in words, from its fields in a plan: those of others' plans may have more of them than our forms."""
    more = {name: value for name, value in operation.items() if name not in ("do", "at_s", "until_s")}
    told = [f"{name} {_words(value)}" for name, value in more.items()]
    lasts = operation.get("until_s")
    if lasts is not None:
        told.append(f"for {lasts - operation['at_s']:g} s")
    return f"{operation['do']}{': ' if told else ''}{', '.join(told)}"


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        " and ".join(map(str, value))
        if isinstance(value, (list, tuple))
        else f"{value:g}"
        if isinstance(value, (int, float))
        else str(value)
    )
