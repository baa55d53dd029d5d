"""The inverted index: plain, as one shard of it on some node, and as the librarian who asks all the shards.

An `Index` knows which files hold which words. An `IndexShard` is an actor that is one, for some of the files. A
`Librarian` is an actor that sends each query to every shard and merges what they answer.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import partisan_actors as pa

__all__ = ["Answer", "Found", "Index", "IndexShard", "Librarian", "Shelf", "insist", "merge", "read_words"]

P = ParamSpec("P")
T = TypeVar("T")

HITS_MAX: Final = 10
RETRY_S: Final = 0.02

_WORD: Final = re.compile(r"[a-z_][a-z0-9_]+")


def read_words(root: Path, file: str) -> list[str]:
    """The words of a file, in order."""
    return _WORD.findall((root / file).read_text(encoding="utf-8", errors="replace").lower())


@dataclass(frozen=True, slots=True)
class Answer:
    """How many files hold every word of a query, and the best of them, best first: (how often, file)."""

    matches: int
    hits: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, matches: int, hits: Iterable[tuple[int, str]]) -> Answer:
        """The answer that lists the best of `hits`; of equals, the first by name."""
        return cls(matches, tuple(sorted(hits, key=lambda hit: (-hit[0], hit[1]))[:HITS_MAX]))


class Index:
    """An inverted index of some files: for each word, how often each file has it."""

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self._files = len(files)
        self._counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for file in files:
            for word, count in Counter(read_words(root, file)).items():
                self._counts[word][file] = count

    @property
    def word_count(self) -> int:
        """How many different words it knows."""
        return len(self._counts)

    def search(self, query: str) -> Answer:
        """The files that hold every word of `query`, ranked by how often they have them."""
        postings = [self._counts.get(word, {}) for word in query.split()]
        rarest = min(postings, key=len, default={})
        matching = [file for file in rarest if all(file in counts for counts in postings)]
        return Answer.of(len(matching), ((sum(counts[file] for counts in postings), file) for file in matching))


def merge(answers: Sequence[Answer]) -> Answer:
    """The answer of all the files, from the answers of each shard."""
    return Answer.of(sum(answer.matches for answer in answers), (hit for answer in answers for hit in answer.hits))


# ---- the same, spread over the cluster --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a shard says of itself: the process that it lives in, how many files it holds, and how many words."""

    pid: int
    files: int
    words: int


@pa.actor(placement="spread", max_restarts=-1)
class IndexShard(Index):
    """The index of some of the files, on some node. When that node is lost, another makes it again from the files."""

    def describe(self) -> Shelf:
        """Where it is, and how much it holds."""
        return Shelf(os.getpid(), self._files, self.word_count)


@dataclass(frozen=True, slots=True)
class Found:
    """A librarian's answer, and what it took: calls to shards that were answered, and calls that a dying node cost."""

    answer: Answer
    calls: int
    lost_calls: int


@pa.actor(placement="spread", max_restarts=-1)
class Librarian:
    """Asks every shard and merges the answers. It has no state but the handles, so it too may live anywhere."""

    def __init__(self, shards: Sequence[pa.ActorHandle[IndexShard]]) -> None:
        self._shards = shards

    async def search(self, query: str) -> Found:
        """The answer of the whole index. Many searches are in progress at once: each waits for its own shards."""
        answers = await asyncio.gather(*(insist(shard.search.remote, query) for shard in self._shards))
        lost = sum(lost_calls for _, lost_calls in answers)
        return Found(merge([answer for answer, _ in answers]), len(answers), lost)


async def insist(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> tuple[T, int]:
    """Call until there is an answer; returns it, and how many calls were lost on the way because a node was.

    Such a call may have run or not. Searching changes nothing, so it is simply made again; what has effects needs more
    thought. The actor comes back on another node, and until then its calls wait.
    """
    lost_calls = 0
    while True:
        try:
            return await call(*args, **kwargs), lost_calls
        except (pa.NodeError, pa.ActorUnavailable):
            lost_calls += 1
            await asyncio.sleep(RETRY_S)
