"""Client-server: who may link with whom, how servers find each other, and where clients go when theirs is gone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.protocols.broadcast.plumtree import Plumtree, PlumtreeOptions
from partisan_actors.protocols.machine import Effect, JoinRefused, NeighbourDown, Peer, Send
from partisan_actors.protocols.membership.links import Accept, Ask, Check, Part, Refuse
from partisan_actors.protocols.membership.redial import RedialOptions
from partisan_actors.protocols.membership.star import ClientServer, ClientServerOptions, Servers
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.checkers import check_connected, check_delivered_once, check_symmetric, eventually
from partisan_actors.simulation.machines import Simulation
from partisan_actors.testing.strategy_network import StrategyNetwork

ME, A, B, C = (NodeId(name, 1) for name in ("me", "a", "b", "c"))
TAGS = ["server", "client", "undefined"]
ALLOWED = {("server", "server"), ("server", "client"), ("client", "server"), ("undefined", "undefined")}
GIVEN_UP_S = 1200.0  # more than all tries take


def tag_of(node: Peer) -> str:
    """Nodes are named by their tag and a number: "server 1"."""
    return str(node).split()[0]


def star(*nodes: str, joining: bool = True, seed: int = 1, **options: int) -> StrategyNetwork:
    """These nodes, each of which joined through the first one."""

    def build(me: Peer, rng: Random) -> ClientServer:
        return ClientServer(me, replace(ClientServerOptions(tag=tag_of(me)), **options), rng)

    network = StrategyNetwork(build, seed)
    for node in nodes:
        network.add(node)
        if joining and node != nodes[0]:
            network.join(node, nodes[0])
    network.deliver_all()
    return network


def neighbours(network: StrategyNetwork) -> dict[Peer, list[Peer]]:
    return {node: sorted(strategy.neighbours, key=str) for node, strategy in network.nodes.items()}


def node_of(tag: str) -> ClientServer:
    me = ClientServer(ME, ClientServerOptions(tag=tag), Random(1))
    me.start(0.0)
    return me


def linked(tag: str, *servers: NodeId) -> ClientServer:
    """A node linked with the first of these servers, which told it of the others."""
    me = node_of(tag)
    me.join(servers[0], 0.0)
    me.receive(servers[0], Accept("server"), 0.1)
    me.receive(servers[0], Servers(servers[1:], ()), 0.1)
    return me


def sent(effects: list[Effect], kind: type) -> list[tuple[Peer, object]]:
    return [(e.peer, e.message) for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def test_it_is_a_membership_strategy() -> None:
    assert isinstance(node_of("server"), MembershipStrategy)


@pytest.mark.parametrize(("asked", "asking"), list(itertools.product(TAGS, TAGS)))
def test_the_tags_decide_who_links_with_whom_and_who_is_refused_hears_why(asked: str, asking: str) -> None:
    contact, joiner = f"{asked} 1", f"{asking} 2"

    network = star(contact, joiner)
    network.run(GIVEN_UP_S)

    if (asked, asking) in ALLOWED:
        assert neighbours(network) == {contact: [joiner], joiner: [contact]}
        assert network.noticed == []
    else:
        assert neighbours(network) == {contact: [], joiner: []}
        ((node, notice),) = network.noticed
        assert node == joiner
        assert isinstance(notice, JoinRefused) and notice.contact == contact
        assert "join through a server" in notice.reason or f"{asking!r}" in notice.reason
        assert sum(isinstance(message, Ask) for _, _, message in network.sent) == 1, "asked once and not again"


def test_servers_all_link_with_each_other_and_each_client_with_the_one_it_joined() -> None:
    network = star("server 1", "server 2", "client 3", "server 4", "client 5")

    found = neighbours(network)

    assert found["server 1"] == ["client 3", "client 5", "server 2", "server 4"]
    assert found["server 2"] == ["server 1", "server 4"]
    assert found["client 3"] == found["client 5"] == ["server 1"]
    for client in ("client 3", "client 5"):
        views = network.nodes[client].views
        assert sorted(views["servers"], key=str) == ["server 1", "server 2", "server 4"]
        assert views["clients"] == []


def test_servers_joined_in_a_chain_all_link_with_each_other() -> None:
    nodes = [f"server {number}" for number in range(6)]
    network = star(*nodes, joining=False)
    for one, other in itertools.pairwise(nodes):
        network.join(other, one)
    network.deliver_all()

    assert all(len(found) == 5 for found in neighbours(network).values())


def test_nodes_without_a_tag_are_a_full_mesh() -> None:
    network = star(*[f"undefined {number}" for number in range(5)])

    assert all(len(found) == 4 for found in neighbours(network).values())


@pytest.mark.parametrize("seed", range(10))
def test_a_client_whose_server_dies_goes_to_another_one(seed: int) -> None:
    network = star("server 1", "server 2", "server 3", *[f"client {n}" for n in range(4, 12)], seed=seed)

    network.kill("server 1")
    network.run(60.0)

    assert network.asymmetric() == []
    for client in range(4, 12):
        (server,) = network.nodes[f"client {client}"].neighbours
        assert server in ("server 2", "server 3")


def test_the_orphans_of_a_server_spread_over_the_others() -> None:
    network = star("server 1", "server 2", "server 3", *[f"client {n}" for n in range(4, 34)])

    network.kill("server 1")
    network.run(60.0)

    takers = [len(network.nodes[server].views["clients"]) for server in ("server 2", "server 3")]
    assert sum(takers) == 30
    assert min(takers) >= 5


def test_a_client_goes_on_to_the_next_server_when_one_does_not_answer() -> None:
    me = linked("client", A, B, C)

    asked = sent(me.peer_down(A, 1.0), Ask)
    for turn in range(1, 6):
        asked += sent(me.timer_fired("redial", 1.0 + 10.0 * turn), Ask)

    assert {peer for peer, _ in asked} == {A, B, C}


def test_a_client_that_has_found_a_server_does_not_ask_the_others() -> None:
    me = linked("client", A, B, C)
    ((server, _),) = sent(me.peer_down(A, 1.0), Ask)
    me.receive(server, Accept("server"), 1.1)

    later = [me.timer_fired("redial", 1.0 + 10.0 * turn) for turn in range(1, 9)]

    assert not any(sent(effects, Ask) for effects in later)


def test_a_client_that_joins_a_second_server_keeps_both() -> None:
    network = star("server 1", "server 2", "client 3")

    network.join("client 3", "server 2")
    network.deliver_all()

    assert neighbours(network)["client 3"] == ["server 1", "server 2"]


def test_a_server_that_leaves_is_forgotten_by_all_and_its_clients_go_elsewhere() -> None:
    network = star("server 1", "server 2", "client 3", "client 4")

    network.leave("server 1")
    network.run(60.0)

    assert neighbours(network) == {
        "server 1": [], "server 2": ["client 3", "client 4"], "client 3": ["server 2"], "client 4": ["server 2"],
    }  # fmt: skip
    assert all("server 1" not in strategy.views["servers"] for strategy in network.nodes.values())
    assert network.failed == []


def test_a_server_that_stays_away_is_forgotten_by_clients_too() -> None:
    network = star("server 1", "server 2", "server 3", "client 4")

    network.kill("server 3")
    network.run(GIVEN_UP_S)
    said = len([message for *_, message in network.sent if not isinstance(message, Check)])
    network.run(GIVEN_UP_S)

    assert all("server 3" not in strategy.views["servers"] for strategy in network.nodes.values())
    assert len([message for *_, message in network.sent if not isinstance(message, Check)]) == said


def test_a_broken_link_of_which_only_the_server_heard_is_made_anew() -> None:
    network = star("server 1", "client 2")

    network.tear("server 1", "client 2", told=["server 1"])
    network.run(60.0)

    assert neighbours(network) == {"server 1": ["client 2"], "client 2": ["server 1"]}


def test_two_servers_that_were_cut_off_for_hours_find_each_other_again() -> None:
    network = star("server 1", "server 2")

    network.block("server 1", "server 2")
    network.run(10 * GIVEN_UP_S)
    network.heal()
    network.run(120.0)

    assert network.asymmetric() == [] and network.components() == 1


def test_a_restarted_server_takes_the_place_of_its_former_life() -> None:
    me, later = linked("server", A, B), NodeId("a", 2)
    me.receive(B, Ask("server"), 0.2)

    effects = me.receive(later, Ask("server"), 1.0)

    assert NeighbourDown(A, failed=True) in effects
    assert me.neighbours == [B, later]
    assert me.views["servers"] == [B, later]
    assert sent(me.receive(A, Ask("server"), 2.0), Refuse) != []


def test_at_their_bounds_a_server_takes_no_more_clients_and_servers() -> None:
    network = star("server 1", "client 2", "client 3", "client 4", "server 5", "server 6", clients_max=2, servers_max=1)

    views = network.nodes["server 1"].views
    assert (len(views["clients"]), len(views["servers"])) == (2, 1)
    assert sorted(tag_of(node) for node, _ in network.noticed) == ["client", "server"]
    assert all("_max = " in str(notice) for _, notice in network.noticed)


def test_only_a_linked_server_is_believed_about_servers() -> None:
    me, stranger = linked("client", A), NodeId("x", 1)

    me.receive(stranger, Servers((B,), ()), 1.0)

    assert me.views["servers"] == [A]


def test_a_node_that_left_says_so() -> None:
    me = linked("server", A)
    me.leave(1.0)

    assert me.receive(B, Ask("client"), 2.0) == [Send(B, Part(True))]


def test_what_one_client_broadcasts_reaches_the_others_through_the_servers() -> None:
    tags: dict[Peer, str] = {node: "server" if node < 3 else "client" for node in range(20)}

    def make(simulation: Simulation, node: Peer) -> ProtocolStack:
        options = ClientServerOptions(tag=tags[node])
        overlay = ClientServer(node, options, simulation.stream(node, "membership"))
        return ProtocolStack(node, overlay, Plumtree(node, PlumtreeOptions(), simulation.stream(node, "broadcast")))

    simulation = Simulation(seed=1)
    for number, node in enumerate(tags):
        simulation.add(node, make)
        if number:
            simulation.join(node, number % 3 if number >= 3 else 0)
    eventually(simulation, check_symmetric, check_connected, within_s=30.0)

    simulation.broadcast(19, "news", "x")
    simulation.run_for(5.0)
    check_delivered_once(simulation, "news", "x", 19)
    simulation.kill(1)
    eventually(simulation, check_symmetric, check_connected, within_s=60.0)
    simulation.broadcast(7, "more", "y")
    simulation.run_for(5.0)
    check_delivered_once(simulation, "more", "y", 7)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"tag": "master"}, 'tag = \'master\' is not valid: expected "server", "client" or "undefined"'),
        ({"clients_max": 0}, "clients_max = 0 is not valid: expected an int of at least 1"),
        ({"check_period_s": 0}, "check_period_s = 0 is not valid: expected seconds, more than 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ClientServerOptions(**wrong)  # type: ignore[arg-type]  # on purpose


def test_the_bound_of_redial_is_the_bound_of_what_is_asked_at_once() -> None:
    me = ClientServer(ME, ClientServerOptions(tag="server", redial=RedialOptions(peers_max=2)), Random(1))
    me.start(0.0)

    for peer in (A, B, C):
        me.join(peer, 0.0)

    assert {peer for peer, _ in sent(me.timer_fired("redial", 10.0), Ask)} == {B, C}


@pytest.mark.parametrize("tag", ["server", "client"])
def test_a_server_is_asked_in_its_later_life(tag: str) -> None:
    me, later = linked(tag, A), NodeId("a", 2)

    effects = me.supersede(A, later, 1.0)

    assert sent(effects, Ask) == [(later, Ask(tag))]
    assert me.neighbours == []


def test_a_client_is_left_to_come_back_in_its_later_life() -> None:
    me, later = node_of("server"), NodeId("a", 2)
    me.receive(A, Ask("client"), 0.0)

    assert sent(me.supersede(A, later, 1.0), Ask) == []
    assert me.neighbours == []
