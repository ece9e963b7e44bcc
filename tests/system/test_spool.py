"""Which files in the spool are obeyed: what is refused gets cron's own word, and a mended file works."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.conftest import StartHost
from tests.system.daemon import Crond, install, wait_for
from tests.system.ground import People

#: On no day; started by request.
TABLE = "#: name=mended\n0 0 31 2 * echo here\n"

Spoil = Callable[[Path, Path, People], None]


def symlink(file: Path, aside: Path, _people: People) -> None:
    file.rename(aside)
    file.symlink_to(aside)


def hard_link(file: Path, aside: Path, _people: People) -> None:
    os.link(file, aside)


def fifo(file: Path, _aside: Path, people: People) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)
    os.chown(file, people.ann.pw_uid, people.ann.pw_gid)


def folder(file: Path, _aside: Path, people: People) -> None:
    file.unlink()
    file.mkdir(0o600)
    os.chown(file, people.ann.pw_uid, people.ann.pw_gid)


def wrong_owner(file: Path, _aside: Path, people: People) -> None:
    os.chown(file, people.ben.pw_uid, people.ben.pw_gid)


def wrong_mode(file: Path, _aside: Path, _people: People) -> None:
    file.chmod(0o620)


def socket_node(file: Path, _aside: Path, people: People) -> None:
    file.unlink()
    os.mknod(file, 0o600 | 0o140000)
    os.chown(file, people.ann.pw_uid, people.ann.pw_gid)


CRONIE: list[tuple[Spoil, str]] = [
    (symlink, "NOT REGULAR"),
    (hard_link, "BAD LINK COUNT"),
    (fifo, "NOT REGULAR"),
    (folder, "NOT REGULAR"),
    (wrong_owner, "WRONG FILE OWNER"),
    (wrong_mode, "BAD FILE MODE"),
    (socket_node, "CAN'T OPEN"),
]
DEBIAN: list[tuple[Spoil, str]] = [
    (symlink, "CAN'T OPEN"),
    (hard_link, "NUMBER OF HARD LINKS > 1"),
    (fifo, "NOT A REGULAR FILE"),
    (folder, "NOT A REGULAR FILE"),
    (wrong_owner, "WRONG FILE OWNER"),
    (wrong_mode, "INSECURE MODE (mode 0600 expected)"),
    (socket_node, "CAN'T OPEN"),
]


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_a_spoilt_file_is_refused_with_crons_word_and_works_once_mended(
    start_host: StartHost, people: People, dialect: str
) -> None:
    """Each way to spoil a crontab: the log says cron's word, nothing of it runs, and repair is noticed."""
    crond, base = start_host(dialect=dialect)
    crond.up()
    for number, (spoil, word) in enumerate(CRONIE if dialect == "cronie" else DEBIAN, 1):
        origin = base / "spool" / people.ann.pw_name
        aside = base / "aside"
        spoilt = base / "being-spoilt"
        file = install(base, people.ann, TABLE)
        wait_for(crond.jobs, f"{spoil.__name__}: the good file is obeyed")
        # As one step for the daemon: it must not see the file half spoilt.
        file.rename(spoilt)
        wait_for(lambda: not crond.jobs(), "the file is gone")
        spoil(spoilt, aside, people)
        spoilt.rename(origin)
        reported = reasons(crond, origin, word)
        assert reported == [word], spoil.__name__
        # Debian's cron names a crontab from the folder of the spool on.
        path = origin if dialect == "cronie" else f"spool/{people.ann.pw_name}"
        logged = f"({people.ann.pw_name}) {word} ({path})"
        crond.line(
            logged,
            count=1 + [w for _, w in (CRONIE if dialect == "cronie" else DEBIAN)][: number - 1].count(word),
            errors=True,
        )
        assert crond.jobs() == []

        remove(origin)
        remove(aside)
        install(base, people.ann, TABLE)
        wait_for(crond.jobs, "the mended file is obeyed")
        assert crond.run_now("mended")["outcome"] == "success"
        remove(origin)
        wait_for(lambda: not crond.jobs(), "the file is gone")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def reasons(crond: Crond, origin: Path, word: str) -> list[str]:
    """Return what `status` says against `origin`, when it says `word`."""

    def look() -> list[str] | None:
        problems = crond.ask("status")["problems"]
        found = [problem["message"] for problem in problems if problem["origin"] == str(origin)]
        return found if word in found else None

    return wait_for(look, f"{word} is reported")


