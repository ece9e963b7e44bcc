"""The lines in syslog are those of cronie and of Debian's cron, as a receiver gets them.

Of Debian's cron the lines were recorded with its own package (3.0pl1-162), of cronie they are known.
"""

from __future__ import annotations

import os
import pwd
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crond.launcher.config import Config
from crond.launcher.syslog import INFO, Syslog
from crond.model.codec import encode
from crond.model.edits import Fetch
from crond.model.frames import frame
from tests.launcher.daemon import DEADLINE, Daemon, Runner, alive, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root"),
]

Make = Callable[..., Config]
Begin = Callable[..., Daemon]


class Receiver:
    """A syslog daemon: it keeps `lines` as (priority, program, pid, text)."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(self.path)
        self._sock.settimeout(DEADLINE)
        self.lines: list[tuple[int, str, int, str]] = []

    def wait_for(self, text: str, *, count: int = 1) -> tuple[int, str, int, str]:
        """Return the `count`th line that holds `text`. Fails at a deadline."""
        seen = 0
        deadline = time.monotonic() + DEADLINE
        while True:
            found = [line for line in self.lines if text in line[3]]
            if len(found) >= count:
                return found[count - 1]
            assert time.monotonic() < deadline, f"no {text!r} in {self.lines[seen:]}"
            self._receive()

    def texts(self) -> list[str]:
        return [text for _, _, _, text in self.lines]

    def _receive(self) -> None:
        match = re.fullmatch(
            r"<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d (\w+)\[(\d+)\]: (.*)",
            self._sock.recv(65536).decode("ascii"),
        )
        assert match is not None
        number, program, pid, text = match.groups()
        assert int(number) >> 3 == 9, "the facility is cron"
        self.lines.append((int(number) & 7, program, int(pid), text))

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def receiver(folder: Path) -> Iterator[Receiver]:
    made = Receiver(folder / "log")
    yield made
    made.close()


def write(path: Path, text: str, *, user: str = "root", mode: int = 0o600) -> Path:
    path.write_text(text)
    account = pwd.getpwnam(user)
    os.chown(path, account.pw_uid, account.pw_gid)
    path.chmod(mode)
    return path


def run_all(running: Daemon, origin: Path, entries: int) -> list[int]:
    """Run each entry of `origin` to its end; return the pids."""
    runner = Runner(running.wire())
    table = runner.table(origin)
    pids = []
    for number in range(entries):
        key = runner.start(table, number)
        pids.append(runner.started(key).pid)
        runner.result(key)
    return pids


TABLE = "* * * * * root    echo a; exit 3%in\n* * * * * root kill -9 $$\n* * * * * root :\té\n"


def test_jobs_as_cronie_logs_them(folder: Path, host: Make, daemon: Begin, receiver: Receiver) -> None:
    """CMD and CMDEND of each job, as CROND with the pid of its shell; what is no letter is shown as such."""
    origin = write(folder / "crontab", TABLE)
    config = host(syslog=receiver.path, log_level=0)  # -L is Debian's
    first, second, third = run_all(daemon(config), origin, 3)
    receiver.wait_for(r"(root) CMDEND (:^I\303\251)")
    assert [line for line in receiver.lines if line[1] == "CROND"] == [
        (INFO, "CROND", first, "(root) CMD (echo a; exit 3)"),
        (INFO, "CROND", first, "(root) CMDEND (echo a; exit 3)"),
        (INFO, "CROND", second, "(root) CMD (kill -9 $$)"),
        (INFO, "CROND", second, "(root) CMDEND (kill -9 $$)"),
        (INFO, "CROND", third, r"(root) CMD (:^I\303\251)"),
        (INFO, "CROND", third, r"(root) CMDEND (:^I\303\251)"),
    ]


@pytest.mark.parametrize("level", [0, 1, 2, 4, 7, 9, 15])
def test_jobs_as_debian_logs_them(
    folder: Path, host: Make, daemon: Begin, receiver: Receiver, level: int
) -> None:
    """-L: 1 is CMD, 2 is END, 4 the failures, 8 the pid in the text. Blanks after the user are kept."""
    origin = write(folder / "crontab", TABLE)
    running = daemon(host(syslog=receiver.path, dialect="debian", log_level=level))
    expected = []
    for pid, command, end in zip(
        run_all(running, origin, 3),
        ("   echo a; exit 3", "kill -9 $$", r":^I\303\251"),
        ("failed with exit status 3", "terminated by signal 9", ""),
        strict=True,
    ):
        shown = f"[{pid}] {command}" if level & 8 else command
        if level & 1:
            expected.append((INFO, "CRON", pid, f"(root) CMD ({shown})"))
        if level & 4 and end:
            expected.append((INFO, "CRON", pid, f"(CRON) error (grandchild #{pid} {end})"))
        if level & 2:
            expected.append((INFO, "CRON", pid, f"(root) END ({shown})"))
    running.process.send_signal(signal.SIGTERM)
    receiver.wait_for("Shutting down")
    assert [line for line in receiver.lines if line[1] == "CRON"] == expected


def test_what_is_not_to_be_logged(folder: Path, host: Make, daemon: Begin, receiver: Receiver) -> None:
    """A `-` before the schedule is cronie's before the schedule: neither CMD nor CMDEND."""
    origin = write(folder / "crontab", "-* * * * * root echo silent\n* * * * * root echo loud\n")
    run_all(daemon(host(syslog=receiver.path)), origin, 2)
    receiver.wait_for("CMDEND (echo loud)")
    assert not [text for text in receiver.texts() if "silent" in text]


