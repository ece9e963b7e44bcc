"""What the launcher tells people: cron's log events, and the lines about starts and ends on stdout.

Owns the words of a line and which of them a dialect has; each is sent to syslog, stderr or stdout.
Whatever a user wrote is made printable here, so that no crontab can forge a line or steer a terminal. Must
not block: syslog is a non-blocking socket, the others are outlets.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from dataclasses import dataclass
from enum import IntFlag

from crond.launcher.outlet import Outlet
from crond.launcher.syslog import ERR, INFO, Syslog
from crond.model.crontab import BAD_DELAY, ONLY_PRIVILEGED, Problem
from crond.model.messages import TableText

#: Of one crontab; `crontabx status` shows all of them.
_ERRORS_SHOWN = 20
#: Of Debian's errors, those that are about the file and not one line of it.
_OF_THE_FILE = ("missing newline", "crontab must not")
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


class Level(IntFlag):
    """What of a job goes into syslog: the bits of `-L` of Debian's cron."""

    START = 1
    END = 2
    FAILURE = 4
    PID = 8


class Log:
    """Events to syslog or stderr, starts and ends to stdout (None where there is no foreground).

    `level` counts under Debian's rules; cronie logs each start and each end. `debug` names what is told on
    stderr beside that (-x).
    """

    def __init__(
        self,
        *,
        errors: Outlet,
        lines: Outlet | None,
        syslog: Syslog | None,
        as_json: bool,
        dialect: str,
        level: int = Level.START,
        debug: tuple[str, ...] = (),
    ) -> None:
        self._errors = errors
        self._lines = lines
        self._syslog = syslog
        self._json = as_json
        self._debian = dialect == "debian"
        self._level = level if self._debian else Level.START | Level.END
        self._debug = frozenset(debug)

    def event(
        self, user: str, event: str, detail: str, *, error: str = "", program: str = "", pid: int = 0
    ) -> None:
        """Log `(USER) EVENT (DETAIL)`, with `: error` after it if there is one.

        `program` and `pid` are those of the process that it is about, if it is not the daemon.
        """
        text = f"({printable(user)}) {event} ({printable(detail)})" + (f": {error}" if error else "")
        self._write(text, ERR if error else INFO, program=program, pid=pid)

    def problems_of(self, table: TableText, label: str, problems: tuple[Problem, ...]) -> None:
        """Log what is wrong with a crontab, named `label`, in the words of the dialect's own cron.

        The line is added, since more is said than the first error.
        """
        if any(one.message == BAD_DELAY for one in problems):
            self.event("CRON", "ERROR", BAD_DELAY)
        errors = [one for one in problems if one.drops]
        if self._debian:
            self._debian_errors(table, label, errors)
        else:
            self._cronie_errors(table, errors)
        of_annotations = [one for one in problems if one.severity == "error" and not one.drops]
        for problem in of_annotations[:_ERRORS_SHOWN]:
            place = f"{table.origin}, line {problem.line}, column {problem.column}"
            self.event("CRON", printable(problem.message), place)

    def _cronie_errors(self, table: TableText, errors: list[Problem]) -> None:
        for problem in errors[:_ERRORS_SHOWN]:
            if problem.hint == ONLY_PRIVILEGED:
                self.event("CRON", "ERROR", ONLY_PRIVILEGED)
            self.event("CRON", problem.message, f"{table.origin}, line {problem.line}")

    def _debian_errors(self, table: TableText, label: str, errors: list[Problem]) -> None:
        whole = next((one.message for one in errors if one.message.startswith(_OF_THE_FILE)), "")
        place = table.origin if table.system else f"crontab for user {table.owner}"
        for problem in errors[:_ERRORS_SHOWN]:
            if problem.message != whole:
                self.error(f"Error: {problem.message}; while reading {place}, line {problem.line}")
        if errors:
            reason = whole[:1].upper() + whole[1:] if whole.startswith("missing") else whole or "Syntax error"
            self.event(label, "ERROR", f"{reason}, this crontab file will be ignored")

    def info(self, text: str) -> None:
        self._write(printable(text), INFO)

    def error(self, text: str) -> None:
        self._write(printable(text), ERR)

    def debug(self, flag: str, text: str) -> None:
        """Tell `text` on stderr if the debugging of `flag` was asked for."""
        if flag in self._debug:
            self._errors.write(f"{flag}: {shown(text)}\n")

    def command(self, user: str, pid: int, command: str) -> None:
        """Log the CMD event, as the job's process, as cron does."""
        if self._level & Level.START:
            self._of_job(user, "CMD", pid, command)

    def command_end(self, user: str, pid: int, command: str, status: int) -> None:
        """Log that the command ended: cronie's CMDEND, Debian's END, and its words about a failure."""
        if self._debian and self._level & Level.FAILURE and status:
            self._in_syslog(f"(CRON) error (grandchild #{pid} {_of_grandchild(status)})", pid)
        if self._level & Level.END:
            self._of_job(user, "END" if self._debian else "CMDEND", pid, command)

    def _of_job(self, user: str, event: str, pid: int, command: str) -> None:
        prefix = f"[{pid}] " if self._debian and self._level & Level.PID else ""
        self._in_syslog(f"({printable(user)}) {event} ({prefix}{printable(command)})", pid)

    def _in_syslog(self, text: str, pid: int) -> None:
        # The foreground has lines of its own about jobs.
        if self._syslog is not None:
            self._syslog.write(self.job_program, pid, text, INFO)

    @property
    def job_program(self) -> str:
        """The name under which cron logs as a job's process."""
        return "CRON" if self._debian else "CROND"

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

    def _write(self, text: str, priority: int, *, program: str = "", pid: int = 0) -> None:
        pid = pid or os.getpid()
        if self._syslog is not None:
            self._syslog.write(program or ("cron" if self._debian else "crond"), pid, text, priority)
        elif self._json:
            level = "error" if priority == ERR else "info"
            self._errors.write(
                json.dumps({"time": stamp(time.time()), "level": level, "message": text}) + "\n"
            )
        else:
            self._errors.write(f"{stamp(time.time())} {program or 'crond'}[{pid}]: {text}\n")


def _of_grandchild(status: int) -> str:
    """Return raw wait `status` in the words of Debian's cron."""
    if os.WIFSIGNALED(status):
        return f"terminated by signal {os.WTERMSIG(status)}" + ", dumped core" * os.WCOREDUMP(status)
    return f"failed with exit status {os.WEXITSTATUS(status)}"


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
