"""Options as Ray's users write them, checked as Ray checks them, and translated into those of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.compat.ray.absent import refuse
from partisan_actors.compat.ray.strategies import Strategy

__all__ = ["actor_options", "call_options", "method_options", "task_options"]

_NUMBER: Final = (int, float)
_OPTIONAL_MAP: Final = (Mapping, type(None))
_TEXT: Final = (str, type(None))

# By option: the types that it may have.
_BOTH: Final[dict[str, tuple[type, ...]]] = {
    "accelerator_type": _TEXT,
    "enable_task_events": (bool,),
    "fallback_strategy": (list, type(None)),
    "label_selector": _OPTIONAL_MAP,
    "memory": (*_NUMBER, type(None)),
    "name": _TEXT,
    "num_cpus": (*_NUMBER, type(None)),
    "num_gpus": (*_NUMBER, type(None)),
    "resources": _OPTIONAL_MAP,
    "runtime_env": _OPTIONAL_MAP,
    "scheduling_strategy": (str, Strategy, pa.NodeAffinity, pa.NodeLabels, pa.InPlacementGroup, type(None)),
}
_TASK: Final = _BOTH | {
    "_generator_backpressure_num_objects": (int, type(None)),
    "max_calls": (int,),
    "max_retries": (int,),
    "num_returns": (int, str, type(None)),
    "retry_exceptions": (bool, list, tuple),
}
_ACTOR: Final = _BOTH | {
    "allow_out_of_order_execution": (bool, type(None)),
    "concurrency_groups": (Mapping, list, type(None)),
    "get_if_exists": (bool,),
    "lifetime": _TEXT,
    "max_concurrency": (int, type(None)),
    "max_pending_calls": (int,),
    "max_restarts": (int,),
    "max_task_retries": (int,),
    "namespace": _TEXT,
}
_METHOD: Final[dict[str, tuple[type, ...]]] = {
    "_generator_backpressure_num_objects": (int, type(None)),
    "concurrency_group": _TEXT,
    "enable_task_events": (bool,),
    "max_task_retries": (int,),
    "num_returns": (int, str, type(None)),
    "retry_exceptions": (bool, list, tuple),
    "tensor_transport": _TEXT,
}
_CALL: Final = _METHOD | {"name": _TEXT}
_RETURNS: Final = ("streaming", "dynamic")
# What changes nothing: calls of one caller begin in order in any case, and a call is named by its method.
_WITHOUT_EFFECT: Final = {("actors", "allow_out_of_order_execution"), ("calls of actor methods", "name")}
# Where None, or what stands here, says no more than nothing does.
_NOTHING: Final = {"lifetime": "non_detached", "enable_task_events": True}
_RENAMED: Final = {"_generator_backpressure_num_objects": "generator_backpressure"}
# The label by which nodes say which accelerator they have.
ACCELERATOR: Final = "ray.io/accelerator-type"
_REFUSED: Final = {
    "enable_task_events": "whether work is traced is said of the function, or of the class",
    "tensor_transport": "arrays travel through shared memory, or in calls",
}


def task_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a task. Raises ValueError for one that there is not, TypeError for a type that it cannot have."""
    return _translated(given, _TASK, "remote functions")


def actor_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of an actor. Raises as `task_options` does."""
    return _translated(given, _ACTOR, "actors")


def method_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `ray.method`. Raises as `task_options` does."""
    return _translated(given, _METHOD, "actor methods")


def call_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of one call of a method; a name changes nothing. Raises TypeError for one that there is not, too."""
    for name in given:
        if name not in _CALL:
            raise TypeError(f"options() got an unexpected keyword argument {name!r}: there are {sorted(_CALL)}")
    return _translated(given, _CALL, "calls of actor methods")


def _translated(given: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], what: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"Invalid option keyword {name} for {what}. Valid ones are {sorted(known)}.")
        if not isinstance(value, known[name]) or (isinstance(value, bool) and not _takes_bool(known[name])):
            allowed = " or ".join(sorted("None" if kind is type(None) else kind.__name__ for kind in known[name]))
            raise TypeError(f"The type of keyword {name!r} must be {allowed}, not {type(value).__name__}.")
        if name == "num_returns" and isinstance(value, str) and value not in _RETURNS:
            raise TypeError(f"num_returns must be a whole number, 'streaming' or 'dynamic', not {value!r}.")
        if value is None or (what, name) in _WITHOUT_EFFECT or value == _NOTHING.get(name, None):
            continue
        if name == "enable_task_events" and known is not _METHOD and known is not _CALL:
            made["tracing"] = "off"
            continue
        if name in _REFUSED:
            refuse(f"the option {name}", _REFUSED[name])
        made[_RENAMED.get(name, name)] = value
    if "accelerator_type" in made:
        made["label_selector"] = {**made.get("label_selector", {}), ACCELERATOR: made.pop("accelerator_type")}
    _check_resources(made.get("resources", {}))
    if not all(isinstance(value, str) for value in made.get("label_selector", {}).values()):
        raise TypeError(f"The values of 'label_selector' must be text, not {made['label_selector']!r}.")
    strategy = made.get("scheduling_strategy")
    if isinstance(strategy, Strategy):
        made["scheduling_strategy"] = strategy.placement()
    return made


def _takes_bool(kinds: tuple[type, ...]) -> bool:
    return bool in kinds


def _check_resources(resources: Mapping[str, Any]) -> None:
    for name, option in (("CPU", "num_cpus"), ("GPU", "num_gpus"), ("memory", "memory")):
        if name in resources:
            raise ValueError(f"Use the {option!r} keyword instead of {name!r} in 'resources'.")
