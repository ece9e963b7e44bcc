"""Editing in earnest: real users, real terminals, editors as they are, and whoever means harm."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.system.conftest import StartHost
from tests.system.daemon import DEADLINE, Crond, as_user, descendants_of, host_crond, install, wait_for
from tests.system.ground import Ground, People

#: On no day.
ONE = "#: name=one\n0 0 31 2 * echo one\n"
TWO = "#: name=two\n0 0 31 2 * echo two\n"
WRONG = "#: name=wrong\n99 0 31 2 * echo wrong\n0 99 31 2 * echo wrong too\n"


@pytest.fixture(scope="module")
def host(ground: Ground, people: People) -> Iterator[tuple[Crond, Path]]:
    crond, folder = host_crond(ground, people, dialect="debian")
    try:
        crond.up()
        yield crond, folder
    finally:
        crond.close()


@pytest.fixture
def crond(host: tuple[Crond, Path], people: People) -> Crond:
    """The host's daemon, with no crontab of anybody."""
    crond, folder = host
    for user in people.users:
        (folder / "spool" / user.pw_name).unlink(missing_ok=True)
    return crond


@pytest.fixture
def work(ground: Ground, people: People) -> Path:
    """A folder of ann's."""
    return ground.new_folder("work", owner=people.ann)


def editor(work: Path, *lines: str) -> str:
    """Return an EDITOR that does the next of these shell commands each time; `$2` is the file."""
    script = work / "editor.sh"
    cases = "".join(f"{number}) {line} ;;\n" for number, line in enumerate(lines, start=1))
    script.write_text(
        f"n=$(cat {work}/count 2>/dev/null || echo 0); n=$((n+1)); echo $n > {work}/count\n"
        f'test "$1" = --wait || exit 9\ncase $n in\n{cases}esac\n'
    )
    script.chmod(0o755)
    return f"/bin/sh {script} --wait"


def become(user: pwd.struct_passwd) -> Any:
    def become() -> None:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)

    return become


def terminal(crond: Crond, user: pwd.struct_passwd, *arguments: str, **environment: str) -> Any:
    """Run the client as `user` on a terminal of its own."""
    command = crond.client_command(*arguments)
    home = user.pw_dir
    settings = {"TERM": "xterm", "NO_COLOR": "1", "TZ": "UTC", "HOME": home, "TMPDIR": home, **environment}
    return pexpect.spawn(
        command[0],
        command[1:],
        env=crond.ground.environment(**settings),
        cwd="/",
        timeout=DEADLINE,
        encoding="utf-8",
        preexec_fn=become(user),
    )


def ended(client: Any) -> int | None:
    """Wait for the end of `client`, return its status, and leave what it said in `client.before`."""
    client.expect(pexpect.EOF)
    client.close()
    status: int | None = client.exitstatus
    return status


def shown(crond: Crond, user: pwd.struct_passwd) -> str:
    done = crond.client("-l", user=user)
    return done.stdout if done.returncode == 0 else done.stderr


def left(text: str) -> Path:
    found = re.findall(r"edits left in (\S+)", text)
    assert len(found) == 1, text
    return Path(found[0])


# --- dialogues on a terminal ---------------------------------------------------------------------


def test_an_editor_with_arguments(crond: Crond, people: People, work: Path) -> None:
    """EDITOR is a command line; what it leaves runs at the next minute that fits."""
    client = terminal(
        crond, people.ann, "-e", EDITOR=editor(work, f'printf "{ONE}" > "$2"'.replace("\n", "\\n"))
    )
    assert ended(client) == 0
    assert "no crontab for" in client.before
    assert "installing new crontab" in client.before
    assert shown(crond, people.ann) == ONE
    wait_for(lambda: f"{people.ann.pw_name}/one" in crond.jobs(), "the scheduler knows it")
    crond.line(f"({people.ann.pw_name}) BEGIN EDIT ({people.ann.pw_name})", errors=True)
    crond.line(f"({people.ann.pw_name}) END EDIT ({people.ann.pw_name})", errors=True)


def test_an_editor_that_renames_on_save(crond: Crond, people: People, work: Path) -> None:
    """A new file under the old name is the edit; nothing is left of the copies."""
    (work / "new").write_text(TWO)
    (work / "new").chmod(0o644)
    command = f'cp {work}/new "$2.swp" && mv "$2.swp" "$2" && touch "$2~"'
    temporary = work / "tmp"
    temporary.mkdir()
    os.chown(temporary, people.ann.pw_uid, people.ann.pw_gid)
    client = terminal(crond, people.ann, "-e", EDITOR=editor(work, command), TMPDIR=str(temporary))
    assert ended(client) == 0
    assert shown(crond, people.ann) == TWO
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(shutil.which("vi") is None, reason="there is no vi here")
def test_vi(crond: Crond, people: People) -> None:
    """A real screen editor gets the terminal, and gives it back."""
    assert crond.client("-", user=people.ann, input=ONE).returncode == 0
    client = terminal(crond, people.ann, "-e", VISUAL="vi")
    client.expect("echo one")
    client.send(":%s/one/seven/g\r:wq\r")
    assert ended(client) == 0
    assert shown(crond, people.ann) == ONE.replace("one", "seven")


