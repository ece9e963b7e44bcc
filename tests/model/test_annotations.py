"""The annotation language: every key good and bad, where problems are, which of several places counts."""

from __future__ import annotations

import random
import shlex
from dataclasses import fields
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.model.annotations import Annotation, BadAnnotation, read_words, words_of
from crond.model.crontab import Table, parse_crontab
from crond.model.dependency import Dependency
from crond.model.fields import Dialect
from crond.model.host import Host
from crond.model.keys import KEYS, keys_for
from crond.model.policy import PLAIN, Policy, Said, policy_of
from crond.model.problem import Problem
from crond.model.schedule import NICKNAMES, After, At, Cron, Every
from crond.model.values import BadValue, Rules

RULES = Rules(Dialect.CRONIE, random.Random(0).randint)
LINE = "0 6 * * * true\n"

#: Each key: a text, the value that it has, a text that is no value, and words of the message about that.
CASES: list[tuple[str, str, Any, str, str]] = [
    ("name", "a.b-c_D", "a.b-c_D", "a b", "letters, digits"),
    ("description", "what it's for", "what it's for", "", "a text"),
    ("owner", "team data", "team data", " ", "a text"),
    ("tags", "a, b", ("a", "b"), "a,,b", "names"),
    ("schedule", "@every 15s", Every(15), "@every", "at least 1s"),
    ("schedule", "@after", After(), "@before", "@after"),
    ("schedule", "@at 2026-11-29T07:00", At(datetime.fromisoformat("2026-11-29T07:00")), "@at x", "ISO 8601"),
    ("schedule", "@daily", NICKNAMES["@daily"], "0 25 * * *", "bad hour"),
    ("timezone", "Asia/Seoul", "Asia/Seoul", "../x", "time zone"),
    ("jitter", "1h30m", 5400, "soon", "a duration"),
    ("starts_at", "2026-11-29", datetime.fromisoformat("2026-11-29"), "29.11.2026", "ISO 8601"),
    ("expires_at", "2026-11-29 07:00", datetime.fromisoformat("2026-11-29T07:00"), "never", "ISO 8601"),
    ("enabled", "no", False, "maybe", "yes or no"),
    ("catchup", "latest", "latest", "some", "one of none, latest, all"),
    ("catchup_window", "7d", 604800, "0", "at least 1s"),
    ("start_deadline", "10m", 600, "-1", "a duration"),
    ("skip_on", "KR,/etc/holidays", ("KR", "/etc/holidays"), "korea", "countries"),
    ("depends_on", "a,b:exit=10", (Dependency("a"), Dependency("b", "exit", 10)), "a:exit=256", ":failed"),
    ("depends_on", "a:failed, b:done", (Dependency("a", "failed"), Dependency("b", "done")), "a:x", "done"),
    ("depends_on", "a:success", (Dependency("a"),), "bob/a", "only root"),
    ("trigger_rule", "none_failed", "none_failed", "any", "all_success"),
    ("pipeline", "nightly", "nightly", "a/b", "a name"),
    ("depends_timeout", "2h", 7200, "", "a duration"),
    ("depends_on_past", "yes", True, "2", "yes or no"),
    ("wait_for", "test -f /x", "test -f /x", "", "a command"),
    ("wait_interval", "5m", 300, "0s", "at least 1s"),
    ("wait_timeout", "90", 90, "1w", "a duration"),
    ("condition", '[ "$A" = b ]', '[ "$A" = b ]', "", "a command"),
    ("params", "LR,DATE", ("LR", "DATE"), "1A", "variables"),
    ("retries", "3", 3, "-1", "a whole number"),
    ("retry_delay", "30s", 30, "30x", "a duration"),
    ("retry_backoff", "1.5", 1.5, "0.5", "at least 1"),
    ("retry_max_delay", "1d", 86400, "1.5h", "a duration"),
    ("retry_jitter", "0", 0, "a", "a duration"),
    ("retry_on", "exit,lost,75", ("exit", "lost", 75), "always", "exit, timeout"),
    ("timeout", "2h", 7200, "0", "at least 1s"),
    ("kill_timeout", "0", 0, "", "a duration"),
    ("stop_signal", "sigint", "INT", "STOPP", "a signal"),
    ("success_codes", "0,3", (0, 3), "0-3", "exit statuses"),
    ("skip_codes", "75", (75,), "256", "exit statuses"),
    ("fail_on_output", "true", True, "on_error", "yes or no"),
    ("concurrency", "forbid", "forbid", "deny", "allow, forbid, replace, queue"),
    ("max_instances", "2", 2, "0", "at least 1"),
    ("pool", "gpu", "gpu", "g/u", "a name"),
    ("pool_slots", "4", 4, "0", "at least 1"),
    ("priority", "-5", -5, "high", "a whole number"),
    ("max_load", "2.5", 2.5, "low", "a load"),
    ("on_failure", "ops@example.com", ("ops@example.com",), "a b", "a URL, a mail address or a tag"),
    ("on_retry", "slack-ml", ("slack-ml",), "://x", "a URL"),
    ("on_success", "json://h.example/a,b", ("json://h.example/a,b",), "@", "a URL"),
    ("on_recovery", "ops", ("ops",), "", "a URL"),
    ("on_skip", "ops", ("ops",), "!", "a URL"),
    ("on_late", "ops", ("ops",), "x y", "a URL"),
    ("late_after", "5m", 300, "x", "a duration"),
    ("warn_runtime", "1h", 3600, "x", "a duration"),
    ("max_time_since_success", "2d", 172800, "0", "at least 1s"),
    ("alert_after", "3", 3, "0", "at least 1"),
    ("alert_cooldown", "1h", 3600, "often", "a duration"),
    ("mail", "failure", "failure", "no", "one of cron, failure, always, never"),
    ("ping", "https://hc.example/uuid", ("https://hc.example/uuid",), "hc.example/uuid", "a URL"),
    ("env_file", "/etc/job.env", "/etc/job.env", "", "a path"),
    ("secret_env", "DB=file:/run/db", (("DB", "file:/run/db"),), "DB=hunter2", "NAME=file:/PATH"),
    ("working_dir", "~/jobs", "~/jobs", "", "a path"),
    ("umask", "027", 0o027, "28", "octal"),
    ("nice", "-5", -5, "20", "from -20 to 19"),
    ("ionice", "best-effort:7", "best-effort:7", "best", "idle"),
    ("limit_nofile", "1024", 1024, "0", "at least 1"),
    ("memory_max", "2G", 2 << 30, "2GB", "a size"),
    ("cpu_quota", "150%", 150.0, "2", "part of one processor"),
    ("log_max_size", "64K", 65536, "big", "a size"),
    ("keep_runs", "10", 10, "x", "a whole number"),
    ("keep_days", "0.5", 0.5, "x", "a number of days"),
]  # fmt: skip


