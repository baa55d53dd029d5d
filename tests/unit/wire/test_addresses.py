"""Tests of addresses in text form: what they mean, and that what is none is refused."""

from __future__ import annotations

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.wire.addresses import format_address, is_loopback, parse_address, with_port


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:7946", "127.0.0.1", 7946), ("example.org:1", "example.org", 1), ("[::1]:0", "::1", 0)],
)
def test_an_address_is_parsed_and_written_back(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)
    assert format_address(host, port) == text


@pytest.mark.parametrize(
    "text", ["", "host", ":80", "host:", "host:x", "host:-1", "host:65536", "[]:1", "::1", "a:b:1", "[a]:1", "host:٣"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        parse_address(text)


def test_a_port_may_have_a_default() -> None:
    assert parse_address("host", 7946) == ("host", 7946)
    assert parse_address("host:1", 7946) == ("host", 1)
    assert parse_address("[::1]", 7946) == ("::1", 7946)


def test_port_0_is_filled_in_and_any_other_stays() -> None:
    assert with_port("host:0", 5) == "host:5"
    assert with_port("host:7", 5) == "host:7"
    assert with_port("[::1]:0", 5) == "[::1]:5"


@pytest.mark.parametrize(
    ("host", "answer"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False), ("host", False)],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer
