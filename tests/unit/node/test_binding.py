"""Tests of where a node listens and where it can be dialled."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from partisan_actors.errors import ConfigError, NotYetConnected
from partisan_actors.ids import NodeId
from partisan_actors.node import binding
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.binding import ADDRESSES_EACH_MAX, addresses_in, advertised, listen
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.node import Node
from partisan_actors.node.tls import TlsFiles
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport
from partisan_actors.transport.tcp import TcpTransport
from partisan_actors.wire.channels import CONTROL
from tests.nodes import COOKIE, TestNode, config_of, nodes, until

# ---- what may be said ------------------------------------------------------------------------------------------------


def test_one_address_or_several_are_a_tuple() -> None:
    assert addresses_in("bind", "a:1") == ("a:1",)
    assert addresses_in("bind", ["a:1", "[::1]"], 0) == ("a:1", "[::1]:0")
    assert NodeConfig(bind="127.0.0.1:0", advertise="b:1").advertise == ("b:1",)


@pytest.mark.parametrize("given", [7, ["a:1", 7], ["nowhere"], [f"a:{port}" for port in range(ADDRESSES_EACH_MAX + 1)]])
def test_what_is_no_address_and_too_many_are_refused(given: Any) -> None:
    with pytest.raises(ConfigError):
        NodeConfig(advertise=given)


def test_nowhere_is_no_place_to_listen() -> None:
    with pytest.raises(ConfigError, match="one HOST:PORT at least"):
        NodeConfig(bind=())


@pytest.mark.parametrize("host", ["10.0.0.1", "example.org", "[fe80::1]", "0.0.0.0", "[::]"])
def test_beyond_this_machine_a_node_listens_only_with_a_cookie_or_tls(host: str) -> None:
    bind, there = ("127.0.0.1:0", f"{host}:7946"), ("here:1",)

    with pytest.raises(ConfigError, match=r"whoever can reach a node can run code on it.*insecure"):
        NodeConfig(bind=bind, advertise=there)
    assert not NodeConfig(bind=bind, advertise=there, cookie=COOKIE).takes_anybody
    assert not NodeConfig(bind=bind, advertise=there, tls=TlsFiles("cert", "key", "ca")).takes_anybody
    assert NodeConfig(bind=bind, advertise=there, insecure=True).takes_anybody


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"])
def test_on_this_machine_it_needs_neither(host: str) -> None:
    assert NodeConfig(bind=f"{host}:0").takes_anybody


@pytest.mark.parametrize("wildcard", ["0.0.0.0:0", "[::]:0"])
def test_who_listens_everywhere_has_to_say_where_it_can_be_dialled(wildcard: str) -> None:
    with pytest.raises(ConfigError, match=r"--advertise HOST") as caught:
        NodeConfig(bind=wildcard, cookie=COOKIE)
    with pytest.raises(ConfigError, match="others can dial"):
        NodeConfig(bind=wildcard, cookie=COOKIE, advertise=wildcard)

    assert caught.value.field == "advertise"
    assert NodeConfig(bind=wildcard, cookie=COOKIE, advertise="here:0").advertise == ("here:0",)


def test_port_0_of_what_is_advertised_is_the_bound_port() -> None:
    assert advertised(["127.0.0.1:5", "[::1]:5"], ["a:0", "b:80"]) == ("a:5", "b:80")
    assert advertised(["127.0.0.1:5", "[::1]:5"], []) == ("127.0.0.1:5", "[::1]:5")


# ---- listening -------------------------------------------------------------------------------------------------------


class Accepted(asyncio.Protocol):
    count = 0

    def connection_made(self, transport: Any) -> None:
        Accepted.count += 1
        transport.close()


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


async def test_a_node_listens_at_several_addresses_of_one_free_port() -> None:
    loop = asyncio.get_running_loop()
    transport, before = TcpTransport(loop), Accepted.count
    hosts = ["127.0.0.1:0", "127.0.0.2:0", *(["[::1]:0"] if _has_ipv6() else [])]

    bound = await listen(transport, hosts, Accepted)
    for address in bound:
        await TcpTransport(loop).dial(address, asyncio.Protocol)

    assert len({address.rpartition(":")[2] for address in bound}) == 1 and len(bound) == len(hosts)
    await until(lambda: Accepted.count == before + len(hosts), "all are accepted")
    await transport.close()


async def test_an_address_that_cannot_be_bound_leaves_nothing_listening() -> None:
    network, loop = MemoryNetwork(), asyncio.get_running_loop()
    await MemoryTransport(loop, network).listen("b:7", Accepted)

    with pytest.raises(ConfigError, match="in use"):
        await listen(MemoryTransport(loop, network), ["a:7", "b:7"], Accepted)

    assert list(network.listening) == ["b:7"]


async def test_a_port_that_is_taken_at_another_address_is_not_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    network, loop = MemoryNetwork(), asyncio.get_running_loop()
    for port in range(network._ports + 1, network._ports + binding.PORT_TRIES):
        await MemoryTransport(loop, network).listen(f"b:{port}", Accepted)

    bound = await listen(MemoryTransport(loop, network), ["a:0", "b:0"], Accepted)

    (port,) = {address.rpartition(":")[2] for address in bound}
    assert set(bound) == {f"a:{port}", f"b:{port}"} <= set(network.listening)


# ---- dialling --------------------------------------------------------------------------------------------------------


async def test_who_dials_tries_one_address_after_another() -> None:
    network = MemoryNetwork()
    network.unreachable |= {"first:1", "second:1"}
    async with nodes("a", network=network) as (a,):
        b = TestNode(config_of("b", bind=("b:1", "second:1"), advertise=("first:0", "second:0", "b:0")), network)
        await b.start()
        a.introduce(b)
        a.addresses.learn(b.me, b.addresses.addresses_of(b.me))

        a.tell(b, "hello")
        await until(lambda: b.told == ["hello"])

        assert list(a.addresses.addresses_of(b.me)) == ["first:1", "second:1", "b:1"]
        await b.close()


def test_of_many_addresses_the_first_ones_are_kept() -> None:
    book, node = Addresses(NodeId("me", 1)), NodeId("a", 1)

    book.learn(node, (f"a:{port}" for port in range(10**6)))

    assert list(book.addresses_of(node)) == [f"a:{port}" for port in range(ADDRESSES_EACH_MAX)]


async def test_two_nodes_over_ipv6_and_where_there_is_none_a_clear_refusal() -> None:
    loop = asyncio.get_running_loop()
    a, b = (Node(NodeConfig(name=name, cluster="c", bind="[::1]:0", cookie=COOKIE), loop) for name in "ab")
    if not _has_ipv6():
        with pytest.raises(ConfigError, match="an address that can be bound here"):
            await a.start()
        return
    await a.start()
    await b.start([a.address])

    assert a.address.startswith("[::1]:") and list(b.addresses.addresses_of(a.me)) == [a.address]
    await until(lambda: b.me in a.neighbours() and a.me in b.neighbours())
    await b.close()
    await a.close()


async def test_no_address_answers_and_the_last_reason_is_told() -> None:
    async with nodes("a") as (a,):
        with pytest.raises(NotYetConnected, match="nobody listens"):
            await a.connect("nobody:1")
        with pytest.raises(OSError, match="nobody listens"):
            await a.dialling.open("nobody:1", CONTROL, 0, None)
