"""TLS between real processes: sessions with workers, `partisan` commands, strangers of all kinds, new certificates."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import partisan_actors as pa
from tests import hostile
from tests.authority import Authority
from tests.integration.on_loop import on_loop
from tests.integration.programs import Programs, wait_until
from tests.integration.shells import Shells


@pa.actor
class Keeper:
    """Runs on a worker, so that what it is told crosses a wire."""

    def __init__(self) -> None:
        self.pid = os.getpid()

    def echo(self, value: object) -> object:
        return value

    async def whereabouts(self) -> int:
        return self.pid


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def folder(authority: Authority) -> Path:
    """A directory with a certificate of any name."""
    return Path(authority.issue().cert).parent


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[pa.Session]:
    with pa.init(workers=1, tls=folder) as session:
        yield session


def refusals(session: pa.Session) -> int:
    return on_loop(session, lambda: session.runtime.node.refused_connections)


def test_calls_of_any_size_and_kind_cross_it(session: pa.Session) -> None:
    keeper = Keeper.remote()
    data = os.urandom(5_000_000)

    assert pa.get(keeper.whereabouts.remote()) == session.worker_pids[0]
    assert pa.get(keeper.echo.remote(data)) == data
    assert on_loop(session, lambda: session.runtime.node.sessions.resumed) == 0, "no connection broke"
    assert pa.get([keeper.echo.remote(number) for number in range(500)]) == list(range(500))


def test_every_connection_of_the_node_is_verified(session: pa.Session) -> None:
    def verified() -> bool:
        # Of one that is being made or closed, there is no certificate.
        connections = on_loop(session, session.runtime.node.dialling.connections)
        return bool(connections) and all(connection.certificate for connection in connections)

    assert wait_until(verified, "every connection to have a certificate")


@pytest.mark.parametrize("with_certificate", ["none", "of another CA"])
def test_openssl_gets_nothing_without_a_certificate_of_ours(
    session: pa.Session, tmp_path: Path, with_certificate: str
) -> None:
    before = refusals(session)
    command = ["openssl", "s_client", "-connect", session.address]
    if with_certificate != "none":
        foreign = Authority(tmp_path, "foreign").issue()
        command += ["-cert", foreign.cert, "-key", foreign.key]

    result = subprocess.run(command, input=b"", capture_output=True, timeout=120, check=False)

    wait_until(lambda: refusals(session) == before + 1, "the refusal to be counted")
    assert b"partisan://" not in result.stdout


def test_a_client_of_another_tls_or_of_none_is_refused_and_counted(session: pa.Session, folder: Path) -> None:
    before = refusals(session)
    host, _, port = session.address.rpartition(":")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    with socket.create_connection((host, int(port)), 60) as raw, pytest.raises(ssl.SSLError):
        old.wrap_socket(raw)
    with socket.create_connection((host, int(port)), 60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert plain.recv(100)[:2] == b"\x15\x03", "an alert"

    wait_until(lambda: refusals(session) == before + 2, "both to be counted")


def test_who_has_a_certificate_still_has_to_know_the_cookie(session: pa.Session, folder: Path) -> None:
    before = refusals(session)
    host, _, port = session.address.rpartition(":")
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.check_hostname = False
    ours.load_verify_locations(folder / "ca.pem")
    ours.load_cert_chain(folder / "node.pem", folder / "node.key")

    with socket.create_connection((host, int(port)), 60) as raw, ours.wrap_socket(raw) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stream.recv(1000) == b""

    wait_until(lambda: refusals(session) == before + 1, "it to be counted")


@pytest.fixture
def shells(programs: Programs, tmp_path: Path) -> Iterator[Shells]:
    own = Shells(programs, tmp_path)
    yield own
    own.end()


@pytest.mark.slow
def test_partisan_starts_looks_and_stops_with_tls_and_new_certificates_need_no_restart(
    shells: Shells, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for name, place in (("web", first), ("db", second)):
        made = shells.partisan("certs", "init", str(place), "--name", name, "--cluster", "prod")
        assert made.returncode == 0, made.stderr
    for name in ("ca.pem", "ca.key"):
        (second / name).write_bytes((first / name).read_bytes())
    issued = shells.partisan("certs", "issue", str(second), "--name", "db", "--cluster", "prod")
    assert issued.returncode == 0, issued.stderr

    web, address = shells.start("--name", "web", "--cluster", "prod", "--nodes", "2", "--tls-dir", str(first))
    shells.start("--name", "db", "--join", address, "--tls-dir", str(second))
    facts = shells.facts("status", "--tls-dir", str(second))
    names = {row["node"]: row["tls"]["names"][0] for row in facts["node_status"]}
    assert names == {
        "web": "partisan://prod/web",
        "web-w1": "partisan://prod/web",
        "db": "partisan://prod/db",
    }

    for command in (
        ("profile", "web", "--seconds", "0.2"),
        ("shell", "-c", "assert len(ask('inspect', 'status')) == 4"),
        ("top", "--once", "--interval", "0.2"),
        ("stack", "web"),
        ("dead-letters",),
    ):
        result = shells.partisan(*command, "--tls-dir", str(second))
        assert result.returncode == 0, (command, result.stderr)
    without = shells.partisan("status")
    assert without.returncode == 3 and "--tls-dir" in without.stderr and len(without.stderr.splitlines()) == 1
    stranger = shells.partisan("start", "--name", "cache", "--join", address, "--tls-dir", str(second))
    assert stranger.returncode == 2 and "a certificate for node 'cache'" in stranger.stderr
    foreign = tmp_path / "foreign"
    shells.partisan("certs", "init", str(foreign))
    refused = shells.partisan("status", "--tls-dir", str(foreign))
    assert refused.returncode == 4 and "not issued by this node's CA" in refused.stderr

    # A new certificate, and the signal that says so: no connection is needed for it to be read.
    shells.partisan("certs", "issue", str(first), "--name", "web", "--cluster", "prod", "--days", "9")
    web.process.send_signal(signal.SIGHUP)

    def reloads() -> dict[str, int]:
        rows = shells.facts("status", "--tls-dir", str(first))["node_status"]
        return {row["node"]: row["tls"]["reloads"] for row in rows}

    wait_until(lambda: reloads() == {"web": 1, "web-w1": 1, "db": 0}, "the new certificate to be used")
    stopped = shells.partisan("stop", "--yes", "--tls-dir", str(first))
    assert stopped.returncode == 0, stopped.stderr


@pytest.mark.parametrize("inside", [False, True], ids=["in place of TLS", "inside TLS"])
def test_hostile_streams_are_closed_and_counted(session: pa.Session, folder: Path, inside: bool) -> None:
    before = refusals(session)
    host, _, port = session.address.rpartition(":")
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.check_hostname = False
    ours.load_verify_locations(folder / "ca.pem")
    ours.load_cert_chain(folder / "node.pem", folder / "node.key")

    for seed in range(60):
        with socket.create_connection((host, int(port)), 60) as raw:
            stream = ours.wrap_socket(raw) if inside else raw
            with contextlib.suppress(OSError):  # it closed already, as it should
                stream.sendall(hostile.before_handshake(random.Random(seed)))
            stream.close()

    wait_until(lambda: refusals(session) == before + 60, "all to be counted")
    assert pa.get(Keeper.remote().echo.remote("well"), timeout=30) == "well"


def test_a_flood_of_connections_that_never_begin_with_tls_is_bounded(
    session: pa.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialling = session.runtime.node.dialling
    before, most = dialling.connection_count, 32
    monkeypatch.setattr(dialling._half_open, "_most", most)
    host, _, port = session.address.rpartition(":")

    crowd = [socket.create_connection((host, int(port)), 60) for _ in range(5 * most)]

    refused = session.runtime.node.refusals
    crowded = "too many without a handshake"
    wait_until(
        lambda: crowded in {fact["kind"] for fact in on_loop(session, refused.facts)}, "the refusals to be counted"
    )
    wait_until(lambda: dialling.connection_count <= before + most, "no more than the bound to be left")
    for each in crowd:
        each.close()
    wait_until(lambda: dialling.connection_count <= before, "all are gone")
