"""A search index whose shards are actors on several nodes. `partisan demo` does this with all of Python's library."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import partisan_actors as pa

LIBRARY = Path(asyncio.__file__).parent
SHARDS = 4


def words(text: str) -> list[str]:
    return re.findall(r"[a-z_]{2,}", text.lower())


class Index:
    """For each word, how often each file has it."""

    def __init__(self, files: list[Path]) -> None:
        self.counts: dict[str, dict[str, int]] = {}
        for file in files:
            for word, count in Counter(words(file.read_text(encoding="utf-8"))).items():
                self.counts.setdefault(word, {})[file.name] = count

    def search(self, query: str) -> list[tuple[int, str]]:
        """The files that have every word, those that have them most often first."""
        found = [self.counts.get(word, {}) for word in words(query)]
        files = set.intersection(*map(set, found))
        return sorted(((sum(counts[file] for counts in found), file) for file in files), reverse=True)


# The constructor reads the files, so a shard that is restarted on another node has all that it had.
@pa.actor(placement="spread", max_restarts=-1)
class Shard(Index):
    pass


async def search(shards: list[pa.ActorHandle[Shard]], query: str) -> list[tuple[int, str]]:
    """Ask every shard at once and merge what they found."""
    answers = await asyncio.gather(*(shard.search.remote(query) for shard in shards))
    return sorted((hit for answer in answers for hit in answer), reverse=True)


async def main() -> None:
    files = sorted(LIBRARY.glob("*.py"))
    plain = Index(files)
    async with pa.init(workers=2):
        shards = [Shard.remote(files[number::SHARDS]) for number in range(SHARDS)]
        for query in ["event loop", "subprocess pipe transport", "no_such_word"]:
            found = await search(shards, query)
            best = found[0][1] if found else "nothing"
            print(f"{query!r}: {len(found)} files, {best} first; as without a cluster: {found == plain.search(query)}")


if __name__ == "__main__":
    asyncio.run(main())
