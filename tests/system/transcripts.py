"""Rooms in which crontab(1) is driven as people do it, and what was said there: Debian's own, and ours.

A room is a mount namespace with an /etc and a spool of its own, so that both programs meet the same paths and
nothing of this machine is touched. It lives as long as the test that made it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pexpect

from tests.system import packages
from tests.system.daemon import DEADLINE, Crond
from tests.system.ground import Ground, People

_CRONTAB = "/usr/bin/crontab"
SPOOL = "/var/spool/cron/crontabs"
#: What the files of Debian's crontab belong to. No group needs to have the number.
_GROUP = 65123
_ENTER = """
set -e
mount --bind "$1/etc" /etc
mount -t tmpfs tmpfs /var/spool
mkdir /var/spool/cron
mount --bind "$1/spool" /var/spool/cron
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
for name in null zero random urandom tty log; do
    touch "$1/dev/$name"
done
mount --bind "$1/log" "$1/dev/log"
for name in null zero random urandom tty; do
    mount --bind "/dev/$name" "$1/dev/$name"
done
mount --rbind "$1/dev" /dev
# Debian's leaves copies behind. In the old /tmp lie the ground and, in some checkouts, the interpreter.
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
room=$1
shift
for shared; do
    mkdir -p "$room$shared"
    mount --rbind "$shared" "$room$shared"
done
mount --rbind "$room/tmp" /tmp
echo ready
exec cat
"""
_ONCE = 'exec 2>"$1"; shift; cd "$1"; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class Step:
    """One command: `crontab ARGUMENTS` by `who`, with what is typed (None: the end of input) or piped in.

    `editor` has a shell command for each time that the editor is opened; `$1` is the file.
    """

    arguments: str
    who: str = "ann"
    piped: bytes | None = None
    typed: Sequence[str | None] = ()
    editor: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    differs: str = ""  #: why ours is not as Debian's: a key of the test's table
    alone: bool = False  #: Debian's would not end
    ours: str = ""  #: what ours says then: stdout and stderr
    logged: Sequence[str] = ()  #: and logs


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a step: its status, both outputs, and the crontab of ann afterwards."""

    status: int
    stdout: str
    stderr: str
    crontab: str | None

    @property
    def said(self) -> str:
        return self.stdout + self.stderr


