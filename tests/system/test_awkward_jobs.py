"""Jobs that misbehave: each is reported as what it was, and the daemon goes on as if nothing had been."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.system.daemon import Crond, host_crond, install, is_alive, wait_for
from tests.system.ground import Ground, People

NEVER = "0 0 31 2 *"
MEGABYTES = 200


class Place:
    """A daemon with one user's jobs, and the folder in which these leave their marks."""

    def __init__(self, crond: Crond, folder: Path, user: pwd.struct_passwd, dialect: str) -> None:
        self.dialect = dialect
        self.crond = crond
        self.folder = folder
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.marks.chmod(0o777)
        self.user = user
        self.table = ""
        #: Debian's cron takes no line of more than 998 characters.
        self.longest = 900 if dialect == "debian" else 100_000

    def add(self, name: str, command: str, *, settings: str = "") -> None:
        """Add a job that starts only when it is asked for. Settings hold for what comes after it too."""
        self.table += f"{settings}#: name={name}\n{NEVER} {command}\n"

    def load(self) -> None:
        names = {"beat", *re.findall("#: name=(.*)", self.table)}
        install(self.folder, self.user, f"#: name=beat\n@every 1s true\n{self.table}")
        wait_for(lambda: {job.partition("/")[2] for job in self.crond.jobs()} == names, "the table is loaded")

    def run(self, name: str) -> dict[str, Any]:
        self.load()
        return self.crond.run_now(name)

    def mark(self, name: str) -> Path:
        return self.marks / name


@pytest.fixture(params=["cronie", "debian"], scope="module")
def each(request: pytest.FixtureRequest, ground: Ground, people: People) -> Iterator[Place]:
    """A daemon of each dialect; the whole module is one long life of it."""
    crond, folder = host_crond(ground, people, dialect=request.param, daemon="kill_timeout = 1")
    try:
        crond.up()
        yield Place(crond, folder, people.ann, request.param)
        beats = {run["id"] for run in crond.runs("beat")}
        wait_for(lambda: {run["id"] for run in crond.runs("beat")} - beats, "jobs still start")
    finally:
        crond.close()


@pytest.fixture
def place(each: Place) -> Iterator[Place]:
    """The daemon, with a fresh table. Whatever the test does, it must not make the daemon late."""
    each.table = ""
    yield each
    assert each.crond.process.poll() is None
    for run in each.crond.runs("beat"):
        if run["started_at"]:
            late = (moment(run["started_at"]) - moment(run["instant"])).total_seconds()
            assert late < 0.5, run
    assert [line for line in each.crond.errors if "Traceback" in line or "bug" in line] == []


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_grandchild_that_holds_stdout_holds_nothing_else(place: Place) -> None:
    """A run ends with its main process; what a grandchild writes later is still in the output."""
    gate, pid = place.mark("gate"), place.mark("pid")
    place.add(
        "leaves",
        f"(echo $$; while [ ! -e {gate} ]; do sleep 0.05; done; echo late) & echo $! > {pid}; echo early",
    )
    run = place.run("leaves")
    assert (run["outcome"], run["exit_code"]) == ("success", 0)
    grandchild = int(pid.read_text())
    assert is_alive(grandchild)
    assert b"early" in place.crond.output(run["attempt"])
    gate.touch()
    wait_for(lambda: b"late" in place.crond.output(run["attempt"]), "the grandchild's line is kept")
    wait_for(lambda: not is_alive(grandchild), "the grandchild ends")
    assert not Path(f"/proc/{grandchild}").exists(), "it was not reaped"


def test_a_job_that_ignores_term_is_stopped(place: Place) -> None:
    """`stop`: TERM for the whole tree, then KILL after kill_timeout; the outcome is `stopped`."""
    ready = place.mark("ready")
    place.add("stubborn", f"trap '' TERM; sleep 300 & echo $! > {ready}; while :; do sleep 300; done")
    place.load()
    place.crond.ask("run", job="stubborn")
    child = wait_for(lambda: ready.read_text().strip() if ready.exists() else "", "the job runs")
    stopping = place.crond.client("stop", "stubborn")
    assert stopping.returncode == 0
    assert "stopping run" in stopping.stdout
    (run,) = place.crond.ended("stubborn")
    assert (run["outcome"], run["signal"], run["exit_code"]) == ("stopped", 9, None)
    wait_for(lambda: not is_alive(int(child)), "its child is gone too")


def test_a_job_that_obeys_term_is_stopped_at_once(place: Place) -> None:
    """`stop` waits for nobody who ends by himself: TERM is all such a job gets."""
    place.add("meek", "exec sleep 300")
    place.load()
    run = place.crond.ask("run", job="meek")["run"]
    wait_for(lambda: place.crond.runs("meek")[0]["pid"], "the job runs")
    place.crond.ask("stop", target=run["id"])
    (ended,) = place.crond.ended("meek")
    assert (ended["outcome"], ended["signal"]) == ("stopped", 15)


