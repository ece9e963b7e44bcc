"""A program of our own without privilege, scheduler or recorder: its process and its wire, started,
listened to, replaced.

Owns one life of it after another: exec as the account, the socket pair, the patience with a silent one,
the pause before the next. Must not know what the messages mean, except that each is a sign of life. Whoever
makes one greets each new life and handles what it says.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from crond.launcher.accounts import Account
from crond.launcher.config import Config
from crond.launcher.log import Log, in_words
from crond.launcher.loop import READ, WRITE, Loop
from crond.launcher.overheard import Overheard
from crond.launcher.spawn import Identity, Program, Spawner, SpawnFailed, Trouble
from crond.link import Link, LinkClosed
from crond.model.codec import Message
from crond.model.frames import SMALL_FRAME
from crond.model.messages import WISHES, BadMessage
from crond.model.orders import ORDERS

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from crond.{name}.main import main; sys.exit(main(sys.argv[2]))"
)
#: Bytes that may wait for it: all tables at once, right after it came up.
_BACKLOG = 512 * 1024 * 1024
_SHORT_LIFE = 10.0
_PASSED_ON = ("PATH", "TZ", "TZDIR", "LANG", "LANGUAGE")


class Phase(Enum):
    """Where the program is."""

    ABSENT = auto()  #: not started, or reaped
    ALIVE = auto()
    DYING = auto()  #: killed, or its wire is gone; its process is not yet reaped
    DISMISSED = auto()  #: there will be no other


@dataclass(frozen=True, slots=True)
class Role:
    """What a program is to us: what it may say, and how long we rest between lives that end at once."""

    name: str
    expected: tuple[type[Any], ...]
    longest_pause: float  #: seconds


SCHEDULER = Role("scheduler", WISHES, 30.0)
#: One that cannot live, for want of a library, say, harms nothing but history and alerts.
RECORDER = Role("recorder", ORDERS, 300.0)


def scheduler_arguments(config: Config) -> list[str]:
    """Return the command line of the scheduler."""
    told = {
        "journal": os.path.join(config.state, "scheduler"),
        "mode": config.mode,
        "heartbeat": _beat(config),
        "recorder": config.recorder,
        "random_delay": os.environ.get("RANDOM_DELAY", ""),
    }
    return _command_line("scheduler", config, told)


def recorder_arguments(config: Config) -> list[str]:
    """Return the command line of the recorder."""
    told = {
        "journal": os.path.join(config.state, "scheduler"),
        "history": os.path.join(config.state, "history"),
        "settings": config.settings,
        "heartbeat": _beat(config),
    }
    return _command_line("recorder", config, told)


def _beat(config: Config) -> float:
    """Return how often a worker says that it lives, in seconds.

    That is each minute, when the scheduler wakes anyway: more often would only keep an idle machine awake.
    """
    return config.heartbeat_timeout * 2 / 3


def _command_line(name: str, config: Config, told: dict[str, Any]) -> list[str]:
    return [sys.executable, "-I", "-c", _BOOT.format(name=name), config.package, json.dumps(told)]


def worker_program(arguments: Sequence[str], account: Account | None) -> Program:
    """Return how a program of ours is executed; as `account`, or as ourselves if there is none."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(("LC_", "CRONTABX_"))
    }
    return Program(
        path=os.fsencode(arguments[0]),
        arguments=tuple(os.fsencode(argument) for argument in arguments),
        environment={os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
        identity=None if account is None else Identity(account.uid, account.gid, account.groups),
        directory=b"/",
    )


class Worker:
    """The one program in `role`.

    `greet` is called on each new wire, `handle` with messages that came together.
    """

    def __init__(
        self,
        role: Role,
        program: Program,
        *,
        loop: Loop,
        spawner: Spawner,
        log: Log,
        listening: socket.socket,
        silence: float,
    ) -> None:
        self.greet: Callable[[], None] = lambda: None
        self.handle: Callable[[list[Any]], None] = lambda _messages: None
        self._role = role
        self._program = program
        self._loop = loop
        self._spawner = spawner
        self._log = log
        self._listening = _lifted(listening)
        self._silence = silence
        self._phase = Phase.ABSENT
        self._link: Link | None = None
        self._pid = 0
        self._pause = 0.0
        self._began = 0.0
        self._heard = 0.0
        self._spoke = False  #: this life of it said something
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._words = Overheard(role.name, loop=loop, log=log)

    @property
    def gone(self) -> bool:
        """True if no process of it is left."""
        return self._pid == 0

    @property
    def well(self) -> bool:
        """True if it lives and was heard within its patience."""
        heard = time.monotonic() - self._heard < self._silence
        return self._phase is Phase.ALIVE and self._spoke and heard

    def start(self) -> None:
        """Start it, with a wire of its own, and greet it."""
        if self._phase is not Phase.ABSENT:
            return
        ours, theirs = socket.socketpair()
        wire = _lifted(theirs)
        theirs.close()
        self._began = self._heard = time.monotonic()
        self._spoke = False
        try:
            descriptors = (self._null, self._null, self._words.fd, wire, self._listening)
            with self._spawner.unhandled():
                self._pid = self._spawner.start(self._program, descriptors)
        except SpawnFailed as failed:
            ours.close()
            self._say_trouble(failed.trouble)
            self._start_later()
            return
        finally:
            os.close(wire)
        self._phase = Phase.ALIVE
        self._link = Link(
            ours, expected=self._role.expected, receive_limit=SMALL_FRAME, backlog_limit=_BACKLOG
        )
        self._watch()
        self._loop.after(self._silence, self._listen_for_silence)
        self.greet()

    def send(self, message: Message) -> None:
        """Send `message` if there is somebody to read it."""
        self._send(lambda link: link.send(message))

    def send_payload(self, payload: bytes) -> None:
        """As `send`, for a message that is encoded already."""
        self._send(lambda link: link.send_payload(payload))

    def dismiss(self) -> None:
        """Close its wire, at which it ends by itself; there will be no other."""
        self._phase = Phase.DISMISSED
        self._hang_up()

    def kill(self, reason: str) -> None:
        """End this one now; another follows when it is reaped, unless it was dismissed."""
        ends = "it is killed" if self._phase is Phase.DISMISSED else "it is replaced"
        self._log.error(f"{self._role.name}: {reason}; {ends}")
        self._hang_up()
        if self._phase is Phase.ALIVE:
            self._phase = Phase.DYING
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)

    def reaped(self, pid: int, status: int) -> bool:
        """Take note of the end of process `pid`; True if it was this program's."""
        if pid != self._pid:
            return False
        self._pid = 0
        self._hang_up()
        if self._phase is Phase.DISMISSED:
            return True
        trouble = self._spawner.trouble_of(pid)
        if trouble is not None:
            self._say_trouble(trouble)
        else:
            self._log.error(f"{self._role.name}: ended, {in_words(status)}; starting another")
        self._phase = Phase.ABSENT
        if time.monotonic() - self._began >= _SHORT_LIFE:
            self._pause = 0.0
            self.start()
        else:
            self._start_later()
        return True

    def _say_trouble(self, trouble: Trouble) -> None:
        path = os.fsdecode(self._program.path)
        self._log.error(
            f"{self._role.name}: {path}: {trouble.stage.name.lower()}: {os.strerror(trouble.errno)}"
        )

    def _start_later(self) -> None:
        self._loop.after(self._pause, self.start)
        self._pause = min(self._role.longest_pause, self._pause * 2 or 1.0)

    def _send(self, sending: Callable[[Link], None]) -> None:
        if self._link is None:
            return
        try:
            sending(self._link)
        except LinkClosed as error:
            self.kill(str(error))
        else:
            self._watch()

    def _watch(self) -> None:
        if self._link is not None:
            events = READ | WRITE if self._link.wants_write else READ
            self._loop.watch(self._link.fileno(), events, self._ready)

    def _ready(self, events: int) -> None:
        link = self._link
        if link is None:
            return
        try:
            if events & WRITE:
                link.flush()
                self._watch()
            if events & ~WRITE:
                messages = link.receive()
                self._heard = time.monotonic()
                self._spoke = True
                self._loop.guard(self.handle, messages)
        except (LinkClosed, BadMessage) as error:
            self.kill(str(error))

    def _listen_for_silence(self) -> None:
        if self._phase is not Phase.ALIVE:
            return
        left = self._heard + self._silence - time.monotonic()
        if left <= 0:
            self.kill(f"not heard for {self._silence:.0f} s")
        else:
            self._loop.after(left, self._listen_for_silence)

    def _hang_up(self) -> None:
        if self._link is not None:
            self._loop.forget(self._link.fileno())
            self._link.close()
            self._link = None


def _lifted(sock: socket.socket) -> int:
    """Return another descriptor of `sock`, above those that it is to become in the program."""
    return fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, 10)