def parsed(text: str, **how: Any) -> Table:
    return parse_crontab(text, extensions=True, **how)


def told(table: Table, severity: str = "error") -> list[tuple[int, int, str]]:
    """The problems of one severity."""
    return [(one.line, one.column, one.message) for one in table.problems if one.severity == severity]


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "IFS", "HOME", "A" * 129])
def test_a_param_decides_on_no_program(name: str) -> None:
    """`#: params=PATH`, and `run --env PATH=...` sent a start that the launcher takes for the word of a false
    scheduler: it was killed, each time anew, and no job of the host started.
    """
    table = parsed(f"#: params=LR,{name}\n{LINE}")
    assert next(message for _, _, message in told(table)).startswith("bad params")
    assert table.entries[0].policy.params == ()


def test_every_key_has_a_case_and_a_field() -> None:
    """Table, policy and these tests have the same keys, and the kept ones are unknown."""
    assert {key for key, *_ in CASES} == set(KEYS)
    assert {field.name for field in fields(Policy)} == set(KEYS) - {"name"}
    assert not {"vars", "conn", "template", "executor", "queue", "host", "image"} & set(KEYS)


@pytest.mark.parametrize(
    "key", [key for key in KEYS.values() if key.name != "name"], ids=lambda key: key.name
)
def test_the_defaults_that_are_shown_are_those_that_hold(key: Any) -> None:
    """What the reference calls the default is what an entry has without the key."""
    held = getattr(PLAIN, key.name)
    if key.default == "":
        assert held in (None, ())
    elif key.default == "none":
        assert held == "none"
    else:
        assert key.form.read(key.default, RULES) == held
    assert key.needs == "" or key.needs in KEYS


