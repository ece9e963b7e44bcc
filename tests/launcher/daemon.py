"""A real launcher process for tests, in which the test plays the scheduler.

The launcher starts a tiny program as its scheduler, which passes its end of the wire to the test and then
waits to be killed. All of the launcher's own code for starting, losing and replacing a scheduler is real.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crond.launcher.config import PRIVATE, Config
from crond.model.codec import decode, encode
from crond.model.edits import Piece
from crond.model.frames import LARGE_FRAME, FrameReader, frame
from crond.model.messages import (
    FACTS,
    Ack,
    Answer,
    Ask,
    Exited,
    NotStarted,
    Start,
    Started,
    TablesComplete,
    TableText,
    attempt_key,
)

PACKAGE = str(Path(__file__).resolve().parents[2])
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
DEADLINE = 20.0

#: Passes descriptor 3 on, then lives until the test closes the meeting, or somebody kills it.
_STUB = """
import os, socket, sys
meeting = socket.socket(socket.AF_UNIX)
meeting.connect(sys.argv[1])
socket.send_fds(meeting, [str(os.getpid()).encode()], [3])
os.close(3)
meeting.recv(1)
"""
_PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
from crond.launcher.config import PRIVATE, Config
from crond.launcher.main import run
sys.exit(run(Config.from_json(sys.argv[2], os.environ.pop(PRIVATE)), scheduler=sys.argv[3:] or None))
"""


