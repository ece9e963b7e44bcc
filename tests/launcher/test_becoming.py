"""Both ways of becoming a user, or of staying who we are with bounds, compiled and forked, lead to the same
process and the same words.
"""

from __future__ import annotations

import errno
import os
import pwd
import resource
import shutil
import signal
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.become import trusted
from crond.launcher.spawn import Bounds, Identity, Program, Spawner, SpawnFailed, Stage, Trouble
from tests.launcher.daemon import PACKAGE

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root"),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the program, compiled from its source without a warning."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    root = tmp_path_factory.mktemp("become")
    (root / "contrib/build").mkdir(parents=True)
    (root / "crond/launcher").mkdir(parents=True)
    for name in ("contrib/build/become.sh", "crond/launcher/become.c"):
        shutil.copy(Path(PACKAGE) / name, root / name)
    script = root / "contrib/build/become.sh"
    done = subprocess.run(["sh", str(script), *WARNINGS], capture_output=True, text=True, check=False)
    if "there is none" in done.stderr:
        pytest.skip("it is not written for this machine")
    assert (done.returncode, done.stderr) == (0, "")
    return str(root / "crond/launcher/become")


class Way:
    """One way: starts programs as nobody, with few descriptors allowed, and waits for them."""

    def __init__(self, helper: str | None, folder: Path) -> None:
        self.spawner = Spawner(open_files=(150, 250), helper=helper)
        self.output = folder / "output"
        account = pwd.getpwnam("nobody")
        self.identity = Identity(account.pw_uid, account.pw_gid, (4, 65533, account.pw_gid))

    def start(self, *words: str, home: str = "/", entrance: int | None = None, **more: Any) -> int:
        """Start `words`, their first the path; return the pid."""
        program = Program(
            path=os.fsencode(words[0]),
            arguments=tuple(os.fsencode(word) for word in words),
            environment={b"NAME": b"a value", b"EMPTY": b""},
            identity=more.pop("identity", self.identity),
            directory=os.fsencode(home),
            **more,
        )
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        output = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with self.spawner.unhandled():
                return self.spawner.start(program, (null, output, output), entrance=entrance)
        finally:
            os.close(null)
            os.close(output)

    def ended(self, pid: int) -> tuple[int, Trouble | None]:
        """Return how `pid` ended: exit status, and what kept it from its program."""
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, self.spawner.trouble_of(pid)

    def run(self, *words: str, **more: Any) -> tuple[int, Trouble | None]:
        return self.ended(self.start(*words, **more))


