"""Tests of how options become nodes."""

from __future__ import annotations

import json
from dataclasses import replace

import click
import pytest

from partisan_actors.cli.plan import StartPlan, advertise_addresses, bind_addresses, nested, pairs, size
from partisan_actors.errors import ConfigError
from partisan_actors.wire.channels import BUILT_IN


def plan(contacts: tuple[str, ...] = (), nodes: int = 1, bind: str = "127.0.0.1:0", **config: object) -> StartPlan:
    settings = {"name": "a", "cluster": "", "bind": [bind], "advertise": [], "resources": {}, "labels": {}, **config}
    return StartPlan(settings, b"a secret".hex(), list(contacts), nodes, None, "WARNING", any_overlay=True)


@pytest.mark.parametrize(
    ("bind", "port", "joins", "address"),
    [
        (None, None, False, "127.0.0.1:7946"),
        (None, None, True, "127.0.0.1:0"),
        (None, 8000, True, "127.0.0.1:8000"),
        ("10.0.0.1", None, False, "10.0.0.1:7946"),
        ("10.0.0.1", None, True, "10.0.0.1:0"),
        ("10.0.0.1", 8000, False, "10.0.0.1:8000"),
        ("10.0.0.1:9000", None, True, "10.0.0.1:9000"),
        ("10.0.0.1:0", None, False, "10.0.0.1:0"),
        ("[::1]:9000", None, False, "[::1]:9000"),
    ],
)
def test_where_a_node_listens(bind: str | None, port: int | None, joins: bool, address: str) -> None:
    assert bind_addresses([bind] if bind else [], port, joins) == [address]


def test_two_ports_that_differ_are_refused() -> None:
    with pytest.raises(ConfigError, match="--port"):
        bind_addresses(["127.0.0.1:1"], 2, joins=False)


def test_an_advertised_host_without_a_port_means_the_bound_port() -> None:
    assert advertise_addresses(["a.example", "b.example:80"]) == ["a.example:0", "b.example:80"]


def test_a_plan_survives_the_way_to_the_background() -> None:
    first = plan(["h:1"], 3, labels={"zone": "a"})

    second = StartPlan(**json.loads(json.dumps(first.plain())))

    assert second == first
    assert second.node_config().cookie == b"a secret"


def test_channels_and_delivery_are_as_they_were_given() -> None:
    given = {"bulk": {"compression": "zlib:6"}, "telemetry": 2}
    config = plan(channels=given, delivery={"causal_labels": ["orders"], "give_up_s": 60}).node_config()

    assert config.channels["bulk"] == replace(BUILT_IN["bulk"], compression="zlib:6")
    assert config.channels["telemetry"].parallelism == 2
    assert (list(config.delivery.causal_labels), config.delivery.give_up_s) == (["orders"], 60)


def test_the_other_nodes_are_like_the_first_but_for_name_and_port() -> None:
    settings = plan(
        nodes=2, bind="10.0.0.1:7946", advertise=["a.example:80"], resources={"num_cpus": 2.0}, labels={"zone": "a"}
    ).worker_settings()

    assert settings == {
        "bind": ["10.0.0.1:0"],
        "advertise": ["a.example:0"],
        "resources": {"num_cpus": 2.0},
        "labels": {"zone": "a"},
        "stops_on_request": True,
        "allow_faults": False,
    }


def test_who_joins_another_host_but_listens_on_loopback_is_warned() -> None:
    (warning,) = plan(["10.0.0.1:7946"]).warnings()

    assert "--bind HOST:0" in warning


@pytest.mark.parametrize(
    "safe",
    [
        plan(),
        plan(["127.0.0.1:1"]),
        replace(plan(["10.0.0.1:1"], bind="10.0.0.2:0"), tls=["cert", "key", "ca"]),
        plan(["h:1"], advertise=["x:1"]),
    ],
)
def test_who_can_be_dialled_and_encrypts_is_not_warned(safe: StartPlan) -> None:
    assert safe.warnings() == []


def test_who_talks_to_other_hosts_in_the_clear_is_warned() -> None:
    (warning,) = plan(bind="10.0.0.2:0").warnings()

    assert "not encrypted" in warning and "--tls-dir" in warning


def test_who_takes_anybody_is_warned_and_has_to_have_said_so() -> None:
    open_to_all = replace(plan(bind="10.0.0.2:0", insecure=True), cookie="")

    (warning,) = open_to_all.warnings()

    assert warning.startswith("--insecure") and "run code" in warning
    with pytest.raises(ConfigError, match=r"bind = '10.0.0.2:0'.*--insecure"):
        replace(plan(bind="10.0.0.2:0"), cookie="").node_config()


def test_commands_are_told_what_they_need_to_be_let_in() -> None:
    with_tls = replace(plan(), tls=["/a b/node.pem", "/a b/node.key", "/a b/ca.pem"])

    assert plan().how_to_be_let_in() == ("", "")
    assert with_tls.how_to_be_let_in() == (" --tls-dir '/a b'", ", tls='/a b'")
    assert plan(insecure=True).how_to_be_let_in() == (" --insecure", ", insecure=True")


def test_a_node_may_listen_at_several_addresses_of_one_port() -> None:
    assert bind_addresses(["10.0.0.1", "[::1]"], 7000, joins=False) == ["10.0.0.1:7000", "[::1]:7000"]


@pytest.mark.parametrize("told", [plan(nodes=2), plan(["h:1"]), plan(resources={"num_cpus": 1.0})])
def test_who_has_decided_how_many_gets_no_hint(told: StartPlan) -> None:
    assert told.hint() == ""


def test_pairs_are_collected_and_the_last_of_a_key_counts() -> None:
    context, parameter = click.Context(click.Command("x")), click.Option(["--x"])

    assert pairs(float)(context, parameter, ("a=1", "b=0.5", "a=2")) == {"a": 2.0, "b": 0.5}
    assert pairs(str)(context, parameter, ("a=x=y",)) == {"a": "x=y"}


@pytest.mark.parametrize("text", ["a", "=1", "a=", "a=x"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    context, parameter = click.Context(click.Command("x")), click.Option(["--x"])

    with pytest.raises(click.BadParameter):
        pairs(float)(context, parameter, (text,))


def test_options_of_an_overlay_are_json_where_they_can_be_and_dots_lead_inwards() -> None:
    texts = ("active_max=4", "redial.first_s=0.5", "redial.tries_max=3", "tag=server", "promotion_backoff_s=null")

    assert nested(*command_line(), texts) == {
        "active_max": 4,
        "redial": {"first_s": 0.5, "tries_max": 3},
        "tag": "server",
        "promotion_backoff_s": None,
    }


@pytest.mark.parametrize("texts", [("active_max",), ("=4",), ("redial=1", "redial.first_s=2")])
def test_a_malformed_option_of_an_overlay_is_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter):
        nested(*command_line(), texts)


def command_line() -> tuple[click.Context, click.Parameter]:
    command = click.Command("start")
    return click.Context(command), click.Option(["--overlay-option"])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (None, 0),
        ("0", 0),
        ("1000", 1000),
        ("64MiB", 64 * 2**20),
        ("1.5 GB", 1_500_000_000),
        ("2g", 2 * 10**9),
        ("1ki", 1024),
    ],
)
def test_sizes_have_units(text: str | None, count: int) -> None:
    command = click.Command("start")

    assert size(click.Context(command), click.Option(["--size"]), text) == count


@pytest.mark.parametrize("text", ["", "much", "-1", "1XB", "1 2", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a number of bytes"):
        size(click.Context(click.Command("start")), click.Option(["--size"]), text)
