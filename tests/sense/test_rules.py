"""The rules of `check`: each fires on what it is for, and on nothing that only looks like it."""

from __future__ import annotations

import json
import pathlib
import runpy
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.sense.judge import judge
from crond.sense.rules import CODES, RULES, Rule
from crond.sense.secrets import masked
from tests.sense.scenes import codes, findings, scene_of

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
_ABOUT_THE_HOST = {"command-unknown", "command-off-path", "dialect-differs"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_examples_of_each_rule(rule: Rule) -> None:
    """What the reference shows as wrong breaks the rule and what it shows as right does not."""
    wrong = rule.wrong.removesuffix(" (and no line feed)")
    ended = wrong if wrong != rule.wrong else wrong + "\n"
    portable = rule.option == "--portable"
    assert rule.code in codes(ended, system=rule.system, portable=portable)
    assert rule.code not in codes(rule.right + "\n", system=rule.system, portable=portable)


def test_codes_are_those_of_the_table() -> None:
    """A code is a promise to scripts: it stands in the table once, also those that the parser gives."""
    assert len(set(CODES)) == len(CODES) == len(RULES)
    annotations = "#: job x\n#: 'open\n#: pool\n#: name=-\n"
    text = annotations + "0 22-5 * * * a\n*/90 * * * * b\nRANDOM_DELAY=9999\n* * * * * c\n60 * * * * d\n0"
    assert set(codes(text)) <= set(CODES)


@pytest.mark.parametrize(
    ("line", "code", "line_number", "column", "part"),
    [
        ("0 3 * * * date +%F", "percent-unescaped", 1, 17, "the shell gets 'date +'"),
        ("0 3 * * * sh -c 'printf \"%s\" x'", "percent-unescaped", 1, 26, "ends at this %"),
        ("0 3 * * * ls \"$(date +%F)\"", "percent-unescaped", 1, 23, ""),
        ("0 3 * * * ls ${HOME%/x}", "percent-unescaped", 1, 20, ""),
        ("0 3 * * * ls https://h.example/a%20b", "percent-unescaped", 1, 33, ""),
        ("* 3,4 * * * ls", "every-minute", 1, 1, "03:00-03:59, 04:00-04:59"),
        ("* */2 * * * ls", "every-minute", 1, 1, "60 times"),
        ("0 */5 * * * ls", "step-uneven", 1, 3, "after hour 20 comes 0 of the next day, 4 hours later"),
        ("0 0 1-31 * 1 ls", "days-either", 1, 5, "every day"),
        ("0 0 13 * */2 ls", "days-both", 1, 10, "must fit both 13 and */2"),
        ("0 0 31 4,6 * ls", "never-due", 1, 1, "none of its months has such a day"),
        ("0 5-1 * * * ls", "never-due", 1, 1, "its hour allows no value"),
        ("0 0 30 feb * ls", "never-due", 1, 1, ""),
        ("0 3 * * * ls 2>&1 >> /tmp/log", "redirect-order", 1, 14, "errors do not go to /tmp/log"),
        ("0 3 * * * ls > /dev/stdout", "redirect-device", 1, 14, "not yours"),
        ("0 3 * * * backup", "command-off-path", 1, 11, "backup is /usr/local/bin/backup"),
        ("0 3 * * * ls && backup", "command-off-path", 1, 17, ""),
        ("0 3 * * * A=1 backup", "command-off-path", 1, 15, ""),
        ("0 3 * * * if true; then nosuch; fi", "command-unknown", 1, 25, "'nosuch'"),
        ("0 3 * * * bin/job", "script-relative", 1, 11, "from the home"),
        ("0 3 * * * mysqldump -phunter2 db", "password-shown", 1, 23, ""),
        ("0 3 * * * ls ftp://me:hunter2@h.example/", "password-shown", 1, 23, ""),
        ("0 3 * * * PGPASSWORD=hunter2 ls", "password-shown", 1, 22, ""),
        ("DB_PASSWORD=hunter2", "password-shown", 1, 13, "each mail"),
        ("HOME=~/jobs", "setting-expansion", 1, 1, "HOME is this text"),
        ("PATH=~/bin:/bin", "setting-expansion", 1, 1, ""),
        ("A=`date`", "setting-expansion", 1, 1, ""),
        ("  set A = b", "setting-export", 1, 3, "'set'"),
        ("SHELL=/bin/nosh", "shell-missing", 1, 1, ""),
        ("MAILTO=-x@example.com", "mailto-unsafe", 1, 1, ""),
        ("-0 3 * * * ls", "syntax", 1, 1, "bad option"),
    ],
)  # fmt: skip
def test_what_is_found(line: str, code: str, line_number: int, column: int, part: str) -> None:
    """The place and the words of a finding."""
    found = [one for one in findings(line + "\n") if one.code == code]
    assert [(one.line, one.column) for one in found] == [(line_number, column)]
    assert part in found[0].message


@pytest.mark.parametrize(
    "text",
    [
        "0 3 * * * mail -s hi root%Dear root,%all is well.%",
        "0 3 * * * cat%%",
        "0 3 * * * date +\\%F",
        "0 3 * * * date%",
        "* 9-17 * * * ls",
        "* * * * * ls",
        "0-59 3 * * * ls",
        "*/15 */6 * * * ls",
        "0 0 * * 1 ls",
        "0 0 29 2 * ls",
        "0 0 13 * * ls",
        "0 0 31 * * ls",
        "0 0 * * 0-7 ls",
        "0 3 * * * ls 2>&1 >/dev/null | cat",
        "0 3 * * * ls >/tmp/log 2>&1",
        "0 3 * * * ls 2>&1",
        "0 3 * * * ls >&2",
        "0 3 * * * ls > /dev/null",
        "0 3 * * * ls > /dev/stderr | cat",
        "0 3 * * * [ -x /usr/bin/nosuch ] && /usr/bin/nosuch",
        "0 3 * * * test -x /opt/x && nosuch",
        "0 3 * * * command -v nosuch > /dev/null && nosuch",
        "0 3 * * * PATH=/opt/bin:$PATH nosuch",
        "0 3 * * * export PATH=/opt/bin; nosuch",
        "0 3 * * * . /etc/profile; nosuch",
        "0 3 * * * $HOME/bin/nosuch",
        "0 3 * * * case $X in a) nosuch;; esac",
        "0 3 * * * for i in a b; do ls $i; done",
        "0 3 * * * while read x; do ls; done",
        "0 3 * * * { ls; cat; }",
        "0 3 * * * ( cd /x && ls )",
        "0 3 * * * ls 'a; nosuch'",
        "0 3 * * * ls # nosuch; nosuch",
        "0 3 * * * ls $(cat x; echo nosuch)",
        "0 3 * * * cd /srv && ./job",
        "0 3 * * * cat <<< x",
        "SHELL=/usr/bin/python3\n0 3 * * * import os; nosuch",
        "PATH=bin:/bin\n0 3 * * * nosuch",
        "0 3 * * * mysqldump -p db",
        "0 3 * * * mysqldump --password=$PW db",
        "0 3 * * * ls --password-file /etc/x",
        "MAX_TOKEN=100\nASK_PASSWORD=no\n0 3 * * * ls",
        "DB_PASSWORD_FILE=/etc/secret\n0 3 * * * ls",
        "DB_PASSWORD=/run/secret\n0 3 * * * ls",
        "0 3 * * * ls https://h.example:8080/a@b",
        "0 3 * * * ls\n0 4 * * * ls",
        "A=1\n0 3 * * * ls\nA=2\n0 3 * * * ls",
        "PS1='$ '",
        "COLOUR=#fff",
        'A="b c"',
        'JSON={"a": 1, "b": 2}',
        "MAILTO=ops@example.com,dev+cron@example.com",
        'MAILTO=""',
        "CRON_TZ=Europe/Berlin",
        "CRON_TZ=KST-9",
        "# a comment without a line feed",
    ],
)
def test_near_misses(text: str) -> None:
    """Right, or not surely wrong: no word about it, but of what the other cron does."""
    text = text if text.startswith("#") else text + "\n"
    assert [code for code in codes(text) if code != "dialect-differs"] == []


def test_an_empty_shell_prompt_is_not_cron() -> None:
    """A value with `$` is only spoken of where a shell would expand it."""
    assert codes("PS1=$ \n") == []
    assert codes("PS1=$USER\n") == ["setting-expansion"]


def test_the_user_column() -> None:
    """A user in a crontab of one's own, and none in a system crontab."""
    assert codes("0 3 * * * alice ls\n") == ["user-extra"]
    assert codes("0 3 * * * bob ls\n") == ["command-unknown"]
    assert codes("0 3 * * * root ls\n", system=True) == []
    assert codes("0 3 * * * bob ls\n", system=True) == ["user-unknown"]
    assert "user-missing" in codes("0 3 * * * /bin/ls now\n", system=True)


def test_who_runs_it_decides_about_the_output_file() -> None:
    """Root cuts its own output with >, and may append to it; others may do neither."""
    assert codes("0 3 * * * ls >> /dev/stdout\n", root=True) == []
    (found,) = findings("0 3 * * * root ls > /dev/stdout\n", system=True)
    assert (found.code, "cuts off" in found.message) == ("redirect-device", True)
    assert codes("0 3 * * * alice ls >> /dev/stderr\n", system=True) == ["redirect-device"]


def test_the_default_path_is_the_dialects() -> None:
    """/usr/sbin is on cronie's PATH and not on Debian's."""
    assert codes("0 3 * * * logrotate\n", dialect="cronie") == []
    assert codes("0 3 * * * logrotate\n", dialect="debian") == ["command-off-path"]


def test_carriage_returns_are_told_once() -> None:
    """One finding for the file, not one for each line."""
    assert codes("0 3 * * * ls\r\n0 4 * * * ls\r\n").count("carriage-return") == 1


def test_no_secret_in_any_message() -> None:
    """Messages end up in logs of builds; the password must not."""
    text = "0 3 * * * mysqldump -phunter2 `date +%F` 2>&1 >ftp://a:hunter2@x/\n"
    told = [one for one in findings(text) if "hunter2" in one.message + one.hint]
    assert told == []
    assert {"password-shown", "percent-unescaped"} <= set(codes(text))


def test_ignored_rules_are_left_out() -> None:
    """--ignore takes a rule away everywhere, and no other."""
    scene = scene_of("0 0 13 * 5 nosuch\n")
    assert [one.code for one in judge(scene, ignore={"days-either"})] == ["command-unknown"]


# --- the other dialect ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "line", "part"),
    [
        ("cronie", "A=", "Debian's cron refuses this line (bad minute), and with it the whole file"),
        ("cronie", "A=\"'x'\"", "Debian's cron sets A to 'x', not to \"'x'\""),
        ("cronie", "0~30 4 * * * ls", "reads the minute field differently: 0"),
        ("cronie", "0 4 * * 5-0 ls", "reads the day-of-week field differently: no value"),
        ("cronie", "0 4 * * * -n ls", "takes the - for a part of the command"),
        ("cronie", "0 4 * * * -s -q ls", "Debian's cron has no such option"),
        ("debian", "0 4 * * * -s -n ls", "cronie takes -n -s for an option"),
        ("cronie", "0 4 * * * ls a\\\\b", "another command: backslashes"),
        ("cronie", "RANDOM_DELAY=5", "does not obey RANDOM_DELAY"),
        ("debian", "CRON_TZ=Asia/Seoul", "only cronie obeys CRON_TZ"),
        ("debian", "0 4;5 * * * ls", "cronie refuses this line (bad hour)"),
        ("debian", "0 4 * * *", "cronie refuses this line (bad command)"),
        ("debian", "A=", "cronie would take this line"),
    ],
)
def test_what_the_other_cron_does(dialect: str, line: str, part: str) -> None:
    """One note on the line, in words that say what would be different."""
    found = [one for one in findings(line + "\n", dialect=dialect) if one.code == "dialect-differs"]
    assert [one.line for one in found] == [1]
    assert part in found[0].message


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_an_error_does_not_hide_the_other_lines(dialect: str) -> None:
    """Debian's rules ignore the whole file; what else is wrong with it is worth knowing all the same."""
    assert "days-either" in codes("60 * * * * ls\n0 0 13 * 5 ls\n", dialect=dialect)


