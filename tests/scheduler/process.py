"""A real scheduler process for tests, in which the test plays the launcher and the clients."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crond.model.codec import decode, encode
from crond.model.frames import LARGE_FRAME, FrameReader, frame
from crond.model.messages import PROTOCOL, WISHES, Answer, Ask, Hello, Start, TablesComplete, TableText

PACKAGE = str(Path(__file__).resolve().parents[2])
DEADLINE = 20.0

#: Puts the two sockets where the scheduler looks for them, and becomes it.
_PROGRAM = """
import fcntl, os, sys
wire, listening = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(wire, 3), os.dup2(listening, 4)
os.close(wire), os.close(listening)
sys.path.insert(0, sys.argv[3])
if sys.argv[5]:
    import pkgutil
    owner, _, name = sys.argv[5].rpartition(".")
    setattr(pkgutil.resolve_name(owner), name, lambda *_: 1 // 0)
from crond.scheduler.main import main
sys.exit(main(sys.argv[4]))
"""


class Scheduler:
    """One life of the scheduler after the other, on one journal; all wishes that came are in `wishes`."""

    def __init__(self, *, heartbeat: float = 0.3) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="crontabx-test-")
        self.folder = Path(self._folder.name)
        self.folder.chmod(0o755)
        self.journal = self.folder / "journal"
        self.journal.mkdir()
        self.address = str(self.folder / "scheduler.sock")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.address)
        self._listening.listen(128)
        Path(self.address).chmod(0o666)
        self._config = json.dumps({"journal": str(self.journal), "heartbeat": heartbeat})
        self.wishes: list[Any] = []
        self.number = 0
        self.version = 0
        self.began = time.time()
        self.start()

    def start(self, *, broken: str = "") -> None:
        """Another life; what is `broken` (module:Class.method) divides by zero."""
        ours, theirs = socket.socketpair()
        fds = (theirs.fileno(), self._listening.fileno())
        command = [sys.executable, "-c", _PROGRAM, *map(str, fds), PACKAGE, self._config, broken]
        self.process = subprocess.Popen(command, pass_fds=fds, stderr=subprocess.PIPE)
        theirs.close()
        self.wire = ours
        self._reader = FrameReader(LARGE_FRAME)
        self.wishes = []

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.wait()
        self.wire.close()

    def wait(self) -> tuple[int, str]:
        """Return how it ended, and what it said."""
        _, said = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, said.decode()

    def close(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        self.wire.close()
        self._listening.close()
        self._folder.cleanup()

    # --- the launcher's part ----------------------------------------------------------------------------

    def tell(self, *facts: Any) -> None:
        self.wire.sendall(b"".join(frame(encode(fact)) for fact in facts))

    def greet(self, *tables: TableText, life: str = "life") -> None:
        self.tell(Hello(PROTOCOL, life, "boot", True, 0, "cronie", self.began), *tables, TablesComplete())

    def table(self, text: str, *, owner: str = "root", uid: int = 0) -> TableText:
        self.version += 1
        return TableText(self.version, f"/tabs/{owner}", owner, uid, False, uid == 0, 0, text.encode())

    def numbered(self) -> int:
        self.number += 1
        return self.number

    def read_until(self, wanted: Callable[[Any], bool]) -> Any:
        """Return the next wish that is `wanted`; those before it are dropped. Fails at a deadline."""
        deadline = time.monotonic() + DEADLINE
        while True:
            while self.wishes:
                wish = self.wishes.pop(0)
                if wanted(wish):
                    return wish
            readable, _, _ = select.select([self.wire], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise TimeoutError("the scheduler did not say what was waited for")
            data = self.wire.recv(1 << 20)
            if not data:
                raise ConnectionError("the scheduler hung up")
            self.wishes += [decode(payload, *WISHES) for payload in self._reader.feed(data)]

    def next_start(self) -> Start:
        start = self.read_until(lambda wish: isinstance(wish, Start))
        assert isinstance(start, Start)
        return start

    # --- the client's part ------------------------------------------------------------------------------

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.address)  # waits where many knock; with a time-out it would fail instead
        client.settimeout(DEADLINE)
        return client

    def ask(self, verb: str, **arguments: str) -> dict[str, Any]:
        """Ask one question; return the answer's body."""
        with self.connect() as client:
            client.sendall(frame(encode(Ask(verb, tuple(arguments.items())))))
            return answers(client)[-1]

    def ask_as(self, uid: int, verb: str, **arguments: str) -> dict[str, Any]:
        """Ask as another account, whose process connects itself."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                os.setgid(uid)
                os.setuid(uid)
                os.write(writing, json.dumps(self.ask(verb, **arguments)).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
        os.waitpid(pid, 0)
        body: dict[str, Any] = json.loads(text)
        return body


def answers(client: socket.socket) -> list[dict[str, Any]]:
    """All answers until the other side hangs up."""
    reader = FrameReader(LARGE_FRAME)
    bodies = []
    while data := client.recv(1 << 20):
        for payload in reader.feed(data):
            answer = decode(payload, Answer)
            assert ("error" in json.loads(answer.body)) is not answer.ok
            bodies.append(json.loads(answer.body))
    return bodies
