"""The session of this process: `init`, `shutdown`, and the node that everything else of the face talks to.

In a plain program the node runs on a loop in a thread of its own; `async with init()` puts it on the caller's loop
instead, which saves two thread switches a call. There is one session a process; a worker's is its own node.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

from partisan_actors.actors.context import current_system
from partisan_actors.api.beside import Dashboard, check_dashboard
from partisan_actors.api.log_choice import LogChoice
from partisan_actors.api.output import SessionOutput
from partisan_actors.api.tracing_choice import tracing_choice
from partisan_actors.api.worker_count import worker_count
from partisan_actors.api.workers import start_workers
from partisan_actors.errors import ConfigError, NotYetConnected
from partisan_actors.ids import NodeId, ObjectId
from partisan_actors.node.binding import addresses_in
from partisan_actors.node.config import NodeConfig, random_name
from partisan_actors.node.cookie import read_cookie
from partisan_actors.node.delivery_options import DeliveryOptions
from partisan_actors.node.forward_options import ForwardOptions
from partisan_actors.node.loop import LoopThread
from partisan_actors.node.overlay_names import DEFAULT_OVERLAY, check_overlay
from partisan_actors.node.tls import TlsFiles, find_tls
from partisan_actors.node.workers import STOP_S
from partisan_actors.wire.channels import ChannelOptions, check_channels

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.api.runtime import Runtime
    from partisan_actors.api.starting import Beginning
    from partisan_actors.objects.ref import ObjectRef
    from partisan_actors.telemetry.tracing import TracingOptions

__all__ = ["Session", "adopt", "current", "init", "is_initialized", "shutdown", "system"]

CLOSE_TIMEOUT_S: Final = 15.0

_lock = threading.RLock()
_session: Session | None = None
# Whether the last session was ended on purpose: what still runs must not start a cluster by using it.
_was_shut_down = False


class Session:
    """What `init` returns: the running node, a context manager and an async context manager.

    Under a running event loop nothing is started until the session is entered or first used: `async with` starts the
    node on that loop; anything else starts it on a thread.
    """

    def __init__(
        self,
        config: NodeConfig,
        contacts: list[str],
        workers: int,
        tracing: TracingOptions | None,
        logs: LogChoice,
        worker_settings: Mapping[str, Any] | None = None,
        any_overlay: bool = False,
        dashboard: Dashboard = False,
        output: SessionOutput | None = None,
    ) -> None:
        """`workers` processes are started at once; ConfigError when they cannot be. What they print goes to `output`.

        `worker_settings` is what they are told beside what they share with this node; see `api.worker.config_of`.
        With `any_overlay`, who joins a cluster takes its overlay instead of that of `config`. `dashboard`: as `init`.
        """
        self._config = config
        self._contacts = contacts
        self._tracing = tracing
        self._logs = logs
        self._worker_settings = dict(worker_settings or {})
        self._any_overlay = any_overlay
        self._dashboard = dashboard
        self._output = output or SessionOutput()
        # Hears who is up, again and again while it waits for its workers.
        self.on_waiting: Callable[[set[str]], None] = lambda names: None
        self._thread: LoopThread | None = None
        self._runtime: Runtime | None = None
        self._begun: Beginning | None = None
        self._naming = asyncio.Lock()
        self._closed = False
        # Interpreters take their time to start: begin before anything else.
        self._crew = start_workers(workers, config, self._output, is_traced=tracing is not None)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "not started" if self._runtime is None else f"at {self.address}"
        return f"<partisan_actors session {self._config.name} {state}>"

    # ---- what users see ---------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """HOST:PORT of this process's node: give it to `init(address=...)` elsewhere."""
        return self.runtime.node.address

    @property
    def node_name(self) -> str:
        """The name of this process's node."""
        return self._config.name

    @property
    def cluster(self) -> str:
        """The name of the cluster."""
        return self.runtime.node.cluster

    @property
    def dashboard_url(self) -> str | None:
        """Where a browser finds the dashboard that `init` was asked for; None without one."""
        return self.runtime.dashboard.url if self.runtime.dashboard is not None else None

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of the workers this session started."""
        return [worker.pid for worker in self._crew.workers]

    def ended_workers(self) -> dict[str, str]:
        """How those worker processes ended that have, by name."""
        epitaphs = {worker.name: worker.epitaph() for worker in self._crew.workers}
        return {name: epitaph for name, epitaph in epitaphs.items() if epitaph is not None}

    def __enter__(self) -> Session:
        self._check_open()
        self.runtime  # noqa: B018 - starts it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __await__(self) -> Generator[Any, None, Session]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Session:
        if self._runtime is None:
            try:
                self._check_open()
                await self._start()
            except BaseException:
                self._kill_workers()
                self._forget()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            await asyncio.to_thread(self.close)
        else:
            try:
                await self._close()
            finally:
                self._kill_workers()
                self._forget(on_purpose=True)

    def close(self) -> None:
        """End the session: its actors, its node, its workers. May be called twice."""
        runtime, thread = self._runtime, self._thread
        is_on_loop = runtime is not None and thread is None and runtime.node.loop.is_running()
        if is_on_loop and runtime is not None and runtime.system.thread_id == threading.get_ident():
            raise RuntimeError("this session runs on the caller's own loop: leave its `async with` block instead")
        with _lock:
            if self._closed:
                return
            self._closed = True
        try:
            if thread is not None:
                with contextlib.suppress(Exception):
                    thread.run(self._close(), timeout_s=CLOSE_TIMEOUT_S)
                thread.stop()
            elif is_on_loop and runtime is not None:
                asyncio.run_coroutine_threadsafe(self._close(), runtime.node.loop).result(CLOSE_TIMEOUT_S)
        finally:
            self._kill_workers()
            self._forget(on_purpose=True)

    # ---- starting ---------------------------------------------------------------------------------------------

    @property
    def runtime(self) -> Runtime:
        """The runtime, started on a thread of its own if it is not running yet."""
        runtime = self._runtime
        if runtime is not None:
            return runtime
        with _lock:
            if self._runtime is None:
                self._start_on_thread()
            assert self._runtime is not None
            return self._runtime

    def _check_open(self) -> None:
        if self._closed:
            raise NotYetConnected(self._config.name, "this session has been shut down: call init() again")

    def _start_on_thread(self) -> None:
        self._check_open()
        self._thread = LoopThread(f"{self._config.name}-loop")
        try:
            self._thread.run(self._start())
        except BaseException:
            self._kill_workers()
            self._thread.stop()
            self._closed = True
            self._forget()
            raise

    async def add_worker(self) -> str:
        """On this node's loop: start one more worker; its name, once it is a member. Raises as `start_another`."""
        from partisan_actors.api.starting import start_another

        self._check_open()
        assert self._begun is not None, "start first"
        return await start_another(self._begun, self.runtime, self._crew, self._naming)

    async def _start(self) -> None:
        # Now, and not above: the workers import the same meanwhile, and a program with decorators may never get here.
        from partisan_actors.api.starting import Beginning, start

        self._begun = begun = Beginning(
            self._config,
            self._contacts,
            self._any_overlay,
            self._tracing,
            self._dashboard,
            self._crew.workers,
            self._logs,
            self._worker_settings,
            self._output,
            rebuild_ref,
            self.on_waiting,
        )
        self._runtime = await start(begun)
        self._config = self._runtime.config

    # ---- ending -----------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        self._closed = True
        if self._runtime is not None:
            from partisan_actors.api.runtime import EXPORT_S

            if self._contacts:
                await self._output.collect()
            patience_s = STOP_S if self._tracing is None else STOP_S + EXPORT_S
            stopping = asyncio.ensure_future(self._crew.stop(patience_s))
            try:
                await self._runtime.close()
            finally:
                await stopping

    def _kill_workers(self) -> None:
        self._crew.kill()
        self._output.close()

    def _forget(self, on_purpose: bool = False) -> None:
        global _session, _was_shut_down
        with _lock:
            if _session is self:
                _session = None
                _was_shut_down = on_purpose
                self._logs.end()