# --- nights in which clocks change ------------------------------------------------------------------

_SPRING, _AUTUMN = "on 2026-03-08 (America/New_York)", "on 2026-11-01 (America/New_York)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("30 2 * * * ls", [f"02:30 does not exist {_SPRING}: it runs once after the gap, from 03:00 on"]),
        ("*/20 2 * * * ls", [f"02:00, 02:20, 02:40 do not exist {_SPRING}: it does not run then"]),
        ("0 2,3 * * * ls", [f"02:00 does not exist {_SPRING}: it runs once after the gap, from 03:00 on"]),
        (
            "10,20 2 * * * ls",
            [f"02:10, 02:20 do not exist {_SPRING}: it runs 2 times after the gap, from 03:00 on"],
        ),
        ("30 1 * * * ls", [f"01:30 comes twice {_AUTUMN}: it runs once"]),
        ("*/30 1 * * * ls", [f"01:00, 01:30 come twice {_AUTUMN}: it runs both times, 4 starts in all"]),
        ("0 */2 * * * ls", [f"02:00 does not exist {_SPRING}: it does not run then"]),
        ("30 * * * * ls", []),
        ("@hourly ls", []),
        ("*/5 * * * * ls", []),
        ("30 4 * * * ls", []),
        ("30 2 1 1 * ls", []),
        (
            "CRON_TZ=Europe/Berlin\n30 2 * * * ls",
            [
                "02:30 does not exist on 2026-03-29 (Europe/Berlin): it does not run then",
                "02:30 comes twice on 2026-10-25 (Europe/Berlin): it runs twice",
            ],
        ),
        (
            "CRON_TZ=Europe/Berlin\n0 7 * * * ls",
            [
                (
                    "07:00 on 2026-11-01 (Europe/Berlin) is when the daemon's own clocks change: it does not"
                    " run then"
                )
            ],
        ),
        ("CRON_TZ=Asia/Seoul\n30 2 * * * ls", []),
    ],
)  # fmt: skip
def test_what_happens_when_clocks_change(text: str, said: list[str]) -> None:
    """As the engine itself does it; cron's compensation is for the daemon's own zone only."""
    assert [one.message for one in findings(text + "\n") if one.code.startswith("dst-")] == said


