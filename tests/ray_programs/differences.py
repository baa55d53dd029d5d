"""Where a program sees here what it does not see on Ray: what that is, and why it stays so."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["DIFFERENT"]


def raised(*names: str) -> dict[str, list[str]]:
    """An error that is caught by these names, as `face.told` tells."""
    return {"raised": list(names)}


_OWN_CLASS: Final = "Errors are those of this package, under Ray's names."
_REFUSED: Final = "What makes no sense is refused, where Ray takes it."
_NEVER: Final = "What no node can ever hold is refused at once, where Ray waits."
_PLAIN: Final = "The errors of the standard library, without Ray's around them."
_BY_TASK: Final = "Ray ships folders for a whole job only; here for each task and actor."

# By program and sight.
DIFFERENT: Final[dict[tuple[str, str], tuple[Any, str]]] = {
    ("actors.async_actors", "a plain method of it runs on the same thread"): (
        False,
        "Plain methods have the actor's own thread, and never block its loop; they still run alone.",
    ),
    ("actors.async_actors", "leaves"): (
        raised("RayError", "RayActorError", "ActorDiedError"),
        "Who called an actor that left is told that it ended, not that it is away.",
    ),
    ("actors.inheritance", "of a decorated class"): ({"returned": "11"}, "A decorated class can be derived from."),
    ("actors.deriving_options", "method with unknown ones"): (
        raised("ValueError"),
        "Unknown options are a ValueError everywhere.",
    ),
    ("actors.deriving_options", "order"): (
        {"returned": True},
        "Calls of one caller begin in order, those of an asynchronous actor, too.",
    ),
    ("tasks.calling", "a builtin"): ({"returned": 2}, "Functions that are written in C can be tasks."),
    ("tasks.results", "no sequence"): ([raised("RayTaskError", "ValueError")] * 2, "As for a wrong number of results."),
    ("tasks.streams", "what it raised, in completed"): (
        raised("RayTaskError", "ValueError"),
        "`completed` tells how the generator ended, whoever took its items.",
    ),
    ("tasks.cancellation", "what depends on it"): (
        raised("TaskCancelledError"),
        "What was cancelled is TaskCancelledError, without RayTaskError around it.",
    ),
    ("objects.timeouts", "a negative one"): (raised("ValueError"), _REFUSED),
    ("objects.refs", "job id"): (raised("NotImplementedError", "RuntimeError"), "There are no jobs: a cluster is one."),
    ("errors.of_users", "the class's name"): ("TaskFailed(Custom)", _OWN_CLASS),
    ("errors.of_users", "as_instanceof_cause"): (["TaskFailed(Custom)", True], _OWN_CLASS),
    ("errors.of_users", "args"): (["Custom", "str", "str"], _OWN_CLASS),
    ("errors.of_users", "the text"): ([True, True, True, False], "The text is that of Python's tracebacks."),
    ("errors.of_users", "of the system"): (
        [raised("RayTaskError", "FileNotFoundError", "OSError"), 2, "a"],
        "Fields that C classes keep are there, too.",
    ),
    ("errors.of_users", "an exit"): (raised("RayTaskError"), "`SystemExit` ends a task, and not its process."),
    ("errors.of_users", "a stop"): (
        raised("RayTaskError"),
        "Python lets no coroutine raise StopIteration; it is the `cause`.",
    ),
    ("errors.awkward", "a result that cannot be sent"): (
        raised("RayError", "TypeError"),
        "It is a SerializationError, which names the part; nothing of the user's has raised.",
    ),
    ("errors.of_the_system", "a time-out"): (
        [raised("GetTimeoutError", "TimeoutError"), "ObjectRef(obj"],
        "The text names what was waited for.",
    ),
    ("errors.of_the_system", "made by users"): (raised("TypeError"), "Errors are made of fields, not of a text."),
    ("placing.bad_groups", "a negative amount"): (raised("ValueError"), _REFUSED),
    ("placing.bad_groups", "too large"): (raised("TaskUnschedulableError"), _NEVER),
    ("placing.bad_groups", "spread over one node"): (raised("TaskUnschedulableError"), _NEVER),
    ("placing.context", "a task"): (
        {
            "actor": None,
            "task": True,
            "name": "about",
            "function": "about",
            "resources": {"CPU": 2.0},
            "worker": True,
            "group": None,
            "captures": False,
        },
        "The function's name is without its module.",
    ),
    ("placing.context", "an actor"): (
        {"name": "knows", "resources": {}, "reconstructed": False, "task": False, "task name": None},
        "Calls of actors have no ids, because a plain call costs nothing that it does not need.",
    ),
    ("placing.context", "other getters"): ([True, True, {"GPU": []}, True, True, True], "There are GPUs only."),
    ("placing.cluster", "its row"): (
        [
            "Alive",
            "Labels",
            "NodeID",
            "NodeManagerAddress",
            "NodeManagerHostname",
            "NodeManagerPort",
            "NodeName",
            "Resources",
            "alive",
        ],
        "A node has one port.",
    ),
    ("placing.cluster", "memory"): ([True, False], "Room for objects is no resource: it spills to disk."),
    ("beside.queues", "nothing in time"): (raised("Empty"), _PLAIN),
    ("beside.queues", "full"): ([True, raised("Full"), raised("Full"), raised("Full")], _PLAIN),
    ("beside.queues", "a batch that does not fit"): (raised("Full"), _PLAIN),
    ("beside.queues", "a batch that is not there"): (raised("Empty"), _PLAIN),
    ("beside.queues", "by coroutines"): (["a", "Empty"], _PLAIN),
    ("beside.process_pools", "what raises in imap"): (
        raised("RayTaskError", "ValueError"),
        "`imap` raises what the function raised, as multiprocessing's does; Ray gives it as a result.",
    ),
    ("beside.process_pools", "call-backs of errors"): (
        [True, "TaskFailed(ValueError)"],
        "`error_callback` gets what the function raised, as multiprocessing's does.",
    ),
    ("beside.instruments", "a name that cannot be"): (raised("ValueError"), "Ray warns, and keeps nothing of it."),
    ("beside.environments", "a folder"): ({"returned": "some data"}, _BY_TASK),
    ("beside.environments", "modules in it"): ({"returned": 42}, _BY_TASK),
    ("beside.environments", "modules"): ({"returned": 43}, _BY_TASK),
    ("beside.environments", "no such part"): (raised("ValueError"), _REFUSED),
    ("beside.environments", "variables of another type"): (raised("ValueError"), "It is a ValueError here."),
}