def init(
    address: str | None = None,
    *,
    workers: int | None = None,
    name: str | None = None,
    cluster: str = "",
    bind: str | Sequence[str] = "127.0.0.1:0",
    advertise: str | Sequence[str] | None = None,
    overlay: str | type | None = None,
    overlay_options: Mapping[str, Any] | None = None,
    broadcast_options: Mapping[str, Any] | None = None,
    routing: str = "auto",
    channels: Mapping[str, ChannelOptions | Mapping[str, Any] | int] | None = None,
    session_resume_s: float = 10.0,
    checksums: bool = False,
    delivery: DeliveryOptions | Mapping[str, Any] | None = None,
    forward: ForwardOptions | Mapping[str, Any] | None = None,
    resources: Mapping[str, float] | None = None,
    labels: Mapping[str, str] | None = None,
    hosts_actors: bool = False,
    object_store_bytes_max: int = 0,
    spill_dir: str = "",
    shared_memory: bool = True,
    cookie: str | bytes | None = None,
    tls: str | os.PathLike[str] | TlsFiles | None = None,
    insecure: bool = False,
    data_dir: str = "",
    namespace: str = "",
    runtime_env: Mapping[str, Any] | None = None,
    prestart: bool = False,
    tracing: bool | str | TracingOptions | None = None,
    dashboard: Dashboard = False,
    log_level: str = "WARNING",
    logging: str | None = None,
    log_to_driver: bool = True,
    ignore_reinit_error: bool = False,
) -> Session:
    """Make this process a node: of a local cluster with one worker process per core, or of a running one.

    Without `address`, `workers` processes are started (default: one per core) and end with it. With "host:port" of any
    node, it joins that node's cluster; with "auto" the one at $PARTISAN_ADDRESS, or else the only one here.
    With `dashboard` (True, a port, "HOST:PORT" or a dict of options) a page shows it at `Session.dashboard_url`.
    What actors and tasks print elsewhere is shown here, with who printed it, unless `log_to_driver` is False.
    Returns a `Session`, for ``with``, ``async with`` (the node then lives on the running loop), or neither. Raises
    ConfigError, NotYetConnected (no answer), AuthenticationError (other cookies), RuntimeError (there is a session).
    """
    global _session
    with _lock:
        if _session is not None:
            return _existing(_session, ignore_reinit_error)
        contacts = _contacts(address, cluster)
        count = worker_count(workers, address)
        config = NodeConfig(
            name=name or _random_name(data_dir),
            cluster=cluster or (random_name("local") if address is None and not data_dir else ""),
            bind=addresses_in("bind", bind),
            advertise=addresses_in("advertise", advertise),
            overlay=check_overlay(DEFAULT_OVERLAY if overlay is None else overlay),
            overlay_options=dict(overlay_options or {}),
            broadcast_options=dict(broadcast_options or {}),
            routing=routing,
            channels=check_channels(channels or {}),
            session_resume_s=session_resume_s,
            checksums=checksums,
            delivery=DeliveryOptions.of(delivery or {}),
            forward=ForwardOptions.of(forward or {}),
            cookie=read_cookie(cookie, insecure=insecure),
            insecure=insecure,
            tls=find_tls(tls),
            data_dir=data_dir,
            namespace=namespace,
            runtime_env=runtime_env or {},
            prestart=prestart,
            resources=dict(resources or {}),
            labels=dict(labels or {}),
            hosts_actors=hosts_actors or (address is None and count == 0),
            object_store_bytes_max=object_store_bytes_max,
            spill_dir=spill_dir,
            shared_memory=shared_memory,
        )
        chosen, logs, beside = tracing_choice(tracing), LogChoice(log_level, logging), check_dashboard(dashboard)
        output = SessionOutput(is_wanted=log_to_driver)
        session = Session(config, contacts, count, chosen, logs, None, overlay is None, beside, output)
        _session = session
        logs.begin()
    if asyncio._get_running_loop() is None:
        session.runtime  # noqa: B018 - starts it
    return session


