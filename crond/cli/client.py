"""The client's end of a daemon's socket: find the daemon, ask once, read what it answers.

Blocking, with a time limit on everything but a wait that was asked for. A daemon that is absent,
silent or talks nonsense ends the verb with one clear line. Knows frames and messages; what an
answer means is `crond.cli.answers`; the verbs call it.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from crond.cli.failure import Failure, Status
from crond.cli.format import printable
from crond.cli.host import StartError, state_of_user
from crond.model.codec import decode, encode
from crond.model.edits import PIECE, Edit, Piece
from crond.model.frames import LARGE_FRAME, BadFrame, FrameReader, frame
from crond.model.messages import Answer, Ask, BadMessage

SCHEDULER = "scheduler.sock"
LAUNCHER = "launcher.sock"
RECORDER = "recorder.sock"
HOST_RUN = "/run/crontabx"

#: A loaded machine answers late, a daemon that says nothing for this long (seconds) is stuck.
PATIENCE = 10.0
#: A long crontab is checked before the answer comes.
_PATIENCE_FOR_TEXT = 60.0
_LONGEST_NAME = 107  # sun_path has 108 bytes, the last of them a NUL
_LONGEST_ARGUMENT = 4096
_RECEIVE = 64 * 1024

_STATUS_OF = {
    "unknown": Status.UNKNOWN,
    "forgotten": Status.UNKNOWN,
    "ambiguous": Status.UNKNOWN,
    "closing": Status.UNREACHABLE,
    "unavailable": Status.UNREACHABLE,
}


class Refused(Failure):
    """The daemon understood and said no; `code` is its word for why, `body` all that it said."""

    def __init__(self, message: str, code: str, body: dict[str, Any]) -> None:
        super().__init__(message, _STATUS_OF.get(code, Status.FAILED))
        self.code = code
        self.body = body


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon's sockets are, and how one starts the daemon that would be there."""

    run: str
    cure: str

    def socket(self, name: str) -> str:
        """Return the path of the socket `name`."""
        return os.path.join(self.run, name)


def host_place() -> Place:
    """Return the daemon that runs as the host's cron."""
    return Place(HOST_RUN, "systemctl start crontabx")


def find_place(state: str | None) -> Place:
    """Return the daemon that is meant: of the state folder `state`, else of CRONTABX_STATE, else the host's,
    else the user's own. The host's also if neither of the last two is up and the host has the folder for it.
    """
    state = state or os.environ.get("CRONTABX_STATE") or None
    if state is not None:
        return Place(os.path.join(state, "run"), f"crond --state {printable(state)} FILE")
    if _is_up(HOST_RUN):
        return host_place()
    installed = os.path.isdir(HOST_RUN)
    try:
        run = os.path.join(state_of_user(os.environ), "run")
    except StartError as error:
        if installed:
            return host_place()
        raise Failure(str(error), Status.UNREACHABLE) from None
    if installed and not _is_up(run):
        return host_place()
    return Place(run, "crond FILE (or, for the whole host, as root: crond)")


