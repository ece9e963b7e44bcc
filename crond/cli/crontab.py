"""The client under the name `crontab`: crontab(1) as the host's cron has it, and no verbs.

Owns the order of checks, what each operation prints, and that every failure ends with status 1. Which of
the two crontabs it is says the daemon, and where none answers, the host. Called by entry, whose link is
named so.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from crond.cli import crontabs, edit
from crond.cli.client import LAUNCHER, Connection, Place, Refused, find_place, host_place
from crond.cli.crontab_options import Asked, UsageError, read_arguments, usage
from crond.cli.crontab_report import Report, coloured
from crond.cli.crontabs import Fetched, Invalid
from crond.cli.failure import Failure
from crond.cli.format import printable, wants_colour
from crond.cli.header import without_header
from crond.cli.host import dialect_of_host
from crond.cli.source import LIMIT
from crond.cli.startup import begin
from crond.cli.words import CRONIE, DEBIAN, Words

_INVALID = "Invalid crontab file. Syntax issues were found."
_CHECKED = {
    "cronie": "No syntax issues were found in the crontab file.",
    "debian": "The syntax of the crontab file was successfully checked.",
}


def main() -> None:
    """Run the command line of this process and exit."""
    begin()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Do what `arguments` ask for; return the exit status, 0 or 1."""
    dialect = "cronie"
    try:
        # crontab(1) is about the host's cron; a daemon of one's own has none of its crontabs.
        place = find_place(None) if os.environ.get("CRONTABX_STATE") else host_place()
        dialect = _dialect(place)
        return _Run(place, dialect, read_arguments(arguments, dialect)).operate()
    except UsageError as error:
        if error.reason:
            click.echo(f"crontab: {error.reason}", err=True)
        click.echo(f"crontab: usage error: {error}", err=True)
        click.echo(usage(dialect), err=True, nl=False)
    except Refused as refusal:
        refuse(refusal)
    except Failure as failure:
        failure.show(program="crontab")
    except OSError as error:  # a full disk under stdout
        Failure(str(error)).show(program="crontab")
    return 1


def _dialect(place: Place) -> str:
    """Return "cronie" or "debian": what the daemon follows, and where none answers, what the host is."""
    with suppress(Failure), Connection(place, LAUNCHER) as launcher:
        told = launcher.ask("dialect").body.get("dialect")
        if isinstance(told, str) and told in _CHECKED:
            return told
    return dialect_of_host()


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise Failure("your UID isn't in the passwd file; bailing out") from None


def refuse(refusal: Refused) -> None:
    """Say in cron's words why the daemon does not do it."""
    if refusal.code == "not_allowed":
        click.echo(f"You ({_own_name()}) are not allowed to use this program (crontab)", err=True)
        click.echo("See crontab(1) for more information", err=True)
    elif refusal.code == "none":
        click.echo(CRONIE.none.format(user=printable(str(refusal.body.get("user", "")))), err=True)
    else:
        refusal.show(program="crontab")


