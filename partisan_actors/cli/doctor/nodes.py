"""What the facts that one node tells mean: its loop, its binding, its certificate, and what has gone wrong there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ssl import cert_time_to_seconds
from typing import Any, Final

from partisan_actors.cli.doctor.findings import ERROR, NOTE, OK, WARNING, Finding
from partisan_actors.cli.doctor.host import judge_disk, judge_files, judge_shared_memory
from partisan_actors.cli.measured import seconds_text
from partisan_actors.node.tls import allows
from partisan_actors.telemetry.histogram import quantile
from partisan_actors.wire.addresses import is_loopback, parse_address

__all__ = ["judge_expiry", "judge_node"]

LAG_BAD_S: Final = 1.0
LAG_HIGH_S: Final = 0.1
DAY_S: Final = 86_400
EXPIRY_SOON_S: Final = 14 * DAY_S


def judge_node(facts: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """All that one node's own facts show. `now` is the time here, in seconds since 1970."""
    where = facts["name"]
    yield from _ready(where, facts)
    yield from _binding(where, facts)
    yield from _certificate(where, facts, now)
    yield from _lag(where, facts)
    yield from judge_files(where, facts)
    yield from _shared_memory(where, facts)
    yield from judge_disk(where, facts)
    yield from _troubles(where, facts)


def _ready(where: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    for why in facts["not_ready"]:
        remedy = (
            "if that lasts, see `partisan overlay`, and whether the node's addresses can be dialled from the others"
        )
        yield Finding(WARNING, "membership", where, why, remedy)


def _binding(where: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    far = [address for address in facts["bind"] if not is_loopback(parse_address(address)[0])]
    listed = ", ".join(facts["addresses"] or facts["bind"])
    if far and facts["takes_anybody"]:
        text = f"it listens at {', '.join(far)} without a cookie and without TLS: whoever reaches it can run code there"
        yield Finding(ERROR, "binding", where, text, "give it a cookie (--cookie-file), or TLS (partisan certs init)")
    elif far and not facts["has_tls"]:
        text = f"it listens at {', '.join(far)}, and what it sends other hosts is not encrypted"
        yield Finding(WARNING, "binding", where, text, "use TLS: partisan certs init DIR, partisan start --tls-dir DIR")
    elif facts["takes_anybody"]:
        text = f"it listens at {listed} without a cookie: whoever has an account on its host can run code there"
        yield Finding(WARNING, "binding", where, text, "start it without --insecure")
    else:
        yield Finding(OK, "binding", where, f"it listens at {listed}")
    if facts["allow_faults"]:
        text = "whoever may ask it may also break it"
        yield Finding(NOTE, "binding", where, text, "outside of tests, start it without --allow-faults")


def _certificate(where: str, facts: Mapping[str, Any], now: float) -> Iterator[Finding]:
    tls = facts["tls"]
    if tls is None:
        return
    if not allows(tls["names"], facts["cluster"], facts["name"]):
        text = f"its certificate is for {', '.join(tls['names']) or 'no node'}: the others refuse it"
        remedy = f"partisan certs issue DIR --name {facts['name']} --cluster {facts['cluster']}"
        yield Finding(ERROR, "certificate", where, text, remedy)
    if tls["expires"]:
        yield judge_expiry(where, cert_time_to_seconds(tls["expires"]), now)


def judge_expiry(where: str, expires: float, now: float) -> Finding:
    """What it means that a certificate is valid until `expires`."""
    days = (expires - now) / DAY_S
    remedy = "partisan certs issue DIR: nodes that run take the new one by themselves"
    if days < 0:
        return Finding(ERROR, "certificate", where, f"it expired {-days:.0f} days ago", remedy)
    text = f"it is valid for {days:.0f} more days"
    is_soon = expires - now < EXPIRY_SOON_S
    return Finding(WARNING if is_soon else OK, "certificate", where, text, remedy if is_soon else "")


def _lag(where: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    lag_s = quantile(facts["loop_lag"]["buckets"], 0.99)
    if lag_s is None:
        return
    text = f"1 % of its loop's timers were late by more than {seconds_text(lag_s)}"
    if lag_s < LAG_HIGH_S:
        yield Finding(OK, "loop", where, text)
        return
    remedy = f"something blocks its loop, or its host is overloaded: see `partisan stack {where}` and `partisan top`"
    yield Finding(ERROR if lag_s >= LAG_BAD_S else WARNING, "loop", where, text, remedy)


def _shared_memory(where: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    if not facts["wants_shared_memory"]:
        text = "it is switched off: large values are sent, and not shared"
        yield Finding(NOTE, "shared memory", where, text, "unless that is meant, start it without --no-shared-memory")
        return
    yield from judge_shared_memory(where, facts)


def _troubles(where: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    for trouble in facts["troubles"]:
        text = f"{trouble['kind']}, {trouble['count']} times; the first: {trouble['first']}"
        yield Finding(WARNING, "troubles", where, text, f"see `partisan logs --node {where}`")
    if facts["spans_lost"]:
        text = f"{facts['spans_lost']} spans were lost"
        remedy = "see whether the collector at OTEL_EXPORTER_OTLP_ENDPOINT is up and fast enough; calls are unaffected"
        yield Finding(WARNING, "tracing", where, text, remedy)
