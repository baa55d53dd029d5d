"""Every public name of Ray Core is here with a signature that takes what Ray's takes, or says what to do instead."""

from __future__ import annotations

import importlib
import inspect
from typing import Final

import pytest

import partisan_actors.compat.ray as ray
from partisan_actors.compat.ray.absent import ABSENT, MEMBERS
from tests.ray_programs.surface import recorded_surface, signature_of

RAYS: Final = recorded_surface()
PACKAGE: Final = "partisan_actors.compat.ray"
# What users get, and do not make: how it is made is its own matter. So it is with errors.
MADE_BY_RAY: Final = frozenset(
    {
        "ActorClass",
        "ActorHandle",
        "ActorID",
        "ActorMethod",
        "AsyncResult",
        "FailureTuple",
        "IMapIterator",
        "NodeID",
        "ObjectID",
        "ObjectRef",
        "ObjectRefGenerator",
        "PlacementGroup",
        "PlacementGroupID",
        "RemoteFunction",
        "RuntimeContext",
        "TaskID",
        "WorkerID",
    }
)
# Members by which Ray's own processes deal with each other.
AMONG_PROCESSES: Final = frozenset(
    {
        "BASE_ERROR_MSG",
        "REASON_MESSAGES",
        "from_bytes",
        "from_ray_exception",
        "from_task_error",
        "make_dual_exception_instance",
        "to_bytes",
    }
)
# Of these, what users write is the constructor.
WRITTEN_ONLY: Final = frozenset({"FailureTuple", "RuntimeEnv", "RuntimeEnvConfig"})

NAMES: Final = [(module, name) for module, names in RAYS.items() for name in names]


def is_absent(full: str) -> bool:
    """Whether it is said so of it, or of a module that it is in."""
    parts = full.split(".")
    return any(".".join(parts[:count]) in ABSENT for count in range(1, len(parts) + 1))


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_name_of_ray_is_here_or_says_what_to_do_instead(module: str, name: str) -> None:
    full = f"{module}.{name}" if module else name
    if is_absent(full):
        with pytest.raises(NotImplementedError, match=" is not supported: "):
            getattr(importlib.import_module(f"{PACKAGE}.{module}" if module else PACKAGE), name)()
        return
    about = RAYS[module][name]

    found = getattr(importlib.import_module(f"{PACKAGE}.{module}" if module else PACKAGE), name)

    if name not in MADE_BY_RAY and "caught_as" not in about:
        assert not what_is_refused(about.get("signature"), signature_of(found))
    for member, signature in about.get("members", {}).items():
        if name not in WRITTEN_ONLY and member not in AMONG_PROCESSES:
            check_member(found, name, member, signature)


def check_member(cls: type, name: str, member: str, rays: list[list[str]] | None) -> None:
    found = getattr(cls, member, None)
    if found is None:  # the constructor gives it to each
        assert f"self.{member}" in inspect.getsource(cls), f"{name}.{member}"
    elif member not in {**MEMBERS.get(cls.__name__, {}), **MEMBERS.get(name, {})} and callable(found):
        assert not what_is_refused(rays, signature_of(found)), f"{name}.{member}"


@pytest.mark.parametrize("cls", [ray.ObjectRef, ray.ActorID, ray.actor.ActorMethod])
def test_a_member_that_is_absent_says_what_to_do_instead(cls: type) -> None:
    names = {ray.ObjectRef: "ObjectRef", ray.ActorID: "ActorID", ray.actor.ActorMethod: "ActorMethod"}
    for member, instead in MEMBERS[names[cls]].items():
        with pytest.raises(NotImplementedError, match=" is not supported: ") as raised:
            getattr(cls, member)()
        assert instead in str(raised.value)


@pytest.mark.parametrize("module", ["autoscaler", "dag", "data", "serve", "job_submission", "util.collective"])
def test_an_absent_module_says_so_when_it_is_imported_also_to_who_can_do_without(module: str) -> None:
    with pytest.raises(NotImplementedError, match=f"ray.{module} is not supported: "):
        importlib.import_module(f"{PACKAGE}.{module}")
    with pytest.raises(ImportError):
        importlib.import_module(f"{PACKAGE}.{module}")


def test_what_neither_has_is_not_there() -> None:
    assert not hasattr(ray, "nothing")
    assert not hasattr(ray.util, "nothing")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{PACKAGE}.nothing")


def what_is_refused(rays: list[list[str]] | None, ours: list[list[str]] | None) -> str:
    """What of a call that Ray takes ours would not, of what has no underscore before it; empty if there is nothing."""
    if rays is None or ours is None:
        return ""
    defaults = {name: default for name, _, default in ours}
    kinds = {kind for _, kind, _ in ours}
    places = [name for name, kind, _ in ours if kind.startswith("POSITIONAL") and not name.startswith("_")]
    public = [each for each in rays if not each[0].startswith("_")]
    for index, (name, kind, default) in enumerate(public):
        if kind.startswith("VAR"):
            if kind not in kinds:
                return f"takes no {name}"
        elif name not in defaults and "VAR_KEYWORD" not in kinds:
            return f"has no {name}"
        elif kind.startswith("POSITIONAL") and places[index : index + 1] != [name] and "VAR_POSITIONAL" not in kinds:
            return f"{name} is not at place {index}"
        elif default != "required" == defaults.get(name):
            return f"wants {name}"
    named = {name for name, _, _ in rays}
    extra = [name for name, kind, default in ours if default == "required" and not kind.startswith("VAR")]
    return next((f"wants {name}" for name in extra if name not in named), "")


A: Final = ["a", "POSITIONAL_OR_KEYWORD", "None"]
B: Final = ["b", "POSITIONAL_OR_KEYWORD", "None"]


@pytest.mark.parametrize(
    ("rays", "ours", "why"),
    [
        ([A], [], "has no a"),
        ([A, B], [B, A], "a is not at place 0"),
        ([A], [["a", "POSITIONAL_OR_KEYWORD", "required"]], "wants a"),
        ([A], [["a", "KEYWORD_ONLY", "None"]], "a is not at place 0"),
        ([["a", "KEYWORD_ONLY", "None"]], [A], ""),
        ([["a", "KEYWORD_ONLY", "None"]], [], "has no a"),
        ([], [["a", "KEYWORD_ONLY", "required"]], "wants a"),
        ([["_a", "KEYWORD_ONLY", "None"]], [], ""),
        ([["k", "VAR_KEYWORD", "required"]], [A], "takes no k"),
        ([A], [A, B], ""),
    ],
)
def test_what_ours_would_not_take_is_seen(rays: list[list[str]], ours: list[list[str]], why: str) -> None:
    assert what_is_refused(rays, ours) == why
