"""What happens, in order: nodes start, an index is spread over them, one is killed, and the answers stay the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

import partisan_actors as pa
from partisan_actors.cli.demo.corpus import deal, draw_queries, source_files, standard_library, thin
from partisan_actors.cli.demo.desk import Desk
from partisan_actors.cli.demo.index import Answer, Index, IndexShard, Librarian
from partisan_actors.cli.demo.kill import kill_node
from partisan_actors.cli.demo.outcome import NAME, Difference, Outcome, Plan
from partisan_actors.cli.demo.whereabouts import overlay, overlay_without, placement

__all__ = ["play"]

LIBRARIANS: Final = 2


async def play(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Run the whole demo, telling `say` how far it is. Nothing of it is left when this returns or raises."""
    rng = Random(plan.seed)
    root = standard_library()
    files = source_files(root)
    if plan.files_max is not None:
        files = thin(files, plan.files_max)
    began = time.perf_counter()
    async with pa.init(workers=plan.nodes, name=NAME, tracing=plan.tracing or False):
        started = time.perf_counter()
        say(f"{plan.nodes} nodes are up, each a process, joined by HyParView")

        shards = [IndexShard.remote(root, share) for share in deal(files, plan.shards)]
        librarians = [Librarian.remote(shards) for _ in range(LIBRARIANS)]
        # Meanwhile, in this process: the same index without a cluster, to compare with.
        plain, queries = await asyncio.to_thread(_without_a_cluster, root, files, plan.queries, rng)
        shelves = await asyncio.gather(*(shard.describe.remote() for shard in shards))
        indexed = time.perf_counter()
        say(f"{len(files)} source files of Python's standard library are indexed, in {plan.shards} shards")

        placed, edges = await placement(shards), overlay()
        desk = Desk(queries, librarians)
        async with asyncio.TaskGroup() as jobs:
            jobs.create_task(desk.answer_all())
            await desk.is_half_way.wait()
            quiet = desk.load
            kill = await kill_node(shards, placed, rng, say)
        say(f"{len(queries)} queries are answered")

        placed_after, edges_after = await placement(shards), await overlay_without(kill.node)
    return Outcome(
        plan=plan,
        files=len(files),
        words=plain.word_count,
        started_s=started - began,
        indexed_s=indexed - started,
        shelves=tuple(shelves),
        before=placed,
        after=placed_after,
        overlay_before=edges,
        overlay_after=edges_after,
        quiet=quiet,
        load=desk.load,
        kill=kill,
        differences=tuple(_compare(queries, desk.answers, plain)),
        took_s=time.perf_counter() - began,
    )


def _without_a_cluster(root: Path, files: Sequence[str], queries: int, rng: Random) -> tuple[Index, list[str]]:
    return Index(root, files), draw_queries(root, files, queries, rng)


def _compare(queries: Sequence[str], answers: Sequence[Answer], plain: Index) -> list[Difference]:
    compared = [Difference(query, answer, plain.search(query)) for query, answer in zip(queries, answers, strict=True)]
    return [each for each in compared if each.cluster != each.plain]