def test_a_syntax_error_and_the_same_edit_again(crond: Crond, people: People, work: Path) -> None:
    """All errors are shown, the crontab is as it was, and the same text comes back into the editor."""
    assert crond.client("-", user=people.ann, input=ONE).returncode == 0
    command = editor(
        work,
        f'printf "{WRONG}" > "$2"'.replace("\n", "\\n"),
        'grep -q "99 31" "$2" && sed -i "s/99/9/" "$2"',
    )
    client = terminal(crond, people.ann, "-e", EDITOR=command)
    client.expect("2:1: error: bad minute")
    client.expect("3:3: error: bad hour")
    client.expect_exact("Do you want to retry the same edit? (y/n) ")
    assert shown(crond, people.ann) == ONE
    client.sendline("maybe")
    client.expect_exact("Please enter y or n: ")
    client.sendline("y")
    assert ended(client) == 0
    assert shown(crond, people.ann) == WRONG.replace("99", "9")


@pytest.mark.parametrize("how", ["n", "eof", "hang up", "ctrl-c"])
def test_giving_up_leaves_the_edit(crond: Crond, people: People, work: Path, how: str) -> None:
    """No, Ctrl-D, a hang-up, Ctrl-C: nothing is installed, and the text is where it is said."""
    temporary = work / "tmp"
    temporary.mkdir()
    os.chown(temporary, people.ann.pw_uid, people.ann.pw_gid)
    command = editor(work, f'printf "{WRONG}" > "$2"'.replace("\n", "\\n"))
    client = terminal(crond, people.ann, "-e", EDITOR=command, TMPDIR=str(temporary))
    client.expect_exact("(y/n) ")
    if how == "hang up":
        client.kill(signal.SIGHUP)
    else:
        {"n": lambda: client.sendline("n"), "eof": client.sendeof, "ctrl-c": client.sendintr}[how]()
    assert ended(client) == (1 if how in ("n", "eof") else 130)
    assert left(client.before).read_text() == WRONG
    assert "Traceback" not in client.before
    assert "no crontab for" in shown(crond, people.ann)


def test_an_editor_that_fails(crond: Crond, people: People, work: Path) -> None:
    """Nothing is installed, the status is 1, the text stays: `:cq` in vi means that."""
    client = terminal(crond, people.ann, "-e", EDITOR=editor(work, 'echo x > "$2"; exit 1'))
    assert ended(client) == 1
    assert "exited with status 1" in client.before
    copy = left(client.before)
    assert copy.read_text() == "x\n"
    found = copy.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (people.ann.pw_uid, 0o600)
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    shutil.rmtree(copy.parent)


def test_no_changes(crond: Crond, people: People, work: Path) -> None:
    """Saved as it was: nothing is installed, no version is made."""
    crond.client("-", user=people.ann, input=ONE)
    before = crond.client("versions", user=people.ann).stdout
    client = terminal(crond, people.ann, "-e", EDITOR=editor(work, 'cp "$2" "$2x"; mv "$2x" "$2"'))
    assert ended(client) == 0
    assert "no changes made to crontab" in client.before
    assert crond.client("versions", user=people.ann).stdout == before


def test_removing_asks_on_a_terminal(crond: Crond, people: People) -> None:
    """-r on a terminal asks; no, and the end of input, keep it; yes removes, and says how to undo."""
    crond.client("-", user=people.ann, input=ONE)
    name = people.ann.pw_name
    for answer in ("n", None):
        client = terminal(crond, people.ann, "-r")
        client.expect_exact(f"crontabx: really delete {name}'s crontab? (y/n) ")
        client.sendeof() if answer is None else client.sendline(answer)
        assert ended(client) == 0
        assert shown(crond, people.ann) == ONE
    client = terminal(crond, people.ann, "-i", "-r")
    client.expect_exact("(y/n) ")
    client.sendline("y")
    assert ended(client) == 0
    number = re.findall(r"crontabx restore (\d+)", client.before)[0]
    assert f"no crontab for {name}" in shown(crond, people.ann)
    assert crond.client("restore", number, user=people.ann).returncode == 0
    assert shown(crond, people.ann) == ONE