@pytest.mark.parametrize(("key", "good", "value", "bad", "words"), CASES)
def test_a_key(key: str, good: str, value: Any, bad: str, words: str) -> None:
    """The good value is kept; the bad one is told at its place, with what would be right, and is left out."""
    table = parsed(f"#: {key}={shlex.quote(good)}\n{LINE}")
    entry = table.entries[0]
    assert not [one for one in table.errors if one.code != "annotation-conflict"]
    assert (entry.name if key == "name" else getattr(entry.policy, key)) == value
    table = parsed(f"  #: enabled {key}={shlex.quote(bad)}\n{LINE}")
    (problem,) = table.errors
    assert (problem.line, problem.column) == (1, 15 + len(key))
    assert problem.code == "annotation-bad"
    assert problem.message.startswith(f"bad {key}")
    assert words in problem.hint
    assert [one.policy for one in table.entries] == [PLAIN]


@pytest.mark.parametrize("key", [key for key in KEYS.values() if key.form.secret], ids=lambda key: key.name)
def test_a_bad_secret_is_not_shown(key: Any) -> None:
    """A URL with a typing error holds its password all the same."""
    table = parsed(f"#: {key.name}='https//me:hunter2 @h.example'\n{LINE}")
    assert table.errors
    assert "hunter2" not in str([(one.message, one.hint) for one in table.problems])


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("#: retires=3", 4, "unknown key 'retires'", "did you mean retries?"),
        ("#: Retries=3", 4, "unknown key 'Retries'", "did you mean retries?"),
        ("#:\tname=a  qqqqq", 12, "unknown key 'qqqqq'", "the keys are in the reference of annotations"),
        ("#: executor=x", 4, "unknown key 'executor'", ""),
        ("#: 'x y'", 4, "unknown key 'x y'", ""),
        ("#: retries", 4, "bad retries ''", "retries needs a value; it takes a whole number, such as 3"),
        ("#: on_failure='", 15, "bad annotation: no closing quotation", "close the quote"),
        ('#: name=a "b', 11, "bad annotation: no closing quotation", "close the quote"),
        ("#: name=a\\", 10, "bad annotation: no closing quotation", "close the quote"),
        ("#: defaults name=a", 13, "name cannot stand in #: defaults", "put it above its entry"),
        ("#: defaults depends_on=a", 13, "depends_on cannot stand in #: defaults", ""),
        ("#: defaults schedule=@after", 13, "schedule cannot stand in #: defaults", ""),
        ("#: defaults ping=https://x.example", 13, "ping cannot stand in #: defaults", ""),
        ("#: defaults condition=x", 13, "condition cannot stand in #: defaults", ""),
        ("#: defaults retires=2", 13, "unknown key 'retires'", "did you mean retries?"),
        ("#: job x name=y", 10, "name cannot stand in #: job NAME", ""),
        ("#: job", 4, "which job?", "for example"),
        ("#: job retries=2", 8, "which job?", ""),
        ("#: pool", 4, "a pool needs a name and a size", "for example"),
        ("#: pool gpu=0", 9, "bad pool 'gpu=0'", "NAME=SLOTS"),
        ("#: pool gpu", 9, "bad pool 'gpu'", ""),
    ],
)
def test_what_is_refused_and_where(text: str, column: int, message: str, hint: str) -> None:
    """The place is that of the word, and the entry below stays as cron has it."""
    table = parsed(f"{text}\n{LINE}")
    assert told(table) == [(1, column, message)]
    assert hint in table.errors[0].hint
    assert [str(entry.schedule) for entry in table.entries] == ["0 6 * * *"]


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_an_error_of_an_annotation_leaves_out_what_it_says(dialect: str) -> None:
    """Not the entry, not its other keys, and under Debian's rules not the file."""
    table = parsed(f"#: name=a retries=x timeout=5m\n{LINE}{LINE}", dialect=dialect)
    assert [entry.name for entry in table.entries] == ["a", None]
    assert (table.entries[0].policy.retries, table.entries[0].policy.timeout) == (0, 300)
    assert len(table.errors) == 1
    assert not table.syntax_errors


# --- what holds where ---------------------------------------------------------------------------------


