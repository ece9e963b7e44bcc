"""A client of the launcher's socket that says whatever a test wants, and what it mostly says."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import subprocess
from typing import Any

from crond.model.codec import decode, encode
from crond.model.edits import PIECE, Install, Piece, PutAt
from crond.model.frames import LARGE_FRAME, FrameReader, frame
from crond.model.messages import Answer
from tests.launcher.daemon import DEADLINE, Daemon

NOBODY = pwd.getpwnam("nobody")


class Client:
    """One connection."""

    def __init__(self, daemon: Daemon) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(os.path.join(daemon.config.run, "launcher.sock"))
        self._reader = FrameReader(LARGE_FRAME)
        self._payloads: list[bytes] = []

    def send(self, *messages: Any) -> None:
        self.sock.sendall(b"".join(frame(encode(message)) for message in messages))

    def next(self) -> Any:
        """Return the next message; None when the launcher has hung up."""
        while not self._payloads:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._payloads += self._reader.feed(data)
        return decode(self._payloads.pop(0), Answer, Piece)

    def body(self) -> dict[str, Any]:
        answer = self.next()
        assert isinstance(answer, Answer), answer
        return {"ok": answer.ok, "final": answer.final, **json.loads(answer.body)}


def ask(daemon: Daemon, message: Any) -> dict[str, Any]:
    client = Client(daemon)
    with contextlib.closing(client.sock):
        client.send(message)
        return client.body()


def install(daemon: Daemon, text: bytes, *, user: str = "", base: str = "") -> dict[str, Any]:
    return send_text(daemon, Install(user, "test", base, len(text)), text)


def put_at(daemon: Daemon, at: float, command: bytes, *, user: str = "", **more: Any) -> dict[str, Any]:
    said = {"directory": "/tmp", "umask": 0o027, **more}
    return send_text(daemon, PutAt(user, at, size=len(command), **said), command)


def send_text(daemon: Daemon, message: Any, text: bytes) -> dict[str, Any]:
    """Announce `text` with `message`, send it when it is asked for, and return the answer."""
    client = Client(daemon)
    with contextlib.closing(client.sock):
        client.send(message)
        asked = client.body()
        if not asked["ok"]:
            return asked
        assert not asked["final"]
        pieces = [Piece(text[at : at + PIECE]) for at in range(0, max(len(text), 1), PIECE)]
        client.send(*pieces)
        return client.body()


def as_nobody(daemon: Daemon, message: Any) -> dict[str, Any]:
    """Ask as the user nobody: the kernel records who connects."""
    program = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read())\n"
        "while data := s.recv(65536): sys.stdout.buffer.write(data)\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", program, os.path.join(daemon.config.run, "launcher.sock")],
        input=frame(encode(message)),
        capture_output=True,
        timeout=DEADLINE,
        user=NOBODY.pw_uid,
        group=NOBODY.pw_gid,
        extra_groups=[],
        cwd="/",
        check=True,
    )
    answer: Answer = decode(FrameReader(LARGE_FRAME).feed(done.stdout)[0], Answer)
    return {"ok": answer.ok, **json.loads(answer.body)}
