"""The demo's input: which files, dealt out how, and which queries are drawn from them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from partisan_actors.cli.demo.corpus import deal, draw_queries, source_files, standard_library, thin
from partisan_actors.cli.demo.index import Index


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {
        "b.py": "import asyncio",
        "a/c.py": "def reader(): return loop",
        "a/notes.txt": "not python",
        "test/test_a.py": "left out",
        "site-packages/other.py": "left out",
        "a/__pycache__/c.py": "left out",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_the_files_are_the_library_s_own_sources_in_order(root: Path) -> None:
    assert source_files(root) == ["a/c.py", "b.py"]


def test_a_library_without_sources_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        source_files(tmp_path)


def test_the_running_python_has_a_library_to_index() -> None:
    files = source_files(standard_library())

    assert {"asyncio/base_events.py", "json/decoder.py"} <= set(files)
    assert not any("site-packages" in file for file in files)


@pytest.mark.parametrize(("count", "most"), [(10, 3), (10, 10), (10, 100), (1, 1), (601, 120)])
def test_thinning_takes_files_from_all_over_but_no_more_than_asked(count: int, most: int) -> None:
    files = [f"{number:04}" for number in range(count)]

    thinned = thin(files, most)

    assert len(thinned) <= most
    assert thinned == sorted(set(thinned) & set(files))
    assert thinned[0] == files[0] and int(thinned[-1]) >= count / 2 - 1


@pytest.mark.parametrize("shards", [1, 3, 16])
def test_dealing_gives_each_file_to_one_shard_and_about_as_many_to_each(shards: int) -> None:
    files = [f"{number:04}" for number in range(100)]

    dealt = deal(files, shards)

    assert sorted(file for share in dealt for file in share) == files
    sizes = [len(share) for share in dealt]
    assert len(dealt) == shards and max(sizes) - min(sizes) <= 1


def test_the_same_seed_draws_the_same_queries_and_another_seed_others() -> None:
    library = standard_library()
    files = thin(source_files(library), 20)

    first, second, other = (draw_queries(library, files, 30, Random(seed)) for seed in (7, 7, 8))

    assert first == second != other


def test_most_queries_have_an_answer_and_some_have_none() -> None:
    library = standard_library()
    files = thin(source_files(library), 40)
    index = Index(library, files)

    matches = [index.search(query).matches for query in draw_queries(library, files, 200, Random(1))]

    assert sum(count > 0 for count in matches) > 150
    assert any(count == 0 for count in matches)
