"""A dashboard that speaks HTTPS: with the cluster's certificate or another one, and with new files as they come."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession, CookieJar

from partisan_actors.cli.certificates import issue
from partisan_actors.dashboard.endpoints import Desk
from partisan_actors.dashboard.https import Certificate
from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.server import Server
from partisan_actors.dashboard.watching import Watcher
from partisan_actors.errors import ConfigError
from partisan_actors.node.tls import TlsFiles
from tests.authority import Authority
from tests.unit.dashboard.fakes import TOKEN, FakeCluster, member


def files(folder: Path, *hosts: str, title: str = "a node") -> TlsFiles:
    """A node's certificate that names these hosts as well."""
    authority = Authority(folder)
    issue(authority.folder, folder / "node", title, ["partisan://*/*"], 5, hosts=hosts)
    return TlsFiles.of_directory(folder / "node")


@asynccontextmanager
async def served(certificate: Certificate) -> AsyncIterator[Server]:
    cluster = FakeCluster(member("a"))
    watcher = Watcher(cluster, lambda: ["a:1"], asyncio.get_running_loop().time)
    await watcher.start()
    async with Server(Desk(watcher, DashboardOptions(port=0, token=TOKEN), lambda: 1.0), certificate) as server:
        yield server
    await watcher.close()


async def test_a_browser_that_knows_the_authority_is_served_by_name_and_the_cookie_is_for_https(tmp_path: Path) -> None:
    tls = files(tmp_path, "localhost", "127.0.0.1")
    trusting = ssl.create_default_context(cafile=tls.ca)

    async with (
        served(Certificate(tls.cert, tls.key)) as server,
        ClientSession(cookie_jar=CookieJar(unsafe=True)) as client,
    ):
        assert server.url.startswith("https://127.0.0.1:")
        async with client.get(server.url, ssl=trusting, allow_redirects=False) as answer:
            assert answer.status == 303 and "Secure" in answer.headers["Set-Cookie"]
        async with client.get(f"https://localhost:{server.port}/api/v1/session?", ssl=trusting) as answer:
            assert answer.status == 401
        with pytest.raises(ClientConnectionError):
            await client.get(server.url, ssl=ssl.create_default_context())
        with pytest.raises(ClientConnectionError):
            await client.get(server.url.replace("https", "http"))


async def test_a_new_certificate_is_shown_to_the_next_visitor_and_a_broken_one_is_not(tmp_path: Path) -> None:
    tls = files(tmp_path, "127.0.0.1")
    renewed = tmp_path / "renewed"
    issue(Path(tls.ca).parent.parent / "tests", renewed, "the next one", ["partisan://*/*"], 5, hosts=["127.0.0.1"])
    trusting = ssl.create_default_context(cafile=tls.ca)

    async with served(Certificate(tls.cert, tls.key)) as server:

        async def title() -> str:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting)
            found = dict(part[0] for part in writer.get_extra_info("peercert")["subject"])
            writer.close()
            await writer.wait_closed()
            return str(found["commonName"])

        assert await title() == "a node"
        for name in ("node.key", "node.pem"):
            shutil.copy(renewed / name, Path(tls.cert).parent / name)
        assert await title() == "the next one"
        Path(tls.cert).write_text("this is no certificate")
        os.utime(tls.cert, (1, 1))
        assert await title() == "the next one"


def test_files_that_do_not_work_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("nothing")

    with pytest.raises(ConfigError, match="https certificate"):
        Certificate(str(tmp_path / "a.pem"), str(tmp_path / "a.pem"))


def test_https_is_spoken_where_others_can_reach_it_if_the_cluster_has_certificates() -> None:
    tls = TlsFiles("/c", "/k", "/ca")

    assert DashboardOptions().certificate(tls) is None
    assert DashboardOptions("0.0.0.0").certificate(tls) == ("/c", "/k")
    assert DashboardOptions("0.0.0.0").certificate(None) is None
    assert DashboardOptions("0.0.0.0", https=False).certificate(tls) is None
    assert DashboardOptions(https=True).certificate(tls) == ("/c", "/k")
    assert DashboardOptions(https_cert="/mine", https_key="/its").certificate(tls) == ("/mine", "/its")
    with pytest.raises(ConfigError, match="https"):
        DashboardOptions(https=True).certificate(None)
    with pytest.raises(ConfigError, match="both files"):
        DashboardOptions(https_cert="/mine")