def test_the_year_is_the_one_asked_for() -> None:
    """Clocks change on another day each year."""
    assert "2027-03-14" in findings("30 2 * * * ls\n", year=2027)[0].message


# --- whatever comes ---------------------------------------------------------------------------------

_CHARACTERS = "*/%\\'\"`$(){}<>&|;#~=@-,. \t\n\r0159az"
_PIECES = st.sampled_from([*_CHARACTERS, "* * * * * ", "0 2 * * * ", "MAILTO=", "2>&1", "$(", "root "])


@given(st.lists(_PIECES, max_size=60).map("".join), st.booleans(), st.sampled_from(["cronie", "debian"]))
def test_no_text_is_too_odd(text: str, system: bool, dialect: str) -> None:
    """Findings stand at lines and columns that exist, and have codes that are in the table."""
    scene = scene_of(text, system=system, dialect=dialect)
    for one in judge(scene):
        assert one.code in CODES
        assert 1 <= one.line <= len(scene.lines)
        assert 1 <= one.column <= len(scene.lines[one.line - 1]) + 1


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd(data: bytes) -> None:
    """A crontab need not be text."""
    judge(scene_of(data))


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_the_recorded_lines_give_no_new_error(dialect: str) -> None:
    """What cron was recorded to accept is no error; at most it is warned of."""
    for line in (DATA / "accept.jsonl").read_text().splitlines():
        record = json.loads(line)
        accepted = record["accept"] if dialect == "cronie" else record["debian_accept"]
        scene = scene_of(record["line"] + "\n", system=record["mode"] == "system", dialect=dialect)
        wrong = {one.code for one in judge(scene) if one.severity == "error"}
        assert not accepted or wrong <= {"user-missing"} or scene.table.errors, record["line"]


