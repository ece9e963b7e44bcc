"""The launcher's small parts: outputs, facts, records, log lines, boot, lock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crond.launcher.attempts import Attempt, Attempts
from crond.launcher.boottime import boot_token, first_of_boot
from crond.launcher.config import Config
from crond.launcher.facts import Facts
from crond.launcher.lock import Busy, Lock
from crond.launcher.log import in_words, printable, shown
from crond.launcher.loop import Loop
from crond.launcher.outlet import LIMIT, Outlet
from crond.launcher.outputs import Outputs
from crond.launcher.start import make_hello
from crond.launcher.tables import Tables
from crond.model.codec import decode, encode
from crond.model.host import read_host
from crond.model.messages import Exited, Hello, Started, TableText

ROOT = Path(__file__).resolve().parents[2]
REAPING = """
import os
from crond.launcher.reaper import reap

ended = {}
children = {os.posix_spawn("/bin/sh", ["sh", "-c", f"exit {code}"], {}): code for code in range(3)}
while len(ended) < 3:
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    reap(lambda pid, status, _usage: ended.__setitem__(pid, os.waitstatus_to_exitcode(status)))
assert ended == children, (ended, children)
assert not reap(lambda *_: None)
"""


def attempt(key: str, pid: int) -> Attempt:
    return Attempt(
        key=key,
        job="j",
        uid=0,
        user="root",
        pid=pid,
        started_at=0.0,
        began=0.0,
        command="x",
        program=None,
        captured=True,
        logged=True,
        assigned={},
        mail_when_failed=False,
        of_pam=frozenset(),
    )


def test_an_output_is_made_once_and_is_ours(tmp_path: Path) -> None:
    """One file per attempt, 0600, in a folder 0700; a second start of the attempt is refused."""
    outputs = Outputs(str(tmp_path))
    fd = outputs.create(7, "run.1")
    os.write(fd, b"abc")
    os.close(fd)
    assert (tmp_path / "7").stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "7" / "run.1").stat().st_mode & 0o7777 == 0o600
    with pytest.raises(FileExistsError):
        outputs.create(7, "run.1")
    assert outputs.size(7, "run.1") == 3
    assert outputs.owners_of("run.1") == [7]
    reading = outputs.open(7, "run.1")
    assert reading is not None
    with pytest.raises(OSError, match="Bad file"):
        os.write(reading, b"x")
    os.close(reading)
    outputs.remove(7, "run.1")
    assert (outputs.size(7, "run.1"), outputs.open(7, "run.1"), outputs.owners_of("run.1")) == (0, None, [])


def test_a_size_that_no_message_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that lengthened its output to exabytes made the scheduler refuse the message of its end."""
    outputs = Outputs(str(tmp_path))
    os.close(outputs.create(7, "run.1"))
    values = list(os.stat(tmp_path))
    values[6] = 2**62
    monkeypatch.setattr(os, "stat", lambda *_arguments, **_more: os.stat_result(values))
    fact = Exited(1, "run.1", 0.0, 0, 0.0, 0.0, 0, outputs.size(7, "run.1"))
    assert decode(encode(fact), Exited) == fact


def test_a_label_says_the_job_and_goes_with_its_output(tmp_path: Path) -> None:
    """The job's name is whole, whatever is in it; a second label, or one that cannot be, is no error."""
    outputs = Outputs(str(tmp_path))
    os.close(outputs.create(7, "run.1"))
    outputs.label(7, "run.1", "../a/\udcff b")
    outputs.label(7, "run.1", "other")
    outputs.label(8, "run.1", "nobody")
    assert os.readlink(tmp_path / "7" / "run.1.job") == "../a/\udcff b"
    assert outputs.owners_of("run.1") == [7]
    outputs.remove(7, "run.1")
    assert os.listdir(tmp_path / "7") == []


