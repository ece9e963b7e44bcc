"""env and shell against the real daemon: what is told is what a job gets, and nobody gets another's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pexpect
import pytest

from crond.cli.client import LAUNCHER, Connection, Place, Refused
from tests.system.conftest import StartFiles
from tests.system.daemon import DEADLINE, Crond, as_user, host_crond, install, wait_for
from tests.system.ground import Ground, People

#: What a shell adds by itself.
SHELLS_OWN = {"PWD", "OLDPWD", "SHLVL", "_"}
SEEN = 'env -0; echo "ids $(id -u) $(id -g) $(id -G)"; echo "dir $PWD"; echo "mask $(umask)"'

#: As long as a setting may be, and longest as JSON.
LARGE = "\xff" * 131_000

TABLE = f"""TOKEN='it is a "secret" $HOME '
a-b=no shell's name
EMPTY=""
COLOUR=\x1b[31m
PATH=/usr/bin:/bin:/nonexistent
#: name=seen
0 0 31 2 * {SEEN}
#: name=input
0 0 31 2 * cat%one%two
#: name=twelve
0 0 31 2 * true
#: name=missing
0 0 31 2 * echo before; only-in-home --all
#: name=nowhere
0 0 31 2 * no-such-command-at-all
#: name=bash-missing
0 0 31 2 * bash -c only-in-home
#: name=forbidden
0 0 31 2 * bin/not-a-program
#: name=folder
0 0 31 2 * $HOME/bin
#: name=script
0 0 31 2 * bin/script
#: name=nofile
0 0 31 2 * ./no-such-file
SHELL=/nonexistent/bash
#: name=nobash
0 0 31 2 * true
SHELL=/nonexistent/sh
#: name=noshell
0 0 31 2 * true
SHELL=/bin/sh
HOME=/nonexistent
#: name=nohome
0 0 31 2 * true
"""


@pytest.fixture(scope="module")
def crond(ground: Ground, people: People) -> Iterator[Crond]:
    crond, folder = host_crond(ground, people, environment={"LANG": "C.UTF-8", "OTHERS": "not for jobs"})
    try:
        install(folder, people.ann, TABLE)
        install(folder, people.ben, "TOKEN=bens\n#: name=bens\n0 0 31 2 * true\n")
        large = "".join(f"V{number}={number}{LARGE}\n" for number in range(15))
        install(folder, people.cat, f"{large}#: name=large\n0 0 31 2 * true\n".encode("latin-1"))
        (folder / "crontab").write_text(f"#: name=system\n0 0 31 2 * {people.ben.pw_name} true\n")
        _fill(Path(people.ann.pw_dir, "bin"))
        crond.up()
        wait_for(lambda: len(crond.jobs()) == 16, "all tables are loaded")
        yield crond
    finally:
        crond.close()


def _fill(folder: Path) -> None:
    """Programs that are, and are not, in the home of the account that runs the jobs."""
    folder.mkdir()
    for name, text, mode in (
        ("only-in-home", "#!/bin/sh\n", 0o755),
        ("not-a-program", "#!/bin/sh\n", 0o644),
        ("script", "#!/nonexistent/python9\n", 0o755),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(mode)


def pairs(text: str) -> dict[str, str]:
    """The NAME=value pairs between NULs, but for what a shell adds, and what each run of its own is told."""
    found = (line.partition("=") for line in text.split("\0") if "=" in line)
    return {
        name: value for name, _, value in found if name not in SHELLS_OWN and not name.startswith("CRONTABX_")
    }


def ids(text: str) -> list[str]:
    """What SEEN says of ids, folder and umask."""
    return text.rpartition("\0")[2].splitlines()


def terminal(crond: Crond, *arguments: str, user: Any = None) -> Any:
    command = crond.client_command(*arguments)
    if user is not None:
        command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", *command]
    environment = crond.ground.environment(TERM="xterm", TZ="UTC", ONLY_OURS="x")
    return pexpect.spawn(
        command[0], command[1:], env=environment, cwd="/", timeout=20, encoding="utf-8", dimensions=(33, 111)
    )


@pytest.mark.parametrize("as_root", [True, False], ids=["root", "user"])
def test_env_and_shell_are_what_a_job_has(crond: Crond, people: People, as_root: bool) -> None:
    """The job itself, `env -0` and `shell -c` agree to the byte: variables, ids, groups, folder and umask."""
    user = None if as_root else people.ann
    run = crond.run_now("seen")
    job = crond.output(run["attempt"]).decode()
    told = crond.client("env", "-0", "seen", user=user)
    assert (told.returncode, told.stderr) == (0, "")
    # dash passes on no variable that it could not have itself.
    assert pairs(told.stdout) == {"a-b": "no shell's name", **pairs(job)}
    assert pairs(job)["TOKEN"] == 'it is a "secret" $HOME '
    command = json.loads(crond.client("env", "--json", "seen", user=user).stdout)["command"]
    shell = crond.client("shell", "seen", "-c", command, user=user)
    assert (shell.returncode, shell.stderr) == (0, "")
    assert (pairs(shell.stdout), ids(shell.stdout)) == (pairs(job), ids(job))
    assert ids(job)[0].startswith(f"ids {people.ann.pw_uid} {people.ann.pw_gid} ")


def test_a_shell_reads_the_text_back(crond: Crond, people: People, ground: Ground) -> None:
    """`set -a; . FILE` sets what the job has; a name that no shell can have is a comment."""
    text = crond.client("env", "seen").stdout
    assert "# no name for a shell: a-b='no shell'\"'\"'s name'\n" in text
    assert "EMPTY=''\n" in text
    file = ground.new_folder("sourced") / "env"
    file.write_text(text)
    read = subprocess.run(
        ["/usr/bin/env", "-i", "/bin/sh", "-c", f"set -a; . {file}; env -0"],
        capture_output=True, text=True, timeout=DEADLINE, check=True,
    )  # fmt: skip
    told = pairs(crond.client("env", "-0", "seen").stdout)
    assert pairs(read.stdout) == {name: value for name, value in told.items() if name != "a-b"}


def test_a_terminal_is_not_steered_by_a_value(crond: Crond) -> None:
    """On a terminal control characters are shown, in a pipe they come as they are."""
    client = terminal(crond, "env", "seen")
    client.expect(pexpect.EOF)
    client.close()
    assert "COLOUR='^[[31m'" in client.before
    assert "\x1b" not in client.before
    assert "COLOUR='\x1b[31m'\n" in crond.client("env", "seen").stdout


def test_json_tells_all_of_a_start(crond: Crond, people: People) -> None:
    """Account, folder, shell, command and what it reads, umask, nice and limits."""
    told = json.loads(crond.client("env", "--json", "input", user=people.ann).stdout)
    assert told["job"] == f"{people.ann.pw_name}/input"
    assert (told["user"], told["uid"], told["gid"]) == (
        people.ann.pw_name,
        people.ann.pw_uid,
        people.ann.pw_gid,
    )
    assert (told["shell"], told["command"], told["stdin"]) == ("/bin/sh", "cat", "one\ntwo\n")
    assert (told["directory"], told["nice"]) == (people.ann.pw_dir, os.getpriority(os.PRIO_PROCESS, 0))
    assert told["environment"]["LANG"] == "C.UTF-8"
    assert "OTHERS" not in told["environment"]


def test_nobody_sees_anothers(crond: Crond, people: People) -> None:
    """By name there is no such job; by the numbers that the programs use there is nothing either."""
    for verb in ("env", "shell"):
        for job in ("seen", f"{people.ann.pw_name}/seen", "system"):
            done = crond.client(verb, job, user=people.ben)
            assert (done.returncode, done.stdout) == (4, "")
            assert "there is no job" in done.stderr
    ask = crond.ground.folder / "ask.py"
    ask.write_text(_ASK)
    numbers = crond.ask("job", job="seen")
    words = [str(crond.run / "launcher.sock"), str(numbers["table"]), str(numbers["entry"])]
    for user, mine in ((people.ann, True), (people.ben, False)):
        done = subprocess.run(
            [crond.ground.python, str(ask), *words],
            env=crond.ground.environment(), capture_output=True, text=True, timeout=DEADLINE, check=True,
            **as_user(user),
        )  # fmt: skip
        assert ("secret" in done.stdout) is mine
        assert ("stale" in done.stdout) is not mine


def test_a_large_environment_takes_no_time_and_memory_of_the_daemon(crond: Crond, people: People) -> None:
    """Each answer was a file in its memory, made in its loop: a user who kept a thousand had 12 GB of it."""
    [job] = [job for job in crond.jobs() if people.cat.pw_name in job]
    told = crond.client("env", "--json", job, user=people.cat)
    assert json.loads(told.stdout)["environment"]["V7"] == "7" + "\udcff" * len(LARGE)
    found = crond.ask("job", job=job)
    with ExitStack() as held:
        for _ in range(10):
            launcher = held.enter_context(Connection(Place(str(crond.run), ""), LAUNCHER))
            reply = launcher.ask("env", table=str(found["table"]), entry=str(found["entry"]))
            assert reply.descriptor is None
        # Nobody reads these ten, and others are served.
        assert "bens" in crond.client("env", "bens", user=people.ben).stdout


@pytest.mark.parametrize("as_root", [True, False], ids=["root", "user"])
def test_a_shell_has_no_descriptors_of_its_caller(crond: Crond, people: People, as_root: bool) -> None:
    """What root's own script had open, a file or a lock, could be read by the account's shell."""
    user = None if as_root else people.ann
    with open("/etc/shadow", "rb") as secret:
        told = crond.client(
            "shell", "-c", "ls -l /proc/self/fd", "twelve", user=user, pass_fds=[secret.fileno()]
        )
    assert "fd" in told.stdout or "->" in told.stdout
    assert "shadow" not in told.stdout


_ASK = """
import os, sys
from crond.cli.client import Connection, Place, Refused
path, table, entry = sys.argv[1:]
try:
    with Connection(Place(os.path.dirname(path), ""), "launcher.sock") as launcher:
        reply = launcher.ask("env", table=table, entry=entry)
        assert reply.descriptor is None
        print(launcher.receive_text(reply.body["size"]).decode())
except Refused as refusal:
    print(refusal.code)
"""


@pytest.mark.parametrize(
    "numbers", [("x", "0"), ("-1", "0"), ("9" * 30, "0"), ("1", "-1"), ("", ""), ("1", "999")]
)
def test_nonsense_is_refused(crond: Crond, numbers: tuple[str, str]) -> None:
    """Whatever the numbers are, the launcher says no and lives on."""
    with Connection(Place(str(crond.run), ""), LAUNCHER) as launcher, pytest.raises(Refused) as refused:
        launcher.ask("env", table=numbers[0], entry=numbers[1])
    assert refused.value.code in ("stale", "unknown")


def test_an_interactive_shell_for_root(crond: Crond, people: People) -> None:
    """Root gets the account's shell on a terminal of its own, of the same size; Ctrl-C and exit work."""
    client = terminal(crond, "shell", "twelve")
    client.expect(f"This is /bin/sh as {people.ann.pw_name} in {people.ann.pw_dir}")
    client.expect("Leave with exit")
    client.sendline("echo I am $(id -u) in $PWD, ours: ${ONLY_OURS-none}, size: $(stty size)")
    client.expect(f"I am {people.ann.pw_uid} in {people.ann.pw_dir}, ours: none, size: 33 111")
    client.sendline("tty; echo pid $$ session $(ps -o sess= -p $$)")
    client.expect("(/dev/pts/[0-9]+)")
    assert client.match[1] != os.ttyname(client.child_fd)
    client.sendline("sleep 300; echo on")
    client.expect("300")
    wait_for(lambda: "sleep" in _names_in_terminal(client.pid), "it sleeps")
    client.sendintr()
    client.sendline("exit 7")
    client.expect(pexpect.EOF)
    client.close()
    assert client.exitstatus == 7


def _names_in_terminal(pid: int) -> str:
    done = subprocess.run(["ps", "-eo", "ppid=,pid=,comm="], capture_output=True, text=True, check=True)
    children: dict[str, list[tuple[str, str]]] = {}
    for line in done.stdout.splitlines():
        parent, child, name = line.split(maxsplit=2)
        children.setdefault(parent, []).append((child, name))
    names, waiting = [], [str(pid)]
    while waiting:
        for child, name in children.get(waiting.pop(), []):
            names.append(name)
            waiting.append(child)
    return " ".join(names)


def test_an_interactive_shell_for_its_owner(crond: Crond, people: People) -> None:
    """The owner becomes the shell itself, on the terminal that is there."""
    client = terminal(crond, "shell", "twelve", user=people.ann)
    client.expect("Leave with exit")
    client.sendline("echo I am $(id -u) as $$ on $(tty)")
    client.expect(f"I am {people.ann.pw_uid} as {client.pid} on ")
    client.sendeof()
    client.expect(pexpect.EOF)
    client.close()
    assert client.exitstatus == 0


def test_root_leaves_no_terminal_to_others(crond: Crond, people: People) -> None:
    """Without a terminal of its own the account gets a session of its own: none of ours can be typed into."""
    done = crond.client("shell", "twelve", "-c", "ps -o sess= -p $$; echo $$")
    session, pid = done.stdout.split()
    assert session == pid


@pytest.mark.parametrize("as_root", [True, False], ids=["root", "user"])
@pytest.mark.parametrize(
    ("job", "arguments", "status", "words"),
    [
        ("twelve", ("-c", "exit 9"), 9, ""),
        ("twelve", ("-c", "kill -TERM $$"), 143, ""),
        ("twelve", ("-c", "nosuchcommand"), 127, "nosuchcommand"),
        ("noshell", ("-c", "true"), 125, "would not start: cannot execute /nonexistent/sh: No such file"),
        ("nohome", ("-c", "true"), 125, "would not start: cannot enter the home /nonexistent: No such"),
        ("nojob", (), 4, "there is no job"),
    ],
)  # fmt: skip
def test_how_a_shell_ends(
    crond: Crond, people: People, job: str, arguments: tuple[str, ...], status: int, words: str, as_root: bool
) -> None:
    """The command's own status, 128+N for a signal; what would keep the job from starting is said: 125."""
    done = crond.client("shell", job, *arguments, user=None if as_root else people.ann)
    assert done.returncode in (status, -15 if status == 143 else status)
    assert words in done.stderr


def test_a_shell_reads_commands_from_a_pipe(crond: Crond, people: People) -> None:
    """Commands on stdin run in it, without a prompt and without a greeting."""
    for user in (None, people.ann):
        done = crond.client("shell", "twelve", user=user, input="id -u\nexit 3\n")
        assert (done.returncode, done.stdout, done.stderr) == (3, f"{people.ann.pw_uid}\n", "")


def test_a_crontab_that_runs_as_us(start_files: StartFiles, ground: Ground) -> None:
    """`crond FILE` gives jobs its own environment, and env and shell tell that one."""
    folder: Path = ground.new_folder("files")
    (folder / "jobs").write_text("#: name=one\n0 0 31 2 * env -0\n")
    crond = start_files(folder, str(folder / "jobs"), environment={"KEEP": "this"})
    wait_for(lambda: (folder / "state/run/scheduler.sock").exists() and crond.jobs(), "it is loaded")
    job = pairs(crond.output(crond.run_now("one")["attempt"]).decode())
    assert job["KEEP"] == "this"
    assert pairs(crond.client("env", "-0", "one").stdout) == job
    assert pairs(crond.client("shell", "one", "-c", "env -0").stdout) == job


SEARCHED = "in the job's PATH, /usr/bin:/bin:/nonexistent."


@pytest.mark.parametrize("as_root", [True, False], ids=["root", "user"])
@pytest.mark.parametrize(
    ("job", "words"),
    [
        (
            "missing",
            f"looked for only-in-home {SEARCHED} It is HOME/bin/only-in-home: write that in the command,",
        ),
        ("missing", "or PATH=HOME/bin:/usr/bin:/bin:/nonexistent above the entry."),
        ("bash-missing", f"looked for only-in-home {SEARCHED} It is HOME/bin/only-in-home"),
        ("nowhere", f"looked for no-such-command-at-all {SEARCHED} It is not in the usual folders either,"),
        ("forbidden", "HOME/bin/not-a-program may be executed by nobody (-rw-r--r--): chmod +x makes it"),
        ("folder", "HOME/bin is a folder."),
        ("script", "HOME/bin/script is there, but its first line asks for /nonexistent/python9, which is"),
        ("nofile", "There is no HOME/./no-such-file, as far as you can see."),
        (
            "nobash",
            "That is the SHELL of its crontab, which each command is given to. There is /usr/bin/bash:",
        ),
    ],
)
def test_what_was_not_found(crond: Crond, people: People, job: str, words: str, as_root: bool) -> None:
    """127, 126 and a SHELL that is not there: `why` and `show` say which PATH was searched, where it is."""
    run = crond.run_now(job)
    user = None if as_root else people.ann
    wait_for(lambda: run["id"] in crond.client("history", job, user=user).stdout, "it is recorded")
    for verb in (("why", job), ("show", run["id"])):
        done = crond.client(*verb, user=user)
        assert words.replace("HOME", people.ann.pw_dir) in " ".join(done.stdout.split())
