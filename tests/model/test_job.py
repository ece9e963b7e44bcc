"""Jobs: an identity that survives what people do to crontabs, and is never a line number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crond.model.crontab import parse_crontab
from crond.model.job import jobs_of
from crond.model.values import is_name


def names(
    text: str, *, system: bool = False, origin: str = "tab", taken: frozenset[str] = frozenset()
) -> list[str]:
    table = parse_crontab(text, extensions=True, system=system)
    assert not table.syntax_errors
    jobs = jobs_of(table, owner="me", uid=7, origin=origin, version=3, taken=taken)
    assert [job.id for job in jobs] == [f"me/{job.name}" for job in jobs]
    assert [(job.uid, job.version, job.index) for job in jobs] == [(7, 3, n) for n in range(len(jobs))]
    return [job.name for job in jobs]


def test_a_name_is_the_identity() -> None:
    """`#: name=` says who it is."""
    assert names("#: name=backup\n1 * * * * c\n") == ["backup"]


def test_a_marker_that_is_no_name_is_not_used() -> None:
    """A marker with blanks cannot name a job: it gets a derived name."""
    (name,) = names("#Ansible: backup all\n1 * * * * c\n")
    assert name.startswith("c-")


def test_moving_or_rescheduling_a_line_keeps_its_identity() -> None:
    """The history stays with the command, wherever it stands and whenever it runs."""
    first = names("1 * * * * /usr/bin/backup --all\n2 * * * * other\n")
    second = names("# new\nA=b\n2 * * * * other\n@daily /usr/bin/backup --all\n")
    assert set(first) == set(second)
    assert first[0].startswith("backup-")


def test_equal_commands_are_told_apart() -> None:
    """The first keeps the plain identity; a later equal adds its schedule, then a number."""
    text = "1 * * * * c\n2 * * * * c\n2 * * * * c\n2 * * * * c\n"
    found = names(text)
    assert len(set(found)) == 4
    assert found[0] == names("1 * * * * c\n")[0]
    assert found[2:] == [f"{found[1]}-2", f"{found[1]}-3"]


def test_the_second_of_one_name_gets_a_derived_one() -> None:
    """Both run; the later one loses the name, also to another table of the owner."""
    text = "#: name=x\n1 * * * * c\n"
    assert names(text + "#: name=x\n2 * * * * d\n")[0] == "x"
    assert names(text + "#: name=x\n2 * * * * d\n")[1].startswith("d-")
    assert names(text, taken=frozenset(("me/x",)))[0].startswith("c-")


def test_system_tables_are_told_apart_by_file_and_user() -> None:
    """All belong to root, so the command alone would make one job of two."""
    one = names("1 * * * * root c\n", system=True, origin="/etc/cron.d/a")
    other_file = names("1 * * * * root c\n", system=True, origin="/etc/cron.d/b")
    other_user = names("1 * * * * www c\n", system=True, origin="/etc/cron.d/a")
    assert len({*one, *other_file, *other_user}) == 3


@given(st.lists(st.sampled_from(["c", "d", "% x", "ü\udcff", "  ", "/bin/..", "[ -x a ]"]), max_size=6))
def test_identities_are_unique_and_names(commands: list[str]) -> None:
    """Whatever stands in the commands, jobs have different names that can be typed."""
    table = parse_crontab("".join(f"* * * * *  x{command}\n" for command in commands))
    jobs = jobs_of(table, owner="me", uid=0, origin="tab", version=1)
    assert len({job.id for job in jobs}) == len(jobs)
    assert all(is_name(job.name) for job in jobs)


def test_a_command_without_a_program_is_a_job() -> None:
    """An empty command, which Debian's cron runs, has a name too."""
    table = parse_crontab("* * * * *\n* * * * * ...\n", dialect="debian")
    jobs = jobs_of(table, owner="me", uid=0, origin="tab", version=1)
    assert [job.name.partition("-")[0] for job in jobs] == ["job", "job"]