def test_the_reference_is_what_the_table_says() -> None:
    """docs/reference/checks.md is what docs/generate_checks.py writes today."""
    made = runpy.run_path(str(DATA.parent.parent / "docs" / "generate_checks.py"))
    assert made["PAGE"].read_text() == made["page"](), "run docs/generate_checks.py"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("#: on_failure=slack://T/B/C name=x", "#: on_failure=slack://***** name=x"),
        ("  #: ping='https://hc.example/u'", "  #: ping='https://************'"),
        ("#: secret_env=DB=hunter2", "#: secret_env=DB=*******"),
        ("#: secret_env=DB=file:/run/db", "#: secret_env=DB=file:/run/db"),
        ("# see on_failure=https://x.example/y", "# see on_failure=https://x.example/y"),
    ],
)
def test_annotations_are_shown_without_their_secrets(line: str, shown: str) -> None:
    """A webhook's address is its password; a secret that is written down by mistake is one, too."""
    assert masked(line) == shown


def test_a_line_made_to_be_slow_to_check() -> None:
    """`mysql -p` again and again kept root's `check --all` at it for minutes, for each line of any user's."""
    began = time.process_time()
    assert "password-shown" not in codes("* * * * * x " + "$mysql -p" * 14000 + "\n")
    assert time.process_time() - began < 10


