"""Ray's names for errors: most are the errors of this package, so that they are caught wherever they come from.

They are raised by floors that know nothing of Ray. So what Ray's have beside their text is put on their classes here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.ids import ActorId

__all__ = [
    "ActorAlreadyExistsError",
    "ActorDiedError",
    "ActorHandleNotFoundError",
    "ActorPlacementGroupRemoved",
    "ActorUnavailableError",
    "ActorUnschedulableError",
    "AsyncioActorExit",
    "AuthenticationError",
    "CrossLanguageError",
    "GetTimeoutError",
    "LocalRayletDiedError",
    "NodeDiedError",
    "ObjectFetchTimedOutError",
    "ObjectFreedError",
    "ObjectLostError",
    "ObjectReconstructionFailedError",
    "ObjectRefStreamEndOfStreamError",
    "ObjectStoreFullError",
    "OufOfBandObjectRefSerializationException",
    "OutOfDiskError",
    "OutOfMemoryError",
    "OwnerDiedError",
    "PendingCallsLimitExceeded",
    "PlasmaObjectNotAvailable",
    "RayActorError",
    "RayCgraphCapacityExceeded",
    "RayChannelError",
    "RayChannelTimeoutError",
    "RayDirectTransportError",
    "RayError",
    "RaySystemError",
    "RayTaskError",
    "ReferenceCountingAssertionError",
    "RpcError",
    "RuntimeEnvSetupError",
    "StreamingGeneratorReplayInconsistentError",
    "TaskCancelledError",
    "TaskPlacementGroupRemoved",
    "TaskUnschedulableError",
    "UnserializableException",
    "UserCodeException",
    "WorkerCrashedError",
]

RayError = pa.PartisanError
RayTaskError = UserCodeException = pa.TaskFailed
TaskCancelledError = pa.TaskCancelled
GetTimeoutError = pa.CallTimeout
RayActorError = pa.ActorError
ActorDiedError = AsyncioActorExit = pa.ActorStopped
ActorUnavailableError = pa.ActorUnavailable
ActorAlreadyExistsError = pa.ActorExists
ActorHandleNotFoundError = pa.ActorNotFound
ActorUnschedulableError = TaskUnschedulableError = pa.Unplaceable
ActorPlacementGroupRemoved = pa.ActorGroupRemoved
TaskPlacementGroupRemoved = pa.PlacementGroupRemoved
PendingCallsLimitExceeded = pa.TooManyCalls
# A process that the system ended, for want of memory for instance, is one that crashed.
WorkerCrashedError = OutOfMemoryError = pa.WorkerCrashed
NodeDiedError = LocalRayletDiedError = pa.NodeDown
ObjectLostError = OwnerDiedError = ObjectFetchTimedOutError = pa.ObjectLost
ObjectFreedError = ObjectReconstructionFailedError = ReferenceCountingAssertionError = pa.ObjectLost
PlasmaObjectNotAvailable = pa.ObjectLost
ObjectStoreFullError = OutOfDiskError = pa.ObjectStoreFull
RuntimeEnvSetupError = pa.RuntimeEnvFailed
UnserializableException = pa.SerializationError
AuthenticationError = pa.AuthenticationError
RpcError = pa.NodeError


class RaySystemError(pa.PartisanError):
    """What goes wrong in Ray itself: is never raised here."""


# Of what there is not here: so that programs can say that they would catch them.


class RayChannelError(RaySystemError):
    """Of compiled graphs: is never raised."""


class RayChannelTimeoutError(RayChannelError, TimeoutError):
    """Of compiled graphs: is never raised."""


class RayCgraphCapacityExceeded(RaySystemError):
    """Of compiled graphs: is never raised."""


class RayDirectTransportError(RaySystemError):
    """Of tensors between devices: is never raised."""


class StreamingGeneratorReplayInconsistentError(RaySystemError):
    """Generators are not computed again: is never raised."""


class ObjectRefStreamEndOfStreamError(pa.PartisanError):
    """The end of a generator is StopIteration: is never raised."""


class OufOfBandObjectRefSerializationException(pa.PartisanError):
    """Refs may be pickled by anybody: is never raised."""


class CrossLanguageError(pa.PartisanError):
    """There is one language: is never raised."""


_ID: Final = re.compile(r"actor:\S+/[0-9a-f]+")


def _actor_id(error: pa.ActorError) -> str | None:
    found = _ID.search(error.actor)
    return None if found is None else ActorId.parse(found.group()).hex()


def _init_failed(error: pa.ActorError) -> bool:
    # Of a constructor that raised, the error is that, too.
    return isinstance(error, pa.TaskFailed) or "its constructor raised" in str(error)


_FIELDS: Final[dict[type, dict[str, Callable[[Any], Any]]]] = {
    pa.ActorError: {
        "actor_id": _actor_id,
        "actor_init_failed": _init_failed,
        "error_msg": str,
        "preempted": lambda error: False,
    },
    pa.RuntimeEnvFailed: {"error_message": str},
    pa.NodeDown: {"error_msg": str},
}
for _kind, _getters in _FIELDS.items():
    for _name, _getter in _getters.items():
        setattr(_kind, _name, property(_getter))


def _as_instanceof_cause(self: pa.TaskFailed) -> pa.TaskFailed:
    """The error itself, which is of the class of its cause already."""
    return self


setattr(pa.TaskFailed, "as_instanceof_cause", _as_instanceof_cause)  # noqa: B010 - a name that the class does not have
