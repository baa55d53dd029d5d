"""What actors and tasks print appears at the terminal of the program that they work for, with who printed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.programs import Programs
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


def test_what_a_worker_prints_and_logs_comes_behind_who_did_and_its_last_words_too(programs: Programs) -> None:
    output = programs.run(
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
        print("over", flush=True)
    """
    )

    pid = lines_of(output, "pid ")[0].split()[1]
    assert lines_of(output, "hello") == [f"(Talker pid={pid}, node=here-w1) hello"]
    assert lines_of(output, "watch out") == [f"(Talker pid={pid}, node=here-w1) watch out"]
    assert lines_of(output, "well") == [f"(murmur pid={pid}, node=here-w1) well"]
    assert lines_of(output, "fatal") == [f"(pid={pid}, node=here-w1) fatal: out of cheese"]


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


def test_a_line_of_many_processes_is_shown_once_with_their_number(programs: Programs) -> None:
    source = f"""{TALKERS}
    if __name__ == "__main__":
        with pa.init(workers=1):
            talkers = [Talker.options(isolation="process").remote() for _ in range(3)]
            pa.get([talker.talk.remote("ready") for talker in talkers], timeout=100)
    """

    once = lines_of(programs.run(source), "ready")
    each = lines_of(programs.run(source, PARTISAN_DEDUP_LOGS="0"), "ready")

    assert len(once) == 2 and once[1].endswith("ready [repeated 2x across the cluster]")
    assert len(each) == 3 and all(line.endswith("ready") for line in each)


@pytest.mark.slow
def test_a_program_that_joins_sees_its_own_actors_and_not_those_of_another_program(tmp_path: Path) -> None:
    program = f"""{TALKERS}
    if __name__ == "__main__":
        with pa.init(sys.argv[1]):
            talkers = [Talker.remote(), Talker.options(isolation="process").remote()]
            pa.get([talker.talk.remote(sys.argv[2]) for talker in talkers], timeout=100)
            murmur.remote("hm " + sys.argv[2]).result(60)
    """
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        nodes, address = shells.start("--nodes", "2", "--name", "n")
        first, second = (shells.script(program, address, name) for name in ("apples", "pears"))
        assert (first.wait(), second.wait()) == (0, 0)
        for text in ("apples", "pears", "hm apples", "hm pears"):
            nodes.wait_for(f" {text}")
        nodes.interrupt()
        nodes.wait()

    assert len(lines_of(first.output, "apples")) == 3, first.output
    assert len(lines_of(second.output, "pears")) == 3, second.output
    assert not lines_of(first.output, "pears") and not lines_of(second.output, "apples")
    shown = lines_of(nodes.output, "apples")
    assert len(shown) == 3 and sum(line.startswith("(Talker pid=") for line in shown) == 2
