"""The traces that nodes remember: put together from all of them, listed, shown and exported by the command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.cli.main import run
from tests.integration.programs import wait_until


@pa.actor(num_cpus=0)
class Ledger:
    def append(self, amount: int) -> int:
        return amount

    def refuse(self) -> None:
        raise ValueError("no")


@pa.actor(num_cpus=0)
class Bank:
    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger

    def pay(self, amount: int) -> int:
        return int(pa.get(self.ledger.append.remote(amount)))

    def fail(self) -> None:
        pa.get(self.ledger.refuse.remote())


Command = Callable[..., Any]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A node of a cluster of three processes in which a few calls have been made, without any collector."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            patch.delenv(name)
        with pa.init(workers=2, tracing=pa.TracingOptions(export=False)) as session:
            ledger = Ledger.remote()
            bank = Bank.remote(ledger)
            assert pa.get(bank.pay.remote(3)) == 3
            with pytest.raises(ValueError, match="no"):
                pa.get(bank.fail.remote())
            yield session.address


@pytest.fixture
def command(address: str, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one command line; gives what it printed, and checks its exit code."""

    def ask(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run([*arguments, "--address", address]) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    return ask


def listed(command: Command, *options: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(command("traces", "ls", "--json", *options))["traces"]
    return rows


def complete(command: Command, operation: str, spans: int) -> dict[str, Any]:
    """The only trace with that operation, once all of its spans are known: a node looks now and then."""

    def found() -> dict[str, Any] | None:
        rows = listed(command, "--operation", operation)
        if len(rows) != 1:
            return None
        shown = json.loads(command("traces", "show", rows[0]["trace_id"], "--json"))
        # Whoever waited in a mailbox for over a millisecond has a span for that, too.
        calls = [span for span in shown["spans"] if not span["name"].startswith("mailbox")]
        # Listed anew: of what the first list was made, the last spans may have been missing.
        return listed(command, "--operation", operation)[0] if len(calls) >= spans else None

    row: dict[str, Any] = wait_until(found, f"{spans} spans of {operation}")
    return row


def test_a_trace_is_put_together_from_all_nodes(command: Command) -> None:
    row = complete(command, "Bank/pay", 4)

    assert (row["root_name"], row["errors"]) == ("Bank/pay", 0)
    assert len(row["nodes"]) >= 2, "the caller's and the bank's, and perhaps the ledger's"
    shown = json.loads(command("traces", "show", row["trace_id"], "--json"))
    assert shown["asked"] == shown["answered"] == 3
    names = [(span["name"], span["kind"]) for span in shown["spans"] if not span["name"].startswith("mailbox")]
    assert sorted(names) == sorted(
        [("Bank/pay", "client"), ("Bank/pay", "server"), ("Ledger/append", "client"), ("Ledger/append", "server")]
    )


def test_the_beginning_of_an_id_is_enough_and_the_tree_is_drawn(command: Command) -> None:
    trace_id = complete(command, "Bank/pay", 4)["trace_id"]

    lines = command("traces", "show", trace_id[:12], "--attributes").splitlines()

    assert lines[0].startswith(f"trace {trace_id}: ") and "0 failed" in lines[0]
    drawn = [line for line in lines if "|" in line]
    assert [line.split()[0] for line in drawn if "mailbox" not in line] == [
        "Bank/pay", "Bank/pay", "Ledger/append", "Ledger/append",
    ]  # fmt: skip
    assert any(line.strip() == "rpc.method = Ledger/append" for line in lines)


def test_what_is_asked_for_is_found_and_nothing_else(command: Command) -> None:
    failed = complete(command, "Bank/fail", 4)

    assert [row["trace_id"] for row in listed(command, "--tag", "error=true")] == [failed["trace_id"]]
    assert [row["trace_id"] for row in listed(command, "--tag", "error.type=ValueError")] == [failed["trace_id"]]
    assert listed(command, "--operation", "Bank/steal") == []
    assert listed(command, "--service", "another") == []
    assert listed(command, "--min-duration", "1h") == []
    assert len(listed(command, "--limit", "1")) == 1
    table = command("traces", "ls", "--tag", "error=true")
    assert failed["trace_id"] in table and "1 trace" in table


@pytest.mark.parametrize("form", ["jaeger", "otlp", "chrome"])
def test_traces_are_exported_in_each_form(command: Command, form: str, tmp_path: Path) -> None:
    trace_id = complete(command, "Bank/pay", 4)["trace_id"]
    file = tmp_path / "trace.json"

    told = json.loads(command("traces", "export", trace_id, "--format", form, "--output", str(file), "--json"))

    assert (told["traces"], told["answered"], told["file"]) == (1, 3, str(file))
    written = file.read_text()
    assert json.loads(written)
    assert written.count(trace_id) >= 4


def test_traces_are_exported_by_the_first_digits_of_their_ids(command: Command, tmp_path: Path) -> None:
    trace_id = complete(command, "Bank/pay", 4)["trace_id"]
    file = tmp_path / "trace.json"

    command("traces", "export", trace_id[:16], "-o", str(file))

    assert file.read_text().count(trace_id) >= 4


def test_no_file_is_written_for_a_trace_that_nobody_knows(command: Command, tmp_path: Path) -> None:
    trace_id = complete(command, "Bank/pay", 4)["trace_id"]
    file = tmp_path / "trace.json"

    command("traces", "export", trace_id, "f" * 32, "-o", str(file), code=1)

    assert not file.exists()


@pytest.mark.usefixtures("address")
def test_a_program_has_the_timeline_too(tmp_path: Path) -> None:
    def events() -> list[dict[str, Any]]:
        return pa.timeline() or []

    names = {"Bank/pay", "Ledger/append"}
    found = wait_until(
        lambda: (found := events()) and names <= {event["name"].removeprefix("send ") for event in found} and found,
        "the spans of all nodes",
    )
    pa.timeline(tmp_path / "timeline.json")
    written = json.loads((tmp_path / "timeline.json").read_text())["traceEvents"]

    assert {event["ph"] for event in found} >= {"X", "s", "f"}
    assert len(written) >= len(found)


def test_a_timeline_has_the_spans_of_all_nodes(command: Command) -> None:
    complete(command, "Bank/fail", 4)

    events = json.loads(command("timeline"))["traceEvents"]

    assert {"Bank/fail", "Ledger/refuse", "create Bank", "activate Bank"} <= {event["name"] for event in events}
    assert len({event["pid"] for event in events}) >= 2


def test_mistakes_are_told_in_a_line(command: Command) -> None:
    assert "no node keeps a span of trace 0077" in command("traces", "show", f"{'0077':0<32}", code=1)
    assert "hexadecimal digits" in command("traces", "show", "xyz", code=2)
    assert "such as 1.5ms" in command("traces", "ls", "--min-duration", "soon", code=2)
    assert "limit = 0" in command("traces", "ls", "--limit", "0", code=2)
    assert "--spans 0" in command("timeline", "--spans", "0", code=2)