def test_two_edits_at_once(crond: Crond, people: People, work: Path) -> None:
    """The one that ends later sees what the other did, and says whether it goes over it."""
    crond.client("-", user=people.ann, input=ONE)
    os.mkfifo(work / "gate", 0o600)
    os.chown(work / "gate", people.ann.pw_uid, people.ann.pw_gid)
    command = f'echo open > {work}/gate; read line < {work}/gate; echo "0 0 31 2 * mine" >> "$2"'
    first = terminal(crond, people.ann, "-e", EDITOR=editor(work, command))
    (work / "gate").read_text()
    crond.client("-u", people.ann.pw_name, "-", input=TWO)
    (work / "gate").write_text("go on\n")
    first.expect_exact("+0 0 31 2 * echo two")
    first.expect_exact("Install your edit in its place? (y/n) ")
    first.sendline("n")
    assert ended(first) == 1
    assert "mine" in left(first.before).read_text()
    assert shown(crond, people.ann) == TWO


def test_the_daemon_goes_down_while_one_edits(start_host: StartHost, people: People, work: Path) -> None:
    """Killed while the editor is open: the edit stays, and can be installed once the daemon is back."""
    crond, folder = start_host(dialect="debian")
    crond.up()
    os.mkfifo(work / "gate", 0o600)
    os.chown(work / "gate", people.ann.pw_uid, people.ann.pw_gid)
    command = f'printf "{ONE}" > "$2"; echo open > {work}/gate; read line < {work}/gate'.replace("\n", "\\n")
    client = terminal(crond, people.ann, "-e", EDITOR=editor(work, command))
    (work / "gate").read_text()
    crond.end(signal.SIGKILL)
    (work / "gate").write_text("go on\n")
    assert ended(client) == 3
    assert "no crond daemon answers" in client.before
    copy = left(client.before)
    crond, _ = start_host(dialect="debian", folder=folder)
    crond.up()
    assert crond.client(str(copy), user=people.ann).returncode == 0
    assert shown(crond, people.ann) == ONE


def test_the_process_that_installs_is_killed(crond: Crond, people: People, work: Path) -> None:
    """The connection is cut while the text is checked: what was installed is so still, and the edit stays."""
    crond.client("-", user=people.ann, input=ONE)
    # Long enough to be met while it is being checked.
    command = 'yes "0 0 31 2 * long" | head -n 9000 > "$2"; yes "wrong" | head -n 900 >> "$2"'
    client = terminal(crond, people.ann, "-e", EDITOR=editor(work, command))
    client.expect_exact("installing new crontab")

    def serving() -> list[int]:
        pids = descendants_of(crond.pid)
        return [pid for pid in pids if "crond-edit" in Path(f"/proc/{pid}/comm").read_text()]

    os.kill(wait_for(serving, "its text is being checked")[0], signal.SIGKILL)
    assert ended(client) == 3
    copy = left(client.before)
    assert copy.read_text().count("\n") == 9900
    assert shown(crond, people.ann) == ONE


# --- two users and root ----------------------------------------------------------------------------


def test_nobody_touches_what_is_not_theirs(crond: Crond, people: People) -> None:
    """Through every flag and verb, by name and by version: a user has their own crontab and no other."""
    for user, text in ((people.ann, ONE), (people.ben, TWO)):
        assert crond.client("-", user=user, input=text).returncode == 0
    name = people.ann.pw_name
    for arguments in (
        ("-l", "-u", name),
        ("-r", "-u", name),
        ("-u", name, "-"),
        ("-u", "root", "-l"),
        ("-e", "-u", name),
        ("versions", "-u", name),
        ("diff", "1", "-u", name),
        ("restore", "1", "-u", name),
    ):
        done = crond.client(*arguments, user=people.ben, input="")
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert "must be privileged to use -u" in done.stderr
    assert (shown(crond, people.ann), shown(crond, people.ben)) == (ONE, TWO)
    assert crond.client("-u", name, "-l").stdout == ONE
    assert name in crond.client("-u", name, "versions").stdout


def test_nothing_is_reached_by_path(host: tuple[Crond, Path], crond: Crond, people: People) -> None:
    """Versions and the spool belong to root: their owner, too, gets them through the daemon alone."""
    _, folder = host
    crond.client("-", user=people.ann, input=ONE)
    for path in (folder / "state" / "versions", folder / "spool" / people.ann.pw_name):
        done = subprocess.run(
            ["ls", "-l", str(path)], capture_output=True, text=True, check=False, **as_user(people.ann)
        )
        assert "Permission denied" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/cron.d/x",
        "/etc/cron.d/x",
        "..",
        ".",
        "./root",
        "root/",
        "x\ny",
        "\x1b[31mx",
        "%s",
        "-x",
        "a" * 300,
    ],
)
def test_names_that_are_paths(host: tuple[Crond, Path], crond: Crond, name: str) -> None:
    """-u with what is no account: refused, no file is made anywhere, no escape reaches the terminal."""
    _, folder = host
    before = sorted(str(path) for path in folder.rglob("*") if "state" not in path.parts)
    done = crond.client("-u", name, "-", input=ONE)
    assert done.returncode != 0
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(str(path) for path in folder.rglob("*") if "state" not in path.parts) == before
    assert not Path("/etc/cron.d/x").exists()


