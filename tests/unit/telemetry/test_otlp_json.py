"""OTLP/JSON lines and the file they are appended to."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from partisan_actors.telemetry.otlp_json import TraceFile, ids_to_base64, ids_to_hex, to_line


def request() -> dict[str, object]:
    span = {
        "traceId": "CvdlGRbNQ92ESOshHIAxnA==",
        "spanId": "APBnqgupArc=",
        "parentSpanId": "AQIDBAUGBwg=",
        "links": [{"traceId": "CvdlGRbNQ92ESOshHIAxnA==", "spanId": "AQIDBAUGBwg="}],
        "attributes": [{"key": "photo", "value": {"bytesValue": "AQID"}}],
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def test_ids_become_hexadecimal_everywhere_and_other_bytes_stay() -> None:
    converted = json.dumps(ids_to_hex(request()))

    assert json.loads(converted)["resourceSpans"][0]["scopeSpans"][0]["spans"][0] == {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "00f067aa0ba902b7",
        "parentSpanId": "0102030405060708",
        "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "0102030405060708"}],
        "attributes": [{"key": "photo", "value": {"bytesValue": "AQID"}}],
    }


def test_the_way_back_gives_what_there_was() -> None:
    assert ids_to_base64(ids_to_hex(request())) == request()


def test_a_request_without_spans_is_left_alone() -> None:
    assert ids_to_hex({}) == {}
    assert ids_to_hex({"resourceSpans": [{}]}) == {"resourceSpans": [{}]}


def test_a_line_is_one_json_object_and_ends_with_its_newline() -> None:
    line = to_line({"resourceSpans": [{"resource": {"attributes": [{"key": "k", "value": "Zürich\n"}]}}]})

    assert line.count(b"\n") == 1
    assert line.endswith(b"}\n")
    assert json.loads(line)["resourceSpans"][0]["resource"]["attributes"][0]["value"] == "Zürich\n"


def test_lines_of_several_writers_are_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    files = [TraceFile(str(path), 100_000_000) for _ in range(4)]
    lines = [bytes([65 + number]) * 20_000 + b"\n" for number in range(4)]

    def write(file: TraceFile, line: bytes) -> None:
        for _ in range(20):
            file.append(line)

    writers = [threading.Thread(target=write, args=pair) for pair in zip(files, lines, strict=True)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for file in files:
        file.close()

    written = path.read_bytes().splitlines(keepends=True)
    assert sorted(written) == sorted(lines * 20)


def test_an_existing_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    for line in (b"first\n", b"second\n"):
        file = TraceFile(str(path), 100)
        file.append(line)
        file.close()

    assert path.read_bytes() == b"first\nsecond\n"


def test_a_line_beyond_the_bound_is_refused_whole(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    file = TraceFile(str(path), 10)
    file.append(b"12345\n")

    with pytest.raises(OSError, match="bound of 10 bytes"):
        file.append(b"12345\n")
    file.close()

    assert path.read_bytes() == b"12345\n"


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"

    TraceFile(str(path), 10).close()

    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    file = TraceFile(str(tmp_path / "trace.jsonl"), 10)

    file.close()
    file.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        file.append(b"x\n")