def test_a_zone_of_an_entry_that_nobody_knows() -> None:
    """With CRON_TZ it is UTC, as in cronie; a `timezone=` that means nothing holds its job."""
    said = findings("#: timezone=Asia/Soul\n0 3 * * * true\n#: timezone=Asia/Seoul\n0 4 * * * true\n")
    found = [(one.line, one.severity, one.message) for one in said if one.code == "timezone-missing"]
    text = "'Asia/Soul' is no time zone: the job is held, and never starts by its time"
    assert found == [(2, "error", text)]


def test_nights_of_an_entrys_own_zone() -> None:
    """With `timezone=` a fixed entry is made up and not repeated; the daemon's changes are not its own."""
    text = "#: timezone=Europe/London\n30 1 * * * true\n"
    assert [code for code in codes(text) if code.startswith("dst")] == ["dst-moved", "dst-once"]
    assert "dst-skipped" in codes("CRON_TZ=Europe/London\n30 1 * * * true\n")
    assert [code for code in codes("#: timezone=UTC\n30 7 * * * true\n") if code.startswith("dst")] == []


def test_each_source_of_days_off_is_asked_once() -> None:
    """They may come from defaults; the first entry that has one is told of it."""
    text = "#: defaults skip_on=/no/days,KR\n0 3 * * * true\n0 4 * * * true\n"
    (found,) = (one for one in findings(text) if one.code == "days-off-unknown")
    assert (found.line, found.message) == (2, "/no/days: No such file or directory")


@pytest.mark.parametrize(
    ("said", "column", "text"),
    [
        ("on_late=ops", 4, "on_late is never told: nothing is promised"),
        ("late_after=5m", 4, "late_after has no effect without on_late="),
        ("alert_after=3", 4, "alert_after has no effect without on_failure="),
        ("alert_cooldown=1h", 4, "alert_cooldown has no effect: nobody is told of anything"),
    ],
)
def test_what_nobody_would_be_told(said: str, column: int, text: str) -> None:
    """I wrote on_late= and waited for a message that nothing would ever send; `check` found no problem."""
    found = [one for one in findings(f"#: {said}\n0 3 * * * ls\n") if one.code == "annotation-idle"]
    assert [(one.line, one.column, one.message) for one in found] == [(1, column, text)]


@pytest.mark.parametrize(
    "said",
    [
        "on_late=ops late_after=5m",
        "on_failure=ops alert_after=3 alert_cooldown=1h",
        "on_skip=ops alert_cooldown=1h",
        "on_late=none",
    ],
)
def test_what_somebody_is_told(said: str) -> None:
    """Keys about alerts that belong together are not warned of."""
    assert "annotation-idle" not in codes(f"#: {said}\n0 3 * * * ls\n")


def test_on_late_for_all_needs_no_promise_of_each() -> None:
    """`#: defaults on_late=` says who, for entries that promise something; the others are no mistake."""
    assert "annotation-idle" not in codes("#: defaults on_late=ops\n0 3 * * * ls\n")