def test_a_plain_entry_shares_the_one_default() -> None:
    """A hundred thousand plain entries cost no policy; those below one `defaults` share its policy."""
    table = parsed(f"{LINE}{LINE}#: defaults retries=2\n{LINE}{LINE}")
    first, second, third, fourth = (entry.policy for entry in table.entries)
    assert first is second is PLAIN
    assert third is fourth
    assert third == Policy(retries=2)
    assert parse_crontab(f"#: retries=2\n{LINE}").entries[0].policy is PLAIN


def test_defaults_hold_from_there_on() -> None:
    """The latest counts, key by key; an entry replaces, `none` clears."""
    table = parsed(
        "#: defaults retries=2 on_failure=ops timeout=5m\n"
        f"{LINE}#: defaults retries=3 timeout=none\n{LINE}#: on_failure=a on_failure=b\n{LINE}"
        f"#: on_failure=none retries=none\n{LINE}"
    )
    assert [entry.policy for entry in table.entries] == [
        Policy(retries=2, on_failure=("ops",), timeout=300),
        Policy(retries=3, on_failure=("ops",)),
        Policy(retries=3, on_failure=("a", "b")),
        PLAIN,
    ]


def test_a_job_form_reaches_its_entry_wherever_it_stands() -> None:
    """Above or below, over defaults and under the entry's own block; also by a marker's name."""
    text = (
        "#: job b retries=5 timeout=1m tags=t\n#: defaults retries=1 nice=3\n"
        f"#: name=b timeout=2m\n{LINE}#Ansible: nightly job\n{LINE}"
        "#: job 'nightly job' retries=9 schedule='@every 5m'\n#: job b tags=u\n"
    )
    table = parsed(text)
    assert not table.errors
    assert [entry.policy for entry in table.entries] == [
        Policy(retries=5, timeout=120, tags=("u",), nice=3),
        Policy(retries=9, nice=3, schedule=Every(300)),
    ]
    assert str(table.entries[1].schedule) == "@every 5m"


_LEVELS = st.lists(st.none() | st.integers(0, 9) | st.just("none"), min_size=4, max_size=4)


@given(_LEVELS)
def test_which_place_counts(levels: list[int | str | None]) -> None:
    """Host, defaults, job, entry: the last that says anything, whatever the others say."""
    host, defaults, job, own = levels
    lines = ["" if level is None else f"{form} retries={level}\n" for form, level in
             (("#: defaults", defaults), ("#: job x", job))]  # fmt: skip
    name = "#: name=x" + ("" if own is None else f" retries={own}")
    layer = {} if host is None else {"retries": Said(None if host == "none" else host)}
    table = parsed(f"{''.join(lines)}{name}\n{LINE}", host=Host(layer))
    said = next((level for level in (own, job, defaults, host) if level is not None), "none")
    assert table.entries[0].policy.retries == (0 if said == "none" else said)


def test_the_hosts_defaults_reach_entries_without_annotations() -> None:
    """One line for a host: mail me when anything fails."""
    found: list[Problem] = []
    words = words_of(Annotation(1, 1, " on_failure=ops@example.com"))
    layer = read_words(words, "defaults", RULES, found.append)
    table = parsed(LINE * 2, host=Host(layer))
    assert {entry.policy for entry in table.entries} == {Policy(on_failure=("ops@example.com",))}
    assert table.entries[0].policy is table.entries[1].policy


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_a_commented_out_entry_gives_its_annotation_to_nobody(dialect: str) -> None:
    """Comment an entry out and leave its annotation: the next entry must not get it."""
    table = parsed(f"#: name=old timeout=1m\n#0 5 * * * old\n{LINE}#: job old retries=2\n", dialect=dialect)
    assert (table.entries[0].name, table.entries[0].policy) == (None, PLAIN)
    assert told(table, "warning") == [
        (1, 1, "this annotation belongs to no entry"),
        (4, 8, "no entry of this crontab is called 'old'"),
    ]
    assert not table.errors