@pytest.mark.parametrize(
    ("mend", "spoil"),
    [
        (lambda file, people: file.chmod(0o600), wrong_mode),
        (lambda file, people: os.chown(file, people.ann.pw_uid, people.ann.pw_gid), wrong_owner),
        (lambda file, people: (file.parent.parent / "aside").unlink(), hard_link),
    ],
    ids=["mode", "owner", "link"],
)
def test_a_file_that_is_mended_in_its_place_works(
    start_host: StartHost, people: People, mend: Callable[[Path, People], None], spoil: Spoil
) -> None:
    """chmod, chown and the removal of a second link are noticed without a new file."""
    crond, base = start_host()
    file = install(base, people.ann, TABLE)
    spoil(file, base / "aside", people)
    crond.up()
    wait_for(lambda: crond.ask("status")["problems"], "the file is refused")
    assert crond.jobs() == []
    mend(file, people)
    # The unlink of a name elsewhere changes nothing in the spool that could be noticed at once: HUP looks.
    crond.process.send_signal(1)
    wait_for(crond.jobs, "the mended file is obeyed")
    assert crond.run_now("mended")["outcome"] == "success"
    assert crond.ask("status")["problems"] == []


def test_a_file_named_after_nobody_is_an_orphan(start_host: StartHost, people: People) -> None:
    """ORPHAN (no passwd entry): said once, in cron's words, and shown as a problem."""
    crond, base = start_host()
    install(base, people.ann, TABLE).rename(base / "spool" / "nosuchuser")
    crond.up()
    crond.line("(nosuchuser) ORPHAN (no passwd entry)", errors=True)
    wait_for(lambda: crond.ask("status")["problems"], "it is reported")
    assert [problem["message"] for problem in crond.ask("status")["problems"]] == ["ORPHAN (no passwd entry)"]
    assert crond.jobs() == []


def test_editors_leftovers_are_no_crontabs(start_host: StartHost, people: People) -> None:
    """Cronie passes over names that end in ~ or begin with a dot or #, without a word."""
    crond, base = start_host()
    for name in (f"{people.ann.pw_name}~", f".{people.ann.pw_name}", f"#{people.ann.pw_name}", "a.rpmsave"):
        install(base, people.ann, TABLE).rename(base / "spool" / name)
    install(base, people.ben, TABLE)
    crond.up()
    wait_for(crond.jobs, "the good file is obeyed")
    assert crond.jobs() == [f"{people.ben.pw_name}/mended"]
    assert crond.ask("status")["problems"] == []
    assert not [line for line in crond.errors if people.ann.pw_name in line]


def test_root_may_own_a_users_crontab(start_host: StartHost, people: People) -> None:
    """A user's file that belongs to root is obeyed, and runs as the user it is named after."""
    crond, base = start_host()
    file = install(base, people.ann, "#: name=mine\n@every 1s id -u\n")
    os.chown(file, 0, 0)
    crond.up()
    run = crond.ended("mine")[0]
    assert crond.output(run["attempt"]) == f"{people.ann.pw_uid}\n".encode()


def test_system_tables_are_checked_too(start_host: StartHost, people: People) -> None:
    """A file in cron.d that others may write, or that is not root's, is not obeyed."""
    crond, base = start_host()
    for name, mode, uid in (("open", 0o666, 0), ("owned", 0o644, people.ann.pw_uid), ("good", 0o644, 0)):
        file = base / "cron.d" / name
        file.write_text(f"#: name={name}\n@every 1s root echo {name}\n")
        file.chmod(mode)
        os.chown(file, uid, 0)
    crond.up()
    assert crond.ended("good")[0]["outcome"] == "success"
    crond.line(f"(*system*) BAD FILE MODE ({base}/cron.d/open)", errors=True)
    crond.line(f"(*system*) WRONG FILE OWNER ({base}/cron.d/owned)", errors=True)
    assert crond.jobs() == ["root/good"]


def test_an_unknown_user_in_a_system_table_is_named(start_host: StartHost, people: People) -> None:
    """Cron's words name the user; ours named the job, so that nobody who looked for the user found it."""
    crond, base = start_host()
    (base / "crontab").write_text("#: name=job\n@every 1s nosuchuser true\n")
    crond.up()
    crond.line("(nosuchuser) ERROR (getpwnam() failed - user unknown)", errors=True)
    run = crond.ended("job")[0]
    assert (run["outcome"], run["reason"]) == ("could_not_start", "user: no account nosuchuser")
