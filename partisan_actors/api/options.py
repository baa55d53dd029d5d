"""The options of actors and tasks: which there are, what they may be, and one clear error for anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, TypedDict

from partisan_actors.actors.method_options import MethodOptions, check_count
from partisan_actors.actors.namespaces import check_namespace
from partisan_actors.api.runtime_env import check_runtime_env
from partisan_actors.errors import ConfigError
from partisan_actors.scheduler.environment import NO_ENVIRONMENT, Environment
from partisan_actors.scheduler.policy import Request
from partisan_actors.tasks.retry import Retries
from partisan_actors.values import dataclass
from partisan_actors.wire.channels import partition_of

if TYPE_CHECKING:
    from partisan_actors.scheduler.strategies import InPlacementGroup, NodeAffinity, NodeLabels, Strategy

__all__ = ["ActorKeywords", "ActorOptions", "OtherTaskKeywords", "TaskKeywords", "TaskOptions"]

STOP_TIMEOUT_MAX: Final = 3600.0


@dataclass(frozen=True, slots=True)
class _Placed:
    """What actors and tasks have in common: what they need of a node, and which."""

    num_cpus: float = 0
    num_gpus: float = 0
    memory: float = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    placement: Any = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    scheduling_strategy: Any = None
    label_selector: Mapping[str, Any] = field(default_factory=dict)
    fallback_strategy: Sequence[Mapping[str, Any]] = ()
    isolation: str | None = None
    runtime_env: Mapping[str, Any] | None = None

    def isolated(self, environment: Environment) -> str | None:
        """Whether it gets a process of its own: when it wants one, and when it is to find something else around it."""
        return "process" if self.isolation == "process" or environment != NO_ENVIRONMENT else None

    def request(self, captured: Strategy | None = None) -> Request:
        """What the scheduler is asked for; `captured` is the placement of those that name none. Raises ConfigError."""
        placement, labels = self.placement, self.labels
        if self.scheduling_strategy is not None:
            if placement is not None:
                raise ConfigError("scheduling_strategy", self.scheduling_strategy, "None where there is a placement")
            placement = self.scheduling_strategy
        if self.label_selector:
            if labels:
                raise ConfigError("label_selector", self.label_selector, "none where there are labels")
            labels = self.label_selector
        return Request.parse(
            num_cpus=self.num_cpus,
            num_gpus=self.num_gpus,
            memory=self.memory,
            resources=self.resources,
            placement=placement if placement is not None else captured or "default",
            labels=labels,
            fallbacks=self.fallback_strategy,
        )

    @property
    def is_capturable(self) -> bool:
        """Whether it is not said where to place it."""
        return self.placement is None and self.scheduling_strategy is None

    def with_(self, given: Mapping[str, Any]) -> Self:
        """These options, with some changed. Raises ConfigError for an option that does not exist or is not valid."""
        known = [item.name for item in fields(self)]
        for name in given:
            if name not in known:
                import difflib  # for a mistake only

                near = difflib.get_close_matches(name, known, 1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise ConfigError(f"option {name}", given[name], f"one of the options {', '.join(known)}{hint}")
        changed = replace(self, **given)
        changed.check()
        return changed

    def check(self) -> None:
        """Raises ConfigError for a value that is not valid."""
        self.request()
        if self.isolation not in (None, "process"):
            raise ConfigError("isolation", self.isolation, 'None or "process"')
        if self.runtime_env is not None:
            check_runtime_env(self.runtime_env)


@dataclass(frozen=True, slots=True)
class ActorOptions(_Placed):
    """Options of an actor.

    `num_cpus`, `num_gpus`, `memory` (bytes) and custom `resources` are held for its life; `placement` is "default",
    "spread", "pack", "random", a NodeAffinity, NodeLabels or InPlacementGroup; `labels` select nodes, and
    `fallback_strategy` lists labels that will do, too. (`scheduling_strategy` and `label_selector` are Ray's names for
    `placement` and `labels`.) With `isolation="process"` or a `runtime_env` it has a process of its own, in which it
    crashes alone: see `docs/isolation.md`. `name` is unique in its `namespace`, and with
    `get_if_exists` an existing actor of that name is returned. `max_restarts` (-1: without limit) is how often it is
    made again after its node, or its process, is lost. `lifetime="detached"` lets it outlive the node that made it.
    `max_concurrency` bounds how many coroutines of it are in progress, `mailbox_max` how many messages may wait.
    `dedicated_thread` gives its blocking methods one thread for life. With `trap_exit` exit signals do not end it, but
    are told to its method `on_exit`. `channel`, `partition_key` and the causal label `causal` are those of all that is
    sent through its handles, unless a method says otherwise; see `ActorMethod.options`. Its `on_stop` has
    `stop_timeout` seconds. One with `quorum=True` is made, named and restarted only where more than half of the known
    nodes are.

    `concurrency_groups` maps names to how many calls of a group are in progress at once; methods are in a group by
    `method(concurrency_group=...)`, or by call. `max_task_retries` (-1: without limit) is how often a call is made
    again which was lost with the actor's node, `max_pending_calls` how many of one handle may be unanswered.

    `tracing` is "off" for a class that makes no spans, and whose calls make none; "calls" or "full" for the detail of
    its spans, whatever the node's level is; or the share, 0.0 to 1.0, of the traces beginning with a call of it.
    """

    name: str | None = None
    get_if_exists: bool = False
    lifetime: str | None = None
    max_restarts: int = 0
    max_concurrency: int | None = None
    mailbox_max: int | None = None
    dedicated_thread: bool = False
    trap_exit: bool = False
    causal: str | None = None
    stop_timeout: float = 5.0
    quorum: bool = False
    concurrency_groups: Mapping[str, int] = field(default_factory=dict)
    max_task_retries: int = 0
    max_pending_calls: int | None = None
    namespace: str | None = None
    channel: str | None = None
    partition_key: int | str | None = None
    tracing: str | float | None = None

    def check(self) -> None:
        _Placed.check(self)
        if self.name is not None and not (
            isinstance(self.name, str) and 0 < len(self.name) <= 256 and "\0" not in self.name
        ):
            raise ConfigError("name", self.name, "a text of 1 to 256 characters")
        if self.namespace is not None:
            check_namespace(self.namespace)
        if self.get_if_exists and self.name is None:
            raise ConfigError("get_if_exists", self.get_if_exists, "False, unless the actor has a name")
        if self.lifetime not in (None, "detached"):
            raise ConfigError("lifetime", self.lifetime, 'None or "detached"')
        if isinstance(self.max_restarts, bool) or not isinstance(self.max_restarts, int) or self.max_restarts < -1:
            raise ConfigError("max_restarts", self.max_restarts, "a whole number, or -1 for no limit")
        if self.causal is not None and not isinstance(self.causal, str):
            raise ConfigError("causal", self.causal, "a causal label, or None")
        if self.channel is not None and not isinstance(self.channel, str):
            raise ConfigError("channel", self.channel, "the name of a channel, or None")
        if self.partition_key is not None:
            partition_of(self.partition_key)
        check_tracing(self.tracing)
        for name in ("max_concurrency", "mailbox_max"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigError(name, value, "a positive whole number")
        for name in ("trap_exit", "quorum"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(name, getattr(self, name), "True or False")
        stop_s = self.stop_timeout
        if isinstance(stop_s, bool) or not isinstance(stop_s, (int, float)) or not 0 < stop_s <= STOP_TIMEOUT_MAX:
            raise ConfigError("stop_timeout", stop_s, f"seconds, more than 0 and at most {STOP_TIMEOUT_MAX:g}")
        MethodOptions(max_task_retries=self.max_task_retries).check()
        if self.max_pending_calls not in (None, -1):
            check_count("max_pending_calls", self.max_pending_calls, 1, 1_000_000, ", or None for any number")
        groups = self.concurrency_groups
        if not isinstance(groups, Mapping) or not all(isinstance(name, str) and name for name in groups):
            raise ConfigError("concurrency_groups", groups, 'a map from names to numbers, as {"io": 2}')
        for name, most in groups.items():
            check_count(f"concurrency_groups[{name!r}]", most, 1, 100_000)


@dataclass(frozen=True, slots=True)
class TaskOptions(_Placed):
    """Options of a task: what it needs while it runs (one CPU unless said otherwise), where, and what is retried.

    `max_retries` (-1: without limit) further attempts are made when its node is lost; with `retry_exceptions` True, or
    a list of exception classes, also when the function raises. `num_returns` is how many refs a call gives: 0 gives
    None, n a list of n; for generators also "streaming" (their default: an ObjectRefGenerator) and "dynamic" (one ref
    to the list of refs). A generator is never more than `generator_backpressure` items ahead of whoever takes them.
    With `isolation="process"`, or a `runtime_env`, it runs in a process that has no other task meanwhile; after
    `max_calls` (0: without limit) of them that process ends. `tracing` is as an actor's.
    """

    num_cpus: float = 1
    name: str | None = None
    max_retries: int = 3
    retry_exceptions: Any = False
    num_returns: Any = None
    generator_backpressure: int | None = None
    max_calls: int = 0
    tracing: str | float | None = None

    def retries(self) -> Retries:
        """What is retried. Raises ConfigError."""
        kinds = self.retry_exceptions
        return Retries(self.max_retries, tuple(kinds) if isinstance(kinds, list) else kinds)

    def of_calls(self) -> MethodOptions:
        """What a call gives. Raises ConfigError."""
        given = {"num_returns": self.num_returns, "generator_backpressure": self.generator_backpressure}
        return MethodOptions.of(given)

    def check(self) -> None:
        _Placed.check(self)
        self.retries()
        self.of_calls()
        check_tracing(self.tracing)
        if isinstance(self.max_calls, bool) or not isinstance(self.max_calls, int) or self.max_calls < 0:
            raise ConfigError("max_calls", self.max_calls, "a whole number, or 0 for no limit")
        if self.name is not None and not isinstance(self.name, str):
            raise ConfigError("name", self.name, "a text, for people to read")


def check_tracing(tracing: object) -> None:
    """Raises ConfigError for what a class or a function cannot say of tracing."""
    is_share = isinstance(tracing, float) and 0.0 <= tracing <= 1.0
    if tracing is not None and not is_share and tracing not in ("off", "calls", "full"):
        raise ConfigError("tracing", tracing, 'None, "off", "calls", "full" or a share from 0.0 to 1.0')


if TYPE_CHECKING:
    Placement: TypeAlias = (
        Literal["default", "spread", "pack", "random"] | NodeAffinity | NodeLabels | InPlacementGroup | None
    )


class _PlacedKeywords(TypedDict, total=False):
    """The fields of `_Placed`, as keywords that a type checker knows."""

    num_cpus: float
    num_gpus: float
    memory: float
    resources: Mapping[str, float]
    placement: Placement
    labels: Mapping[str, Any]
    scheduling_strategy: Placement | Literal["DEFAULT", "SPREAD"]
    label_selector: Mapping[str, Any]
    fallback_strategy: Sequence[Mapping[str, Any]]
    isolation: Literal["process"] | None
    runtime_env: Mapping[str, Any] | None


class ActorKeywords(_PlacedKeywords, total=False):
    """The fields of ActorOptions, as keywords of `actor` and `options`."""

    name: str | None
    get_if_exists: bool
    lifetime: Literal["detached"] | None
    max_restarts: int
    max_concurrency: int | None
    mailbox_max: int | None
    dedicated_thread: bool
    trap_exit: bool
    causal: str | None
    stop_timeout: float
    quorum: bool
    concurrency_groups: Mapping[str, int]
    max_task_retries: int
    max_pending_calls: int | None
    namespace: str | None
    channel: str | None
    partition_key: int | str | None
    tracing: Literal["off", "calls", "full"] | float | None


class OtherTaskKeywords(_PlacedKeywords, total=False):
    """Those of TaskKeywords that do not change what a call gives."""

    name: str | None
    max_retries: int
    retry_exceptions: bool | Sequence[type[BaseException]]
    generator_backpressure: int | None
    max_calls: int
    tracing: Literal["off", "calls", "full"] | float | None


class TaskKeywords(OtherTaskKeywords, total=False):
    """The fields of TaskOptions, as keywords of `task` and `options`."""

    num_returns: int | Literal["streaming", "dynamic"] | None
