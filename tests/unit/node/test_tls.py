"""Tests of a node's certificates: whom they name, where they come from, what is refused, and how new ones are taken."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from partisan_actors.errors import AuthenticationError, ConfigError, NotYetConnected
from partisan_actors.node.tls import Credentials, TlsFiles, allows, find_tls
from partisan_actors.transport.memory import MemoryNetwork
from partisan_actors.wire.channels import CALLS, CONTROL
from tests.authority import Authority
from tests.nodes import TestNode, config_of, until


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cluster", "node", "is_allowed"),
    [
        ("partisan://c/a", "c", "a", True),
        ("partisan://c/a", "c", "b", False),
        ("partisan://c/a", "d", "a", False),
        ("partisan://c/a", "c", "a2", False),
        ("partisan://c/a", "c2", "a", False),
        ("partisan://*/a", "anything", "a", True),
        ("partisan://c/*", "c", "anything", True),
        ("partisan://c/web-*", "c", "web-1", True),
        ("partisan://c/web-*", "c", "db-1", False),
        ("partisan://c/*-w*", "c", "web-1-w20", True),
        ("partisan://c/a.c", "c", "abc", False),
        ("partisan://c/[ab]", "c", "a", False),
        ("partisan://c/a/b", "c", "a/b", False),
        ("partisan://a", "", "a", False),
        ("partisan://c/", "c", "a", False),
    ],
)
def test_a_uri_names_nodes_with_stars_and_nothing_else(name: str, cluster: str, node: str, is_allowed: bool) -> None:
    assert allows([name], cluster, node) is is_allowed


def test_any_of_several_names_will_do() -> None:
    assert allows(["partisan://c/a", "partisan://c/b"], "c", "b")
    assert not allows([], "c", "b")


# ---- where the files are ---------------------------------------------------------------------------------------------


def test_the_files_are_found_as_told_or_in_the_environment(authority: Authority) -> None:
    files = authority.issue()
    folder = os.path.dirname(files.cert)
    each = {"PARTISAN_TLS_CERT": files.cert, "PARTISAN_TLS_KEY": files.key, "PARTISAN_TLS_CA": files.ca}

    assert find_tls(folder, {}) == find_tls(None, {"PARTISAN_TLS_DIR": folder}) == find_tls(None, each) == files
    assert find_tls(files, {"PARTISAN_TLS_DIR": "elsewhere"}) is files
    assert find_tls(None, {}) is None


def test_half_of_an_environment_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"PARTISAN_TLS_KEY.*or none"):
        find_tls(None, {"PARTISAN_TLS_CERT": "c", "PARTISAN_TLS_CA": "a"})


def test_a_directory_that_lacks_a_file_is_refused_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"partisan certs init.*node.pem is missing"):
        find_tls(tmp_path, {})


def test_paths_hold_wherever_a_worker_goes(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.path.dirname(authority.issue().cert)
    monkeypatch.chdir(os.path.dirname(folder))

    files = TlsFiles.of_directory(os.path.basename(folder))

    assert files == TlsFiles(*files.plain()) and os.path.isabs(files.key)


# ---- files that do not work ------------------------------------------------------------------------------------------


def refused(files: TlsFiles, node: str = "a") -> str:
    with pytest.raises(ConfigError) as caught:
        Credentials(files, node, lambda text: None)
    return str(caught.value)


def test_a_key_that_others_can_read_is_refused(authority: Authority) -> None:
    files = authority.issue()
    os.chmod(files.key, 0o640)

    assert "chmod 600" in refused(files)


def test_another_certificate_s_key_is_refused(authority: Authority) -> None:
    one, other = authority.issue(), authority.issue()

    assert "key values mismatch" in refused(TlsFiles(one.cert, other.key, one.ca))


@pytest.mark.parametrize("which", ["cert", "key", "ca"])
@pytest.mark.parametrize("content", [b"", b"no PEM", None], ids=["empty", "text", "missing"])
def test_what_is_no_pem_is_refused_and_named(authority: Authority, which: str, content: bytes | None) -> None:
    files = authority.issue()
    path = Path(getattr(files, which))
    path.unlink() if content is None else path.write_bytes(content)

    assert str(path) in refused(files)


def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    assert "certificate has expired" in refused(authority.issue(now=datetime.now(UTC) - timedelta(days=9)))


def test_a_certificate_of_another_ca_is_refused(authority: Authority, tmp_path: Path) -> None:
    one, other = authority.issue(), Authority(tmp_path, "others").issue()

    assert "not issued by this node's CA" in refused(TlsFiles(one.cert, one.key, other.ca))


def test_a_certificate_of_another_node_is_refused_with_what_makes_one(authority: Authority) -> None:
    text = refused(authority.issue("c/b", "c/b-w*"))

    assert "this one names partisan://c/b, partisan://c/b-w*" in text and "partisan certs issue --name a" in text
    assert "names no node" in refused(authority.issue("https://a"))


# ---- reload ----------------------------------------------------------------------------------------------------------


def test_new_files_are_taken_for_the_next_connection(authority: Authority) -> None:
    files = authority.issue("c/a")
    told: list[str] = []
    credentials = Credentials(files, "a", told.append)
    first = credentials.context(True), credentials.context(False)
    assert (credentials.context(True), credentials.context(False)) == first

    authority.issue("d/a", folder=Path(files.cert).parent)

    assert credentials.context(True) is not first[0] and credentials.context(False) is not first[1]
    assert credentials.facts()["names"] == ["partisan://d/a"] and credentials.reloads == 1 and not told


def test_new_files_that_do_not_work_change_nothing_and_are_told_of_once(authority: Authority) -> None:
    files = authority.issue("c/a")
    told: list[str] = []
    credentials = Credentials(files, "a", told.append)
    first = credentials.context(True)
    good = Path(files.cert).read_bytes()

    Path(files.cert).write_bytes(b"half")
    assert credentials.context(True) is credentials.context(True) is first
    assert len(told) == 1 and "the former ones stay" in told[0]

    Path(files.cert).write_bytes(good)
    assert credentials.context(True) is not first and len(told) == 1


def test_files_that_go_away_change_nothing(authority: Authority) -> None:
    files = authority.issue("c/a")
    told: list[str] = []
    credentials = Credentials(files, "a", told.append)
    first = credentials.context(True)

    shutil.rmtree(Path(files.cert).parent)

    assert credentials.context(True) is first and len(told) == 1


# ---- nodes -----------------------------------------------------------------------------------------------------------


async def started(network: MemoryNetwork, name: str, files: TlsFiles | None, cluster: str = "c") -> TestNode:
    node = TestNode(config_of(name, tls=files, cluster=cluster), network)
    await node.start()
    return node


async def test_nodes_with_certificates_of_their_names_talk(authority: Authority) -> None:
    network = MemoryNetwork()
    a = await started(network, "a", authority.issue("c/a"))
    b = await started(network, "b", authority.issue("c/b"))

    peer = await a.connect(b.address)
    a.tell(b, "hello")
    await until(lambda: b.told == ["hello"])

    assert peer.node == b.me and not b.refused_connections
    await a.close()
    await b.close()


@pytest.mark.parametrize("liar", ["dialler", "listener"])
async def test_a_certificate_of_another_name_is_refused_on_both_sides(authority: Authority, liar: str) -> None:
    network = MemoryNetwork()
    a = await started(network, "a", authority.issue("c/a"))
    b = await started(network, "b", authority.issue("c/a", "d/b"))
    text = r"its certificate is for partisan://c/a, partisan://d/b, and it is partisan://c/b"

    if liar == "listener":
        with pytest.raises(AuthenticationError, match=text):
            await a.connect(b.address)
        await until(lambda: b.refused_connections == 1)
    else:
        with pytest.raises(AuthenticationError, match=f"refused us: {text}"):
            await b.connect(a.address)
        await until(lambda: a.refused_connections == 1)

    assert not a.peer(b).is_connected and not b.peer(a).is_connected
    await a.close()
    await b.close()


async def test_who_joins_without_a_cluster_is_checked_against_the_one_it_joins(authority: Authority) -> None:
    network = MemoryNetwork()
    a = await started(network, "a", authority.issue("c/*"))
    welcome = await started(network, "b", authority.issue("c/b"), cluster="")
    foreign = await started(network, "f", authority.issue("d/f"), cluster="")
    welcome.cluster = foreign.cluster = ""

    await welcome.dialling.open(a.address, CALLS, 0, None)
    with pytest.raises(AuthenticationError, match=r"is for partisan://d/f, and it is partisan://c/f"):
        await foreign.dialling.open(a.address, CALLS, 0, None)

    for node in (a, welcome, foreign):
        await node.close()


async def test_with_and_without_tls_nobody_hangs_and_both_sides_say_why(authority: Authority) -> None:
    network = MemoryNetwork()
    secure = await started(network, "a", authority.issue())
    plain = await started(network, "b", None)

    with pytest.raises(NotYetConnected, match="speaks TLS, and this node was given no certificates"):
        await plain.connect(secure.address)
    with pytest.raises(NotYetConnected, match="before TLS was agreed; perhaps it uses none"):
        await secure.connect(plain.address)

    await until(lambda: secure.refused_connections == plain.refused_connections == 1)
    await secure.close()
    await plain.close()


async def test_the_cookie_counts_within_tls_too(authority: Authority) -> None:
    network = MemoryNetwork()
    a = await started(network, "a", authority.issue())
    b = TestNode(config_of("b", tls=authority.issue(), cluster="c", cookie=b"another cookie"), network)
    await b.start()

    with pytest.raises(AuthenticationError, match="the cookies differ"):
        await b.connect(a.address)

    await a.close()
    await b.close()


async def test_a_new_ca_takes_over_without_a_restart(authority: Authority, tmp_path: Path) -> None:
    network = MemoryNetwork()
    mine, yours = authority.issue("c/a"), authority.issue("c/b")
    a, b = await started(network, "a", mine), await started(network, "b", yours)
    await a.dialling.open(b.address, CONTROL, 0, b.me)
    new = Authority(tmp_path, "new")

    new.issue("c/a", folder=Path(mine.cert).parent)
    with pytest.raises(AuthenticationError, match="not issued by this node's CA"):
        await a.dialling.open(b.address, CALLS, 0, b.me)
    new.issue("c/b", folder=Path(yours.cert).parent)
    await a.dialling.open(b.address, CALLS, 0, b.me)

    a.tell(b, "over a new connection")
    await until(lambda: b.told)
    assert a.peer(b).lanes[CONTROL][0] is not None, "the old connection stays"
    await a.close()
    await b.close()
