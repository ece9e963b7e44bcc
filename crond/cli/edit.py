"""crontab(1)'s own flags: install a file, -l, -r, -i, -e, for oneself or, as root, for -u USER.

Owns the dialogues and the promise that an edit is never lost: whatever goes wrong, the text stays in a
file whose name is told. What the daemon does is behind crontabs, the editor behind editor, what is said in
words. Loaded by crond.cli.main, and by crontab for -e.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol

import click

from crond.cli import crontabs
from crond.cli.client import Place, Refused, find_place
from crond.cli.crontabs import Fetched, Invalid
from crond.cli.failure import Failure, Status
from crond.cli.format import printable
from crond.cli.header import without_header
from crond.cli.orphans import tell_orphans, unsettled
from crond.cli.words import CRONTABX, Question, Words

if TYPE_CHECKING:
    from crond.cli.editor import Copy

_OVERWRITE = Question("Install your edit in its place? (y/n) ", "Please enter y or n: ")
#: Where click's context keeps the account that the flag -u names.
USER = "crond.user"


class Report(Protocol):
    """How the problems of a text that was installed, or was not, are shown."""

    def accepted(self, file: str, text: bytes, findings: list[Any], count: int) -> None: ...

    def refused(self, file: str, text: bytes, invalid: Invalid) -> None: ...


class FullReport:
    """Every problem with its line and a caret, as `check` does."""

    def accepted(self, file: str, text: bytes, findings: list[Any], count: int) -> None:
        show_findings(file, text, findings, count)

    def refused(self, file: str, text: bytes, invalid: Invalid) -> None:
        show_findings(file, text, invalid.findings, invalid.count)
        click.echo(CRONTABX.invalid, err=True)


def show(state: str | None, user: str) -> None:
    """Write the very bytes of the crontab to stdout (-l)."""
    found = crontabs.fetch(find_place(state), user, purpose="list")
    if found.text is None:
        raise none_for(found, CRONTABX)
    sys.stdout.buffer.write(found.text)
    sys.stdout.buffer.flush()


def put(state: str | None, user: str, file: str) -> None:
    """Install `file` (`-` is stdin)."""
    from crond.cli.source import read_file

    text = read_file(file)
    origin = "standard input" if file == "-" else os.path.abspath(file)
    place = find_place(state)
    standing_out = unsettled(place)
    before = crontabs.fetch(place, user, purpose="compare") if standing_out else None
    try:
        told = crontabs.install(place, user, text, origin=origin)
    except Invalid as invalid:
        FullReport().refused(file, text, invalid)
        raise click.exceptions.Exit(Status.FAILED) from None
    show_findings(file, text, *crontabs.findings_of(told))
    if before is not None:
        tell_orphans(standing_out, before.user, before.dialect, before.text or b"", text)


def remove(state: str | None, user: str, *, ask: bool) -> None:
    """Remove the crontab (-r), after a question on a terminal or if `ask` (-i)."""
    place = find_place(state)
    if ask or (sys.stdin.isatty() and sys.stdout.isatty()):
        found = crontabs.fetch(place, user, purpose="compare")
        if found.text is None:
            raise none_for(found, CRONTABX)
        if not confirmed(CRONTABX.remove, user=printable(found.user)):
            return
    undo = crontabs.remove(place, user).get("undo")
    if type(undo) is int:
        option = f" -u {printable(user)}" if user else ""
        say(f"removed; to have it back: crontabx restore{option} {undo}")


def none_for(found: Fetched, words: Words) -> Failure:
    """Return the failure for a crontab that is not there."""
    return Failure(words.none.format(user=printable(found.user)), whole=True)


def edit(place: Place, user: str, words: Words, report: Report) -> bytes | None:
    """Let the user edit the crontab and install what comes of it (-e).

    Return the text that was replaced (empty: there was none); None if nothing was installed.
    """
    from crond.cli.editor import Copy

    before = crontabs.fetch(place, user, purpose="edit")
    if before.text is None:
        click.echo(words.empty.format(user=printable(before.user)), err=True)
    copy = Copy(_begun(before, words))
    dialogue = _Dialogue(place, user, before, copy, words, report)
    try:
        with _signals_told():
            ended = dialogue.hold()
    except BaseException as error:
        if not dialogue.worth_keeping():
            copy.discard()
            raise
        left = words.left.format(path=printable(copy.path))
        if isinstance(error, Failure):
            raise error.followed_by(left) from None
        click.echo(left, err=True)
        raise
    finally:
        # For cron's log; that the daemon is away now has been said, or changes nothing any more.
        with contextlib.suppress(Failure):
            crontabs.say_edit_ended(place, user)
    if ended is _End.GIVEN_UP:
        left = words.left.format(path=printable(copy.path))
        if words.given_up:
            raise Failure(words.given_up).followed_by(left)
        click.echo(left, err=True)
        return None
    copy.discard()
    return dialogue.replaced if ended is _End.INSTALLED else None


def _begun(before: Fetched, words: Words) -> bytes:
    """Return what the editor is given."""
    if before.text is None:
        return words.template
    return without_header(before.text) if words.header else before.text


class _End(Enum):
    """How a dialogue ended that did not fail."""

    UNCHANGED = auto()
    INSTALLED = auto()
    GIVEN_UP = auto()


class _Dialogue:
    """One edit: the editor, and questions until the text is installed or given up.

    `replaced` is the text that an installed one goes over.
    """

    def __init__(
        self, place: Place, user: str, before: Fetched, copy: Copy, words: Words, report: Report
    ) -> None:
        self._place = place
        self._user = user
        self._base = before.digest
        self._owner, self._dialect = before.user, before.dialect
        self._begun = _begun(before, words)
        self._copy = copy
        self._words = words
        self._report = report
        self.replaced = before.text or b""

    def worth_keeping(self) -> bool:
        """True unless the copy is what the editor was given."""
        try:
            return self._copy.read() != self._begun
        except Failure:  # something is there that is no file of ours
            return os.path.lexists(self._copy.path)

    def hold(self) -> _End:
        """Return when all is done. Raises Failure where it is not, and the copy may be worth keeping."""
        from crond.cli.editor import run_editor

        while True:
            run_editor(self._copy.path)
            text = self._copy.read()
            if text == self._begun:
                click.echo(self._words.unchanged, err=True)
                return _End.UNCHANGED
            click.echo(self._words.installing, err=True)
            if self._installed(text):
                return _End.INSTALLED
            if not confirmed(self._words.retry):
                return _End.GIVEN_UP

    def _installed(self, text: bytes) -> bool:
        """Install `text`; False if it has errors, which are shown. Raises Failure."""
        standing_out = unsettled(self._place)
        while True:
            try:
                told = crontabs.install(self._place, self._user, text, origin="editor", base=self._base)
            except Invalid as invalid:
                self._report.refused(self._copy.path, text, invalid)
                return False
            except Refused as refusal:
                if refusal.code != "changed":
                    raise
                self._overwrite_or_give_up(refusal)
                continue
            self._report.accepted(self._copy.path, text, *crontabs.findings_of(told))
            tell_orphans(standing_out, self._owner, self._dialect, self.replaced, text)
            return True

    def _overwrite_or_give_up(self, refusal: Refused) -> None:
        """Show what somebody else did meanwhile, and ask. Raises `refusal` if it is to stay."""
        from crond.cli.versions import show_difference

        now = crontabs.fetch(self._place, self._user, purpose="compare")
        click.echo(f"{refusal.message}; the difference from what you began with:", err=True)
        names = ("as you began with it", "as it is now")
        show_difference(self.replaced, now.text or b"", names, err=True)
        if not confirmed(_OVERWRITE):
            raise refusal
        self._base = now.digest
        self.replaced = now.text or b""


def confirmed(question: Question, **names: str) -> bool:
    """Ask until the answer begins with y or n; the end of input is a no. `names` are filled in."""
    said, err = question.text.format(**names), False
    while True:
        click.echo(said, nl=False, err=err)
        sys.stdout.flush()
        answer = sys.stdin.buffer.readline(1000)
        if not answer:
            click.echo()
            return False
        letter = answer.strip()[:1].lower()
        if letter in (b"y", b"n") or question.again is None:
            return letter == b"y"
        if question.again.endswith("\n"):
            click.echo(question.again, nl=False, err=question.err)
        else:
            said, err = question.again, question.err


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