#: What may stand below a commented-out entry, before the next one.
_FOLLOWERS = [
    "", "\n", "  \t\n", "# a comment\n", "#0 5 * * * other\n", "A=b\n", "#: retries=1\n", "#:\n",
    "#: 'open\n", "#: unknown=1\n", "#: defaults retries=1\n", "#: pool gpu=1\n", "#: job\n",
    "#: job other retries=1\n",
    "#Ansible: other\n", "# Puppet Name: other\n", "# SALT_CRON_IDENTIFIER:other\n", "0 61 * * * bad\n",
    "@after bad\n", "@reboot c\n", "@every 5m c\n", "-0 5 * * * c\n", "0 5 * * *\n",
    "#DISABLED# 0 5 * * * c\n",
]  # fmt: skip


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
@pytest.mark.parametrize("commented", ["#0 5 * * * old\n", "# 0 5 * * * old\n", "#\n", "  #0 5 * * * old\n"])
@pytest.mark.parametrize("follower", _FOLLOWERS)
def test_whatever_follows_a_commented_out_entry(follower: str, commented: str, dialect: str) -> None:
    """Nothing below it gets its annotation, and that it belongs to nothing is said at its line."""
    table = parsed(f"#: name=old timeout=1m\n{commented}{follower}{LINE}", dialect=dialect)
    assert {entry.policy.timeout for entry in table.entries} <= {None}
    assert "old" not in {entry.name for entry in table.entries}
    assert (1, 1, "this annotation belongs to no entry") in told(table, "warning")


@pytest.mark.parametrize("between", ["0 6 * * *\n", "0 61 * * * c\n"])
def test_a_line_in_error_takes_its_annotation_with_it(between: str) -> None:
    """The entry after a bad line has the number that the bad one would have had, and nothing else of it."""
    table = parsed(f"#: name=a retries=3\n{between}{LINE}")
    assert [(entry.name, entry.policy) for entry in table.entries] == [(None, PLAIN)]


def test_an_annotation_that_a_configuration_manager_may_lose() -> None:
    """Between marker and line it would vanish with the next change; `#: job` is told instead."""
    table = parsed(f"#Ansible: my job\n#: retries=2\n{LINE}")
    (problem,) = (one for one in table.problems if one.code == "annotation-managed")
    assert (problem.line, problem.hint) == (2, "say it elsewhere: #: job 'my job' ...")
    assert table.entries[0].policy.retries == 2


def test_puppet_writes_settings_between_its_marker_and_the_line() -> None:
    """A job with an `environment` lost its name; nobody else writes anything there."""
    table = parsed(f"# Puppet Name: nightly\nA=1\nB=2\n{LINE}{LINE}")
    assert [entry.name for entry in table.entries] == ["nightly", None]
    table = parsed(f"# Puppet Name: nightly\nA=1\n#: retries=2\n{LINE}")
    assert [one.code for one in table.problems] == ["annotation-managed"]
    for above in (
        "#Ansible: nightly\nA=1\n",
        "# Puppet Name: nightly\nA=1\n\n",
        "# Puppet Name: nightly\nA=1\n#\n",
    ):
        assert parsed(f"{above}{LINE}").entries[0].name is None


# --- among each other ---------------------------------------------------------------------------------


def test_two_jobs_of_one_name() -> None:
    """An error of the later name; names that configuration managers gave twice are not ours to refuse."""
    table = parsed(f"#: name=a\n{LINE}#: timeout=5m name=a\n{LINE}")
    assert told(table) == [(3, 15, "'a' is already the name of line 2")]
    assert not parsed(f"#Ansible: a\n{LINE}#Ansible: a\n{LINE}").problems
    assert told(parsed(f"#Ansible: a\n{LINE}#: name=a\n{LINE}")) == [
        (3, 4, "'a' is already the name of line 2")
    ]
    table = parsed(f"#: name=a\n{LINE}#Ansible: a\n{LINE}")
    assert (told(table), told(table, "warning")) == ([], [(4, 1, "'a' is already the name of line 2")])


@pytest.mark.parametrize(
    ("first", "second", "told_of"),
    [
        ("0 6 * * *", "0 5 * * *", True),
        ("0 6 * * *", "30 * * * *", True),
        ("0 6 * 1-6 *", "0 6 * 7-12 *", True),
        ("0 6 * * 1", "0 6 * * 2", False),
        ("0 6 * * *", "*/5 * * * *", False),
        ("0 6 * * *", "@reboot", False),
        ("0 6 * * *", "@every 5m", False),
    ],
)
def test_parents_that_share_no_instant(first: str, second: str, told_of: bool) -> None:
    """Told of where it is sure; zones that differ are not sure."""
    child = f"#: depends_on=a,elsewhere/b,b schedule=@after\n{LINE}"
    text = f"#: name=a\n{first} a\n#: name=b\n{second} b\n{child}"
    found = [one for one in parsed(text, privileged=True).problems if one.code == "annotation-apart"]
    assert [(one.line, one.column, one.message) for one in found] == [
        (5, 4, "a and b are never due at the same instant")
    ] * told_of
    elsewhere = parsed(text.replace("name=b", "name=b timezone=Asia/Seoul"), privileged=True)
    assert not [one for one in elsewhere.problems if one.code == "annotation-apart"]
    plain = parsed(text.replace("schedule=@after", ""), privileged=True)
    assert not [one for one in plain.problems if one.code == "annotation-apart"]


