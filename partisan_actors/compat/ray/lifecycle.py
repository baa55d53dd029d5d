"""`ray.init` and `ray.shutdown`: a session whose node holds the CPUs of the machine, or one in a cluster that runs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.compat.ray.absent import refuse
from partisan_actors.compat.ray.identity import to_hex
from partisan_actors.compat.ray.logging_config import LoggingConfig

__all__ = ["RayContext", "ensure_session", "init", "is_initialized", "is_local", "session_environment", "shutdown"]

# What is taken and changes nothing here: metrics are at the dashboard's own port, and there is no folder of a session.
_WITHOUT_EFFECT: Final = frozenset({"_metrics_export_port", "_temp_dir"})
# Where a dashboard listens unless something else is said; on its usual port, or on another when that is taken.
_DASHBOARD_HOST: Final = "127.0.0.1"
_REFUSED: Final = {
    "_system_config": "the options of pa.init and of partisan start",
    "_tracing_startup_hook": "set OTEL_EXPORTER_OTLP_ENDPOINT, or any OTEL_* variable of OpenTelemetry's exporters",
    "cgroup_path": "start the nodes in that cgroup",
    "enable_resource_isolation": "start the nodes in a cgroup",
    "job_config": "say namespace and runtime_env to ray.init",
    "proxy_server_url": "`partisan dashboard` shows the cluster",
    "system_reserved_cpu": "offer fewer CPUs: num_cpus",
    "system_reserved_memory": "offer less memory: resources",
}


_TWICE: Final = (
    "Maybe you called ray.init twice by accident? This error can be suppressed by passing in "
    "'ignore_reinit_error=True' or by calling 'ray.shutdown()' prior to 'ray.init()'."
)


class RayContext(Mapping[str, Any]):
    """What `init` returns: a map of addresses, and a context manager that ends the session."""

    ray_commit = ""

    def __init__(self, session: pa.Session) -> None:
        self.session = session
        self.python_version = platform.python_version()
        self.ray_version = pa.__version__
        host, _, _ = session.address.rpartition(":")
        # Without "http://", as Ray's is.
        self.dashboard_url = (session.dashboard_url or "").partition("://")[2].rstrip("/")
        self.address_info: dict[str, Any] = {
            "address": session.address,
            "gcs_address": session.address,
            "node_id": to_hex(pa.get_runtime_context().node_id),
            "node_ip_address": host,
            "webui_url": self.dashboard_url,
        }

    def __getitem__(self, key: str) -> Any:
        return self.address_info[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.address_info)

    def __len__(self) -> int:
        return len(self.address_info)

    def __enter__(self) -> RayContext:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """End the session."""
        shutdown()

    def __repr__(self) -> str:
        return f"RayContext(address={self.address_info['address']!r}, python_version={self.python_version!r})"


_context: RayContext | None = None
_is_local = False
_environment: dict[str, Any] = {}


def init(
    address: str | None = None,
    *,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    resources: Mapping[str, float] | None = None,
    labels: Mapping[str, str] | None = None,
    object_store_memory: int | None = None,
    local_mode: bool = False,
    ignore_reinit_error: bool = False,
    include_dashboard: bool | None = None,
    dashboard_host: str = _DASHBOARD_HOST,
    dashboard_port: int | None = None,
    job_config: object = None,
    configure_logging: bool = True,
    logging_level: int | str = "WARNING",
    logging_format: str | None = None,
    logging_config: LoggingConfig | None = None,
    log_to_driver: bool | None = None,
    namespace: str | None = None,
    runtime_env: Mapping[str, Any] | None = None,
    enable_resource_isolation: bool = False,
    cgroup_path: str | None = None,
    system_reserved_cpu: float | None = None,
    system_reserved_memory: int | None = None,
    proxy_server_url: str | None = None,
    object_spilling_directory: str | None = None,
    **kwargs: Any,
) -> RayContext:
    """Begin: without `address`, or with "local", a cluster of this process alone, which offers the machine's CPUs.

    With ``"host:port"`` it joins a cluster, with "auto" the one that runs on this machine; $RAY_ADDRESS is the default.
    With `include_dashboard` a dashboard runs in this process, at ``dashboard_url`` of what is returned.
    `configure_logging` and `logging_format` change nothing. With `local_mode`, all actors and tasks run in this
    process, on threads, where ``breakpoint()`` stops them. Raises RuntimeError when there is a session, unless
    `ignore_reinit_error`, and for an argument that there is not; ConnectionError when nobody answers; ValueError and
    NotImplementedError for what cannot be.
    """
    global _context, _environment, _is_local
    _check_others({name: value for name, value in locals().items() if name in _REFUSED} | kwargs)
    address = address or os.environ.get("RAY_ADDRESS") or None
    if pa.is_initialized():
        if not ignore_reinit_error:
            raise RuntimeError(_TWICE)
        if _context is None:
            _context = RayContext(pa.init(ignore_reinit_error=True))
        return _context
    joins = address is not None and address != "local"
    if joins:
        _check_joining(address or "", local_mode, num_cpus, num_gpus, resources)
    level = logging_level.upper() if isinstance(logging_level, str) else _level_name(logging_level)
    session = pa.init(
        address if joins else None,
        workers=0,
        resources=None if joins else _offer(num_cpus, num_gpus, resources),
        labels=labels,
        object_store_bytes_max=object_store_memory or 0,
        spill_dir=object_spilling_directory or "",
        namespace=namespace or "",
        runtime_env=runtime_env,
        prestart=not joins and not local_mode,
        dashboard=bool(include_dashboard) and _dashboard(dashboard_host, dashboard_port),
        log_to_driver=log_to_driver is not False,
        log_level=logging_config.log_level if logging_config is not None else level,
        logging=logging_config.format if logging_config is not None else None,
    )
    _is_local = local_mode
    _environment = dict(runtime_env or {})
    _context = RayContext(session.__enter__())
    return _context


def shutdown(*, wait_for_processes: bool = False) -> None:
    """End the session of this process, if there is one; a cluster that was joined goes on. Always waits."""
    global _context
    _context = None
    pa.shutdown()


def is_initialized() -> bool:
    """Whether this process has a session."""
    return pa.is_initialized()


def is_local() -> bool:
    """Whether this process's session began with `local_mode`."""
    return _is_local and pa.is_initialized()


