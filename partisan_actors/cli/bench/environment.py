"""What a process started by the benchmark inherits, and which machine and versions the figures were taken with."""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

__all__ = ["Machine", "child_environment", "describe_machine"]

VERSIONED = ("partisan-actors", "uvloop", "msgpack", "cloudpickle")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and with what the figures were taken. Holds no host name, user or path, so that it can be published."""

    date: str
    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    versions: dict[str, str]
    load_before: float | None

    def to_json(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return asdict(self)


def child_environment() -> dict[str, str]:
    """This process's environment, with the package importable from wherever this process imported it.

    What is installed has been compiled. Where Python is told to keep no bytecode, it is kept for as long as this
    process lives: compiling the source would be half of what a start takes, and a tenth of a worker's memory.
    """
    root = str(Path(__file__).resolve().parents[3])
    inherited = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root])}
    if environment.pop("PYTHONDONTWRITEBYTECODE", "") and "PYTHONPYCACHEPREFIX" not in environment:
        environment["PYTHONPYCACHEPREFIX"] = _bytecode_folder()
    return environment


@cache
def _bytecode_folder() -> str:
    folder = tempfile.mkdtemp(prefix="partisan-bench-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def describe_machine() -> Machine:
    """Look at this machine now; `load_before` is its load average over the last minute."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        date=datetime.now(UTC).date().isoformat(),
        processor=_processor(),
        cores=cores,
        memory_gib=round(_memory_bytes() / (1 << 30), 1),
        system=f"{platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions={name: _version(name) for name in VERSIONED},
        load_before=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def free_memory_bytes() -> int:
    """What programs can still have without anything being swapped out."""
    import psutil

    return int(psutil.virtual_memory().available)


def _memory_bytes() -> int:
    import psutil  # only here: the answering and calling processes have no use for it

    return int(psutil.virtual_memory().total)


def _version(distribution: str) -> str:
    # Only here: what it imports would count in what every framework takes to start.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
