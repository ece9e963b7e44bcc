"""crontab(1)'s own flags: install a file, -l, -r, -i, -e, for oneself or, as root, for -u USER.

Owns the dialogues and the promise that an edit is never lost: whatever goes wrong, the text stays in a
file whose name is told. What the daemon does is behind crontabs, the editor behind editor. Loaded by
crond.cli.main.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from crond.cli import crontabs
from crond.cli.client import Place, Refused, find_place
from crond.cli.crontabs import Fetched, Invalid
from crond.cli.failure import Failure, Status
from crond.cli.format import printable

if TYPE_CHECKING:
    from crond.cli.editor import Copy

#: Where click's context keeps the account that the flag -u names.
USER = "crond.user"


def show(state: str | None, user: str) -> None:
    """Write the very bytes of the crontab to stdout (-l)."""
    found = crontabs.fetch(find_place(state), user, purpose="list")
    if found.text is None:
        raise Failure(f"no crontab for {printable(found.user)}")
    sys.stdout.buffer.write(found.text)
    sys.stdout.buffer.flush()


def put(state: str | None, user: str, file: str) -> None:
    """Install `file` (`-` is stdin)."""
    from crond.cli.source import read_file

    text = read_file(file)
    origin = "standard input" if file == "-" else os.path.abspath(file)
    try:
        told = crontabs.install(find_place(state), user, text, origin=origin)
    except Invalid as invalid:
        show_findings(file, text, invalid.findings, invalid.count)
        raise
    show_findings(file, text, *crontabs.findings_of(told))


def remove(state: str | None, user: str, *, ask: bool) -> None:
    """Remove the crontab (-r), after a question on a terminal or if `ask` (-i)."""
    place = find_place(state)
    if ask or (sys.stdin.isatty() and sys.stdout.isatty()):
        found = crontabs.fetch(place, user, purpose="compare")
        if found.text is None:
            raise Failure(f"no crontab for {printable(found.user)}")
        if not confirmed(f"crontabx: really delete {printable(found.user)}'s crontab? (y/n) "):
            return
    undo = crontabs.remove(place, user).get("undo")
    if type(undo) is int:
        option = f" -u {printable(user)}" if user else ""
        say(f"removed; to have it back: crontabx restore{option} {undo}")


def edit(state: str | None, user: str) -> None:
    """Let the user edit the crontab and install what comes of it (-e)."""
    from crond.cli.editor import Copy

    place = find_place(state)
    before = crontabs.fetch(place, user, purpose="edit")
    if before.text is None:
        say(f"no crontab for {printable(before.user)} - using an empty one")
    copy = Copy(before.text or b"")
    dialogue = _Dialogue(place, user, before, copy)
    try:
        with _signals_told():
            dialogue.hold()
    except BaseException as error:
        if not dialogue.worth_keeping():
            copy.discard()
            raise
        left = f"edits left in {printable(copy.path)}"
        if isinstance(error, Failure):
            raise Failure(f"{error.message}\n{left}", Status(error.exit_code)) from None
        say(left)
        raise
    finally:
        # For cron's log; that the daemon is away now has been said, or changes nothing any more.
        with contextlib.suppress(Failure):
            crontabs.say_edit_ended(place, user)
    copy.discard()


class _Dialogue:
    """One edit: the editor, and questions until the text is installed or given up."""

    def __init__(self, place: Place, user: str, before: Fetched, copy: Copy) -> None:
        self._place = place
        self._user = user
        self._before = before
        self._base = before.digest
        self._copy = copy

    def worth_keeping(self) -> bool:
        """True unless the copy is what the daemon has."""
        try:
            return self._copy.read() != (self._before.text or b"")
        except Failure:
            return True

    def hold(self) -> None:
        """Return when all is done. Raises Failure where it is not, and the copy may be worth keeping."""
        from crond.cli.editor import run_editor

        while True:
            run_editor(self._copy.path)
            text = self._copy.read()
            if text == (self._before.text or b""):
                say("no changes made to crontab")
                return
            say("installing new crontab")
            if self._installed(text):
                return
            if not confirmed("Do you want to retry the same edit? (y/n) "):
                raise Failure("nothing is installed")

    def _installed(self, text: bytes) -> bool:
        """Install `text`; False if it has errors, which are shown. Raises Failure."""
        while True:
            try:
                told = crontabs.install(self._place, self._user, text, origin="editor", base=self._base)
            except Invalid as invalid:
                show_findings(self._copy.path, text, invalid.findings, invalid.count)
                say(invalid.message)
                return False
            except Refused as refusal:
                if refusal.code != "changed":
                    raise
                self._overwrite_or_give_up(refusal)
                continue
            show_findings(self._copy.path, text, *crontabs.findings_of(told))
            return True

    def _overwrite_or_give_up(self, refusal: Refused) -> None:
        """Show what somebody else did meanwhile, and ask. Raises `refusal` if it is to stay."""
        from crond.cli.versions import show_difference

        now = crontabs.fetch(self._place, self._user, purpose="compare")
        say(f"{refusal.message}; the difference from what you began with:")
        names = ("as you began with it", "as it is now")
        show_difference(self._before.text or b"", now.text or b"", names, err=True)
        if not confirmed("Install your edit in its place? (y/n) "):
            raise refusal
        self._base = now.digest


def confirmed(question: str) -> bool:
    """Ask until the answer is yes or no; the end of input is a no."""
    while True:
        click.echo(question, nl=False)
        sys.stdout.flush()
        answer = sys.stdin.buffer.readline(1000)
        if not answer:
            click.echo()
            return False
        word = answer.strip().lower()
        if word in (b"y", b"yes", b"n", b"no"):
            return word.startswith(b"y")
        question = "Please enter y or n: "


def say(text: str) -> None:
    """Tell on stderr, as Unix tools do, with the program's name before it."""
    click.echo(f"crontabx: {text}", err=True)


def show_findings(file: str, text: bytes, findings: list[Any], count: int) -> None:
    """Show on stderr what is wrong with `text`, as `check` does."""
    if not findings:
        return
    from crond.cli.format import wants_colour
    from crond.cli.problems import problem_lines
    from crond.cli.source import Source
    from crond.model.crontab import Table

    lines = tuple(text.decode("utf-8", "surrogateescape").split("\n"))
    source = Source(file, False, "", Table(text, (), {}, tuple(findings)), lines)
    colour = wants_colour(err=True)
    for finding in findings:
        for line in problem_lines(source, finding):
            click.echo(line, err=True, color=colour)
    if count > len(findings):
        click.echo(f"and {count - len(findings)} more problems", err=True)


@contextlib.contextmanager
def _signals_told() -> Iterator[None]:
    """Turn the signals that would end us into a Failure, so that the edit's place is told."""

    def interrupted(number: int, _frame: object) -> None:
        raise Failure(f"ended by {signal.Signals(number).name}", Status.INTERRUPTED)

    before = {}
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
