"""A real recorder process for tests, in which the test plays the launcher and the scheduler."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import UnionType
from typing import Any

from crond.model.codec import decode, encode
from crond.model.frames import LARGE_FRAME, FrameReader, frame
from crond.model.messages import Answer, Ask, Heartbeat
from crond.model.orders import ORDERS, Order, Report

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
#: Puts what it was given to 3 and 4, as the launcher does.
_PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
wire, listening = (os.dup(int(number)) for number in sys.argv[3:5])
os.dup2(wire, 3)
os.dup2(listening, 4)
from crond.recorder.main import main
sys.exit(main(sys.argv[2]))
"""


class Recorder:
    """One recorder after another over the same folders, with `settings` as its settings file's text."""

    def __init__(self, folder: Path, *, settings: str | None = None) -> None:
        self.journal = folder / "scheduler"
        self.history = folder / "history"
        for path in (self.journal, self.history):
            path.mkdir(exist_ok=True)
        self.settings = folder / "settings.toml"
        if settings is not None:
            self.settings.write_text(settings)
        self.path = str(folder / "recorder.sock")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(64)
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self.process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the next one."""
        self.wire, theirs = socket.socketpair()
        self._reader = FrameReader(LARGE_FRAME)
        self._said: list[Order] = []
        told = {
            "journal": str(self.journal),
            "history": str(self.history),
            "settings": str(self.settings) if self.settings.exists() else None,
            "heartbeat": 0.2,
        }
        given = (theirs.fileno(), self._listening.fileno())
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(ROOT), json.dumps(told), *map(str, given)],
            pass_fds=given,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self._thread = threading.Thread(target=self._collect, args=(self.process.stderr,), daemon=True)
        self._thread.start()

    def _collect(self, stream: Any) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    self.lines.append(line.decode().rstrip("\n"))
                    self._changed.notify_all()

    def wait_for(self, text: str) -> str:
        """Return the first line of the recorder's words that holds `text`. Fails at a deadline."""

        def found() -> str | None:
            return next((line for line in self.lines if text in line), None)

        with self._changed:
            line = self._changed.wait_for(found, DEADLINE)
        assert line, f"no {text!r} in {self.lines}"
        return line

    def kill(self) -> None:
        """Kill it, as a machine out of memory does."""
        self._end(signal.SIGKILL)

    def hang_up(self) -> int:
        """Close its wire, as a launcher does that stops; return its exit status."""
        assert self.process is not None
        self.wire.close()
        status = self.process.wait(DEADLINE)
        self._end(signal.SIGKILL)
        return status

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(DEADLINE)
        assert self._thread is not None
        self._thread.join(DEADLINE)
        self.wire.close()
        self.process = None

    def close(self) -> None:
        self._end(signal.SIGKILL)
        self._listening.close()

    def heartbeat(self) -> None:
        """Wait for the next sign of life."""
        self.said(Heartbeat)

    def said(self, kind: type[Any] | UnionType) -> Any:
        """Return the next order of this `kind`; signs of life in between are passed over."""
        self.wire.settimeout(DEADLINE)
        while True:
            while self._said:
                order = self._said.pop(0)
                if isinstance(order, kind):
                    return order
                assert isinstance(order, Heartbeat), f"it said {order}"
            data = self.wire.recv(65536)
            assert data, "it hung up"
            self._said += [decode(payload, *ORDERS) for payload in self._reader.feed(data)]

    def tell(self, report: Report) -> None:
        """Say `report`, as the launcher does."""
        self.wire.sendall(frame(encode(report)))

    def reply(self, verb: str, **arguments: str) -> Answer:
        """Ask, and return the answer."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(self.path)
            sock.sendall(frame(encode(Ask(verb, tuple(arguments.items())))))
            reader = FrameReader(LARGE_FRAME)
            while True:
                data = sock.recv(65536)
                assert data, "it hung up without an answer"
                for payload in reader.feed(data):
                    answer = decode(payload, Answer)
                    assert isinstance(answer, Answer)
                    return answer

    def ask(self, verb: str, **arguments: str) -> dict[str, Any]:
        """Ask, and return what a good answer says."""
        answer = self.reply(verb, **arguments)
        body: dict[str, Any] = json.loads(answer.body)
        assert answer.ok, body
        return body

    def until(self, runs: set[int], *, patience: float = DEADLINE) -> list[int]:
        """Wait until the history holds `runs`; return the numbers of all that it holds."""
        deadline = time.monotonic() + patience
        found: list[int] = []
        while time.monotonic() < deadline:
            with contextlib.suppress(AssertionError, OSError):
                found = [int(one["id"], 16) for one in self.ask("history", count="99999")["runs"]]
                if runs <= set(found):
                    return found
            time.sleep(0.05)
        raise AssertionError(f"missing: {sorted(runs - set(found))[:10]}; {self.lines[-5:]}")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def threads_cpu(self) -> float:
        """Seconds of CPU that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