@pytest.mark.parametrize(
    ("text", "severity", "place", "message"),
    [
        (f"#: depends_on=weather\n{LINE}#: name=wether\n{LINE}", "warning", (1, 4),
         "no entry of this crontab is called 'weather'"),
        (f"#: schedule=@after\n{LINE}", "error", (1, 4), "@after needs depends_on=: after which jobs?"),
        ("  @after c\n", "error", (1, 3), "@after needs depends_on=: after which jobs?"),
        (f"#: pool gpu=2\n#: pool=gpu pool_slots=3\n{LINE}", "error", (2, 13),
         "3 slots of 'gpu' are never free: the pool has 2"),
        (f"#: pool=gpu\n{LINE}#: pool gqu=2\n", "warning", (1, 4), "no pool of this crontab is called 'gpu'"),
        (f"#: retry_delay=5m\n{LINE}", "warning", (1, 4), "retry_delay has no effect without retries="),
        (f"#: depends_timeout=9\n{LINE}", "warning", (1, 4),
         "depends_timeout has no effect without depends_on="),
        (f"#: pool_slots=2\n{LINE}", "warning", (1, 4), "pool_slots has no effect without pool="),
        (f"#: wait_timeout=2h\n{LINE}", "warning", (1, 4), "wait_timeout has no effect without wait_for="),
        (f"#: starts_at=2026-12-01 expires_at=2026-12-01\n{LINE}", "error", (1, 25),
         "expires_at is not after starts_at"),
        (f"#: skip_codes=0,3\n{LINE}", "warning", (1, 4),
         "exit status 0 is in success_codes, too: it counts as success"),
        (f"#: retries=1 retries=2\n{LINE}", "warning", (1, 14), "retries is said twice: the last one counts"),
        (f"#: name=a depends_on=a\n{LINE}", "error", (1, 11), "these wait for each other: a -> a"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(text: str, severity: str, place: tuple[int, int], message: str) -> None:
    """Each is told at the key that is wrong, and nothing else is told."""
    table = parsed(text)
    assert told(table, severity) == [(*place, message)]
    assert told(table, "error" if severity == "warning" else "warning") == []


@pytest.mark.parametrize(
    "text",
    [
        f"#: defaults retry_delay=5m pool=gpu trigger_rule=all_done\n{LINE}",
        f"#: job b retry_delay=5m\n#: name=b retries=2\n{LINE}",
        f"#: defaults retries=2\n#: retry_delay=5m\n{LINE}",
        f"#: pool gpu=2\n#: pool=gpu pool_slots=2\n{LINE}",
        f"#: starts_at=2026-12-01 expires_at=2026-12-02T00:00+09:00\n{LINE}",
    ],
)
def test_what_fits_together(text: str) -> None:
    """Defaults are for many entries, and need not make sense for each."""
    assert told(parsed(text), "error") == told(parsed(text), "warning") == []


def test_a_cycle_is_told_by_its_shortest_way() -> None:
    """One message for jobs that wait for each other, however many ways around there are."""
    parents = {"a": "b", "b": "c", "c": "d,b", "d": "a", "e": "a", "f": "g", "g": "f"}
    text = "".join(f"#: name={name} depends_on={others}\n{LINE}" for name, others in parents.items())
    found = [one.message for one in parsed(text).problems if one.code == "annotation-cycle"]
    assert found == ["these wait for each other: b -> c -> b", "these wait for each other: f -> g -> f"]


def test_a_cycle_of_a_thousand_jobs() -> None:
    """It is found without recursion, and shown in part."""
    text = "".join(
        f"#: name=j{n} depends_on=j{(n + 1) % 1000},j{(n + 7) % 1000}\n{LINE}" for n in range(1000)
    )
    (problem,) = parsed(text).errors
    assert problem.message.startswith("these wait for each other: j0 -> ")
    assert problem.message.endswith(" -> j0")


def test_root_may_depend_on_jobs_of_others() -> None:
    """Only root's own crontab and those of the system may name an owner."""
    text = f"#: depends_on=alice/backup\n{LINE}"
    assert parsed(text, privileged=True).entries[0].policy.depends_on == (Dependency("alice/backup"),)
    assert not parsed(text, privileged=True).errors
    assert told(parsed(text)) == [(1, 15, "bad depends_on 'alice/backup'")]


# --- schedules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["#: depends_on=a\n@after true\n", f"#: schedule=@after depends_on=a\n{LINE}"]
)
def test_after_has_no_time_of_its_own(text: str) -> None:
    """In the line or in its annotation: an entry that waits for others never starts by a time."""
    table = parsed(f"#: name=a\n{LINE}{text}")
    assert isinstance(table.entries[1].schedule, After)
    assert table.entries[1].minute == frozenset()
    assert not table.problems


def test_a_schedule_in_an_annotation_replaces_the_lines() -> None:
    """Other crons go on using the line's; `~` is drawn, and the dialect reads the fields."""
    table = parsed(f"#: schedule='~ 1-3 * * mon'\n{LINE}")
    schedule = table.entries[0].schedule
    assert isinstance(schedule, Cron)
    assert (len(schedule.minute), schedule.hour) == (1, frozenset((1, 2, 3)))
    assert not table.problems
    assert told(parsed(f"#: schedule='~ 1 * * *'\n{LINE}", dialect="debian"))
    assert str(parse_crontab(f"#: schedule='~ 1 * * *'\n{LINE}").entries[0].schedule) == "0 6 * * *"


# --- whole crontabs -----------------------------------------------------------------------------------

PIPELINE = """\
MAILTO=ops@example.com
CRON_TZ=Asia/Seoul

#: pool gpu=1
#: defaults retries=2 retry_delay=5m on_failure=slack-ml

#: name=weather timeout=10m ping=https://hc.example/1 ping=https://hc.example/2
0 6 * * *   fetch-weather
#: name=sales skip_on=KR,/etc/holidays jitter=10m
#: late_after=15m on_late=ops alert_after=3 alert_cooldown=1h
0 6 * * *   fetch-sales
#: name=features depends_on=weather,sales wait_for='test -e /data/ready' wait_interval=30s
0 6 * * *   join-features
#: name=train depends_on=features timeout=2h concurrency=forbid pool=gpu
#: memory_max=8G cpu_quota=200% nice=10
0 6 * * *   train.py
#: name=deploy depends_on=train condition='[ "$OUT_TRAIN_BETTER" = yes ]'
0 6 * * *   deploy-model
#: name=rollback depends_on=train:exit=10 secret_env=DB_PASS=file:/run/secrets/db
#: success_codes=0,3 params=LR,DATE
0 6 * * *   roll-back
#: name=report depends_on=train,deploy trigger_rule=all_done schedule=@after retries=none
0 9 * * *   mail-report
#: job backup catchup=latest catchup_window=2d start_deadline=1h keep_runs=10 log_max_size=1M
#Ansible: backup
0 3 * * *   backup
#: name=feed schedule='@every 15s' enabled fail_on_output
* * * * *   poll
#: schedule='@at 2026-11-29T07:00' starts_at=2026-11-29 depends_on_past tags=a,b description='for once'
0 7 29 11 * once
"""


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_a_whole_pipeline(dialect: str) -> None:
    """All forms together: without an error here, and the same lines for a cron that knows nothing of it."""
    table = parsed(PIPELINE, dialect=dialect)
    assert [one.message for one in table.problems] == []
    plain = parse_crontab(PIPELINE, dialect=dialect)
    assert not plain.problems
    assert [(one.line, one.raw) for one in table.entries] == [(one.line, one.raw) for one in plain.entries]
    assert bytes(table) == PIPELINE.encode()
    by_name = {entry.name: entry for entry in table.entries}
    assert by_name["train"].policy == Policy(
        retries=2, retry_delay=300, on_failure=("slack-ml",), timeout=7200, concurrency="forbid", pool="gpu",
        depends_on=(Dependency("features"),), memory_max=8 << 30, cpu_quota=200.0, nice=10,
    )  # fmt: skip
    assert by_name["backup"].policy.catchup == "latest"
    assert by_name["report"].policy.retries == 0
    assert [str(entry.schedule) for entry in table.entries[-4:]] == [
        "@after", "0 3 * * *", "@every 15s", "@at 2026-11-29T07:00",
    ]  # fmt: skip
    assert table.pools == {"gpu": 1}


# --- any text -----------------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [*KEYS, *"=,'\":/%~ \t\r\0\\aé", "none", "defaults", "job", "pool", "@after", "#:", "\n#: ", "\n",
     f"\n{LINE}", "1h", "exit=3", "://", "\udcff", "9" * 30]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=30).map("".join), st.sampled_from(["cronie", "debian"]))