@pytest.fixture(params=["compiled", "forked"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    """Each way in turn."""
    helper = request.getfixturevalue("compiled") if request.param == "compiled" else None
    # What whoever started us ignores is not for jobs.
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        return Way(helper, tmp_path)
    finally:
        signal.signal(signal.SIGUSR1, before)


_SHOW = """\
cat /proc/$$/status | grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|NoNewPrivs|SigBlk|SigIgn|Umask|NSsid):'
ulimit -Sn; ulimit -Hn; pwd; ls -mw0 /proc/$$/fd; tr '\\0' '\\n' < /proc/$$/environ | sort
"""


def test_what_a_program_is(way: Way) -> None:
    """Numbers, groups, privilege, limits, folder, descriptors, session, signals, and all its environment."""
    before = os.umask(0o027)
    pid = way.start("/bin/sh", "-c", _SHOW, home="/usr")
    os.umask(before)
    assert way.ended(pid) == (0, None)
    lines = way.output.read_text().splitlines()
    status = dict(line.split(":") for line in lines[:10])
    uid, gid = str(way.identity.uid), str(way.identity.gid)
    assert status["Uid"].split() == [uid] * 4
    assert status["Gid"].split() == [gid] * 4
    assert status["Groups"].split() == ["4", "65533", gid]
    assert {status[name].strip("\t0") for name in ("CapEff", "CapPrm", "NoNewPrivs", "SigBlk")} == {""}
    assert int(status["SigIgn"], 16) == 0
    assert status["Umask"].strip() == "0027"
    assert status["NSsid"].split()[-1] == str(pid)
    assert lines[10:13] == ["150", "250", "/usr"]
    # Listed without a pipe, whose end the shell may still hold.
    # Higher ones are the shell's own, or whatever this test was started with.
    assert [fd for fd in sorted(lines[13].split(", ")) if len(fd) == 1] == ["0", "1", "2"]
    assert lines[14:] == ["EMPTY=", "NAME=a value"]


def test_limits_and_the_entrance_of_a_group(way: Way, tmp_path: Path) -> None:
    """What every annotated job has: it is in its group, and limited, before it is anything; neither is left
    open.
    """
    mark = 2**62 + 5
    limits = (
        (resource.RLIMIT_RTTIME, mark, mark),
        (resource.RLIMIT_CORE, 0, -1),
        (resource.RLIMIT_NOFILE, 90, 99),
    )
    entrance = os.open(tmp_path / "procs", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    show = "ulimit -Sn; ulimit -Hn; ls -mw0 /proc/$$/fd; cat /proc/$$/limits"
    assert way.run("/bin/sh", "-c", show, bounds=Bounds(limits=limits), entrance=entrance) == (0, None)
    os.close(entrance)
    assert (tmp_path / "procs").read_text() == "0"
    lines = way.output.read_text().splitlines()
    assert lines[:2] == ["90", "99"]
    assert [fd for fd in sorted(lines[2].split(", ")) if len(fd) == 1] == ["0", "1", "2"]
    found = {line[:25].strip(): line[25:].split()[:2] for line in lines[3:]}
    assert found["Max realtime timeout"] == [str(mark)] * 2
    assert found["Max core file size"] == ["0", "unlimited"]


_WHO = """\
grep -E '^(Uid|Gid|Groups|CapEff|SigBlk|SigIgn|NSsid):' /proc/self/status
ulimit -Sn; ulimit -Hn; pwd; ls -mw0 /proc/$$/fd; cat /proc/$$/limits
"""


def test_who_stays(way: Way, tmp_path: Path) -> None:
    """An annotated job of `crond FILE`: who we are, with a limit and in a group of its own."""
    mark = 2**62 + 5
    bounds = Bounds(limits=((resource.RLIMIT_RTTIME, mark, mark),))
    entrance = os.open(tmp_path / "procs", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    pid = way.start("/bin/sh", "-c", _WHO, home="/usr", identity=None, bounds=bounds, entrance=entrance)
    os.close(entrance)
    assert way.ended(pid) == (0, None)
    assert (tmp_path / "procs").read_text() == "0"
    lines = way.output.read_text().splitlines()
    status = _status("\n".join(lines[:7]))
    ours = _status(Path("/proc/self/status").read_text(encoding="ascii"))
    for name in ("Uid", "Gid", "Groups", "CapEff"):
        assert status[name] == ours[name]
    assert status["NSsid"][-1] == str(pid)
    assert (int(status["SigBlk"][0], 16), int(status["SigIgn"][0], 16)) == (0, 0)
    assert lines[7:10] == ["150", "250", "/usr"]
    assert [fd for fd in sorted(lines[10].split(", ")) if len(fd) == 1] == ["0", "1", "2"]
    found = {line[:25].strip(): line[25:].split()[:2] for line in lines[11:]}
    assert found["Max realtime timeout"] == [str(mark)] * 2


def _status(text: str) -> dict[str, list[str]]:
    return {name: words.split() for name, _, words in (line.partition(":") for line in text.splitlines())}


def test_nobody_privileged_is_needed_to_stay(compiled: str) -> None:
    """`crond FILE` of a user's, who may not name even the groups that he has."""
    program = os.open(compiled, os.O_PATH)
    words = ["become", "2", "7:9:9", "0", "-", "-", "-", "1", "/", "/usr/bin/id", "id", "-u"]
    done = subprocess.run(
        words,
        executable=f"/proc/self/fd/{program}",
        pass_fds=(program,),
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    os.close(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"65534\n", b"")


def test_an_entrance_that_is_none(way: Way) -> None:
    """It does not start in a group that refuses it."""
    entrance = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    assert way.run("/bin/true", entrance=entrance) == (127, Trouble(Stage.RESOURCES, errno.EBADF))
    os.close(entrance)


@pytest.mark.parametrize("identity", [Identity(65534, 65534, ()), None])
def test_an_annotated_start_needs_no_fork(
    compiled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: Identity | None
) -> None:
    """Limits of PAM's, a mark and a group had every such start forked, at twice the CPU."""
    monkeypatch.setattr(os, "fork", None)
    bounds = Bounds(limits=((resource.RLIMIT_NOFILE, 90, 99),))
    with open(tmp_path / "procs", "wb") as file:
        entrance = os.dup(file.fileno())
        way = Way(compiled, tmp_path)
        assert way.run("/bin/true", identity=identity, bounds=bounds, entrance=entrance) == (0, None)
        os.close(entrance)


@pytest.mark.parametrize(
    ("words", "more", "trouble"),
    [
        (("/no/such",), {}, Trouble(Stage.EXEC, 2)),
        (("/etc/passwd",), {}, Trouble(Stage.EXEC, 13)),
        (("/bin/true",), {"home": "/no/such"}, Trouble(Stage.CHDIR, 2)),
        (("/bin/true",), {"home": "/proc/1/cwd"}, Trouble(Stage.CHDIR, 13)),
        (("/bin/true",), {"identity": Identity(1, 1, tuple(range(70_000)))}, Trouble(Stage.USER, 22)),
    ],
)
def test_what_hinders_a_program(
    way: Way, words: tuple[str, ...], more: dict[str, Any], trouble: Trouble
) -> None:
    """It ends with 127, and one record says the stage and why; the next start is told nothing of it."""
    assert way.run(*words, **more) == (127, trouble)
    assert way.run("/bin/true") == (0, None)


def test_a_folder_that_is_not_required(way: Way) -> None:
    """As under Debian's rules: it runs where we are."""
    assert way.run("/bin/pwd", home="/no/such", directory_required=False) == (0, None)
    assert way.output.read_text().strip() == os.getcwd()


def test_bounds(way: Way) -> None:
    """Limits, nice and umask are that program's alone."""
    bounds = Bounds(
        ((resource.RLIMIT_NOFILE, 160, 240), (resource.RLIMIT_CORE, 4096, -1)), nice=-3, umask=0o026
    )
    command = "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc; nice; umask"
    assert way.run("/bin/sh", "-c", command, bounds=bounds) == (0, None)
    assert way.output.read_text().split() == ["160", "240", "8", "unlimited", "-3", "0026"]
    assert way.run("/bin/sh", "-c", "ulimit -Sn; nice", home="/") == (0, None)
    assert way.output.read_text().split() == ["150", str(os.nice(0))]


def test_bounds_that_cannot_be(way: Way) -> None:
    """A limit above itself: nothing runs, and the stage says that it is not the user's fault."""
    bounds = Bounds(((resource.RLIMIT_NOFILE, 20, 10),))
    status, trouble = way.run("/bin/true", bounds=bounds)
    assert status == 127
    assert trouble is not None
    assert trouble.stage is Stage.RESOURCES


def test_no_groups_at_all(way: Way) -> None:
    """An account may have none but its own; ours must not stay."""
    assert way.run("/usr/bin/id", "-G", identity=Identity(65534, 65534, ())) == (0, None)
    assert way.output.read_text().split() == ["65534"]


def test_what_cannot_be_said_to_the_kernel(way: Way) -> None:
    """A NUL in an argument, a word that is too long: it is not started, and the next one is."""
    for word, code in (("a\0b", 22), ("x" * 200_000, 7)):
        try:
            told = way.run("/bin/echo", word)[1]
        except SpawnFailed as failed:
            told = failed.trouble
        assert told == Trouble(Stage.EXEC, code)
    assert way.run("/bin/true") == (0, None)


def test_a_program_of_another_machine_is_done_without(tmp_path: Path) -> None:
    """Where the compiled way cannot be executed, users' jobs start all the same."""
    broken = tmp_path / "become"
    broken.write_bytes(b"\x7fELF of elsewhere")
    broken.chmod(0o755)
    assert trusted(str(broken)) == str(broken)
    way = Way(str(broken), tmp_path)
    for _ in range(2):
        assert way.run("/usr/bin/id", "-u") == (0, None)
        assert way.output.read_text().strip() == str(way.identity.uid)


def test_whom_root_does_not_trust(tmp_path: Path) -> None:
    """A program that somebody else owns or may write, a link, a folder, or one that is not there."""
    path = tmp_path / "become"
    assert trusted(str(path)) is None
    path.write_bytes(b"")
    for mode, owner in ((0o644, 0), (0o775, 0), (0o757, 0), (0o755, 1)):
        path.chmod(mode)
        os.chown(path, owner, 0)
        assert trusted(str(path)) is None
    os.chown(path, 0, 0)
    path.chmod(0o755)
    assert trusted(str(path)) == str(path)
    (tmp_path / "link").symlink_to(path)
    assert trusted(str(tmp_path / "link")) is None
    assert trusted(str(tmp_path)) is None


def test_whom_a_user_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, and himself: what he installed is as much his as the rest of his crond."""
    path = tmp_path / "become"
    path.write_bytes(b"")
    path.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    for owner, found in ((0, str(path)), (65534, str(path)), (1, None)):
        os.chown(path, owner, 0)
        assert trusted(str(path)) == found


def test_it_obeys_no_variable(compiled: str) -> None:
    """A crontab may set LD_PRELOAD for its job; what has not yet become the user must not read that."""
    words = ["2", "7:100:200", "0", "65534", "65534", "", "1", "/", "/no/such", "x"]
    environment = {"LD_PRELOAD": "/no/such.so", "LD_DEBUG": "all", "GLIBC_TUNABLES": "glibc.malloc.check=3"}
    done = subprocess.run([compiled, *words], env=environment, capture_output=True, check=False)
    assert done.returncode == 127
    assert struct.unpack("3i", done.stderr)[1:] == (Stage.EXEC, 2)


_NO_NUMBERS = ("-", "-1", "x", "1x", " 1", "0x1", "99999999999999999999", "1,,2", ",", "+1")
_NO_LIMITS = ("7", "7:9", "7:9:", "7:9:9:", "7::9", "7:9:x", "256:9:9", "7:9:9,,4:0:1", "15,9,9")


def test_it_takes_numbers_only(compiled: str) -> None:
    """Whatever stands where a number belongs: nothing is executed."""
    good = ["2", "7:9:9,4:0:1", "0", "65534", "65534", "1,2", "1", "/", "/bin/echo", "echo", "done"]
    assert subprocess.run([compiled, *good], capture_output=True, check=False).stdout == b"done\n"
    for place in (0, 1, 2, 3, 4, 5):
        for word in (*_NO_NUMBERS, *(_NO_LIMITS if place == 1 else ())):
            words = [*good[:place], word, *good[place + 1 :]]
            done = subprocess.run([compiled, *words], capture_output=True, check=False)
            assert (done.returncode, done.stdout) == (127, b""), words
    for count in range(len(good) - 1):
        done = subprocess.run([compiled, *good[:count]], capture_output=True, check=False)
        assert done.returncode in (2, 127)
        assert done.stdout == b""