def test_a_forged_name_in_the_environment(crond: Crond, people: People) -> None:
    """LOGNAME, USER and HOME say what they like: the kernel says who asks."""
    crond.client("-", user=people.ben, input=TWO)
    done = subprocess.run(
        crond.client_command("-l"),
        env=crond.ground.environment(LOGNAME=people.ben.pw_name, USER=people.ben.pw_name, HOME="/root"),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        **as_user(people.ann),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no crontab for {people.ann.pw_name}" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"* * * * * a\0b\n", "NUL"),
        (b"\0" * 100_000, "missing newline"),
        (b"* * * * * a", "missing newline before EOF"),
        (b"* * * * * a\r\n", None),
        (b"x" * (11 * 1024 * 1024), "larger than 2 MiB"),
        (b"# " + b"y" * (1024 * 1024) + b"\n", "garbage"),
        (b"* * * * * a\n" * 10_001, "too many"),
    ],
    ids=["NUL", "only NULs", "no end", "CRLF", "huge", "long line", "many lines"],
)
def test_texts_that_mean_harm(start_host: StartHost, people: People, text: bytes, words: str | None) -> None:
    """Refused with words, or taken as cron takes it; the daemon goes on."""
    crond, folder = start_host(dialect="cronie")
    (folder / "cron.deny").touch()
    crond.up()
    crond.client("-", user=people.ann, input=ONE)
    done = subprocess.run(
        crond.client_command("-"),
        env=crond.ground.environment(),
        input=text,
        capture_output=True,
        timeout=60,
        check=False,
        **as_user(people.ann),
    )
    if words is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1
        assert words in done.stderr.decode()
        assert b"\0" not in done.stderr
        assert shown(crond, people.ann) == ONE
    assert crond.ask("status")


def test_cron_allow_and_deny(start_host: StartHost, people: People) -> None:
    """Who is not allowed is refused with status 1 and an AUTH line; what is installed runs on."""
    crond, folder = start_host(dialect="cronie")
    crond.up()
    name = people.ann.pw_name
    done = crond.client("-", user=people.ann, input=ONE)
    assert (done.returncode, done.stdout) == (1, "")
    assert "may not use this program" in done.stderr
    crond.line(f"({name}) AUTH (crontab command not allowed)", errors=True)
    (folder / "cron.allow").write_text(f"{name}\n")
    assert crond.client("-", user=people.ann, input=ONE).returncode == 0
    assert crond.client("-", user=people.ben, input=TWO).returncode == 1
    (folder / "cron.deny").write_text(f"{name}\n")
    assert crond.client("-l", user=people.ann).stdout == ONE
    (folder / "cron.allow").unlink()
    for arguments in (("-l",), ("-e",), ("-r",), ("versions",), ("restore", "1")):
        assert crond.client(*arguments, user=people.ann).returncode == 1, arguments
    assert crond.client("-u", name, "-l").stdout == ONE
    wait_for(lambda: f"{name}/one" in crond.jobs(), "it is obeyed still")


def test_what_was_installed_by_hand_can_be_had_back(
    host: tuple[Crond, Path], crond: Crond, people: People
) -> None:
    """A file that another program put into the spool is kept when it is replaced, with its owner's name."""
    _, folder = host
    install(folder, people.cat, ONE)
    assert shown(crond, people.cat) == ONE
    crond.client("-", user=people.cat, input=TWO)
    listed = crond.client("versions", user=people.cat).stdout
    assert re.search(rf"{people.cat.pw_name} +by hand", listed)
    number = re.findall(r"^(\d+) .*by hand", listed, re.MULTILINE)[0]
    assert "-#: name=one" in crond.client("diff", number, user=people.cat).stdout
    crond.client("restore", number, user=people.cat)
    assert shown(crond, people.cat) == ONE


def test_crond_file_says_which_file(ground: Ground, start_files: Any) -> None:
    """A daemon of one's own has no crontab to install: the message names the file to edit."""
    folder = ground.new_folder("mine")
    (folder / "my.crontab").write_text(ONE)
    crond = start_files(folder, str(folder / "my.crontab"))
    crond.up()
    for arguments in (("-l",), ("-e",), ("-r",), ("versions",), (str(folder / "my.crontab"),)):
        done = crond.client(*arguments)
        assert done.returncode == 1, arguments
        assert str(folder / "my.crontab") in done.stderr
