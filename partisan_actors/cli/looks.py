"""Two looks at a cluster, and what it did between them: the figures of `partisan top` and `partisan status`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from partisan_actors.api.inspection import LIVE
from partisan_actors.api.metering import METRICS_SERVICE
from partisan_actors.api.observer import Answer, Observer
from partisan_actors.cli.asking import Survey
from partisan_actors.cli.measured import method_rows, since, with_quantiles
from partisan_actors.telemetry.histogram import merged, quantile

__all__ = ["Look", "between", "look"]


@dataclass(frozen=True, slots=True)
class Look:
    """What the nodes said at one moment: `at` seconds of a clock that never goes back."""

    at: float
    methods: Survey
    process: Survey

    def facts(self) -> dict[str, Any]:
        """How complete it is."""
        return self.methods.facts()


async def look(observer: Observer, rows: Sequence[dict[str, Any]] | None = None) -> Look:
    """Ask every node that is up: of these members, or of those that there are."""
    rows = await observer.members() if rows is None else list(rows)
    live = [row for row in rows if row["state"] in LIVE]
    methods = await observer.ask_all(live, METRICS_SERVICE, "methods")
    process = await observer.ask_all(live, METRICS_SERVICE, "process")
    return Look(time.monotonic(), Survey(observer.cluster, rows, methods), Survey(observer.cluster, rows, process))


def between(before: Look, after: Look) -> dict[str, Any]:
    """What happened between two looks: of all calls together, of each method, and of each node.

    Only nodes that answered both times count, and quantiles are None while nothing was timed.
    """
    took_s = max(after.at - before.at, 1e-9)
    lives = {answer.name: answer.row["id"] for answer in before.methods.answered}
    same = [answer for answer in after.methods.answered if lives.get(answer.name) == answer.row["id"]]
    names = {answer.name for answer in same}
    rows = since(method_rows(_of(before.methods, names)), method_rows(same), took_s)
    run = merged(row["run"] for row in rows)["buckets"]
    return {
        "seconds": took_s,
        "calls_per_s": sum(row["calls_per_s"] for row in rows),
        "errors_per_s": sum(row["errors_per_s"] for row in rows),
        "in_flight": sum(row["in_flight"] for row in rows),
        "run_p50_s": quantile(run, 0.5),
        "run_p99_s": quantile(run, 0.99),
        "methods": [with_quantiles(row) for row in rows],
        "nodes": _nodes(before, after, took_s),
    }


def _of(found: Survey, names: set[str]) -> list[Answer]:
    return [answer for answer in found.answered if answer.name in names]


def _nodes(before: Look, after: Look, took_s: float) -> list[dict[str, Any]]:
    earlier = {answer.row["id"]: answer.value for answer in before.process.answered}
    calls: Counter[str] = Counter()
    for sign, seen in ((-1, before), (1, after)):
        for answer in seen.methods.answered:
            calls[answer.row["id"]] += sign * sum(row["calls"] for row in answer.value)
    rows = []
    for answer in after.process.answers:
        row = {"node": answer.name, "state": answer.row["state"], "actors": answer.row["actors"]}
        was = earlier.get(answer.row["id"])
        if answer.why is not None or was is None:
            row |= {"state": "no answer"} if answer.why is not None else {}
            rows.append(row | dict.fromkeys(("cpu", "rss_bytes", "fds", "threads", "loop_lag_s", "calls_per_s")))
            continue
        now = answer.value
        buckets = [new - old for new, old in zip(now["loop_lag"]["buckets"], was["loop_lag"]["buckets"], strict=True)]
        rows.append(
            {
                **row,
                "cpu": max(0.0, now["cpu_s"] - was["cpu_s"]) / took_s,
                **{name: now[name] for name in ("rss_bytes", "fds", "threads")},
                "loop_lag_s": quantile(buckets, 0.99),
                "calls_per_s": max(0, calls[answer.row["id"]]) / took_s,
            }
        )
    return rows