def test_a_home_that_is_not_there(folder: Path, host: Make, daemon: Begin, receiver: Receiver) -> None:
    """As cronie does, the log names the home and the reason, as the job's process."""
    origin = write(folder / "crontab", "HOME=/nowhere\n* * * * * daemon echo a\n")
    runner = Runner(daemon(host(syslog=receiver.path)).wire())
    runner.result(runner.start(runner.table(origin)))
    priority, program, pid, text = receiver.wait_for("chdir")
    assert text == "(CRON) ERROR chdir failed (/nowhere): No such file or directory"
    assert (priority, program, pid) == (3, "CROND", receiver.wait_for("CMD (echo a)")[2])


def test_debugging_tells_of_tables_starts_and_processes(folder: Path, host: Make, daemon: Begin) -> None:
    """-x load,sch,proc: on stderr, one line each; without it nothing of that."""
    origin = write(folder / "crontab", "* * * * * root exit 3\n")
    for debug in (("load", "sch", "proc"), ()):
        running = daemon(host(debug=debug))
        runner = Runner(running.wire())
        key = runner.start(runner.table(origin))
        pid = runner.started(key).pid
        runner.result(key)
        running.process.send_signal(signal.SIGTERM)
        running.wait_for(running.errors, "Shutting down")
        running.leave()
        running.wait()
        told = [line for line in running.errors if line.startswith(("load:", "sch:", "proc:"))]
        expected = [
            f"load: {origin}: version 1, 22 bytes",
            f"sch: {key}: start job0, entry 0 of table 1",
            f"proc: {key} of job0: pid {pid} as root",
            f"proc: {key} of job0: pid {pid} ended: exit status 3",
        ]
        assert sorted(told) == (sorted(expected) if debug else [])


@pytest.mark.parametrize(
    ("dialect", "program", "named"),
    [
        ("cronie", "crond", ["(*system*) {}/crontab", "(*system*) {}/cron.d/a", "(daemon) {}/spool/daemon"]),
        ("debian", "cron", ["(*system*) {}/crontab", "(*system*a) {}/cron.d/a", "(daemon) spool/daemon"]),
    ],
)
def test_reload(
    folder: Path,
    host: Make,
    daemon: Begin,
    receiver: Receiver,
    dialect: str,
    program: str,
    named: list[str],
) -> None:
    """A changed crontab is named as that cron does; the first load is silent."""
    files = [write(folder / "crontab", ""), write(folder / "cron.d" / "a", "")]
    files.append(write(folder / "spool" / "daemon", "", user="daemon"))
    running = daemon(host(syslog=receiver.path, dialect=dialect))
    running.wire()
    assert not [text for text in receiver.texts() if "RELOAD" in text]
    for file in files:
        file.write_text("A=b\n")
    receiver.wait_for("RELOAD", count=3)
    reloads = {line[1:2] + line[3:] for line in receiver.lines if "RELOAD" in line[3]}
    wanted = (name.format(folder).split() for name in named)
    assert reloads == {(program, f"{label} RELOAD ({path})") for label, path in wanted}


BAD = {
    "daemon": "* * * * * a\n61 * * * * b\n* 25 * * * c\n",
    "games": "* * * * * no newline",
    "nobody": "-* * * * * x\n",
    "sys": "RANDOM_DELAY=2000\n* * * * * x\n",
}


