"""The user's editor, and the private copy that it works on.

Owns the copy (a file of our own, in a folder of our own) and how the editor is found, started and judged.
Knows no crontab and no daemon. Used by edit.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat

from crond.cli.failure import Failure
from crond.cli.format import printable
from crond.cli.source import LIMIT

#: As cron: an editor that lets Ctrl-C through to us must not cost the edit.
_LEFT_TO_THE_EDITOR = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_SHELL = "/bin/sh"
_DEFAULTS = ("/usr/bin/sensible-editor", "/usr/bin/editor", "/usr/bin/vi", "/usr/bin/nano", "/bin/ed")


class Copy:
    """A text in a file that only we can reach; it stays until `discard`."""

    def __init__(self, text: bytes) -> None:
        import tempfile

        folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - as cron; mkdtemp makes a folder of ours
        try:
            self._folder = os.path.abspath(tempfile.mkdtemp(prefix="crontab.", dir=folder))
            self.path = os.path.join(self._folder, "crontab")
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(text)
        except OSError as error:
            raise Failure(f"no copy can be made in {printable(folder)}: {error.strerror}") from None

    def read(self) -> bytes:
        """Return the text as it is now, in whatever file has that name. Raises Failure."""
        try:
            # By name: many editors write a new file and rename it.
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise Failure("illegal crontab: the editor left something that is no file")
                return file.read(LIMIT + 1)
        except OSError as error:
            raise Failure(f"{printable(self.path)}: {error.strerror}") from None

    def discard(self) -> None:
        """Take the copy away, and what the editor may have left beside it."""
        shutil.rmtree(self._folder, ignore_errors=True)


def run_editor(path: str) -> None:
    """Let the user edit `path`; return when the editor has ended well. Raises Failure."""
    editor = find_editor()
    before = {number: signal.getsignal(number) for number in _LEFT_TO_THE_EDITOR}
    # What our caller wanted ignored (nohup) stays so in the editor, too.
    given = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in _LEFT_TO_THE_EDITOR:
        signal.signal(number, signal.SIG_IGN)
    try:
        command = f"{editor} {shlex.quote(path)}"
        pid = os.posix_spawn(_SHELL, [_SHELL, "-c", command], os.environ, setsigdef=[*given, signal.SIGPIPE])
        _, status = os.waitpid(pid, 0)
    except OSError as error:
        raise Failure(f"the editor cannot be started: {error.strerror}") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if os.WIFSIGNALED(status):
        core = "core dumped" if os.WCOREDUMP(status) else "no core dumped"
        raise Failure(f'"{printable(editor)}" killed; signal {os.WTERMSIG(status)} ({core})')
    if status:
        raise Failure(f'"{printable(editor)}" exited with status {os.waitstatus_to_exitcode(status)}')


def find_editor() -> str:
    """Return the command that edits: VISUAL, EDITOR, or what this host has. May hold arguments."""
    for name in ("VISUAL", "EDITOR"):
        if os.environ.get(name, "").strip():
            return os.environ[name]
    found = next((path for path in _DEFAULTS if os.access(path, os.X_OK)), None)
    if found is None:
        raise Failure("no editor is found; say which in VISUAL or EDITOR")
    return found
