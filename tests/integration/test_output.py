"""What actors and tasks print appears at the terminal of the program that they work for, with who printed it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.programs import Program, Programs, wait_until
from tests.integration.shells import Shells

TALKERS = """
    import logging, os, sys
    import partisan_actors as pa

    @pa.actor
    class Talker:
        def talk(self, text):
            print(text)
            return os.getpid()

        async def shout(self, text):
            logging.getLogger("talker").warning(text)

        def fail(self, text):
            os.write(2, text.encode())
            os._exit(7)

    @pa.task
    def murmur(text):
        print(text, file=sys.stderr)
"""


def lines_of(output: str, text: str) -> list[str]:
    return [line for line in output.splitlines() if text in line]


def end(program: Program) -> str:
    """Let a program end that waits for a line, and what it has printed."""
    assert program.process.stdin is not None
    program.process.stdin.write("\n")
    program.process.stdin.flush()
    assert program.wait() == 0, program.output
    program.assert_nothing_left()
    return program.output


def test_what_a_worker_prints_and_logs_comes_behind_who_did_and_its_last_words_too(programs: Programs) -> None:
    program = programs.start(
        f"""{TALKERS}
    if __name__ == "__main__":
        with pa.init(workers=1, name="here"):
            talker = Talker.remote()
            print("pid", talker.talk.remote("hello").result(60))
            talker.shout.remote("watch out").result(60)
            murmur.remote("well").result(60)
            try:
                talker.fail.remote("fatal: out of cheese").result(60)
            except (pa.ActorStopped, pa.ActorUnavailable):
                pass
            sys.stdin.readline()
    """,
        stdin=subprocess.PIPE,
    )
    pid = program.wait_for("pid ").split()[1]

    assert program.wait_for("hello") == f"(Talker pid={pid}, node=here-w1) hello"
    assert program.wait_for("watch out") == f"(Talker pid={pid}, node=here-w1) watch out"
    assert program.wait_for("well") == f"(murmur pid={pid}, node=here-w1) well"
    assert program.wait_for("fatal") == f"(pid={pid}, node=here-w1) fatal: out of cheese"
    end(program)


def test_it_can_be_switched_off(programs: Programs) -> None:
    output = programs.run(
        f"""{TALKERS}
    if __name__ == "__main__":
        with pa.init(workers=1, log_to_driver=False):
            Talker.remote().talk.remote("hello").result(60)
            Talker.options(isolation="process").remote().talk.remote("hello, too").result(60)
        print("over", flush=True)
    """
    )

    assert output.splitlines() == ["over"]


def times(output: str, text: str) -> int:
    """How often a line was printed, as far as is shown: lines that were repeated tell their number."""
    numbers = [re.search(r"repeated (\d+)x", line) for line in lines_of(output, text)]
    return sum(int(number[1]) if number is not None else 1 for number in numbers)


@pytest.mark.parametrize("is_each_shown", [False, True])
def test_a_line_of_many_processes_is_shown_with_their_number_or_each_time(
    programs: Programs, is_each_shown: bool
) -> None:
    program = programs.start(
        f"""{TALKERS}
    if __name__ == "__main__":
        with pa.init(workers=1):
            talkers = [Talker.options(isolation="process").remote() for _ in range(3)]
            pa.get([talker.talk.remote("up") for talker in talkers], timeout=100)
            pa.get([talker.talk.remote("ready") for talker in talkers], timeout=100)
            sys.stdin.readline()
    """,
        stdin=subprocess.PIPE,
        PARTISAN_DEDUP_LOGS="0" if is_each_shown else "1",
    )

    wait_until(lambda: times(program.output, "ready") >= 3, "all to be told of")
    output = end(program)

    assert times(output, "ready") == 3
    if is_each_shown:
        assert len(lines_of(output, "ready")) == 3


@pytest.mark.slow
def test_a_program_that_joins_sees_its_own_actors_and_not_those_of_another_program(tmp_path: Path) -> None:
    program = f"""{TALKERS}
    if __name__ == "__main__":
        with pa.init(sys.argv[1]):
            talkers = [Talker.remote(), Talker.options(isolation="process").remote()]
            pa.get([talker.talk.remote(sys.argv[2]) for talker in talkers], timeout=100)
            murmur.remote("hm " + sys.argv[2]).result(60)
            sys.stdin.readline()
    """
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        nodes, address = shells.start("--nodes", "2", "--name", "n")
        first, second = (shells.script(program, address, name) for name in ("apples", "pears"))
        for work, text in ((first, "apples"), (second, "pears")):
            work.wait_for(f") {text}")
            work.wait_for(f") hm {text}")
            wait_until(lambda work=work, text=text: len(lines_of(work.output, text)) == 3, "all three lines")
            end(work)
            wait_until(lambda text=text: len(lines_of(nodes.output, text)) == 3, "the nodes to show them, too")
        nodes.interrupt()
        nodes.wait()

    assert len(lines_of(first.output, "apples")) == 3, first.output
    assert len(lines_of(second.output, "pears")) == 3, second.output
    assert not lines_of(first.output, "pears") and not lines_of(second.output, "apples")
    shown = lines_of(nodes.output, "apples")
    assert len(shown) == 3 and sum(line.startswith("(Talker pid=") for line in shown) == 2
