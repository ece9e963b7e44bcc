"""A real launcher sends letters: as whom, how often, and what if a mailer hangs, fails or is not there."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from crond.launcher.config import Config
from crond.model.messages import Exited, Mail
from tests.launcher.daemon import PYTHON, Daemon, Runner, Wire, alive, files_config, until
from tests.launcher.test_syslog import Receiver

Make = Callable[..., Config]
Begin = Callable[..., Daemon]

as_root = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root"),
]

#: Stands in for sendmail: a file for each letter, with who it ran as and how it was called. HOW may say what
#: it is to do before that.
_SENDMAIL = f"""#!{PYTHON} -IS
import os, sys, time
folder = {{folder!r}}
{{how}}
text = sys.stdin.buffer.read()
told = [str(os.getuid()), os.getcwd(), " ".join(sys.argv[1:]), os.environ.get("A", "")]
name = f"{{{{time.monotonic_ns()}}}}"
with open(f"{{{{folder}}}}/{{{{name}}}}.part", "wb") as file:
    file.write(b"\\n".join(map(os.fsencode, told)) + b"\\n--\\n" + text)
os.rename(f"{{{{folder}}}}/{{{{name}}}}.part", f"{{{{folder}}}}/{{{{name}}}}")
"""
#: Says 75 to the first letter of all.
_BUSY_ONCE = """
try:
    os.mkdir(folder + ".seen", 0o755)
    sys.stdin.buffer.read()
    sys.exit(75)
except FileExistsError:
    pass
"""
#: Never ends for nobody, nor does its child.
_HANGS = """
if os.getuid() == {uid}:
    child = os.fork()
    if child:
        with open(folder + "/new.part", "w") as file:
            file.write(f"{{os.getpid()}} {{child}}")
        os.rename(folder + "/new.part", folder + "/hangs.part")
    while True:
        time.sleep(1000)
"""


@dataclass
class Sent:
    uid: int
    folder: str
    arguments: str
    a: str
    head: str
    body: bytes


class Box:
    """Where the stand-in at `path` puts letters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "letters"
        self._folder.mkdir()
        self._folder.chmod(0o1777)
        self.path = str(folder / "sendmail")
        self.be("")

    def be(self, how: str) -> None:
        Path(self.path).write_text(_SENDMAIL.format(folder=str(self._folder), how=how))
        Path(self.path).chmod(0o755)

    def part(self, name: str) -> Path:
        return self._folder / f"{name}.part"

    def letters(self, count: int) -> list[Sent]:
        """Return all letters when there are `count`; fails if there are more."""
        until(lambda: len(self._names()) >= count)
        assert len(self._names()) == count
        return [self._read(name) for name in self._names()]

    def _names(self) -> list[str]:
        return sorted(name for name in os.listdir(self._folder) if not name.endswith(".part"))

    def _read(self, name: str) -> Sent:
        told, _, letter = (self._folder / name).read_bytes().partition(b"\n--\n")
        uid, folder, arguments, a = told.decode().split("\n")
        head, _, body = letter.partition(b"\n\n")
        return Sent(int(uid), folder, arguments, a, head.decode(), body)


@pytest.fixture
def box(folder: Path) -> Box:
    return Box(folder)


def _named(name: str, parent: int) -> list[int]:
    """Return the children of `parent` that are called `name`."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == name]


def mailed(runner: Runner, wire: Wire, origin: object, entry: int = 0) -> str:
    """Run an entry to its end and wish its letter; return the attempt's key."""
    key = runner.start(runner.table(origin), entry)
    runner.result(key)
    wire.send(Mail(key))
    return key


def crontab(folder: Path, *lines: str, name: str = "tab") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def files(folder: Path, box: Box, *lines: str, **more: Any) -> Config:
    return files_config(folder, crontab(folder, "MAILTO=ops", *lines), sendmail=box.path, **more)


# --- who and what ----------------------------------------