def test_no_text_raises(text: str, dialect: str) -> None:
    """Whatever the annotation: problems lie in the text, and no entry of plain cron is lost."""
    whole = f"#: {text}\n{LINE}"
    table = parsed(whole, dialect=dialect)
    plain = parse_crontab(whole, dialect=dialect)
    lines = str(table).split("\n")
    for problem in table.problems:
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert "\n" not in problem.message + problem.hint
    if not plain.syntax_errors and not table.syntax_errors:
        assert [entry.line for entry in table.entries] == [entry.line for entry in plain.entries]
        assert [entry.raw for entry in table.entries] == [entry.raw for entry in plain.entries]


@given(st.text("ab='\\\" \t,", max_size=20))
def test_words_are_those_of_a_shell(text: str) -> None:
    """The standard library's splitter is the reference; we know the columns, too."""
    try:
        wanted = shlex.split(text)
    except ValueError:
        with pytest.raises(BadAnnotation):
            list(words_of(Annotation(1, 5, text)))
        return
    words = list(words_of(Annotation(1, 5, text)))
    assert [word.text for word in words] == wanted
    assert [text[word.column - 7] in " \t" for word in words] == [False] * len(words)


def test_too_many_annotations_keep_nobody_waiting() -> None:
    """From there on they are not read, and that is said once; the entries stay."""
    table = parsed(f"#: {'a=1 ' * 20}\n{LINE}" * 200)
    assert sum(one.message == "too many errors in annotations" for one in table.problems) == 1
    assert len(table.errors) == 1001
    assert len(table.entries) == 200
    table = parsed(f"#: {'tags=a ' * 1000}\n{LINE}" * 120)
    assert [one.message for one in table.errors] == ["too many annotations"]
    assert len(table.entries) == 120