def test_bad_lines_as_cronie_logs_them(folder: Path, host: Make, daemon: Begin, receiver: Receiver) -> None:
    """Each error in cronie's word, with the file; ours is the line. No word of what only warns."""
    for user, text in BAD.items():
        write(folder / "spool" / user, text, user=user)
    write(folder / "cron.d" / "bad", "61 * * * * root x\n")
    daemon(host(syslog=receiver.path)).wire()
    for line in (
        f"(CRON) bad minute ({folder}/cron.d/bad, line 1)",
        f"(CRON) bad minute ({folder}/spool/daemon, line 2)",
        f"(CRON) bad hour ({folder}/spool/daemon, line 3)",
        f"(CRON) missing newline before EOF ({folder}/spool/games, line 1)",
        "(CRON) ERROR (Only privileged user can disable logging)",
        f"(CRON) bad option ({folder}/spool/nobody, line 1)",
        "(CRON) ERROR (bad value of RANDOM_DELAY)",
    ):
        assert receiver.wait_for(line)[3] == line


def test_bad_lines_as_debian_logs_them(folder: Path, host: Make, daemon: Begin, receiver: Receiver) -> None:
    """The errors, then that the file is ignored; what concerns the file as a whole stands alone."""
    for user, text in BAD.items():
        write(folder / "spool" / user, text, user=user)
    write(folder / "spool" / "news", "A=b\n" * 10_001, user="news")
    write(folder / "cron.d" / "bad", "61 * * * * root x\n")
    daemon(host(syslog=receiver.path, dialect="debian")).wire()
    for line in (
        f"Error: bad minute; while reading {folder}/cron.d/bad, line 1",
        "(*system*bad) ERROR (Syntax error, this crontab file will be ignored)",
        "Error: bad minute; while reading crontab for user daemon, line 2",
        "Error: bad hour; while reading crontab for user daemon, line 3",
        "(daemon) ERROR (Syntax error, this crontab file will be ignored)",
        "(games) ERROR (Missing newline before EOF, this crontab file will be ignored)",
        "(news) ERROR (crontab must not be longer than 10000 lines, this crontab file will be ignored)",
        "Error: bad minute; while reading crontab for user nobody, line 1",
    ):
        found = receiver.wait_for(line)
        assert found == (3 if line.startswith("Error:") else INFO, "cron", found[2], line)
    assert not [text for text in receiver.texts() if "RANDOM_DELAY" in text or "user games" in text]


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_an_error_of_an_annotation_is_logged(
    dialect: str, folder: Path, host: Make, daemon: Begin, receiver: Receiver
) -> None:
    """In no cron's words, since no cron reads it, with its column; the file is obeyed."""
    write(folder / "spool" / "daemon", "#: retires=3\n* * * * * a\n", user="daemon")
    write(folder / "spool" / "games", "61 * * * * x\n", user="games")
    daemon(host(syslog=receiver.path, dialect=dialect)).wire()
    line = f"(CRON) unknown key 'retires' ({folder}/spool/daemon, line 1, column 4)"
    assert receiver.wait_for(line)[3] == line
    last = {"cronie": "(CRON) bad minute", "debian": "(games) ERROR (Syntax error"}[dialect]
    assert receiver.wait_for(last)
    assert not [text for text in receiver.texts() if "(daemon) ERROR" in text]


def test_refused_files_as_debian_logs_them(
    folder: Path, host: Make, daemon: Begin, receiver: Receiver
) -> None:
    """Its words for files of the spool and of the system; the path of the one begins with its folder."""
    write(folder / "spool" / "daemon", "", user="daemon", mode=0o644)
    write(folder / "spool" / "nosuchuser", "")
    write(folder / "cron.d" / "writable", "", mode=0o666)
    (folder / "cron.d" / "dangling").symlink_to("/nowhere")
    daemon(host(syslog=receiver.path, dialect="debian")).wire()
    for line in (
        "(daemon) INSECURE MODE (mode 0600 expected) (spool/daemon)",
        "(nosuchuser) ORPHAN (no passwd entry)",
        f"(*system*writable) INSECURE MODE (group/other writable) ({folder}/cron.d/writable)",
        f"(*system*dangling) CAN'T OPEN SYMLINK ({folder}/cron.d/dangling): No such file or directory",
    ):
        assert receiver.wait_for(line)[3] == line