class TestUsers:
    """Letters of several users, on a host."""

    pytestmark = as_root

    @pytest.mark.parametrize("dialect", ["cronie", "debian"])
    def test_the_mailer_is_the_jobs_user(
        self, folder: Path, host: Make, daemon: Begin, box: Box, dialect: str
    ) -> None:
        """Its uid, environment and home; recipients are the account, and MAILTO where it is set."""
        lines = [f"* * * * * {user} echo from {user}" for user in ("root", "daemon", "nobody")]
        tab = crontab(
            folder, "A=b c", "HOME=/", *lines, "MAILTO=ops", "* * * * * daemon echo ops", name="crontab"
        )
        tab.chmod(0o644)
        running = daemon(host(dialect=dialect, mail="sendmail", sendmail=box.path))
        wire = running.wire()
        runner = Runner(wire)
        for entry in range(4):
            mailed(runner, wire, tab, entry)
        letters = {letter.body.decode(): letter for letter in box.letters(4)}
        for user in ("root", "daemon", "nobody"):
            account = pwd.getpwnam(user)
            letter = letters[f"from {user}\n"]
            assert (letter.uid, letter.folder, letter.a) == (account.pw_uid, "/", "b c")
            assert f"\nTo: {user}\nSubject: Cron <{user}@" in letter.head
            right = f"-t -f {user}" if dialect == "cronie" else f"-oem {user}"
            assert letter.arguments.endswith(right)
        assert "\nTo: ops\n" in letters["ops\n"].head

    def test_one_users_mailer_hangs(self, folder: Path, host: Make, daemon: Begin, box: Box) -> None:
        """Others get their mail meanwhile; at the time limit it ends with all that it started."""
        box.be(_HANGS.format(uid=pwd.getpwnam("nobody").pw_uid))
        lines = ["HOME=/"] + ["* * * * * nobody echo hangs"] * 4 + ["* * * * * daemon echo fine"]
        tab = crontab(folder, *lines, name="crontab")
        tab.chmod(0o644)
        config = host(mail="sendmail", sendmail=box.path, mail_time_limit=3.0, mail_pauses=(60.0,))
        running = daemon(config)
        wire = running.wire()
        runner = Runner(wire)
        for entry in range(5):
            mailed(runner, wire, tab, entry)
        assert [letter.body for letter in box.letters(1)] == [b"fine\n"]
        until(box.part("hangs").exists)
        pids = [int(word) for word in box.part("hangs").read_text().split()]
        running.wait_for(running.errors, "3 s were too few for a letter of nobody")
        until(lambda: not any(alive(pid) for pid in pids))

    def test_the_scheduler_cannot_look_into_letters(
        self, folder: Path, host: Make, daemon: Begin, box: Box
    ) -> None:
        """Its account could take the output, and the password of the server, from who writes the letter."""
        box.be("time.sleep(10)")
        tab = crontab(folder, "HOME=/", "* * * * * nobody head -c 300000 /dev/zero", name="crontab")
        tab.chmod(0o644)
        running = daemon(host(mail="sendmail", sendmail=box.path))
        wire = running.wire()
        mailed(Runner(wire), wire, tab)
        until(lambda: _named("crond-mail", running.process.pid))
        scheduler = pwd.getpwnam("daemon")
        [feeder] = _named("crond-mail", running.process.pid)
        assert os.stat(f"/proc/{feeder}").st_uid == scheduler.pw_uid
        tried = subprocess.run(
            [PYTHON, "-ISc", f"import os; os.readlink('/proc/{feeder}/fd/3')"],
            user=scheduler.pw_uid,
            group=scheduler.pw_gid,
            extra_groups=(),
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert "PermissionError" in tried.stderr

    def test_output_goes_to_syslog(self, folder: Path, host: Make, daemon: Begin) -> None:
        """-s: each line as the job's process, and no mail."""
        tab = crontab(folder, "* * * * * daemon printf 'a\\tb\\nc'", name="crontab")
        tab.chmod(0o644)
        receiver = Receiver(folder / "log")
        Path(receiver.path).chmod(0o777)
        running = daemon(host(mail="syslog", syslog=receiver.path))
        wire = running.wire()
        mailed(Runner(wire), wire, tab)
        _, program, _, text = receiver.wait_for("CMDOUT", count=2)
        assert (program, text) == ("CROND", "(daemon) CMDOUT (c)")
        assert "(daemon) CMDOUT (a^Ib)" in receiver.texts()
        receiver.close()


def test_nothing_to_say_nobody_to_say_it_to(folder: Path, daemon: Begin, box: Box) -> None:
    """No letter without output, with an empty or no MAILTO, or with -n for what went well."""
    tab = crontab(
        folder,
        "* * * * * echo nobody asked",
        "MAILTO=ops",
        "* * * * * true",
        "* * * * * -n echo went well",
        "MAILTO=",
        "* * * * * echo empty",
        "MAILTO=bad address",
        "* * * * * echo unsafe",
        "MAILTO=ops",
        "* * * * * -n echo failed; exit 3",
    )
    running = daemon(files_config(folder, tab, sendmail=box.path))
    wire = running.wire()
    runner = Runner(wire)
    for entry in range(6):
        mailed(runner, wire, tab, entry)
    assert [letter.body for letter in box.letters(1)] == [b"failed\n"]
    running.wait_for(running.errors, "UNSAFE (bad address)")


def test_cronie_drops_carriage_returns(folder: Path, daemon: Begin, box: Box) -> None:
    """All of them but one at the very beginning."""
    config = files(folder, box, "* * * * * printf '\\ra\\r\\n\\rb'")
    wire = daemon(config).wire()
    mailed(Runner(wire), wire, config.files[0])
    assert [letter.body for letter in box.letters(1)] == [b"\ra\nb"]


# --- once, and not never ----------------------------------------


def test_the_scheduler_dies_between_exit_and_mail(folder: Path, daemon: Begin, box: Box) -> None:
    """The next one hears of the end again and wishes the letter, twice: there is one."""
    config = files(folder, box, "* * * * * echo once", "* * * * * echo after")
    running = daemon(config)
    wire = running.wire()
    key = Runner(wire).start(Runner(wire).table(config.files[0]))
    wire.read_until(lambda fact: isinstance(fact, Exited) and fact.attempt == key)
    os.kill(wire.pid, signal.SIGKILL)
    wire.leave()
    wire = running.wire()
    wire.read_until(lambda fact: isinstance(fact, Exited) and fact.attempt == key)
    wire.send(Mail(key), Mail(key))
    mailed(Runner(wire), wire, config.files[0], 1)
    assert sorted(letter.body for letter in box.letters(2)) == [b"after\n", b"once\n"]


def test_an_output_that_is_gone_is_said(folder: Path, daemon: Begin, box: Box) -> None:
    """Retention may remove what a letter waits with."""
    config = files(folder, box, "* * * * * echo gone")
    wire = daemon(config).wire()
    runner = Runner(wire)
    key = runner.start(runner.table(config.files[0]))
    runner.result(key)
    (Path(config.state) / "outputs" / str(os.getuid()) / key).unlink()
    wire.send(Mail(key))
    assert box.letters(1)[0].body == b"[the output, 5 bytes, was removed before this letter was sent]\n"


def test_a_mailer_that_is_busy_is_asked_again(folder: Path, daemon: Begin, box: Box) -> None:
    """Exit status 75 is logged in cron's words, and tried again."""
    box.be(_BUSY_ONCE)
    config = files(folder, box, "* * * * * echo hello", mail_pauses=(0.05,))
    running = daemon(config)
    wire = running.wire()
    mailed(Runner(wire), wire, config.files[0])
    assert box.letters(1)[0].body == b"hello\n"
    running.wait_for(running.errors, "MAIL (mailed 6 bytes of output but got status 0x004b)")


def test_a_mailer_that_refuses_is_not_asked_again(folder: Path, daemon: Begin, box: Box) -> None:
    """Any other status is final."""
    box.be("sys.exit(67)")
    config = files(folder, box, "* * * * * echo hello", mail_pauses=(0.0,) * 50)
    running = daemon(config)
    wire = running.wire()
    runner = Runner(wire)
    mailed(runner, wire, config.files[0])
    running.wait_for(running.errors, "status 0x0043")
    box.be("")
    mailed(runner, wire, config.files[0])
    assert len(box.letters(1)) == 1


@pytest.mark.parametrize(
    ("dialect", "words"),
    [("cronie", "INFO (no /no/mailer: output"), ("debian", "info (No MTA installed, discarding output)")],
)
def test_without_a_sendmail(folder: Path, daemon: Begin, box: Box, dialect: str, words: str) -> None:
    """It is said once; the output is kept."""
    config = files(folder, box, "* * * * * echo hello", dialect=dialect, syslog=None)
    running = daemon(Config(**{**_values(config), "sendmail": "/no/mailer"}))
    wire = running.wire()
    runner = Runner(wire)
    for _ in range(2):
        mailed(runner, wire, config.files[0])
    running.wait_for(running.errors, words)
    wire.leave()
    running.end()
    assert len([line for line in running.errors if words in line]) == 1


def test_a_command_that_does_not_exist(folder: Path, daemon: Begin, box: Box) -> None:
    """-m /no/mailer: the reason is in the log."""
    config = files(folder, box, "* * * * * echo hello", mail="command", mail_command=("/no/mailer",))
    running = daemon(config)
    wire = running.wire()
    mailed(Runner(wire), wire, config.files[0])
    running.wait_for(running.errors, "of output but got status 0x0001): No such file or directory")


def test_a_letter_is_sent_before_the_daemon_ends(folder: Path, daemon: Begin, box: Box) -> None:
    """What waits at TERM still goes out."""
    box.be("time.sleep(0.3)")
    config = files(folder, box, *["* * * * * echo last"] * 5)
    running = daemon(config)
    wire = running.wire()
    runner = Runner(wire)
    for entry in range(5):
        mailed(runner, wire, config.files[0], entry)
    key = runner.start(runner.table(config.files[0]))
    runner.result(key)  # so that the wishes before it were heard
    running.process.terminate()
    wire.leave()
    assert running.wait() == 0
    assert len(box.letters(5)) == 5


def _values(config: Config) -> dict[str, Any]:
    return {name: getattr(config, name) for name in config.__slots__}


# --- a server ----------------------------------------


class Server:
    """A real SMTP server on loopback. `answers` come first; then all is taken."""

    def __init__(self) -> None:
        self.letters: list[tuple[str | None, list[str], bytes]] = []
        self.answers: list[str] = []
        self.logins: list[tuple[bytes, bytes]] = []
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        self._controller = Controller(
            self, "127.0.0.1", port, authenticator=self._authenticate, auth_require_tls=False
        )
        self._controller.start()
        self.address = f"127.0.0.1:{port}"

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        self.letters.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"

    def _authenticate(
        self, _server: object, _session: object, _envelope: object, _mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"open sesame", handled=False)

    def close(self) -> None:
        self._controller.stop()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def by_server(folder: Path, box: Box, server: Server, **more: Any) -> Config:
    lines = [
        "MAILFROM=cron@example.org",
        "MAILTO=ops@example.org,ann@example.org",
        "* * * * * echo .; echo ü",
    ]
    return files(folder, box, *lines, mail="smtp", smtp=server.address, smtp_security="none", **more)


def test_a_server_gets_the_letter(folder: Path, daemon: Begin, box: Box, server: Server) -> None:
    """After a refusal for the moment it is tried again; each recipient is named, a dot is a dot."""
    server.answers = ["451 come back later"]
    config = by_server(folder, box, server, mail_pauses=(0.05,))
    running = daemon(config)
    wire = running.wire()
    mailed(Runner(wire), wire, config.files[0])
    until(lambda: server.letters)
    sender, recipients, content = server.letters[0]
    assert (sender, recipients) == ("cron@example.org", ["ops@example.org", "ann@example.org"])
    head, _, body = content.partition(b"\r\n\r\n")
    assert body == ".\r\nü\r\n".encode()
    assert b'From: "(Cron Daemon)" <cron@example.org>\r\n' in head
    assert b"Message-ID: <" in head
    running.wait_for(running.errors, f"mail: {server.address}: 451 come back later")
    running.wait_for(running.errors, "status 0x004b")


def test_a_refusal_of_a_server_is_final(folder: Path, daemon: Begin, box: Box, server: Server) -> None:
    """5xx is logged and not tried again."""
    server.answers = ["554 no"]
    config = by_server(folder, box, server, mail_pauses=(0.0,) * 50)
    running = daemon(config)
    wire = running.wire()
    runner = Runner(wire)
    mailed(runner, wire, config.files[0])
    running.wait_for(running.errors, "status 0x0045")
    mailed(runner, wire, config.files[0])
    until(lambda: server.letters)
    assert len(server.letters) == 1


@pytest.mark.parametrize(("password", "status"), [("open sesame", ""), ("wrong", "status 0x004d")])
def test_the_password_is_told_to_the_server_alone(
    folder: Path, daemon: Begin, box: Box, server: Server, password: str, status: str
) -> None:
    """It comes from a file that others cannot read, and is in no line of the log."""
    secret = folder / "password"
    secret.write_text(f"{password}\n")
    secret.chmod(0o600)
    config = by_server(folder, box, server, smtp_user="cron", smtp_password_file=str(secret))
    running = daemon(config)
    wire = running.wire()
    mailed(Runner(wire), wire, config.files[0])
    if status:
        running.wait_for(running.errors, status)
    else:
        until(lambda: server.letters)
    assert set(server.logins) == {(b"cron", password.encode())}
    assert not [line for line in running.errors + running.lines if password in line]


def test_a_password_that_others_may_read_is_not_used(
    folder: Path, daemon: Begin, box: Box, server: Server
) -> None:
    """The log says what to do; nothing is sent."""
    secret = folder / "password"
    secret.write_text("open sesame\n")
    secret.chmod(0o644)
    config = by_server(folder, box, server, smtp_user="cron", smtp_password_file=str(secret))
    running = daemon(config)
    wire = running.wire()
    mailed(Runner(wire), wire, config.files[0])
    running.wait_for(running.errors, "must be a file that only its owner")
    assert server.logins == []
    # The letter waits for its next turn; an end by TERM would give it five seconds more.
    running.end(signal.SIGKILL)