def test_names_of_nothing_keep_nobody_waiting() -> None:
    """A crontab of dependencies on jobs that are not there was read for minutes, name by name."""
    names = ",".join(f"jobb{n}" for n in range(250))
    table = parsed("".join(f"#: name=job{n} depends_on={names}\n{LINE}" for n in range(300)))
    assert sum(one.code == "annotation-elsewhere" for one in table.problems) == 100
    assert not table.errors
    table = parsed(f"#: depends_on={names}\n{LINE}" * 500)
    assert [one.message for one in table.errors] == ["too many annotations"]
    assert not parsed(f"#: depends_on={names}\n{LINE}" * 500, privileged=True).errors
    table = parsed(f"#: name=a\n{LINE}" + "".join(f"#: job b{n} nice=1\n" for n in range(300)))
    assert sum(one.code == "annotation-lost" for one in table.problems) == 300


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_each_key_can_be_said_in_words(key: Any) -> None:
    """What `check --explain` prints is one sentence, with the value in it and no secret."""
    for name, good, _, _, _ in CASES:
        if name == key.name:
            sentence = key.sentence(key.form.read(good, RULES))
            assert sentence[0].isupper() or sentence[0].isdigit()
            assert "{}" not in sentence
            assert "hc.example" not in sentence
            assert "/run/db" not in sentence


def test_forms_tell_bad_values_only() -> None:
    """A form raises nothing but BadValue, for any of the texts of any key."""
    texts = [text for _, good, _, bad, _ in CASES for text in (good, bad)]
    for key in keys_for("entry"):
        for text in texts:
            try:
                hash(key.form.read(text, RULES))
            except BadValue:
                continue


def test_policies_come_from_layers() -> None:
    """The empty one is the shared default."""
    assert policy_of({}, {"name": Said("x")}) is PLAIN
    assert policy_of({"retries": Said(2)}, {"retries": Said(None)}) is PLAIN
