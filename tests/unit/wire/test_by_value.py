"""Tests of code that is copied: it says where it was written, and is written the same each time."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from partisan_actors.wire.by_value import dump_by_value
from partisan_actors.wire.payload import decode, encode_code

SOURCE = """
def outer():
    def inner():
        raise ValueError("no stock")
    return inner()

class Shop:
    def buy(self):
        return (lambda: 1 / 0)()
"""


def program(folder: Path) -> dict[str, Any]:
    """What a script in `folder` has defined."""
    file = folder / "shop.py"
    file.write_text(SOURCE)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(SOURCE, str(file), "exec"), names)
    return names


def files_of(code: CodeType) -> set[str]:
    return {code.co_filename}.union(*(files_of(part) for part in code.co_consts if isinstance(part, CodeType)))


def test_copied_functions_and_classes_say_which_file_they_are_from(tmp_path: Path) -> None:
    names = program(tmp_path)

    outer, shop = (decode(encode_code(names[name], name)) for name in ("outer", "Shop"))

    assert isinstance(outer, FunctionType)
    assert files_of(outer.__code__) | files_of(shop.buy.__code__) == {str(tmp_path / "shop.py")}


def test_the_traceback_of_a_copy_has_the_lines_of_its_source(tmp_path: Path) -> None:
    outer = decode(encode_code(program(tmp_path)["outer"], "outer"))

    try:
        outer()
    except ValueError as error:
        text = "".join(traceback.format_exception(error))

    assert f'File "{tmp_path / "shop.py"}", line 4, in inner' in text
    assert 'raise ValueError("no stock")' in text


def test_the_file_is_written_once_however_many_functions_there_are(tmp_path: Path) -> None:
    encoded = encode_code(program(tmp_path)["Shop"], "Shop")

    assert encoded.count(str(tmp_path / "shop.py").encode()) == 1


def test_a_copy_of_a_copy_is_the_same_bytes(tmp_path: Path) -> None:
    first = dump_by_value(program(tmp_path)["outer"])
    again = dump_by_value(pickle.loads(first))

    assert again == dump_by_value(pickle.loads(again))
