"""Ray's names for errors: most are the errors of this package, so that they are caught wherever they come from."""

from __future__ import annotations

import partisan_actors as pa

__all__ = [
    "ActorAlreadyExistsError",
    "ActorDiedError",
    "ActorPlacementGroupRemoved",
    "ActorUnavailableError",
    "ActorUnschedulableError",
    "AuthenticationError",
    "GetTimeoutError",
    "NodeDiedError",
    "ObjectLostError",
    "ObjectStoreFullError",
    "OutOfDiskError",
    "OwnerDiedError",
    "PendingCallsLimitExceeded",
    "RayActorError",
    "RayError",
    "RayTaskError",
    "RuntimeEnvSetupError",
    "TaskCancelledError",
    "TaskPlacementGroupRemoved",
    "TaskUnschedulableError",
    "WorkerCrashedError",
]

RayError = pa.PartisanError
RayTaskError = pa.TaskFailed
TaskCancelledError = pa.TaskCancelled
GetTimeoutError = pa.CallTimeout
RayActorError = pa.ActorError
ActorDiedError = pa.ActorStopped
ActorUnavailableError = pa.ActorUnavailable
ActorAlreadyExistsError = pa.ActorExists
ActorUnschedulableError = TaskUnschedulableError = pa.Unplaceable
ActorPlacementGroupRemoved = pa.ActorGroupRemoved
TaskPlacementGroupRemoved = pa.PlacementGroupRemoved
PendingCallsLimitExceeded = pa.TooManyCalls
WorkerCrashedError = pa.WorkerCrashed
NodeDiedError = pa.NodeDown
ObjectLostError = OwnerDiedError = pa.ObjectLost
ObjectStoreFullError = OutOfDiskError = pa.ObjectStoreFull
RuntimeEnvSetupError = pa.RuntimeEnvFailed
AuthenticationError = pa.AuthenticationError
