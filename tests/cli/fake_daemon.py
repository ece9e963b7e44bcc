"""A daemon played by a thread: real Unix sockets, scripted answers.

Tests say what each verb, and each message about crontabs, is answered with: Answers, Pieces, raw bytes,
an Answer with a file, an Event to wait for, TakeText for what is installed, or Hang to keep the connection
open. What was asked is kept for the test to look at.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from crond.model.codec import decode, encode
from crond.model.edits import EDITS, Install, Piece, PutAt
from crond.model.frames import SMALL_FRAME, FrameReader, frame
from crond.model.messages import Answer, Ask

DEADLINE = 10.0


@dataclass(frozen=True)
class WithFile:
    """An answer that carries a read-only descriptor of `path`."""

    answer: Answer
    path: Path


class Hang:
    """Say nothing more, until the client goes."""


class TakeText:
    """Read the text that an Install or a PutAt announced; it is kept in `texts`."""


Step = Answer | Piece | bytes | WithFile | threading.Event | Hang | TakeText | Callable[[], None]
Script = Callable[[dict[str, str]], Iterable[Step]]


def yes(body: dict[str, Any], *, final: bool = True) -> Answer:
    return Answer(True, final, json.dumps(body))


def no(code: str, text: str, **more: Any) -> Answer:
    return Answer(False, True, json.dumps({"error": text, "code": code, **more}))


def run_body(**changed: Any) -> dict[str, Any]:
    """A RUN as the scheduler tells it: one that succeeded, but for what is changed."""
    return {
        "id": "k3f",
        "job": "root/backup",
        "instant": "2026-11-21T03:00:00Z",
        "ordinal": 0,
        "trigger": "schedule",
        "by": None,
        "state": "FINISHED",
        "outcome": "success",
        "reason": None,
        "started_at": "2026-11-21T03:00:00.003Z",
        "ended_at": "2026-11-21T03:00:01.5Z",
        "exit_code": 0,
        "signal": None,
        "attempt": "k3f.1",
        "attempts": 1,
        "pid": None,
        "output_size": 12,
        **changed,
    }


RUNNING = {"state": "RUNNING", "outcome": None, "ended_at": None, "exit_code": None, "pid": 4711}


class FakeDaemon:
    """The sockets of a daemon, below `state`/run."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.arrived = threading.Event()
        # `why` asks how a job stands now beside all that a test is about.
        self.scheduler: dict[str, Script] = {"standing": lambda _: [no("unknown", "there is no such job")]}
        self.launcher: dict[str, Script] = {}
        self.edits: dict[type, Callable[[Any], Iterable[Step]]] = {}
        self.edited: list[Any] = []
        self.texts: list[bytes] = []
        self.recorder: dict[str, Script] = {}
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closing = False

    def answers(self, verb: str, *steps: Step) -> None:
        """Let the scheduler answer `verb` with these steps, whatever the arguments."""
        self.scheduler[verb] = lambda _arguments: steps

    def __enter__(self) -> Self:
        run = self.state / "run"
        run.mkdir(parents=True, exist_ok=True)
        folder = os.open(run, os.O_PATH)
        sockets = {
            "scheduler.sock": self.scheduler,
            "launcher.sock": self.launcher,
            "recorder.sock": self.recorder,
        }
        for name, scripts in sockets.items():
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"/proc/self/fd/{folder}/{name}")
            listener.listen()
            self._listeners.append(listener)
            self._begin(self._accept, listener, name.removesuffix(".sock"), scripts)
        os.close(folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive(), "a thread of the fake daemon hangs"
        for listener in self._listeners:
            listener.close()

    def _begin(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, side: str, scripts: dict[str, Script]) -> None:
        while not self._closing:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._begin(self._serve, connection, side, scripts)

    def _serve(self, connection: socket.socket, side: str, scripts: dict[str, Script]) -> None:
        with connection:
            connection.settimeout(DEADLINE)
            reader = FrameReader(SMALL_FRAME)
            payloads: list[bytes] = []
            while not payloads:
                data = connection.recv(65536)
                if not data:
                    return
                payloads = reader.feed(data)
            ask: Any = decode(payloads[0], Ask, *EDITS)
            if not isinstance(ask, Ask):
                self._edit(connection, ask)
                return
            arguments = dict(ask.arguments)
            if ask.verb == "unsettled" and ask.verb not in scripts:
                self._do(connection, yes({"jobs": []}))  # every edit asks; few tests are about it
                return
            self.asked.append((side, ask.verb, arguments))
            self.arrived.set()
            if side == "recorder" and ask.verb not in scripts:
                return  # as one that is being replaced
            try:
                for step in scripts[ask.verb](arguments):
                    self._do(connection, step)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client had enough

    def _edit(self, connection: socket.socket, message: Any) -> None:
        self.edited.append(message)
        try:
            for step in self.edits[type(message)](message):
                if isinstance(step, TakeText):
                    self._take_text(connection, message)
                else:
                    self._do(connection, step)
        except (BrokenPipeError, ConnectionResetError):
            pass  # as above

    def _take_text(self, connection: socket.socket, message: Install | PutAt) -> None:
        reader, text, pieces = FrameReader(SMALL_FRAME), b"", 0
        while len(text) < message.size or not pieces:
            for payload in reader.feed(connection.recv(65536)):
                piece: Piece = decode(payload, Piece)
                text += piece.data
                pieces += 1
        self.texts.append(text)

    def _do(self, connection: socket.socket, step: Step) -> None:
        if isinstance(step, threading.Event):
            assert step.wait(DEADLINE)
        elif isinstance(step, Hang):
            connection.recv(1)
        elif isinstance(step, WithFile):
            descriptor = os.open(step.path, os.O_RDONLY)
            socket.send_fds(connection, [frame(encode(step.answer))], [descriptor])
            os.close(descriptor)
        elif isinstance(step, Answer | Piece):
            connection.sendall(frame(encode(step)))
        elif isinstance(step, bytes):
            connection.sendall(step)
        elif isinstance(step, TakeText):
            raise AssertionError("a text comes with an Install alone")
        else:
            step()
