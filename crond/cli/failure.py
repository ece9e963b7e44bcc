"""How a verb of the client ends when it cannot do what was asked: one status per reason.

The numbers are a promise to scripts and stand in docs/reference/crontabx.md. Knows nothing of
daemons or crontabs; every file of this folder raises Failure, and click shows it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import IO, Any

import click


class Status(IntEnum):
    """The client's own exit statuses. `run --wait` gives the job's instead."""

    OK = 0
    FAILED = 1  #: it could not be done, or `check` found errors
    USAGE = 2  #: the command line makes no sense (click's number too)
    UNREACHABLE = 3  #: no daemon answers, or what it answers is no answer
    UNKNOWN = 4  #: no such job, run or attempt, or more than one fits
    NOT_STARTED = 125  #: `run --wait`: the job's process could not be made
    INTERRUPTED = 130  #: Ctrl-C while waiting


class Failure(click.ClickException):
    """Ends the verb with `status` and one message on stderr.

    `whole`: the message says all, and no program's name goes before it.
    """

    def __init__(self, message: str, status: Status = Status.FAILED, *, whole: bool = False) -> None:
        super().__init__(message)
        self.exit_code = int(status)  # type: ignore[misc] # click documents it as set by subclasses
        self.whole = whole

    def followed_by(self, line: str) -> Failure:
        """Return this failure with one more line to its message."""
        return Failure(f"{self.message}\n{line}", Status(self.exit_code), whole=self.whole)

    def show(self, file: IO[Any] | None = None, *, program: str = "crontabx") -> None:
        """Print the message the way Unix tools do, with the program's name before it."""
        click.echo(self.message if self.whole else f"{program}: {self.message}", file=file, err=file is None)
