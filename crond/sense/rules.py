"""The rules, as a table: code, severity, what goes wrong, a line that breaks it and one that does not.

Everything that people read about a rule stands here: docs/reference/checks.md is written from it, and a
test tries both lines of each. Pure data; the checks take severities from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from crond.model.crontab import Problem, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `wrong` breaks it, `right` is the cure; `parsed`: the parser itself finds it."""

    code: str
    severity: Severity
    meaning: str
    wrong: str
    right: str
    system: bool = False  #: the examples have a user column
    option: str = ""  #: found only if it is asked for, with this option
    parsed: bool = False


RULES = (
    Rule(
        "syntax",
        "error",
        "cron does not understand the line. cronie leaves it out; Debian's cron ignores the whole file.",
        "0 25 * * * true",
        "0 23 * * * true",
        parsed=True,
    ),
    Rule(
        "newline-missing",
        "error",
        "The last line has no line feed at its end: cronie leaves it out, Debian's cron ignores the file.",
        "0 3 * * * true (and no line feed)",
        "0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "range-backwards",
        "warning",
        "A range whose end is before its start holds nothing; it does not go round.",
        "0 22-5 * * * true",
        "0 22-23,0-5 * * * true",
        parsed=True,
    ),
    Rule(
        "step-too-large",
        "warning",
        "A step larger than its field: only the first value is left.",
        "*/90 * * * * true",
        "30 */2 * * * true",
        parsed=True,
    ),
    Rule(
        "random-delay-bad",
        "warning",
        "`RANDOM_DELAY` is minutes, from 0 to 1440; what is not is ignored.",
        "RANDOM_DELAY=2000\n0 3 * * * true",
        "RANDOM_DELAY=30\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-bad",
        "error",
        "An annotation that cannot be obeyed as it is written. The daemon leaves it out, and runs the entry.",
        "#: name=-x\n0 3 * * * true",
        "#: name=x\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-unknown-key",
        "error",
        "A key that annotations do not have. The daemon leaves it out, and runs the entry.",
        "#: nmae=x\n0 3 * * * true",
        "#: name=x\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-name-twice",
        "error",
        "Two entries of one name. In the daemon both run, and the later one has not that name.",
        "#: name=x\n0 3 * * * true\n#: name=x\n0 4 * * * true",
        "#: name=x\n0 3 * * * true\n#: name=y\n0 4 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-name-lost",
        "warning",
        "A configuration manager's marker with the name of another entry: its own entry has not that name.",
        "#: name=x\n0 3 * * * true\n#Ansible: x\n0 4 * * * true",
        "#: name=y\n0 3 * * * true\n#Ansible: x\n0 4 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-apart",
        "warning",
        "Parents of an `@after` that are never due at the same instant: it has those of the first one.",
        "#: name=a\n0 3 * * * true\n#: name=b\n0 2 * * * true\n"
        "#: depends_on=a,b schedule=@after\n0 4 * * * true",
        "#: name=a\n0 3 * * * true\n#: name=b\n0 3 * * * true\n"
        "#: depends_on=a,b schedule=@after\n0 4 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-conflict",
        "error",
        "What annotations say can never be: more slots than the pool has, an end before the begin, `@after`"
        " nothing.",
        "#: schedule=@after\n0 3 * * * true",
        "#: name=a\n0 3 * * * true\n#: schedule=@after depends_on=a\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-cycle",
        "error",
        "Jobs that wait for each other, so that none of them ever starts.",
        "#: name=a depends_on=b\n0 3 * * * true\n#: name=b depends_on=a\n0 3 * * * true",
        "#: name=a\n0 3 * * * true\n#: name=b depends_on=a\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-elsewhere",
        "warning",
        "A job or a pool that is not in this crontab. It may be in another one of the owner, or the host's.",
        "#: name=a depends_on=b\n0 3 * * * true",
        "#: name=b\n0 3 * * * true\n#: name=a depends_on=b\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-idle",
        "warning",
        "A key without effect: it is said twice, or means nothing without another one.",
        "#: retry_delay=5m\n0 3 * * * true",
        "#: retries=2 retry_delay=5m\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-managed",
        "warning",
        "An annotation between a configuration manager's marker and its line: the next change may lose it.",
        "#Ansible: x\n#: retries=2\n0 3 * * * true",
        "#: job x retries=2\n#Ansible: x\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "annotation-lost",
        "warning",
        "An annotation with no entry on the line below it belongs to nothing.",
        "#: name=x\n\n0 3 * * * true",
        "#: name=x\n0 3 * * * true",
        parsed=True,
    ),
    Rule(
        "never-due",
        "warning",
        "No day or minute fits, so it never runs.",
        "0 0 31 2 * true",
        "0 0 28 2 * true",
    ),
    Rule(
        "every-minute",
        "warning",
        "`*` in the minute beside a fixed hour: it runs 60 times in that hour.",
        "* 3 * * * true",
        "0 3 * * * true",
    ),
    Rule(
        "step-uneven",
        "note",
        "A step that does not divide its field: the distance before the next hour or day is shorter.",
        "*/7 * * * * true",
        "*/6 * * * * true",
    ),
    Rule(
        "days-either",
        "warning",
        "Both a day of the month and a day of the week: one of them is enough.",
        "0 0 13 * 5 true",
        "0 0 13 * * true",
    ),
    Rule(
        "days-both",
        "warning",
        "Two day fields of which one begins with `*` but has a step or a list: both must fit.",
        "0 0 */2 * 1 true",
        "0 0 * * 1 true",
    ),
    Rule(
        "dst-skipped",
        "warning",
        "On the day on which clocks go forward it does not run at a time that does not exist.",
        "*/20 2 * * * true",
        "*/20 4 * * * true",
    ),
    Rule(
        "dst-moved",
        "note",
        "On the day on which clocks go forward it runs after the gap, in place of a time in it.",
        "30 2 * * * true",
        "30 4 * * * true",
    ),
    Rule(
        "dst-twice",
        "warning",
        "On the day on which clocks go back it runs again when its time comes a second time.",
        "*/30 1 * * * true",
        "*/30 4 * * * true",
    ),
    Rule(
        "dst-once",
        "note",
        "On the day on which clocks go back its time comes twice, and it runs the first time only.",
        "30 1 * * * true",
        "30 4 * * * true",
    ),
    Rule(
        "entry-twice",
        "warning",
        "The same command at the same times stands there twice, and is started twice.",
        "0 3 * * * true\n0 3 * * * true",
        "0 3 * * * true",
    ),
    Rule(
        "percent-unescaped",
        "warning",
        "A `%` in a command ends it; what follows is its standard input. Percent signs are written `\\%`.",
        "0 3 * * * date +%F",
        "0 3 * * * date +\\%F",
    ),
    Rule(
        "redirect-order",
        "warning",
        "`2>&1` before the redirection to a file: errors go where output went before, not into the file.",
        "0 3 * * * true 2>&1 >/tmp/log",
        "0 3 * * * true >/tmp/log 2>&1",
    ),
    Rule(
        "redirect-device",
        "warning",
        "Output is captured in a file. `> /dev/stdout` opens that file anew: as root it cuts what is in it,"
        " as another user it is refused.",
        "0 3 * * * echo x > /dev/stderr",
        "0 3 * * * echo x >&2",
    ),
    Rule(
        "command-off-path",
        "warning",
        "The program is on this host, but in no folder of this entry's `PATH`.",
        "PATH=/nowhere\n0 3 * * * ls",
        "PATH=/usr/bin:/bin\n0 3 * * * ls",
    ),
    Rule(
        "command-unknown",
        "note",
        "The program is not on this host. On another host it may be.",
        "0 3 * * * no-such-program",
        "0 3 * * * true",
    ),
    Rule(
        "script-relative",
        "warning",
        "A script with a relative path: it is looked for from the home of the user, not from the crontab's"
        " place.",
        "0 3 * * * ./backup.sh",
        "0 3 * * * cd / && ./bin/true",
    ),
    Rule(
        "password-shown",
        "warning",
        "A password in a crontab can be read in the list of processes, in logs and in cron's mail.",
        "0 3 * * * true --password hunter2",
        '0 3 * * * true --password "$(cat /etc/secret)"',
    ),
    Rule(
        "setting-expansion",
        "warning",
        "In a settings line cron expands no `$NAME`, no `~` and no command.",
        "PATH=$PATH:/opt/bin",
        "PATH=/usr/bin:/bin:/opt/bin",
    ),
    Rule(
        "setting-quotes",
        "warning",
        "Quotes that do not stand around the whole value stay part of it.",
        'GREETING=say "hello"',
        'GREETING="say hello"',
    ),
    Rule(
        "setting-comment",
        "warning",
        "A `#` after a value begins no comment; it is part of the value.",
        "MAILTO=ops # the team",
        "# the team\nMAILTO=ops",
    ),
    Rule(
        "setting-export",
        "error",
        "A crontab is no shell script: `export` and `set` are not understood.",
        "export A=b",
        "A=b",
    ),
    Rule(
        "shell-missing",
        "warning",
        "`SHELL` is no program of this host by its full path; no command could be started.",
        "SHELL=bash",
        "SHELL=/bin/sh",
    ),
    Rule(
        "timezone-unknown",
        "warning",
        "`CRON_TZ` is no time zone: its times are read as UTC, without a word.",
        "CRON_TZ=Asia/Soul",
        "CRON_TZ=Asia/Seoul",
    ),
    Rule(
        "timezone-missing",
        "error",
        "`timezone=` is no time zone of this host: the job is held.",
        "#: timezone=Asia/Soul\n0 6 * * * true",
        "#: timezone=Asia/Seoul\n0 6 * * * true",
    ),
    Rule(
        "days-off-unknown",
        "warning",
        "`skip_on` names a country that nobody knows, or a file that cannot be read or has a bad line.",
        "#: skip_on=KO\n0 3 * * * true",
        "#: skip_on=KR\n0 3 * * * true",
    ),
    Rule(
        "timezone-inert",
        "note",
        "`TZ` sets the job's own zone; when it runs is decided by `CRON_TZ`, or by the daemon's zone.",
        "TZ=Asia/Seoul\n0 3 * * * true",
        "CRON_TZ=Asia/Seoul\n0 3 * * * true",
    ),
    Rule(
        "mailto-unsafe",
        "warning",
        "`MAILTO` has characters that cron does not give to a mailer: no mail is sent.",
        "MAILTO=ops@example.com, dev@example.com",
        "MAILTO=ops@example.com,dev@example.com",
    ),
    Rule(
        "carriage-return",
        "warning",
        "Lines end in CR LF, as on Windows. The CR becomes part of the command.",
        "0 3 * * * true\r",
        "0 3 * * * true",
    ),
    Rule(
        "user-extra",
        "warning",
        "A user before the command, in a crontab that has no user column: it would be run as a program.",
        "0 3 * * * root true",
        "0 3 * * * true",
    ),
    Rule(
        "user-missing",
        "error",
        "A system crontab without the user before the command.",
        "0 3 * * * /bin/true now",
        "0 3 * * * root /bin/true now",
        system=True,
    ),
    Rule(
        "user-unknown",
        "warning",
        "This host has no such account. cronie does not run the line; Debian's cron ignores the file.",
        "0 3 * * * no-such-user true",
        "0 3 * * * root true",
        system=True,
    ),
    Rule(
        "not-portable",
        "error",
        "A line that cronie or Debian's cron would not read.",
        "@after true",
        "#: name=a\n0 2 * * * true\n#: schedule=@after depends_on=a\n0 3 * * * true",
        option="--portable",
    ),
    Rule(
        "dialect-differs",
        "note",
        "cronie and Debian's cron would not do the same with this line.",
        "0~30 3 * * * true",
        "15 3 * * * true",
    ),
)

_BY_CODE = {rule.code: rule for rule in RULES}
CODES = tuple(_BY_CODE)


def finding(code: str, line: int, column: int, message: str, hint: str = "") -> Problem:
    """Return what breaks the rule `code`, with the rule's severity."""
    return Problem(line, column, _BY_CODE[code].severity, message, hint, code)