def test_two_hundred_megabytes_of_output_are_kept(place: Place) -> None:
    """The daemon copies nothing: the output goes into a file, whole, while other jobs start on time."""
    place.add("floods", f"head -c {MEGABYTES}M /dev/zero | tr '\\0' 'x'; echo end")
    run = place.run("floods")
    assert (run["outcome"], run["output_size"]) == ("success", MEGABYTES * 1024 * 1024 + 4)
    path = place.crond.state / "outputs" / str(place.user.pw_uid) / run["attempt"]
    assert path.stat().st_size == run["output_size"]
    beats = sorted(moment(beat["instant"]) for beat in place.crond.runs("beat"))
    assert all((later - earlier).total_seconds() < 2 for earlier, later in pairwise(beats)), beats
    path.write_bytes(b"")


def test_output_that_is_no_text_is_kept_byte_for_byte(place: Place) -> None:
    """Outputs are bytes: NUL, invalid UTF-8 and escapes come back as they were; JSON stays JSON."""
    place.add("bytes", "printf '\\377\\376\\000\\033[31mred\\200\\n'")
    run = place.run("bytes")
    assert place.crond.output(run["attempt"]) == b"\xff\xfe\0\x1b[31mred\x80\n"
    shown = place.crond.client("logs", "--json", "bytes")
    assert shown.returncode == 0
    assert "red" in shown.stdout
    assert shown.stdout.isascii()


def test_a_shell_that_cannot_be_executed(place: Place) -> None:
    """The process could not become the command: that is no exit status of it, and the path is named."""
    place.add("shell", "true", settings="SHELL=/nonexistent/sh\n")
    run = place.run("shell")
    assert (run["outcome"], run["exit_code"], run["signal"]) == ("could_not_start", None, None)
    assert run["reason"] == "exec: cannot execute /nonexistent/sh: No such file or directory"


def test_a_command_that_is_not_found(place: Place) -> None:
    """The shell ran and said 127: a failure of the job, with the shell's own words as output."""
    place.add("typo", "no-such-command-at-all")
    run = place.run("typo")
    assert (run["outcome"], run["exit_code"]) == ("failed", 127)
    assert b"not found" in place.crond.output(run["attempt"])


def test_a_home_that_does_not_exist(place: Place) -> None:
    """Cronie does not run the job; Debian's cron runs it where it stays itself, in the spool."""
    place.add("homeless", "pwd 2>&1; echo ran", settings="HOME=/nonexistent/home\n")
    run = place.run("homeless")
    if place.dialect == "debian":
        assert run["outcome"] == "success"
        assert place.crond.output(run["attempt"]).endswith(b"ran\n")
        assert os.fsencode(place.folder / "spool") in place.crond.output(run["attempt"])
    else:
        assert (run["outcome"], run["exit_code"]) == ("could_not_start", None)
        assert "/nonexistent/home" in run["reason"]
        place.crond.line("ERROR chdir failed (/nonexistent/home)", errors=True)


def test_a_job_that_kills_itself(place: Place) -> None:
    """A signal is told as a signal, not as an exit status of 128 and more."""
    place.add("dies", "kill -SEGV $$")
    run = place.run("dies")
    assert (run["outcome"], run["exit_code"], run["signal"]) == ("failed", None, 11)


def test_a_job_cannot_open_its_output_anew(place: Place) -> None:
    """The output is root's, as a cron's pipe is: /dev/stdout cannot be opened, so nothing can be emptied."""
    place.add("empties", "echo one; (echo two > /dev/stdout); echo three >&2")
    run = place.run("empties")
    assert run["outcome"] == "success"
    lines = place.crond.output(run["attempt"]).splitlines()
    assert (lines[0], lines[-1]) == (b"one", b"three")
    assert b"Permission denied" in lines[1]


def test_percent_signs_feed_stdin(place: Place) -> None:
    """The text after the first % is stdin, even when it is far larger than a pipe usually holds."""
    lines = place.longest // 100
    place.add("feeds", "wc -c%" + "%".join(["x" * 99] * lines))
    place.add("reads", "cat; echo end")
    run = place.run("feeds")
    assert place.crond.output(run["attempt"]).split() == [b"%d" % (lines * 100)]
    run = place.crond.run_now("reads")
    assert place.crond.output(run["attempt"]) == b"end\n"


def test_a_stdin_that_nobody_reads(place: Place) -> None:
    """A job that does not read its stdin is not hindered by it, nor is the daemon."""
    place.add("ignores", "true%" + "x" * place.longest)
    run = place.run("ignores")
    assert run["outcome"] == "success"
