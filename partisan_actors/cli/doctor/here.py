"""What this machine and this shell are like for nodes and commands, whether or not a cluster runs."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from ssl import cert_time_to_seconds
from typing import Any, Final

import partisan_actors
from partisan_actors.cli.doctor.findings import ERROR, NOTE, OK, WARNING, Finding
from partisan_actors.cli.doctor.host import judge_disk, judge_files, judge_shared_memory
from partisan_actors.cli.doctor.nodes import judge_expiry
from partisan_actors.cli.plan import DEFAULT_HOST, DEFAULT_PORT
from partisan_actors.errors import ConfigError
from partisan_actors.node.cookie import COOKIE_BYTES_MIN, cookie_path
from partisan_actors.node.rundir import RunningNode, run_dir
from partisan_actors.node.tls import find_tls, try_files

__all__ = ["HERE", "judge_here"]

HERE: Final = "here"


def judge_here(
    facts: Mapping[str, Any],
    clusters: Mapping[str, list[RunningNode]],
    cookie_file: Path | None,
    tls_dir: Path | None,
    insecure: bool,
    now: float,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Finding]:
    """`facts` are those of this host, `clusters` the nodes that run here; nothing is made or changed."""
    python = sys.version.split()[0]
    yield Finding(OK, "versions", HERE, f"partisan_actors {partisan_actors.__version__}, Python {python}")
    if sys.platform != "win32" and find_spec("uvloop") is None:
        yield Finding(NOTE, "versions", HERE, "uvloop is not installed: calls take longer", "pip install uvloop")
    yield from _port(clusters)
    yield from _run_dir(run_dir(environ))
    if not insecure:
        yield from _cookie(cookie_file, environ)
    yield from _certificates(tls_dir, now, environ)
    yield from judge_files(HERE, facts)
    yield from judge_shared_memory(HERE, facts)
    yield from judge_disk(HERE, facts)


def _port(clusters: Mapping[str, list[RunningNode]]) -> Iterator[Finding]:
    address = f"{DEFAULT_HOST}:{DEFAULT_PORT}"
    with socket.socket() as trying:
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind((DEFAULT_HOST, DEFAULT_PORT))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                yield Finding(WARNING, "port", HERE, f"{address} cannot be used: {error.strerror}", "--port N")
                return
        else:
            yield Finding(OK, "port", HERE, f"{address}, where `partisan start` listens, is free")
            return
    # One that listens everywhere is known by another address, which others can dial, with the same port.
    nodes = [node for those in clusters.values() for node in those if node.address.endswith(f":{DEFAULT_PORT}")]
    if nodes:
        yield Finding(OK, "port", HERE, f"{address} is that of node {nodes[0].name}")
    else:
        text = f"{address}, where `partisan start` listens, is in use by another process"
        yield Finding(WARNING, "port", HERE, text, "end that, or take another one: partisan start --port N")


def _run_dir(folder: Path) -> Iterator[Finding]:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if os.access(there, os.W_OK | os.X_OK) and there.is_dir():
        yield Finding(OK, "run directory", HERE, f"running nodes are found in {folder}")
    else:
        text = f"{folder} cannot be written to: `partisan start` fails"
        yield Finding(ERROR, "run directory", HERE, text, "set PARTISAN_RUN_DIR to a directory of your own")


def _cookie(given: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    if given is None and environ.get("PARTISAN_COOKIE"):
        yield from _long_enough("PARTISAN_COOKIE", len(environ["PARTISAN_COOKIE"]))
        return
    path = given or cookie_path()
    try:
        found = path.stat()
        size = len(path.read_bytes().strip())
    except FileNotFoundError:
        yield Finding(NOTE, "cookie", HERE, f"there is no {path} yet", "`partisan start` makes it")
        return
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}"
        yield Finding(ERROR, "cookie", HERE, text, "see whose it is: ls -l; or set PARTISAN_COOKIE_FILE")
        return
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"{path} has the mode {stat.S_IMODE(found.st_mode):04o}: others can read it, so nodes refuse it"
        yield Finding(ERROR, "cookie", HERE, text, f"chmod 600 {path}; if others may have read it, make a new one")
    else:
        yield from _long_enough(str(path), size)


def _long_enough(source: str, size: int) -> Iterator[Finding]:
    if size < COOKIE_BYTES_MIN:
        text = f"{source} has {size} bytes, and {COOKIE_BYTES_MIN} are the least"
        yield Finding(ERROR, "cookie", HERE, text, "openssl rand -hex 32 gives a good one")
    else:
        yield Finding(OK, "cookie", HERE, f"it is in {source}")


def _certificates(tls_dir: Path | None, now: float, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        files = find_tls(tls_dir, environ)
        if files is None:
            return
        certificate = try_files(files)
    except ConfigError as error:
        remedy = "partisan certs show DIR tells what is there; partisan certs issue DIR makes a new one"
        yield Finding(ERROR, "certificate", HERE, str(error), remedy)
        return
    yield judge_expiry(HERE, cert_time_to_seconds(str(certificate["notAfter"])), now)
