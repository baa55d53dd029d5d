"""What the nodes' facts mean beside each other: who is silent, versions and clocks that differ, hosts they share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from partisan_actors.api.observer import Answer
from partisan_actors.cli.doctor.findings import ERROR, OK, WARNING, Finding
from partisan_actors.cli.doctor.nodes import judge_node
from partisan_actors.cli.measured import seconds_text
from partisan_actors.cli.table import counted
from partisan_actors.telemetry.wording import some

__all__ = ["CLUSTER", "Clock", "judge_cluster"]

CLUSTER: Final = "cluster"
SKEW_HIGH_S: Final = 0.5
SKEW_BAD_S: Final = 60.0
# Of what all nodes of a host find there, one finding is enough.
_OF_THE_HOST: Final = ("shared memory", "disk")


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of a node, which it told between two moments of this host's clock."""

    node: str
    told: float
    asked_at: float
    answered_at: float

    @property
    def offset_s(self) -> float:
        """By how much it is ahead of this host, as far as can be told."""
        return self.told - (self.asked_at + self.answered_at) / 2

    @property
    def doubt_s(self) -> float:
        """By how much that may be wrong."""
        return (self.answered_at - self.asked_at) / 2


def judge_cluster(
    rows: Sequence[Mapping[str, Any]], answers: Sequence[Answer], clocks: Sequence[Clock], now: float
) -> Iterator[Finding]:
    """`rows` are all known members, `answers` what the live ones told, `now` the time here."""
    told = [answer.value for answer in answers if answer.why is None]
    yield from _members(rows, answers)
    yield from _versions(told)
    yield from _clocks(clocks)
    yield from _tls(told)
    seen: set[tuple[Any, ...]] = set()
    for facts in told:
        for finding in judge_node(facts, now):
            key = (finding.check, facts["host"], finding.text)
            if finding.check not in _OF_THE_HOST or key not in seen:
                yield finding
            seen.add(key)


def _members(rows: Sequence[Mapping[str, Any]], answers: Sequence[Answer]) -> Iterator[Finding]:
    silent = [answer for answer in answers if answer.why is not None]
    for answer in silent:
        remedy = f"see whether it runs, and whether {' or '.join(answer.row['addresses']) or 'it'} can be dialled"
        yield Finding(ERROR, "answers", answer.name, str(answer.why), f"{remedy} from here")
    for row in rows:
        if row["state"] == "suspect":
            by = ", ".join(row["suspected_by"])
            text = f"it does not answer {by or 'its neighbours'}, and may be down"
            yield Finding(WARNING, "membership", row["name"], text, "wait some seconds; see `partisan members`")
        elif row["state"] == "down":
            text = "it is down"
            yield Finding(
                WARNING, "membership", row["name"], text, "see whether its process runs; if not, start it again"
            )
    if not silent:
        yield Finding(OK, "answers", CLUSTER, f"{len(answers)} of {counted(len(answers), 'node')} answered")


def _versions(told: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    remedy = "use one version on all nodes: what one of them pickles, another one may not be able to read"
    for name, what in (("version", "partisan_actors"), ("python", "Python")):
        by_version: defaultdict[str, list[str]] = defaultdict(list)
        for facts in told:
            version = facts[name]
            by_version[".".join(version.split(".")[:2]) if name == "python" else version].append(facts["name"])
        if len(by_version) > 1:
            listed = "; ".join(f"{what} {version} on {some(names)}" for version, names in sorted(by_version.items()))
            yield Finding(WARNING, "versions", CLUSTER, listed, remedy)
        elif by_version:
            yield Finding(OK, "versions", CLUSTER, f"{what} {next(iter(by_version))} on all nodes")


def _clocks(clocks: Iterable[Clock]) -> Iterator[Finding]:
    remedy = "run NTP (chrony, systemd-timesyncd) on its host and on this one"
    most = 0.0
    for clock in clocks:
        certain_s = abs(clock.offset_s) - clock.doubt_s
        most = max(most, abs(clock.offset_s))
        if certain_s >= SKEW_HIGH_S:
            way = "ahead of" if clock.offset_s > 0 else "behind"
            text = f"its clock is {seconds_text(abs(clock.offset_s))} {way} this host's: logs and traces are misplaced"
            severity = ERROR if certain_s >= SKEW_BAD_S else WARNING
            yield Finding(severity, "clocks", clock.node, text, remedy)
            most = -1e9
    if most >= 0:
        yield Finding(OK, "clocks", CLUSTER, f"no node's clock is off by more than {seconds_text(most)}")


def _tls(told: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    without = [facts["name"] for facts in told if not facts["has_tls"]]
    if without and len(without) < len(told):
        text = f"{some(without)} {'use' if len(without) > 1 else 'uses'} no TLS, and the others do"
        yield Finding(ERROR, "certificate", CLUSTER, text, "start all nodes with --tls-dir, or none")