class Room:
    """One room. `folder` is seen from outside; `programs` holds its `crontab`."""

    def __init__(self, ground: Ground, people: People, programs: Path) -> None:
        self.folder = ground.new_folder("room")
        self.programs = programs
        self._ground = ground
        self._site = str(ground.site)
        self._state = str(self.folder / "state")
        self.people = people
        (self.folder / "dev").mkdir()
        (self.folder / "tmp").mkdir()
        self._log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._log.bind(str(self.folder / "log"))
        self._log.setblocking(False)
        (self.folder / "log").chmod(0o666)
        self._received: list[str] = []
        self._daemon: Crond | None = None
        # What comes and goes in /etc while somebody makes an account is not needed.
        subprocess.run(["cp", "-a", "/etc", str(self.etc)], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.etc / "cron.d", ignore_errors=True)
        # Copied while another program was about to add an account they may be root's alone.
        for name in ("passwd", "group"):
            (self.etc / name).chmod(0o644)
        spool = self.folder / "spool"
        spool.mkdir(mode=0o755)
        self.spool = spool / "crontabs"
        self.spool.mkdir()
        os.chown(self.spool, 0, _GROUP)
        self.spool.chmod(0o1730)
        self.work = ground.new_folder("work", owner=people.ann)
        shared = [path for path in (str(ground.folder), sys.prefix) if path.startswith("/tmp/")]
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(self.folder), *shared],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise packages.Unavailable(f"no room: {self._holder.communicate(timeout=DEADLINE)[1]!r}")

    def close(self) -> None:
        self._holder.communicate(timeout=DEADLINE)
        self._log.close()

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    def inside(self, user: pwd.struct_passwd | None = None) -> list[str]:
        """Return the beginning of a command that is to run in this room, as `user`."""
        entered = ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--"]
        if user is None:
            return entered
        return [*entered, "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]

    def account(self, name: str) -> pwd.struct_passwd:
        found: pwd.struct_passwd = getattr(self.people, name, None) or pwd.getpwnam(name)
        return found

    def text(self, user: str = "ann") -> bytes | None:
        """Return what the spool has for `user`."""
        path = self.spool / self.account(user).pw_name
        return path.read_bytes() if path.exists() else None

    def environment(self, step: Step) -> dict[str, str]:
        user = self.account(step.who)
        given = {"TMPDIR": str(self.work), "HOME": user.pw_dir, "LANG": "C.UTF-8", **step.environment}
        if step.editor:
            script = self.work / "editor"
            cases = "".join(f"{n}) {line} ;;\n" for n, line in enumerate(step.editor, start=1))
            count = f"{self.work}/count"
            script.write_text(f"n=$(($(cat {count}) + 1)); echo $n > {count}\ncase $n in\n{cases}esac\n")
            (self.work / "count").write_text("0")
            (self.work / "count").chmod(0o666)
            given.setdefault("EDITOR", f"/bin/sh {script}")
        ours = {"PYTHONPATH": self._site, "CRONTABX_STATE": self._state}
        given = {name: value.replace("WORK", str(self.work)) for name, value in given.items()}
        return {"PATH": f"{self.programs}:/usr/bin:/bin", "TERM": "xterm", **ours, **given}

    def clear(self) -> None:
        """Let there be no crontab, and nothing that says who may have one."""
        for path in (*self.spool.iterdir(), self.etc / "cron.allow", self.etc / "cron.deny"):
            if path.is_file():
                path.unlink()

    def list_names(self, file: str, names: str | None) -> None:
        """Write `names` to cron.allow or cron.deny; None: let there be no such file."""
        path = self.etc / file
        if names is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(self._named(names))

    def _named(self, text: str) -> str:
        for name in ("ann", "ben", "cat"):
            text = text.replace(f"@{name}", self.account(name).pw_name)
        return text

    def start(self, dialect: str) -> Crond:
        """Start our daemon in here."""
        settings = self.folder / "settings.toml"
        settings.write_text(
            f'[daemon]\ndialect = "{dialect}"\naccount = "{self.people.scheduler.pw_name}"\n'
            f'[paths]\nspool = "{SPOOL}"\nstate = "{self._state}"\nrun = "{self._state}/run"\n'
            f'pid_file = "{self.folder}/crond.pid"\nreboot_marker = "{self.folder}/reboot"\n'
        )
        flags = ["-f", "-m", "off", "--settings", str(settings)]
        self._daemon = Crond(self._ground, flags, state=Path(self._state), wrapper=self.inside()).up()
        return self._daemon

    def logged(self) -> list[str]:
        """Return what `crontab` has logged so far, times and pids left out."""
        lines = self._received if self._daemon is None else list(self._daemon.errors)
        return [self._plain(line.split("]: ", 1)[1].encode()) for line in lines if " crontab[" in line]

    def take(self, step: Step) -> Heard:
        """Do `step` and return what was heard, with what differs from day to day taken out."""
        said = self.folder / "stderr"
        said.write_bytes(b"")
        said.chmod(0o666)
        arguments = self._named(step.arguments)
        command = [
            *self.inside(self.account(step.who)),
            *("sh", "-c", _ONCE, "sh", str(said), str(self.work), "crontab", *shlex.split(arguments)),
        ]
        environment = self.environment(step)
        status, stdout = (
            _piped(command, environment, step.piped)
            if step.piped is not None
            else _typed(command, environment, step.typed)
        )
        with contextlib.suppress(BlockingIOError):
            while True:  # it holds ten lines, and then keeps whoever logs waiting
                self._received.append(self._log.recv(4096).decode())
        text = self.text()
        return Heard(
            status,
            self._plain(stdout),
            self._plain(said.read_bytes()),
            None if text is None else text.decode("latin-1"),
        )

    def _plain(self, said: bytes) -> str:
        text = said.decode("utf-8", "backslashreplace")
        text = re.sub(r"[^\s\"]*/crontab\.\w{6,8}/", "TEMPORARY/", text).replace(str(self.work), "WORK")
        text = text.replace(self.people.ann.pw_dir, "HOME")
        for name in ("ann", "ben", "cat"):
            text = text.replace(self.account(name).pw_name, name.upper())
        return text


def _piped(command: list[str], environment: dict[str, str], data: bytes) -> tuple[int, bytes]:
    done = subprocess.run(
        command, env=environment, input=data, stdout=subprocess.PIPE, timeout=DEADLINE, check=False
    )
    return done.returncode, done.stdout


def _typed(command: list[str], environment: dict[str, str], lines: Sequence[str | None]) -> tuple[int, bytes]:
    """Run `command` on a terminal that does not echo, so that what is typed ahead shows nowhere."""
    # The slave is opened without echo before anything is sent.
    client = pexpect.spawn(command[0], command[1:], env=environment, cwd="/", timeout=DEADLINE, echo=False)
    client.delaybeforesend = None
    client.ptyproc.delayafterclose = 0.0
    for line in lines:
        client.sendline(line) if line is not None else client.sendeof()
    try:
        client.expect(pexpect.EOF)
        # It has closed the terminal, and may be about to end still.
        client.wait()
    finally:
        client.close(force=True)
    assert client.exitstatus is not None, "it was killed"
    return client.exitstatus, client.before.replace(b"\r\n", b"\n")  # the terminal's own line ends


def debian_programs(ground: Ground, cache: Path) -> Path:
    """Return a folder with Debian's own crontab, setgid as its package would make it. Raises Unavailable."""
    folder = ground.new_folder("debian")
    if _is_debians(_CRONTAB):
        (folder / "usr/bin").mkdir(parents=True)
        shutil.copy(_CRONTAB, folder / "usr/bin")
    else:
        packages.unpack(packages.fetch(cache, ("cron",)), folder)
    program = folder / "usr/bin/crontab"
    os.chown(program, 0, _GROUP)
    program.chmod(0o2755)
    return program.parent


def our_programs(ground: Ground) -> Path:
    """Return a folder with the client, and a link to it that is called crontab."""
    folder = ground.new_folder("bin")
    program = folder / "crontabx"
    program.write_text(f"#!{ground.python}\nfrom crond.cli.entry import main\nmain()\n")
    program.chmod(0o755)
    (folder / "crontab").symlink_to("crontabx")
    return folder


def _is_debians(path: str) -> bool:
    """True if `path` came with Debian's package `cron`."""
    try:
        done = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    return done.stdout.startswith("cron:")
