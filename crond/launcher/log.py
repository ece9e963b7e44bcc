"""What the launcher tells people: cron's log events, and the lines about starts and ends on stdout.

Owns the form of a line and where it goes (syslog, stderr, stdout). Whatever a user wrote is made
printable here, so that no crontab can forge a line or steer a terminal. Must not block: syslog is a
non-blocking socket, the others are outlets.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from dataclasses import dataclass

from crond.launcher.outlet import Outlet
from crond.model.crontab import Problem
from crond.model.messages import TableText

_FACILITY_CRON = 9 << 3
_INFO = 6
_ERR = 3
#: Of one crontab; `crontabx status` shows all of them.
_ERRORS_SHOWN = 20
_UNPRINTABLE = re.compile(rb"[^\x20-\x7e]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return `text` as cron logs it: control as `^X`, DEL as `^?`, bytes from 0x80 as `\ooo`."""
    try:
        data = os.fsencode(text)
    except UnicodeEncodeError:  # half a character, which no file holds; a message may say it
        data = text.encode("utf-8", "backslashreplace")
    return _UNPRINTABLE.sub(_visible, data).decode("ascii")


def _visible(match: re.Match[bytes]) -> bytes:
    byte = match.group()[0]
    if byte == 0x7F:
        return b"^?"
    return b"^%c" % (byte + 64) if byte < 0x20 else b"\\%03o" % byte


def shown(text: str) -> str:
    r"""Return `text` fit for a terminal: letters of all languages stay, control becomes `^X` or `\xNN`."""
    return _CONTROL.sub(lambda match: _marked(ord(match.group())), text)


def _marked(code: int) -> str:
    if code < 0x20:
        return f"^{chr(code + 64)}"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return "^?" if code == 0x7F else f"\\u{code:04x}"


def stamp(at: float) -> str:
    """Return `at` (epoch seconds) as local ISO 8601 time with its offset."""
    local = time.localtime(at)
    offset = time.strftime("%z", local)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}{offset[:3]}:{offset[3:]}"


class Syslog:
    """/dev/log, facility cron. A syslog that is away or full loses lines, never time."""

    def __init__(self, path: str = "/dev/log") -> None:
        self._path = path
        self._sock: socket.socket | None = None

    def write(self, ident: str, pid: int, text: str, priority: int) -> None:
        when = time.strftime("%b %e %H:%M:%S")
        line = f"<{_FACILITY_CRON | priority}>{when} {ident}[{pid}]: {text}".encode("ascii", "replace")
        for _attempt in (1, 2):  # the second, after syslog was restarted
            try:
                if self._sock is None:
                    self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                    self._sock.connect(self._path)
                self._sock.send(line[:8192])
            except BlockingIOError:
                return
            except OSError:
                self.close()
            else:
                return

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended: raw wait `status`, or `detail` where the command never ran.

    `at` is epoch seconds, `seconds` how long it took, `output_size` bytes in its output.
    """

    at: float
    seconds: float
    output_size: int
    status: int = 0
    detail: str = ""


class Log:
    """Events to syslog or stderr, starts and ends to stdout (None where there is no foreground)."""

    def __init__(
        self, *, errors: Outlet, lines: Outlet | None, syslog: Syslog | None, as_json: bool, dialect: str
    ) -> None:
        self._errors = errors
        self._lines = lines
        self._syslog = syslog
        self._json = as_json
        self._debian = dialect == "debian"
        self._child_ident = "CRON" if self._debian else "CROND"

    def event(self, user: str, event: str, detail: str, *, error: str = "") -> None:
        """Log `(USER) EVENT (DETAIL)`, with `: error` after it if there is one."""
        text = f"({printable(user)}) {event} ({printable(detail)})" + (f": {error}" if error else "")
        self._write(text, _ERR if error else _INFO)

    def errors_of(self, table: TableText, errors: tuple[Problem, ...]) -> None:
        """Log what is wrong with a crontab in the words of the dialect's own cron, and the line."""
        for problem in errors[:_ERRORS_SHOWN]:
            place = f"{table.origin}, line {problem.line}"
            if self._debian:
                self.info(f"Error: {problem.message}; while reading {place}")
            else:
                self.event("CRON", problem.message, place)
        if errors and self._debian:
            self.event(table.owner, "ERROR", "Syntax error, this crontab file will be ignored")

    def info(self, text: str) -> None:
        self._write(printable(text), _INFO)

    def error(self, text: str) -> None:
        self._write(printable(text), _ERR)

    def command(self, user: str, pid: int, command: str) -> None:
        """Log the CMD event, as the job's process, as cron does."""
        if self._syslog is not None:
            self._syslog.write(
                self._child_ident, pid, f"({printable(user)}) CMD ({printable(command)})", _INFO
            )

    def command_end(self, user: str, pid: int, command: str) -> None:
        """Log the CMDEND event, which only cronie has."""
        if self._syslog is not None and not self._debian:
            self._syslog.write(
                self._child_ident, pid, f"({printable(user)}) CMDEND ({printable(command)})", _INFO
            )

    def started(self, job: str, key: str, pid: int, at: float) -> None:
        """Tell on stdout that `job`'s attempt `key` started."""
        if self._lines is None:
            return
        if self._json:
            self._line({"time": stamp(at), "event": "started", "job": job, "attempt": key, "pid": pid})
        else:
            self._lines.write(f"{_clock(at)} {shown(job)}: started (pid {pid}, run {key})\n")

    def ended(self, job: str, key: str, ending: Ending) -> None:
        """Tell on stdout how `job`'s attempt `key` ended."""
        if self._lines is None:
            return
        if self._json:
            code = os.waitstatus_to_exitcode(ending.status)
            self._line(
                {
                    "time": stamp(ending.at),
                    "event": "not started" if ending.detail else "ended",
                    "job": job,
                    "attempt": key,
                    "exit_code": code if code >= 0 and not ending.detail else None,
                    "signal": -code if code < 0 else None,
                    "seconds": round(ending.seconds, 3),
                    "output_bytes": ending.output_size,
                    "detail": ending.detail or None,
                }
            )
        elif ending.detail:
            self._lines.write(f"{_clock(ending.at)} {shown(job)}: not started: {shown(ending.detail)}\n")
        else:
            plural = "" if ending.output_size == 1 else "s"
            self._lines.write(
                f"{_clock(ending.at)} {shown(job)}: ended, {in_words(ending.status)},"
                f" after {ending.seconds:.1f} s, {ending.output_size} byte{plural} of output\n"
            )

    def output(self, job: str, key: str, text: str) -> None:
        """Repeat one line of a job's output on stdout."""
        if self._lines is None:
            return
        if self._json:
            self._line(
                {"time": stamp(time.time()), "event": "output", "job": job, "attempt": key, "text": text}
            )
        else:
            self._lines.write(f"{shown(job)} | {shown(text)}\n")

    def _line(self, values: dict[str, object]) -> None:
        if self._lines is not None:
            self._lines.write(json.dumps(values) + "\n")

    def _write(self, text: str, priority: int) -> None:
        if self._syslog is not None:
            self._syslog.write("crond", os.getpid(), text, priority)
        elif self._json:
            level = "error" if priority == _ERR else "info"
            self._errors.write(
                json.dumps({"time": stamp(time.time()), "level": level, "message": text}) + "\n"
            )
        else:
            self._errors.write(f"{stamp(time.time())} crond[{os.getpid()}]: {text}\n")


def in_words(status: int) -> str:
    """Return raw wait `status` in words: `exit status 2`, `killed by SIGKILL`."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _clock(at: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at * 1000) % 1000:03d}"
