"""A real notifier: an order in a memfd, its answers line by line, as the launcher starts it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from crond.model.alert import Event, flip_id
from crond.model.message import Message, Tone

ROOT = Path(__file__).resolve().parent.parent.parent
BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from crond.notifier.main import main; sys.exit(main(sys.argv[2]))"
)

MESSAGE = Message(
    key="0123456789abcd",
    tone=Tone.FAILURE,
    title="[vm] backup failed (exit 2) — crontabx",
    facts=(
        ("Due", "2026-11-20 03:00:00 +01:00"),
        ("Started", "2026-11-20 03:00:01 +01:00"),
        ("Attempts", "3, the last took 12 s"),
        ("Previous success", "2026-11-19 03:00:00 +01:00"),
    ),
    commands=("crontabx logs 01JD3", "crontabx history backup"),
    link="https://cron.example.org/runs/01JD3",
    why="on_failure of backup in /etc/crontab",
    run="01JD3",
)


def ping(what: str, run: str = "01JD3") -> Message:
    return Message(key=flip_id(Event.PING_START, what, run), ping=what, run=run)


def item(delivery: str, target: str, kind: str = "apprise", **more: Any) -> dict[str, Any]:
    """Return a message of an order."""
    message = more.pop("message", MESSAGE)
    return {
        "delivery": delivery,
        "target": target,
        "kind": kind,
        "message": json.loads(message.to_json()),
        "tail": "boom\n",
        "left_out": 0,
        "done": [],
        **more,
    }


class Notifier:
    """One process. `order` is an object or raw bytes; `system` the host's configuration on descriptor 5."""

    def __init__(
        self,
        order: object,
        *,
        system: str | None = None,
        home: Path | None = None,
        flags: str = "-I",
        **environment: str,
    ) -> None:
        self._stderr = os.memfd_create("stderr")
        reading, writing = os.pipe()
        given = _memfd(order if isinstance(order, bytes) else json.dumps(order).encode())
        config = _memfd((system or "").encode())
        # Beyond those that it gets: none must be overwritten before it is passed on.
        low = (given, writing, config)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in low]
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, flags, "-c", BOOT, str(ROOT), "alerts of ann"],
            {"PATH": "/usr/bin:/bin", "HOME": str(home or "/nonexistent"), **environment},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, self._stderr, 2),
                *((os.POSIX_SPAWN_DUP2, fd, 3 + number) for number, fd in enumerate(high)),
            ],
            setsigdef=[signal.SIGPIPE],
        )
        for fd in (*low, *high):
            os.close(fd)
        self._answers = os.fdopen(reading, "rb")
        self.answers: list[dict[str, Any]] = []
        self.status: int | None = None

    def next(self) -> dict[str, Any] | None:
        """Return the next answer, None after the last."""
        line = self._answers.readline()
        if line:
            self.answers.append(json.loads(line))
        return self.answers[-1] if line else None

    def results(self) -> dict[str, dict[str, Any]]:
        """Wait for its end; return the last answer of each delivery."""
        while self.next() is not None:
            pass
        self.wait()
        return {answer["delivery"]: answer for answer in self.answers}

    def wait(self) -> int:
        if self.status is None:
            _, status, self.usage = os.wait4(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        self._answers.close()

    @property
    def stderr(self) -> str:
        size = os.fstat(self._stderr).st_size
        return os.pread(self._stderr, size, 0).decode()

    def seen_in_proc(self) -> str:
        """Return what anybody, and what its owner, can read of it."""
        files = ("cmdline", "environ", "comm")
        return " ".join(Path(f"/proc/{self.pid}/{name}").read_bytes().decode() for name in files)

    def close(self) -> None:
        self._answers.close()
        if self.status is None:
            self.kill()
            self.wait()
        os.close(self._stderr)


def _memfd(content: bytes) -> int:
    fd = os.memfd_create("test")
    os.write(fd, content)
    return fd