class Wire:
    """The scheduler's end: sends wishes, collects facts."""

    def __init__(self, sock: socket.socket, pid: int, meeting: socket.socket) -> None:
        self.sock = sock
        self._meeting = meeting
        self.pid = pid
        self.facts: list[Any] = []
        self._reader = FrameReader(LARGE_FRAME)

    def leave(self) -> None:
        """Let the scheduler's process end by itself."""
        self.sock.close()
        self._meeting.close()

    def send(self, *messages: Any) -> None:
        self.sock.sendall(b"".join(frame(encode(message)) for message in messages))

    def read_until(self, wanted: Callable[[Any], bool]) -> Any:
        """Return the first fact, also of those read before, that is `wanted`. Fails at a deadline."""
        seen = 0
        deadline = time.monotonic() + DEADLINE
        while True:
            for fact in self.facts[seen:]:
                seen += 1
                if wanted(fact):
                    return fact
            self._read(deadline)

    def is_closed(self) -> bool:
        """True once the launcher has hung up. Fails at a deadline."""
        try:
            self.read_until(lambda _fact: False)
        except ConnectionError:
            return True
        raise AssertionError("unreachable")

    def _read(self, deadline: float) -> None:
        ready, _, _ = select.select([self.sock], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing came; so far {self.facts[-5:]}"
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionError("the launcher hung up")
        self.facts += [decode(payload, *FACTS) for payload in self._reader.feed(data)]


class Daemon:
    """One launcher. `lines` and `errors` collect its stdout and stderr. `wrapper` becomes it."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        *,
        env: dict[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
        **popen: Any,
    ) -> None:
        self.config = config
        self.meeting = socket.socket(socket.AF_UNIX)
        path = self._path = folder / "meeting"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self.meeting.bind(str(path))
        path.chmod(0o777)
        self.meeting.listen()
        stub = [PYTHON, "-I", "-S", "-c", _STUB, str(path)]
        self.process = subprocess.Popen(
            [*wrapper, PYTHON, "-I", "-S", "-c", _PROGRAM, PACKAGE, config.to_json(), *stub],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=popen.pop("stdin", subprocess.DEVNULL),
            # As from a service manager that ignores SIGPIPE: what jobs must not inherit.
            restore_signals=False,
            env={"PATH": "/usr/bin:/bin", PRIVATE: config.private(), **(env or {})},
            **popen,
        )
        self._wires: list[Wire] = []
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        self.pause_reading = threading.Event()  #: set: nobody reads its stdout and stderr
        self._threads = [
            threading.Thread(target=self._collect, args=(self.process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._collect, args=(self.process.stderr, self.errors), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _collect(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            while self.pause_reading.is_set():
                self.process.poll()
                time.sleep(0.01)
            with self._changed:
                lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._changed.notify_all()

    def wait_for(self, lines: list[str], text: str) -> str:
        """Return the first of `lines` that holds `text`. Fails at a deadline."""

        def found() -> str | None:
            return next((line for line in lines if text in line), None)

        with self._changed:
            line = self._changed.wait_for(found, DEADLINE)
        assert line, f"no {text!r} in {lines}"
        return line

    def wire(self, *, complete: bool = True) -> Wire:
        """Return the wire of the scheduler that the launcher starts next."""
        self.meeting.settimeout(DEADLINE)
        sock, _ = self.meeting.accept()
        data, fds, _, _ = socket.recv_fds(sock, 64, 1)
        wire = Wire(socket.socket(fileno=fds[0]), int(data), sock)
        self._wires.append(wire)
        if complete:
            wire.read_until(lambda fact: isinstance(fact, TablesComplete))
        return wire

    def ask(self, payload: bytes) -> tuple[bytes, list[int]]:
        """Send `payload` to the launcher's socket; return what came, and descriptors, until it hangs up."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(os.path.join(self.config.run, "launcher.sock"))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(payload)
            data, fds = b"", []
            with contextlib.suppress(ConnectionResetError):
                while True:
                    part, more, _, _ = socket.recv_fds(sock, 65536, 4)
                    if not part:
                        break
                    data += part
                    fds += list(more)
            return data, fds

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for thread in self._threads:
            thread.join(DEADLINE)
        return status

    def leave(self) -> None:
        """Let its scheduler end by itself, and each that it still starts."""
        self.meeting.close()
        self._path.unlink(missing_ok=True)
        for wire in self._wires:
            wire.leave()

    def close(self) -> None:
        """End it, and all that it started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGINT)  # no grace
        self.leave()
        self.pause_reading.clear()
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class Runner:
    """Starts entries over a wire and waits for their ends."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._runs = 0

    def table(self, origin: object) -> TableText:
        """Return the newest version of `origin` that was told."""
        tables = [fact for fact in self.wire.facts if isinstance(fact, TableText)]
        return [table for table in tables if table.origin == str(origin)][-1]

    def start(self, table: TableText, entry: int = 0, **more: Any) -> str:
        """Wish a start; return the attempt's key. `attempt` is its number, which says what is started."""
        self._runs += 1
        run = more.pop("run", f"r{os.getpid()}x{self._runs}x{self.wire.pid}")
        attempt = more.pop("attempt", 1)
        part = more.pop("part", "command" if attempt > 0 else "wait_for" if attempt else "condition")
        self.wire.send(Start(table.version, entry, part, f"job{entry}", run, attempt, **more))
        return attempt_key(run, attempt)

    def result(self, key: str) -> Exited | NotStarted:
        """Return how the attempt ended, and acknowledge it."""
        fact = self.wire.read_until(
            lambda fact: isinstance(fact, Exited | NotStarted) and fact.attempt == key
        )
        self.wire.send(Ack(fact.number))
        assert isinstance(fact, Exited | NotStarted)
        return fact

    def run(self, table: TableText, entry: int = 0, **more: Any) -> Exited | NotStarted:
        return self.result(self.start(table, entry, **more))

    def started(self, key: str) -> Started:
        fact = self.wire.read_until(lambda fact: isinstance(fact, Started) and fact.attempt == key)
        assert isinstance(fact, Started)
        return fact


def files_config(folder: Path, *files: Path, **more: Any) -> Config:
    """Return a configuration of mode "files" whose state lies in `folder`."""
    base = Config(
        mode="files",
        package=PACKAGE,
        state=str(folder / "state"),
        run=str(folder / "state" / "run"),
        files=tuple(str(file) for file in files),
        shutdown_grace=5.0,
        kill_timeout=2.0,
        recorder=False,
    )
    return dataclasses.replace(base, **more)


def surroundings(daemon: Daemon, table: TableText, entry: int = 0) -> dict[str, Any]:
    """Return what the launcher tells us of a start of `entry`."""
    asked = Ask("env", (("table", str(table.version)), ("entry", str(entry))))
    data, _ = daemon.ask(frame(encode(asked)))
    answer, *pieces = (decode(payload, Answer, Piece) for payload in FrameReader(LARGE_FRAME).feed(data))
    assert answer.ok, answer
    told: dict[str, Any] = json.loads(b"".join(piece.data for piece in pieces))
    return told


def output_of(config: Config, uid: int, key: str) -> bytes:
    """Return what is in the output file of an attempt."""
    return (Path(config.state) / "outputs" / str(uid) / key).read_bytes()


def alive(pid: int) -> bool:
    """True unless `pid` has ended; one that nobody has waited for yet counts as ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def until(true: Callable[[], object]) -> None:
    """Wait until `true()`; a condition in another process gives no event to wait on."""
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
