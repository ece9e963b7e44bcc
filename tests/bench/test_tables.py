"""What each cron is given to read: the same entries, in its own words."""

from __future__ import annotations

import pathlib
import time

from bench import tables
from bench.ground import never
from bench.job import Job
from bench.tables import PER_FILE, Entry
from crond.model.crontab import parse_crontab


def test_the_crontab_has_a_line_per_job_and_mails_nothing(tmp_path: pathlib.Path) -> None:
    """Every peer gets the same lines, all due each minute."""
    entries = Job(tmp_path / "job", "C").entries(3, tmp_path / "notes")
    lines = tables.crontab(entries, "root", "MAILTO=").crontab.splitlines()
    assert lines[0] == "MAILTO="
    assert [line.split()[:5] for line in lines[1:]] == [["*"] * 5] * 3
    assert [line.split()[6] for line in lines[1:]] == ["0", "1", "2"]


def test_many_entries_are_spread_over_files_that_every_cron_reads_whole() -> None:
    """All are there, in order, with a user column, and each file turns mail off."""
    made = tables.spread([Entry("* * * * *", f"c{n}") for n in range(2 * PER_FILE + 1)], "root", 'MAILTO=""')
    texts = list(made.cron_d.values())
    assert [text.count("\n") for text in texts] == [PER_FILE + 1, PER_FILE + 1, 2]
    assert all(text.startswith('MAILTO=""\n* * * * * root c') for text in texts)
    assert "".join(texts).split()[-1] == f"c{2 * PER_FILE}"


def test_yaml_keeps_what_a_command_has_in_it() -> None:
    """Quotes and colons do not end the string."""
    text = tables.yaml([Entry("@reboot", 'echo "a: b" # c')], "root", "").crontab
    assert '    command: "echo \\"a: b\\" # c"\n' in text
    assert '    schedule: "@reboot"\n' in text


def test_an_entry_that_is_never_due_is_far_off() -> None:
    """At any time of the year it is a date that exists, half a year on."""
    for day in range(366):
        now = time.time() + day * 86400
        table = parse_crontab(f"{never(now)} true\n")
        assert [entry.command for entry in table.entries] == ["true"]