def _existing(session: Session, is_welcome: bool) -> Session:
    if not is_welcome:
        raise RuntimeError("this process has a session already: call shutdown() first")
    return session


def _contacts(address: str | None, cluster: str) -> list[str]:
    if address is None:
        return []
    from partisan_actors.api.joining import contacts_of

    return contacts_of(address, cluster)


def _random_name(data_dir: str) -> str:
    if data_dir:
        raise ConfigError("data_dir", data_dir, "a name, too: what is kept there belongs to that node")
    return random_name("driver")


def shutdown() -> None:
    """End this process's session, if it has one: its actors, its node, and the workers it started."""
    session = _session
    if session is not None:
        session.close()


def is_initialized() -> bool:
    """Whether this process has a session."""
    return _session is not None


def current() -> Session:
    """The session of this process; `init()` is called when there was none yet, as a first use should just work.

    Raises NotYetConnected after `shutdown()`.
    """
    session = _session
    if session is not None:
        return session
    if _was_shut_down:
        raise NotYetConnected("this process's cluster", "its session has been shut down: call init() again")
    return init()


def system() -> ActorSystem:
    """The actor system that the running code belongs to."""
    running = current_system.get()
    return cast("ActorSystem", running) if running is not None else current().runtime.system


def adopt(runtime: Runtime) -> None:
    """In a worker: its node is the session, for threads that user code starts itself."""
    global _session
    session = Session(runtime.config, [], 0, None, LogChoice())
    session._runtime = runtime
    runtime.objects.rebuild = rebuild_ref
    _session = session


def rebuild_ref(name: str, incarnation: int, number: int) -> ObjectRef[Any]:
    """What a pickled ref becomes, here: one of the node that the running code belongs to."""
    runtime: Runtime = system().extensions["runtime"]
    return runtime.objects.adopt(ObjectId(NodeId(name, incarnation), number))


atexit.register(shutdown)
