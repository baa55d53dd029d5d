"""Where the demo's trace goes: always to a file, and to a collector too when the environment names one."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from partisan_actors.telemetry.tracing import TracingOptions, is_disabled_by

__all__ = ["SAMPLED_SHARE", "Trace", "describe_trace", "sample_some", "tracing_options"]

SAMPLED_SHARE: Final = 0.1
"""The share of the queries that is traced. Each makes a span for every call to every shard, on both sides."""

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_SAMPLER: Final = "OTEL_TRACES_SAMPLER"
_JAEGER_PORT: Final = 16686


@dataclass(frozen=True, slots=True)
class Trace:
    """What was traced: the file, how many spans it holds, and where to look at them if a collector got them."""

    file: str
    spans: int
    viewer: str
    text: str


def tracing_options(file: Path, environ: Mapping[str, str]) -> TracingOptions:
    """Trace to `file`, which is emptied, and export as well if the environment says where. Raises OSError."""
    file.write_bytes(b"")
    return TracingOptions(trace_file=str(file.resolve()), export=bool(_endpoint(environ)), service_name_per_node=True)


def sample_some(environ: MutableMapping[str, str]) -> None:
    """Have SAMPLED_SHARE of the queries traced, here and in processes started from here, unless the user chose."""
    if _SAMPLER not in environ:
        environ[_SAMPLER] = "parentbased_traceidratio"
        environ[f"{_SAMPLER}_ARG"] = str(SAMPLED_SHARE)


def describe_trace(file: Path, environ: Mapping[str, str]) -> Trace:
    """Read what the nodes wrote. A line is an export request of OTLP/JSON, from one node."""
    if is_disabled_by(environ):
        return Trace(str(file), 0, "", "switched off by OTEL_SDK_DISABLED")
    spans = sum(map(_span_count, file.read_text(encoding="utf-8").splitlines()))
    viewer = _viewer(environ)
    share = environ.get(f"{_SAMPLER}_ARG")
    text = f"{file}: {spans:,} spans as OTLP/JSON lines"
    if environ.get(_SAMPLER) == "parentbased_traceidratio" and share is not None:
        text += f"; a share of {share} of the queries is traced ({_SAMPLER} changes that)"
    if viewer:
        text += f"; also sent to {_endpoint(environ)}, for Jaeger at {viewer}"
    return Trace(str(file), spans, viewer, text)


def _endpoint(environ: Mapping[str, str]) -> str:
    return next((environ[name] for name in _ENDPOINTS if environ.get(name)), "")


def _viewer(environ: Mapping[str, str]) -> str:
    host = urlsplit(_endpoint(environ)).hostname
    return f"http://{host}:{_JAEGER_PORT}" if host else ""


def _span_count(line: str) -> int:
    request = json.loads(line)
    return sum(
        len(scope.get("spans", ())) for resource in request["resourceSpans"] for scope in resource.get("scopeSpans", ())
    )