def ensure_session() -> None:
    """Begin a session if there is none, as the first use of anything does."""
    if not pa.is_initialized():
        init()


def session_environment() -> dict[str, Any]:
    """The `runtime_env` that `init` was given in this process."""
    return dict(_environment) if pa.is_initialized() else {}


def _check_others(others: Mapping[str, Any]) -> None:
    for name, value in others.items():
        if name in _REFUSED:
            if value:
                refuse(f"ray.init({name}=...)", _REFUSED[name])
        elif name not in _WITHOUT_EFFECT:
            raise RuntimeError(f"Unknown keyword argument(s): {name}")


def _check_joining(address: str, local_mode: bool, *offer: object) -> None:
    if address.startswith("ray://"):
        refuse("the client protocol (ray://)", 'ray.init(address="host:port") makes this process a node')
    if local_mode:
        raise ValueError("local_mode is for a cluster of this process alone: say address='local', or none.")
    if any(each is not None and each != {} for each in offer):
        raise ValueError("When connecting to an existing cluster, num_cpus, num_gpus and resources must not be given.")


def _offer(num_cpus: float | None, num_gpus: float | None, resources: Mapping[str, float] | None) -> dict[str, float]:
    cpus = num_cpus if num_cpus is not None else len(os.sched_getaffinity(0))
    gpus = {"num_gpus": float(num_gpus)} if num_gpus else {}
    return {"num_cpus": float(cpus), **gpus, **(resources or {})}


def _dashboard(host: str, port: int | None) -> bool | dict[str, Any]:
    """What `pa.init` is told of it: a host or a port that is said is to be that one, and no other."""
    if host == _DASHBOARD_HOST and port is None:
        return True
    return {"host": host} | ({} if port is None else {"port": port})


def _level_name(level: int) -> str:
    import logging

    return logging.getLevelName(level)
