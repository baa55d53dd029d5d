"""A worker that cannot be started leaves nothing open."""

from __future__ import annotations

import errno
import os

import pytest

from partisan_actors.node import workers
from partisan_actors.node.outputs import Outputs


def test_when_the_second_pipe_cannot_be_made_the_first_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, int]] = []

    def pipe() -> tuple[int, int]:
        if made:
            raise OSError(errno.EMFILE, "too many open files")
        made.append(os.pipe())
        return made[0]

    monkeypatch.setattr(workers, "_roomy_pipe", pipe)
    outputs = Outputs(lambda lines: None)
    spawner = workers.Spawner()

    with pytest.raises(OSError, match="too many"):
        workers.Worker("never.run", "w", spawner, outputs)

    for end in made[0]:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)
    spawner.close()
    outputs.close()
    outputs.wait_closed(60)