@pytest.mark.parametrize("flags", [{}, {"watch": False}, {"cluster": True}])
def test_the_start_and_the_end_as_cronie_logs_them(
    host: Make, daemon: Begin, receiver: Receiver, flags: dict[str, bool]
) -> None:
    """STARTUP, the factor of RANDOM_DELAY, inotify or not, and the end; about @reboot only if it is late."""
    inotify = "INFO (running with inotify support)"
    lines = [
        r"STARTUP \(\d+\.\d+.*\)",
        r"INFO \(RANDOM_DELAY will be scaled with factor \d\d?% if used\.\)",
        re.escape("No inotify - daemon runs with -i or -c option ()" if flags else inotify),
        r"INFO \(Shutting down\)",
    ]
    late = r"INFO \(@reboot jobs will be run at computer's startup\.\)"
    for expected in (lines, [*lines[:3], late, lines[3]]):
        receiver.lines.clear()
        pid = start_and_end(daemon(host(syslog=receiver.path, **flags)), receiver)
        assert {line[:3] for line in receiver.lines} == {(INFO, "crond", pid)}
        assert_lines(receiver, expected)


@pytest.mark.parametrize("foreground", [True, False])
def test_the_start_as_debian_logs_it(host: Make, daemon: Begin, receiver: Receiver, foreground: bool) -> None:
    """The descriptor of the lock first; `fork ok` of one that forked; then what becomes of @reboot."""
    startup = r"STARTUP \(\d+\.\d+.*\)" if foreground else r"STARTUP \(fork ok\)"
    for reboot in (r"Running @reboot jobs", r"Skipping @reboot jobs -- not system startup"):
        receiver.lines.clear()
        running = daemon(host(syslog=receiver.path, dialect="debian", foreground=foreground))
        start_and_end(running, receiver)
        expected = [r"INFO \(pidfile fd = \d+\)", startup, rf"INFO \({reboot}\)", r"INFO \(Shutting down\)"]
        assert {line[1] for line in receiver.lines} == {"cron"}
        assert_lines(receiver, expected)


def start_and_end(running: Daemon, receiver: Receiver) -> int:
    """End the daemon once it is up; return its pid."""
    running.wire()
    with open(running.config.pid_file or "", encoding="ascii") as file:
        pid = int(file.read())
    os.kill(pid, signal.SIGTERM)
    receiver.wait_for("Shutting down")
    running.leave()
    running.wait()
    until(lambda: not alive(pid))
    return pid


def assert_lines(receiver: Receiver, expected: list[str]) -> None:
    texts = receiver.texts()
    assert len(texts) == len(expected), texts
    for text, pattern in zip(texts, expected, strict=True):
        assert re.fullmatch(rf"\(CRON\) {pattern}", text)


@pytest.mark.parametrize(("dialect", "program"), [("cronie", "crond"), ("debian", "cron")])
def test_a_second_cron_is_told_to_syslog(
    folder: Path, host: Make, daemon: Begin, receiver: Receiver, dialect: str, program: str
) -> None:
    """DEATH, with the file and the pid of the other."""
    config = host(syslog=receiver.path, dialect=dialect)
    first = daemon(config)
    first.wire()
    second = daemon(config)
    assert second.wait() == 1
    other = first.process.pid
    said = f"can't lock {folder}/crond.pid, otherpid may be {other}: Resource temporarily unavailable"
    assert receiver.wait_for("DEATH") == (3, program, second.process.pid, f"(CRON) DEATH ({said})")


def test_edits_are_logged_as_crontab(folder: Path, host: Make, daemon: Begin, receiver: Receiver) -> None:
    """By crontab, with the pid of the process that serves; who asked stands first, then whose it is."""
    write(folder / "spool" / "daemon", "* * * * * x\n", user="daemon")
    running = daemon(host(syslog=receiver.path))
    running.wire()
    running.ask(frame(encode(Fetch("daemon", 0, "list"))))
    priority, program, pid, text = receiver.wait_for("LIST")
    assert (priority, program, text) == (INFO, "crontab", "(root) LIST (daemon)")
    assert pid != running.process.pid


def test_a_syslog_that_is_away_or_full_loses_lines_and_no_time(tmp_path: Path) -> None:
    """Neither stops the writer; after a restart the lines come again."""
    log = Syslog(str(tmp_path / "log"))
    log.write("crond", 1, "(CRON) INFO (nobody listens)", INFO)
    first = Receiver(tmp_path / "log")
    for _ in range(2000):  # far more than a socket holds
        log.write("crond", 1, "(CRON) INFO (many)", INFO)
    first.wait_for("many")
    first.close()
    (tmp_path / "log").unlink()
    second = Receiver(tmp_path / "log")
    log.write("crond", 1, "(CRON) INFO (again)", INFO)
    assert second.wait_for("again")[3] == "(CRON) INFO (again)"
    second.close()
    log.close()
