"""Entering a job's surroundings: the client becomes what a start of the job would be, and its shell.

Who is already the job's account becomes the shell itself, on its own terminal. Root gives the other account a
terminal or at least a session of its own: on root's, a program of that account could type commands for root.
Nothing here is trusted to the daemon: without privilege of our own no id can be taken on. Called by env.
"""

from __future__ import annotations

import os
import pty
import resource
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from crond.cli.failure import Status
from crond.cli.format import printable
from crond.cli.surroundings import Surroundings
from crond.cli.terminal import relay

#: What Python ignores and a job does not.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)


class NotEntered(Exception):
    """A step on the way to the shell failed; the text says which."""


def enter(around: Surroundings, arguments: list[bytes]) -> int:
    """Run `arguments`, a shell and its words, in `around`; return its exit status, 128+N for a signal.

    Does not return where we are that account. Raises OSError if no process or terminal can be made.
    """
    if around.uid == os.geteuid():
        _become(around, arguments, lambda: None)
    if os.isatty(0) and os.isatty(1):
        return _on_own_terminal(around, arguments)
    return _in_own_session(around, arguments)


def _on_own_terminal(around: Surroundings, arguments: list[bytes]) -> int:
    pid, master = pty.fork()
    if pid == 0:
        # Programs open their terminal again by its name.
        _become(around, arguments, lambda: os.fchown(0, around.uid, -1))
    try:
        relay(master)
    finally:
        # Closing it hangs the shell up if it is not the one that ended.
        os.close(master)
    return _status_of(pid)


def _in_own_session(around: Surroundings, arguments: list[bytes]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(around, arguments, os.setsid)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.killpg(pid, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, pass_on)
    return _status_of(pid)


def _status_of(pid: int) -> int:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def _become(around: Surroundings, arguments: list[bytes], apart: Callable[[], None]) -> NoReturn:
    """Be the shell, after `apart`. What fails is said on stderr, and ends this process."""
    try:
        apart()
        # What our caller has open, a job has not, and the account may not be meant to have.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        _take_on(around)
        os.execve(arguments[0], arguments, around.environment)
    except NotEntered as failed:
        text = str(failed)
    except OSError as error:
        text = f"cannot execute {printable(os.fsdecode(arguments[0]))}: {error.strerror}"
    except BaseException as error:  # noqa: BLE001 - a process that was forked must not go on as the client
        text = f"{type(error).__name__}: {error}"
    sys.stderr.write(f"crontabx: {around.job} would not start: {text}\n")
    sys.stderr.flush()
    os._exit(Status.NOT_STARTED)


def _take_on(around: Surroundings) -> None:
    """Take on limits, ids and folder, in the order in which the launcher does."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, around.open_files)
        for name, limit in around.limits.items():
            number = getattr(resource, f"RLIMIT_{name.upper()}", None)
            if number is not None:
                resource.setrlimit(number, limit)
        if os.getpriority(os.PRIO_PROCESS, 0) != around.nice:
            os.setpriority(os.PRIO_PROCESS, 0, around.nice)
    except (OSError, ValueError):
        # Without privilege neither goes up again; the rest is the job's all the same.
        _warn("your limits or your nice are lower than the job's")
    os.umask(around.umask)
    _take_on_ids(around)
    try:
        os.chdir(around.directory)
    except OSError as error:
        text = f"cannot enter the home {printable(os.fsdecode(around.directory))}: {error.strerror}"
        if around.directory_required:
            raise NotEntered(text) from None
        _warn(text)
    for number in (*_IGNORED, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def _take_on_ids(around: Surroundings) -> None:
    if os.geteuid() == 0:
        try:
            # Groups first, while we still may; all three of each number, so that there is no way back.
            os.setgroups(around.groups)
            os.setresgid(around.gid, around.gid, around.gid)
            os.setresuid(around.uid, around.uid, around.uid)
        except OSError as error:
            raise NotEntered(f"cannot become {around.user}: {error.strerror}") from None
    elif {*os.getgroups(), os.getegid()} != {*around.groups, around.gid} or os.getegid() != around.gid:
        _warn("your groups are not the job's: log in again to get those that are new")


def _warn(text: str) -> None:
    sys.stderr.write(f"crontabx: {text}\n")
    sys.stderr.flush()