class _Run:
    """One command."""

    def __init__(self, place: Place, dialect: str, asked: Asked) -> None:
        self._place = place
        self._dialect = dialect
        self._asked = asked
        self._words: Words = DEBIAN if dialect == "debian" else CRONIE
        self._report = Report(dialect, self._words.invalid)

    def operate(self) -> int:
        """Do it; return the exit status. Raises Failure, UsageError."""
        operations = {
            "h": self._help,
            "V": self._version,
            "l": self._list,
            "e": self._edit,
            "r": self._remove,
            "T": self._check,
            "c": self._show_host,
            "n": self._set_host,
            "": self._check if self._asked.dry_run else self._install,
        }
        return operations[self._asked.operation]() or 0

    def _help(self) -> int:
        click.echo(usage(self._dialect), err=True, nl=False)
        return 1

    def _version(self) -> None:
        from crond.cli.main import version

        click.echo(version())

    # --- what there is -------------------------------------------------------------------------

    def _list(self) -> None:
        found = crontabs.fetch(self._place, self._asked.user, purpose="list")
        if found.text is None:
            raise edit.none_for(found, self._words)
        text = found.text
        if self._dialect == "debian" and os.environ.get("CRONTAB_NOHEADER") != "N":
            text = without_header(text)
        if sys.stdout.isatty():
            text = self._for_terminal(text)
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()

    def _for_terminal(self, text: bytes) -> bytes:
        """Return `text` as crontab(1) shows it on a terminal, which is not what a copy of it must be."""
        if self._dialect == "debian":
            return text.replace(b"\b", rb"\b").replace(b"\r", rb"\r")
        return coloured(text) if wants_colour() else text

    def _show_host(self) -> None:
        click.echo(printable(crontabs.cluster_host(self._place)))

    def _set_host(self) -> None:
        crontabs.set_cluster_host(self._place, self._asked.host)

    # --- changes -------------------------------------------------------------------------------

    def _install(self) -> int:
        file = self._asked.file
        text = self._read(file)
        before = self._current() if self._backs_up else None
        origin = "standard input" if file == "-" else os.path.abspath(file)
        try:
            told = crontabs.install(self._place, self._asked.user, text, origin=origin)
        except Invalid as invalid:
            self._report.refused(file, text, invalid)
            return 1
        self._report.accepted(file, text, *crontabs.findings_of(told))
        self._back_up(before.text if before else None)
        return 0

    def _edit(self) -> None:
        if self._dialect == "debian":
            os.chdir("/tmp")  # noqa: S108 - where Debian's crontab starts the editor
        self._back_up(edit.edit(self._place, self._asked.user, self._words, self._report))

    def _remove(self) -> None:
        asked, words = self._asked, self._words
        if self._dialect == "debian" and asked.ask:
            # cronie's asks before it looks.
            found = crontabs.fetch(self._place, asked.user, purpose="compare")
            if found.text is None:
                raise edit.none_for(found, words)
        name = printable(asked.user or _own_name())
        if asked.ask and not edit.confirmed(words.remove, user=name):
            return
        before = self._current() if self._backs_up else None
        crontabs.remove(self._place, asked.user)
        self._back_up(before.text if before else None)

    # --- files ---------------------------------------------------------------------------------

    def _check(self) -> int:
        from crond.cli.host import rules_of_host
        from crond.model.crontab import parse_crontab

        file, dialect = self._asked.file, self._dialect
        text = self._read(file)
        uid = pwd.getpwnam(self._asked.user).pw_uid if self._asked.user else os.getuid()
        table = parse_crontab(
            text,
            privileged=uid == 0,
            dialect=dialect,
            extensions=True,
            host=rules_of_host(),
        )
        if table.errors:
            invalid = self._words.invalid if dialect == "debian" else _INVALID
            self._report.show_errors(file, table.errors, invalid)
            return 1
        self._report.accepted(file, text, list(table.problems), len(table.problems))
        click.echo(_CHECKED[dialect], err=True)
        return 0

    def _read(self, file: str) -> bytes:
        """Return the bytes of `file` (`-` is stdin). Raises Failure."""
        if file == "-":
            return sys.stdin.buffer.read(LIMIT)
        # A FIFO is refused by Debian's, and must not keep us before.
        waits = 0 if self._dialect == "cronie" else os.O_NONBLOCK
        try:
            fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | waits)
            mode = os.fstat(fd).st_mode
            if self._dialect == "debian" and not stat.S_ISREG(mode):
                raise Failure(f"{printable(file)}: Not a regular file.", whole=True)
            if stat.S_ISDIR(mode):
                raise Failure(f"invalid crontab file: '{printable(file)}' is a directory", whole=True)
            with open(fd, "rb") as opened:
                return opened.read(LIMIT)
        except OSError as error:
            name = f"{printable(file)}: " if file else ""
            raise Failure(f"{name}{error.strerror}", whole=True) from None

    @property
    def _backs_up(self) -> bool:
        return self._dialect == "cronie" and self._asked.backup

    def _current(self) -> Fetched | None:
        """Return the crontab as it is, None if it cannot be read: that hinders no change."""
        try:
            return crontabs.fetch(self._place, self._asked.user, purpose="compare")
        except Refused as refusal:
            if refusal.code == "not_allowed":
                raise
            return None

    def _back_up(self, text: bytes | None) -> None:
        """Save what was replaced as one's own file, as cronie does; we keep versions beside."""
        if not text or not self._backs_up:
            return
        from crond.cli.backup import back_up

        user = self._asked.user if self._asked.user != _own_name() else ""
        path = back_up(text, user)
        if path is not None:
            name = printable(user or _own_name())
            click.echo(f"Backup of {name}'s previous crontab saved to {printable(path)}")
