"""What the dialogues about a crontab say: as `crontabx`, and as `crontab` in the words of either cron.

One table; whoever may be asked what, and when, is in edit and crontab. Texts are whole lines without their
end; `{path}`, `{user}` and `{file}` are filled in by who shows them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question to be answered with y or n.

    `again` is said where the answer is neither, on stderr if `err`; it stands for the question unless it
    ends a line. None: any other answer is a no.
    """

    text: str
    again: str | None
    err: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of one program. `given_up` is empty where giving up an edit is no failure.

    `template` is what a new crontab begins with in the editor; `header`: whether that of Debian's crontab
    is kept from the user.
    """

    none: str
    empty: str
    unchanged: str
    installing: str
    left: str
    given_up: str
    invalid: str
    retry: Question
    remove: Question
    template: bytes = b""
    header: bool = False


_AGAIN = "Please enter y or n: "
_RETRY = "Do you want to retry the same edit? "
#: Debian's crontab begins a new crontab with a help, too; this one is ours.
_TEMPLATE = b"""\
# Each line is a job: when it is to run, and the command. For example, at 5:00 each Monday:
# 0 5 * * 1 tar -czf /var/backups/home.tgz /home
#
# * is any, 1-5 a range, 1,3 a list, */10 every tenth; see crontab(5).
#
# minute  hour  day-of-month  month  day-of-week  command
"""

CRONTABX = Words(
    none="crontabx: no crontab for {user}",
    empty="crontabx: no crontab for {user} - using an empty one",
    unchanged="crontabx: no changes made to crontab",
    installing="crontabx: installing new crontab",
    left="edits left in {path}",
    given_up="nothing is installed",
    invalid="crontabx: errors in crontab file, can't install",
    retry=Question(f"{_RETRY}(y/n) ", _AGAIN),
    remove=Question("crontabx: really delete {user}'s crontab? (y/n) ", _AGAIN),
)
CRONIE = Words(
    none="no crontab for {user}",
    empty="no crontab for {user} - using an empty one",
    unchanged="crontab: no changes made to crontab",
    installing="crontab: installing new crontab",
    left="crontab: edits left in {path}",
    given_up="",
    invalid="Invalid crontab file, can't install.",
    retry=Question(f"{_RETRY}(Y/N) ", "Enter Y or N\n", err=True),
    remove=Question("crontab: really delete {user}'s crontab? ", None),
)
DEBIAN = Words(
    none=CRONIE.none,
    empty=CRONIE.empty,
    unchanged="No modification made",
    installing=CRONIE.installing,
    left=CRONIE.left,
    given_up="",
    invalid="errors in crontab file, can't install.",
    retry=Question(f"{_RETRY}(y/n) ", "Enter Y or N\n", err=True),
    remove=Question("crontab: really delete {user}'s crontab? (y/n) ", "Please enter Y or N: ", err=True),
    template=_TEMPLATE,
    header=True,
)
