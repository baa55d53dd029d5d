"""Distributed Erlang: `gen_server:call` between two BEAM nodes of this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Final

from partisan_actors.cli.bench.frameworks.entrant import Entrant
from partisan_actors.cli.bench.frameworks.work import Piece, piece

__all__ = ["Erlang"]

SOURCE: Final = Path(__file__).with_name("gen_server.erl")
MODULE: Final = "gen_server_entrant"
OFFERED: Final = ("call", "calls", "one_to_n", "small_argument", "create")
STOP_S: Final = 5.0


class Erlang(Entrant):
    """What Partisan is compared with. The pieces of work are done and timed by the program beside this module."""

    name: ClassVar[str] = "erlang"

    def version(self) -> str:
        release = 'io:format("~s", [erlang:system_info(otp_release)]), halt().'
        found = subprocess.run(["erl", "-noshell", "-eval", release], capture_output=True, text=True, check=True)
        return f"distributed Erlang, OTP {found.stdout.strip()}"

    def start(self) -> None:
        self._folder = TemporaryDirectory(prefix="partisan-bench-erlang-")
        source = Path(self._folder.name, f"{MODULE}.erl")
        source.write_text(SOURCE.read_text())
        subprocess.run(["erlc", source.name], cwd=self._folder.name, check=True, capture_output=True)
        server, caller = (f"partisan_bench_{role}_{os.getpid()}@localhost" for role in ("server", "caller"))
        self._server = self._node(server, f"{MODULE}:serve().")
        self._caller = self._node(caller, f"{MODULE}:answer(['{server}']).")
        if self._line() != "up":
            raise RuntimeError("the calling node did not reach the answering one")

    def settle(self) -> None:
        """There is nothing to prepare."""

    def stop(self) -> None:
        for node in (self._caller, self._server):
            node.stdin.close()  # type: ignore[union-attr]  # it was opened as a pipe
            try:
                node.wait(STOP_S)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
        self._folder.cleanup()

    def offers(self) -> list[Piece]:
        return [piece(name) for name in OFFERED]

    def measure(self, piece: Piece, seconds: float) -> float:
        assert self._caller.stdin is not None
        self._caller.stdin.write(f"{piece.name} {seconds:f}\n")
        self._caller.stdin.flush()
        return float(self._line())

    def _node(self, name: str, expression: str) -> subprocess.Popen[str]:
        # Loopback only: the distribution's own port, and epmd, which the first node starts, listen nowhere else.
        command = ["erl", "-noshell", "-sname", name, "-setcookie", "partisan_bench", "-eval", expression]
        listen = ["-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
        return subprocess.Popen(
            [*command, *listen],
            cwd=self._folder.name,
            env={**os.environ, "ERL_EPMD_ADDRESS": "127.0.0.1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _line(self) -> str:
        assert self._caller.stdout is not None
        line = self._caller.stdout.readline()
        if not line:
            raise RuntimeError(f"the calling node ended with status {self._caller.wait(STOP_S)}")
        return line.strip()