def _is_up(run: str) -> bool:
    """True if a daemon has its sockets in the folder `run`: one that ends takes them with it."""
    return os.path.lexists(os.path.join(run, LAUNCHER))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: its JSON object, whether it is the last, and the descriptor that came with it.

    The descriptor is the connection's, and is closed with it.
    """

    body: dict[str, Any]
    final: bool
    descriptor: int | None


class Connection:
    """One request to one daemon, and its answers. Use as a context manager."""

    def __init__(self, place: Place, name: str, *, patience: float = PATIENCE) -> None:
        self.path = place.socket(name)
        self._reader = FrameReader(LARGE_FRAME)
        self._payloads: list[bytes] = []
        self._arrived: int | None = None
        self._descriptors: list[int] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(patience)
        try:
            _connect(self._socket, self.path)
        except OSError as error:
            self._socket.close()
            raise _unreachable(self.path, error, place.cure) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; a second time changes nothing."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        self._socket.close()

    def fileno(self) -> int:
        """The socket's descriptor, to wait for several connections at once."""
        return self._socket.fileno()

    def ask(self, verb: str, **arguments: str | None) -> Reply:
        """Send the request (arguments that are None stay away) and return the first answer.

        Raises Refused where the daemon says no, Failure where it does not answer.
        """
        self.begin(verb, **arguments)
        return self._answer(PATIENCE)

    def begin(self, verb: str, **arguments: str | None) -> None:
        """Send the request alone; `poll` and `wait` return its answers."""
        given = tuple((key, value) for key, value in arguments.items() if value is not None)
        for key, value in given:
            if len(value) > _LONGEST_ARGUMENT:
                raise Failure(f"{key}: longer than {_LONGEST_ARGUMENT} characters", Status.USAGE)
        self._send(frame(encode(Ask(verb, given))))

    def request(self, message: Ask | Edit) -> Reply:
        """Send `message` and return the first answer. Raises as `ask` does."""
        self._send(frame(encode(message)))
        return self._answer(PATIENCE)

    def send_text(self, text: bytes) -> Reply:
        """Send `text` in pieces and return the answer to it. Raises as `ask` does."""
        self._socket.settimeout(_PATIENCE_FOR_TEXT)
        for start in range(0, max(len(text), 1), PIECE):
            self._send(frame(encode(Piece(text[start : start + PIECE]))))
        return self._answer(_PATIENCE_FOR_TEXT)

    def receive_text(self, size: int) -> bytes:
        """Return the `size` bytes of text that follow an answer. Raises Failure."""
        parts = []
        while size > 0:
            while not self._payloads:
                if not self._receive(PATIENCE):
                    raise self._lost(f"it did not answer within {PATIENCE:g} seconds")
            try:
                piece: Piece = decode(self._payloads.pop(0), Piece)
            except BadMessage as error:
                raise self.nonsense(str(error)) from None
            parts.append(piece.data)
            size -= len(piece.data)
        if size < 0:
            raise self.nonsense("more text than it announced")
        return b"".join(parts)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have answered before it closed ("closing"): read that
        except OSError as error:
            raise self._lost(str(error.strerror or error)) from None

    def _answer(self, patience: float) -> Reply:
        reply = self.poll(patience)
        if reply is None:
            raise self._lost(f"it did not answer within {patience:g} seconds")
        return reply

    def wait(self) -> Reply:
        """Return the next answer, however long it takes. Raises as `ask` does."""
        reply = None
        while reply is None:
            reply = self.poll(3600.0)
        return reply

    def poll(self, seconds: float) -> Reply | None:
        """Return the next answer if it comes within `seconds`, else None. Raises as `ask` does."""
        limit = time.monotonic() + seconds
        while not self._payloads:
            rest = limit - time.monotonic()
            if rest <= 0 or not self._receive(rest):
                return None
        return self._understood(self._payloads.pop(0))

    def _receive(self, seconds: float) -> bool:
        """Read once; False if nothing came within `seconds`."""
        self._socket.settimeout(seconds)
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _RECEIVE, 4)
        except TimeoutError:
            return False
        except OSError as error:
            raise self._lost(str(error.strerror or error)) from None
        self._descriptors += descriptors
        self._arrived = descriptors[0] if descriptors else self._arrived
        if not data:
            raise self._lost("it closed the connection without an answer")
        try:
            self._payloads += self._reader.feed(data)
        except BadFrame as error:
            raise self.nonsense(str(error)) from None
        return True

    def _understood(self, payload: bytes) -> Reply:
        try:
            answer: Answer = decode(payload, Answer)
        except BadMessage as error:
            raise self.nonsense(str(error)) from None
        try:
            body = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self.nonsense("its body is no JSON") from None
        if not isinstance(body, dict):
            raise self.nonsense("its body is no JSON object")
        if not answer.ok:
            raise self._refusal(body)
        descriptor, self._arrived = self._arrived, None
        return Reply(body, answer.final, descriptor)

    def _refusal(self, body: dict[str, Any]) -> Refused:
        text, code, held = body.get("error"), body.get("code"), body.get("candidates")
        if not isinstance(text, str) or not isinstance(code, str):
            raise self.nonsense("it refuses without saying why")
        candidates = [printable(c) for c in held if isinstance(c, str)] if isinstance(held, list) else []
        return Refused(": ".join([printable(text), *filter(None, [", ".join(candidates)])]), code, body)

    def nonsense(self, what: str) -> Failure:
        """Return the failure for an answer that is none; `what` says what is wrong with it."""
        return self._lost(
            f"its answer cannot be read: {printable(what)} (are client and daemon of the same version?)"
        )

    def _lost(self, what: str) -> Failure:
        return Failure(f"the daemon at {printable(self.path)}: {what}", Status.UNREACHABLE)


def ask_once(place: Place, verb: str, **arguments: str | None) -> dict[str, Any]:
    """Ask the scheduler one thing and return its only answer."""
    with Connection(place, SCHEDULER) as scheduler:
        return scheduler.ask(verb, **arguments).body


def _connect(sock: socket.socket, path: str) -> None:
    if len(os.fsencode(path)) <= _LONGEST_NAME:
        sock.connect(path)
        return
    folder, name = os.path.split(path)
    held = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{held}/{name}")
    finally:
        os.close(held)


def _unreachable(path: str, error: OSError, cure: str) -> Failure:
    if isinstance(error, PermissionError):
        return Failure(
            f"{printable(path)}: you may not talk to this daemon: {error.strerror}", Status.UNREACHABLE
        )
    why = "it does not take the connection" if isinstance(error, TimeoutError) else error.strerror or error
    return Failure(
        f"no crond daemon answers at {printable(path)}: {why}\n"
        f"Start one with: {cure}\n"
        "For a daemon started with --state DIR say: crontabx --state DIR ...",
        Status.UNREACHABLE,
    )