def test_an_output_is_never_made_through_a_link(tmp_path: Path) -> None:
    """A link where the file should be is not followed."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "run.1").symlink_to("/dev/null")
    outputs = Outputs(str(tmp_path))
    with pytest.raises(FileExistsError):
        outputs.create(7, "run.1")
    assert outputs.open(7, "run.1") is None


def test_facts_wait_for_their_ack_in_order() -> None:
    """Numbered facts are kept until acknowledged; an Ack covers all before it."""
    facts = Facts()
    payloads = [facts.add(Started(facts.next_number(), f"r.{n}", n, 0.0)) for n in range(1, 5)]
    assert list(facts.waiting()) == payloads
    facts.acknowledge(2)
    assert list(facts.waiting()) == payloads[2:]
    facts.acknowledge(99)
    assert len(facts) == 0
    assert facts.next_number() == 5


def test_a_running_attempt_is_not_forgotten() -> None:
    """Forget drops the record of what has ended, never of what runs."""
    attempts = Attempts()
    attempts.add(attempt("r.1", 50))
    assert not attempts.forget("r.1")
    ended = attempts.ended(50, 256)
    assert ended is not None
    assert ended.status == 256
    assert attempts.ended(50, 0) is None
    assert attempts.forget("r.1")
    assert attempts.get("r.1") is None
    assert attempts.forget("never.1")


def test_printable_is_crons() -> None:
    """Control as ^X, DEL as ^?, bytes from 0x80 as octal: a command cannot forge a line of the log."""
    assert printable("a\nb\x7f\u00e9\udcff") == r"a^Jb^?\303\251\377"


def test_shown_keeps_languages_and_disarms_terminals() -> None:
    """Letters stay; escapes, C1 controls and stray bytes are made visible."""
    assert shown("é\t\x1b[2J\x9b\udcff\u2028") == "é\t^[[2J\\u009b\\xff\\u2028"


def test_ends_in_words() -> None:
    """A status is told as what it was."""
    assert [in_words(status) for status in (0, 512, 9)] == [
        "exit status 0",
        "exit status 2",
        "killed by SIGKILL",
    ]


def test_reboot_marker(tmp_path: Path) -> None:
    """The first start of a boot finds no marker and leaves one; without a marker every start is the first."""
    marker = str(tmp_path / "reboot")
    assert [first_of_boot(marker), first_of_boot(marker), first_of_boot(None)] == [True, False, True]
    assert boot_token() == boot_token() != "unknown"


def test_lock(tmp_path: Path) -> None:
    """The second is told the pid of the first; a removed file can be locked anew."""
    path = str(tmp_path / "pid")
    lock = Lock(path)
    assert Path(path).read_text() == f"{os.getpid()}\n"
    with pytest.raises(Busy) as busy:
        Lock(path)
    assert busy.value.pid == str(os.getpid())
    lock.remove()
    assert not Path(path).exists()
    Lock(path).remove()


def test_an_outlet_that_nobody_reads_never_waits() -> None:
    """A full pipe keeps the buffer bounded; what was lost is counted and told when somebody reads."""
    loop = Loop()
    reading, writing = os.pipe()
    outlet = Outlet(writing, loop)
    os.close(writing)
    line = "x" * 1023 + "\n"
    for _ in range(2 * LIMIT // 1024):
        outlet.write(line)
    assert outlet.room < 1024
    os.set_blocking(reading, False)
    got = b""
    deadline = time.monotonic() + 10
    while outlet.busy and time.monotonic() < deadline:
        loop.turn()
        got += _drained(reading)
    outlet.write("last\n")
    while outlet.busy and time.monotonic() < deadline:
        loop.turn()
    got += _drained(reading)
    lost = 2 * LIMIT - got.count(b"x" * 1023) * 1024
    assert got.endswith(b"crond: %d bytes not shown: nobody read them\nlast\n" % lost)
    os.close(reading)


def test_an_outlet_whose_reader_left_is_silent() -> None:
    """`crond FILE | head`: the jobs go on."""
    loop = Loop()
    reading, writing = os.pipe()
    outlet = Outlet(writing, loop)
    os.close(reading)
    outlet.write("a\n")
    loop.turn()
    outlet.write("b\n")
    assert not outlet.busy
    os.close(writing)


def _drained(fd: int) -> bytes:
    got = b""
    try:
        while part := os.read(fd, 1 << 20):
            got += part
    except BlockingIOError:
        pass
    return got


def test_an_error_of_one_handler_is_told_and_ends_there() -> None:
    """The loop outlives whatever a handler does."""
    told: list[str] = []
    loop = Loop()
    loop.complain = told.append

    def broken() -> None:
        raise RuntimeError("oh")

    loop.after(0, broken)
    loop.after(0, loop.stop)
    loop.run()
    assert len(told) == 1
    assert told[0].startswith("RuntimeError at test_parts.py:")


def test_reaping_finds_every_child() -> None:
    """All that has ended is collected, each with its own status; no child is no error."""
    # In a process of its own: the one of the tests has other children, and others who wait for them.
    subprocess.run([sys.executable, "-c", REAPING], cwd=ROOT, timeout=10, check=True)


def test_the_host_says_the_same_to_both_parses() -> None:
    """What the scheduler is greeted with is what the launcher reads its own tables with."""
    config = Config(
        mode="files", package="", state="", run="", defaults=(("nice", "5"),), pools=(("gpu", "2"),)
    )
    hello = decode(encode(make_hello(config, 0)), Hello)
    assert (hello.defaults, hello.pools) == (config.defaults, config.pools)
    tables = Tables("cronie", read_host(hello.defaults, hello.pools))
    text = b"0 6 * * * a\n#: pool=gpu pool_slots=3\n0 6 * * * b\n"
    table = TableText(1, "/t", "me", 0, False, False, 0, text)
    (problem,) = tables.parse(table)
    assert problem.message == "3 slots of 'gpu' are never free: the pool has 2"
    entry = tables.entry(table, 0)
    assert entry is not None
    assert entry.policy.nice == 5
