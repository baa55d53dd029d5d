"""The demo's index: what it finds, that shards merge to the same, and when a call is made again."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from partisan_actors.cli.demo.corpus import deal, draw_queries
from partisan_actors.cli.demo.index import HITS_MAX, Answer, Index, insist, merge, read_words
from partisan_actors.errors import ActorUnavailable, NodeDown, NoRoute


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("loop loop loop read")
    (tmp_path / "b.py").write_text("def read(loop): return Read")
    (tmp_path / "c.py").write_text("write_all = 3")
    return tmp_path


FILES = ("a.py", "b.py", "c.py")


def test_words_are_identifiers_of_two_letters_or_more_in_lower_case(root: Path) -> None:
    assert read_words(root, "b.py") == ["def", "read", "loop", "return", "read"]
    assert read_words(root, "c.py") == ["write_all"]


def test_a_file_that_is_not_utf_8_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"caf\xe9 loop")

    assert "loop" in read_words(tmp_path, "latin.py")


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("loop", Answer(2, ((3, "a.py"), (1, "b.py")))),
        ("loop read", Answer(2, ((4, "a.py"), (3, "b.py")))),
        ("write_all", Answer(1, ((1, "c.py"),))),
        ("loop write_all", Answer(0, ())),
        ("unknown", Answer(0, ())),
        ("", Answer(0, ())),
    ],
)
def test_a_search_finds_the_files_with_every_word_ranked_by_how_often(root: Path, query: str, answer: Answer) -> None:
    assert Index(root, FILES).search(query) == answer


def test_files_that_have_a_word_equally_often_are_in_the_order_of_their_names(root: Path) -> None:
    for name in ("e.py", "d.py"):
        (root / name).write_text("same")

    assert Index(root, ["e.py", "d.py"]).search("same").hits == ((1, "d.py"), (1, "e.py"))


def test_an_answer_lists_the_best_and_counts_all() -> None:
    hits = [(number, f"{number}.py") for number in range(3 * HITS_MAX)]

    answer = Answer.of(len(hits), hits)

    assert answer.matches == 3 * HITS_MAX
    assert answer.hits == tuple(sorted(hits, reverse=True)[:HITS_MAX])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shards", [1, 2, 7])
def test_merged_answers_of_shards_equal_the_answer_of_one_index(tmp_path: Path, shards: int, seed: int) -> None:
    rng = Random(seed)
    files = [f"{number:02}.py" for number in range(30)]
    for file in files:
        (tmp_path / file).write_text(" ".join(rng.choices(["aa", "bb", "cc", "dd", "ee", "ff"], k=rng.randint(1, 12))))
    plain = Index(tmp_path, files)
    parts = [Index(tmp_path, share) for share in deal(files, shards)]

    for query in draw_queries(tmp_path, files, 40, rng):
        assert merge([part.search(query) for part in parts]) == plain.search(query)


async def test_a_call_is_made_again_until_its_node_is_back() -> None:
    outcomes = [NodeDown("w1", "gone"), ActorUnavailable("shard", "moving"), NoRoute("w1", "no neighbour"), "found"]

    async def call(query: str) -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return f"{query} {outcome}"

    assert await insist(call, "it is") == ("it is found", 3)


async def test_what_user_code_raises_is_not_tried_again() -> None:
    async def call() -> str:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await insist(call)
