"""What a template process runs: it imports what a node needs, and then forks whenever it is asked to.

Started as ``python -m partisan_actors.api.template`` with a socket as its standard input; `node.template_process` has
the protocol. It has one thread and no loop, and runs no code of users: what it forks does. Its forks are processes of
one node, or, when WORKERS is its argument, the workers of a session.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Any, Final

from partisan_actors.api import hosted, worker
from partisan_actors.node.template_process import LAST

__all__ = ["main"]

WORKERS: Final = "workers"
# What is left of a session's template once it has forked: it collects those that end, and says so, until there is none.
# An interpreter that has loaded nothing, so that no copy of what the workers share is kept for nobody.
COLLECTING: Final = """
import posix
while True:
    try:
        pid, status = posix.waitpid(-1, 0)
    except ChildProcessError:
        break
    try:
        posix.write(1, b"ended %d %d\\n" % (pid, status))
    except OSError:
        break
"""

# In the environment of what is forked, and so of what that starts: whose it is.
MARK: Final = "PARTISAN_PROCESS"

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
DESCRIPTORS: Final = 3
# How long exit handlers may take.
EXIT_S: Final = 2.0


def main() -> None:
    """The template's whole life."""
    _Template(are_workers=sys.argv[1:] == [WORKERS]).run()


class _Template:
    def __init__(self, *, are_workers: bool) -> None:
        # The processes of a node end with all that they have started; a worker's children are its own affair.
        self._are_workers = are_workers
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever began all this
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self._socket = socket.socket(fileno=os.dup(0))
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        self._wake_end = wake
        self._pid = os.getpid()
        self._is_over = False
        self._has_forked = False
        self._children: dict[int, str] = {}  # with what marks all that they start
        self._data = b""
        self._descriptors: deque[int] = deque()
        self._settings: dict[str, Any] | None = None
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        if sys.platform == "linux":
            # Who is started by what this one has forked, and outlives that, is this one's then. And when its node has
            # left a copy of the socket with a process that it has forked itself, a signal tells of its end.
            parent, prctl = os.getppid(), ctypes.CDLL(None).prctl
            if not are_workers:
                prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            self._is_over = os.getppid() != parent

    def run(self) -> None:
        while not self._is_over:
            ready, _, _ = select.select([self._socket.fileno(), self._wake], [], [])
            if self._wake in ready:
                with suppress(BlockingIOError):
                    while os.read(self._wake, 4096):
                        continue
                self._collect()
            if self._socket.fileno() in ready:
                self._receive()
        self._end_all()

    def _end(self, *_: object) -> None:
        self._is_over = True
        if not self._has_forked:
            os._exit(0)  # it may be importing, and leaves nobody

    def _receive(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 65536, DESCRIPTORS)
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._is_over = True
            return
        self._descriptors += descriptors
        *lines, self._data = (self._data + data).split(b"\n")
        for line in lines:
            if self._is_over:
                return
            if self._settings is None:
                self._prepare(json.loads(line))
            elif line == LAST:
                self._retire()
            else:
                self._fork(int(line), [self._descriptors.popleft() for _ in range(DESCRIPTORS)])

    def _prepare(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        hosted.prepare(settings)
        # What is here now is shared with all that will be forked, for as long as nobody touches it.
        gc.collect()
        gc.disable()
        gc.freeze()

    def _fork(self, number: int, descriptors: list[int]) -> None:
        self._has_forked = True
        mark = f"{self._pid}-{number}"
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(f"failed {number} {error.errno or 1}")
        else:
            if pid == 0:
                self._become(descriptors, mark)
            self._children[pid] = mark
            self._tell(f"forked {number} {pid}")
        for descriptor in descriptors:
            os.close(descriptor)

    def _retire(self) -> None:
        """There is nothing more to fork: only collect, in as little memory as can be. Does not return."""
        signal.set_wakeup_fd(-1)
        os.dup2(self._socket.fileno(), 1)
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", COLLECTING])

    def _become(self, descriptors: list[int], mark: str) -> None:
        """In the fork: let go of the template's things, and be what was asked for. Never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._socket.close()
            os.close(self._wake)
            os.close(self._wake_end)
            if not self._are_workers:
                os.setpgid(0, 0)  # so that what it starts can be ended with it,
                os.environ[MARK] = mark  # and what has left the group can be found
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                if os.getppid() != self._pid:
                    os._exit(1)
            control, output, errors = descriptors
            os.set_inheritable(control, False)  # descriptors that were received are
            os.dup2(output, 1)
            os.dup2(errors, 2)
            os.close(output)
            os.close(errors)
            gc.enable()
            status = worker.live(control) if self._are_workers else hosted.main(control)
            _run_exit_handlers(status)
        except BaseException:  # noqa: BLE001 - nothing may get back into the template's loop
            sys.excepthook(*sys.exc_info())
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _tell(self, line: str) -> None:
        try:
            self._socket.sendall(line.encode() + b"\n")
        except OSError:
            self._is_over = True

    def _collect(self) -> None:
        """Tell of those that have ended, and end what they have started with them."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid = found.si_pid
            if pid in self._children and not self._are_workers:
                with suppress(ProcessLookupError, PermissionError):  # before it is collected: its number is its own yet
                    os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if self._children.pop(pid, None) is not None:
                self._tell(f"ended {pid} {status}")
            if not self._are_workers:
                self._end_orphans()

    def _end_orphans(self) -> None:
        """What those have started that have ended, and has left their group, is this one's child now."""
        alive = set(self._children.values())
        for pid in _children_of_this():
            mark = _mark_of(pid) if pid not in self._children else ""
            if mark.startswith(f"{self._pid}-") and mark not in alive:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def _end_all(self) -> None:
        """Leave nobody: neither those that were forked, nor what they have started."""
        while True:
            for pid in {*self._children, *_children_of_this()}:
                with suppress(ProcessLookupError, PermissionError):
                    if pid in self._children and not self._are_workers:
                        os.killpg(pid, signal.SIGKILL)
                    os.kill(pid, signal.SIGKILL)
            try:
                pid, _ = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            self._children.pop(pid, None)


def _run_exit_handlers(status: int) -> None:
    """What users' code has registered with `atexit`, as any program does at its end; for so long as it may take."""
    limit = threading.Timer(EXIT_S, os._exit, (status,))
    limit.daemon = True
    limit.start()
    atexit._run_exitfuncs()


def _children_of_this() -> list[int]:
    """The processes whose parent this one is: those that it has forked, and orphans of theirs. Linux tells."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except (OSError, ValueError):
        return []


def _mark_of(pid: int) -> str:
    """What that process was started with as MARK; "" when it was without, or cannot be looked at."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return ""
    marks = [each for each in variables if each.startswith(MARK.encode() + b"=")]
    return marks[0].partition(b"=")[2].decode(errors="replace") if marks else ""


if __name__ == "__main__":
    main()
