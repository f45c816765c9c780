"""Programs in processes of their own that begin with everything imported: a second of imports is paid once, not by each.

`python -m kit.forked SOCKET` imports all of wattline and then forks for each that asks: the fork becomes
`python -m MODULE ARGUMENTS…` with the asker's environment, folder and standard streams, and lives, dies and is killed
like any other process. Its end is told to the asker. The server itself ends with whoever started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
READY = b"ready\n"
_NUMBER = struct.Struct("!q")


class Forked:
    """A process that was forked: its number, its end."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.pid = _number(told)
        self._code: int | None = None

    @property
    def returncode(self) -> int | None:
        """None while it lives."""
        if self._code is None and select.select([self._told], [], [], 0)[0]:
            self._ended()
        return self._code

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        """To a process that has not ended: its parent keeps its number until it has told us."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def wait_for(self, seconds: float) -> int:
        """Its return code. Raises TimeoutError."""
        if self._code is None:
            self._told.settimeout(seconds)
            return self._ended()
        return self._code

    async def wait(self) -> int:
        """Its return code, while the loop goes on. By one at a time."""
        if self.returncode is None:
            loop, told = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(self._told, told.set)
            try:
                await told.wait()
            finally:
                loop.remove_reader(self._told)
        return self.wait_for(10)

    def _ended(self) -> int:
        self._code = os.waitstatus_to_exitcode(_number(self._told))
        self._told.close()
        return self._code


@dataclass(frozen=True)
class Nursery:
    """The server's socket. One for each process of tests: see the fixture `nursery`."""

    path: str

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        streams: Sequence[int | None],
        cwd: Path | None = None,
    ) -> Forked:
        """`python -m MODULE ARGUMENTS…`, with these three descriptors as its standard streams; None is nothing."""
        told = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        told.connect(self.path)
        asked = {"module": module, "arguments": [*arguments], "env": {**env}}
        data = json.dumps({**asked, "cwd": str(cwd or Path.cwd())}).encode()
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            fds = [nothing if stream is None else stream for stream in streams]
            socket.send_fds(told, [_NUMBER.pack(len(data))], fds)
        finally:
            os.close(nothing)
        told.sendall(data)
        return Forked(told)

    def run(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: str | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run`: what it said, once it has ended."""
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write((stdin or "").encode())
            given.seek(0)
            streams = (given.fileno(), out.fileno(), err.fileno())
            child = self.start(module, arguments, env=env, streams=streams, cwd=cwd)
            try:
                code = child.wait_for(timeout)
            except TimeoutError:
                child.kill()
                child.wait_for(10)
                raise
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode().replace("\r\n", "\n"))
        return subprocess.CompletedProcess([module, *arguments], code, *said)


@contextlib.contextmanager
def nursing() -> Iterator[Nursery]:
    """The server, while it is open."""
    env = {"PATH": os.environ["PATH"]}
    env["PYTHONPATH"] = os.pathsep.join((str(ROOT / "addons"), str(ROOT / "tests")))
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # a short name: sockets allow about 100 characters
        path = str(Path(folder) / "nursery")
        command = [sys.executable, "-m", "kit.forked", path]
        process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == READY
            yield Nursery(path)
        finally:
            process.communicate(timeout=30)


def _number(told: socket.socket) -> int:
    data = b""
    while len(data) < _NUMBER.size:
        more = told.recv(_NUMBER.size - len(data))
        if not more:
            raise ConnectionError("the nursery is gone")
        data += more
    return int(_NUMBER.unpack(data)[0])


def _load() -> None:
    """All of wattline, and what tests run beside it. None of it may start a thread: the others would be lost in a fork."""
    import wattline  # noqa: PLC0415  (the asker's side needs none of it)

    for found in pkgutil.walk_packages(wattline.__path__, "wattline."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    importlib.import_module("kit.ledger_child")
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()  # what a fork does not touch it need not copy


def _serve(path: str) -> dict[str, Any] | None:
    """Fork for each that asks, until stdin ends. Returns in a fork: what it is to become."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen(64)
        os.write(1, READY)
        while True:
            if sys.stdin in select.select([server, sys.stdin], [], [])[0]:
                return None
            asker, _ = server.accept()
            with asker:
                if os.fork() == 0:
                    return _attend(asker)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _attend(asker: socket.socket) -> dict[str, Any]:
    """In a fork of its own: the parent of what was asked for. Returns in the child only."""
    head, fds, _, _ = socket.recv_fds(asker, _NUMBER.size, 3)
    left, data = _NUMBER.unpack(head)[0], b""
    while len(data) < left:
        data += asker.recv(left - len(data))
    pid = os.fork()
    if pid:
        for fd in (0, 1, *fds):
            os.close(fd)
        asker.sendall(_NUMBER.pack(pid))
        _, status = os.waitpid(pid, 0)
        asker.sendall(_NUMBER.pack(status))
        os._exit(0)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    return dict(json.loads(data))


def _become(asked: dict[str, Any]) -> None:
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        raw = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115  (they stay open)
        errors = "backslashreplace" if name == "stderr" else "strict"
        lines = name == "stderr" or raw.isatty()
        stream = io.TextIOWrapper(raw, encoding, errors, line_buffering=lines)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = [asked["module"], *asked["arguments"]]
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


def main() -> None:
    """See the module."""
    _load()
    asked = _serve(sys.argv[1])
    if asked is not None:
        _become(asked)


if __name__ == "__main__":
    main()
