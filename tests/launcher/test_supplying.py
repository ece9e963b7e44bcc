"""Stage 2: files of variables, secrets, and the step into the job's program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.assistants import boot_words
from crond.launcher.policies import NotAllowed
from crond.launcher.spawn import Program
from crond.launcher.supplies import supply_for
from crond.launcher.supplying import (
    ENV_FILE_LIMIT,
    FAILED,
    REQUEST,
    SECRET_LIMIT,
    NotSupplied,
    read_variables,
    supply,
)
from crond.model.policy import PLAIN, Policy
from tests.launcher.daemon import PACKAGE


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"A=1", b"A", b"1"),
        (b"  export A=1  \r", b"A", b"1"),
        (b"A=", b"A", b""),
        (b"A=a b # c", b"A", b"a b # c"),
        (b"A=$B `c` \\n", b"A", b"$B `c` \\n"),
        (b"A=b=c", b"A", b"b=c"),
        (b"A='a \"b\" \\'", b"A", b'a "b" \\'),
        (b'A="a \\"b\\" \\\\ \\$c \\n" # says', b"A", b'a "b" \\ $c \\n'),
        (b'A=a"b"', b"A", b'a"b"'),
        (b"_a1=\xff", b"_a1", b"\xff"),
        (b"A= x", b"A", b" x"),
    ],
)
def test_a_line_of_an_env_file(line: bytes, name: bytes, value: bytes) -> None:
    """As Docker and systemd read it, where they agree; nothing is expanded."""
    assert read_variables(b"# comment\n; comment\n\n \t\n" + line + b"\n", "f") == [(name, value)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hunter2", "f, line 2: not NAME=VALUE"),
        (b"1A=hunter2", "f, line 2: not NAME=VALUE"),
        (b"A B=hunter2", "f, line 2: not NAME=VALUE"),
        (b"A = hunter2", "f, line 2: not NAME=VALUE"),
        (b"export hunter2", "f, line 2: not NAME=VALUE"),
        (b"A='hunter2", "f, line 2: a quote that does not end on its line"),
        (b'A="hunter2\\"', "f, line 2: a quote that does not end on its line"),
        (b"A='hunter2' x", "f, line 2: something follows the closing quote"),
        (b"A=hunter2\0", "f, line 2: it holds a NUL"),
    ],
)
def test_what_is_no_line_is_refused(line: bytes, words: str) -> None:
    """By its number; what stands there may be a secret and is not shown."""
    with pytest.raises(NotSupplied, match=words) as refused:
        read_variables(b"A=1\n" + line + b"\n", "f")
    assert "hunter2" not in str(refused.value)


def supplied(*, kept: tuple[str, ...] = (), **asked: Any) -> dict[bytes, bytes]:
    environment = {b"PATH": b"/bin", b"LOGNAME": b"ann"}
    supply(environment, {"env_file": None, "secrets": [], "kept": [*kept], **asked})
    return environment


def test_what_a_file_may_set(tmp_path: Path) -> None:
    """A file lies over the crontab's own settings, a secret over both; what is kept no file sets."""
    file, secret = tmp_path / "env", tmp_path / "secret"
    file.write_text("PATH=/opt\nLOGNAME=root\nKEY=file\nLR=1\n")
    secret.write_text("hunter2\n\n")
    made = supplied(env_file=str(file), secrets=[["KEY", f"file:{secret}"]], kept=("LOGNAME", "LR"))
    assert made == {b"PATH": b"/opt", b"LOGNAME": b"ann", b"KEY": b"hunter2\n"}


def test_a_secret_is_the_whole_file_less_one_line_break(tmp_path: Path) -> None:
    """Blanks and quotes belong to it; a link is followed, as Kubernetes mounts them."""
    (tmp_path / "data").write_bytes(b' "x"\r\n y')
    (tmp_path / "link").symlink_to("data")
    assert supplied(secrets=[["K", f"file:{tmp_path}/link"]])[b"K"] == b' "x"\r\n y'


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: (path.write_text("x"), path.chmod(0o666)), "can be written by everybody"),
        (lambda path: path.write_bytes(b"a\0b"), "holds a NUL"),
        (lambda path: path.write_bytes(bytes(SECRET_LIMIT + 1)), f"is larger than {SECRET_LIMIT} bytes"),
    ],
)
def test_what_is_no_secret_is_refused(tmp_path: Path, make: Any, words: str) -> None:
    """The secret's name and the path are said; a pipe without a writer does not hold the job."""
    path = tmp_path / "secret"
    make(path)
    with pytest.raises(NotSupplied, match=words) as refused:
        supplied(secrets=[["KEY", f"file:{path}"]])
    assert str(refused.value).startswith(f"secret KEY: {path}")


def test_an_env_file_has_a_limit_and_an_owner(tmp_path: Path) -> None:
    """Who can write it could run anything as the job's user."""
    path = tmp_path / "env"
    path.write_bytes(b"#" * (ENV_FILE_LIMIT + 1))
    with pytest.raises(NotSupplied, match="is larger than"):
        supplied(env_file=str(path))
    path.write_text("A=1\n")
    path.chmod(0o602)
    with pytest.raises(NotSupplied, match="can be written by everybody"):
        supplied(env_file=str(path))


# --- what the launcher asks for --------------------------------------------------------------------


def asked_of(policy: Policy, *, daemon: dict[str, str] | None = None, trusted: bool = True) -> Program:
    found = supply_for(policy, package=PACKAGE, home=b"/home/ann", daemon=daemon or {}, trusted=trusted)
    assert found is not None
    program = Program(
        path=b"/bin/sh",
        arguments=(b"/bin/sh", b"-c", b"env"),
        environment={b"LOGNAME": b"ann", b"A": b"1"},
        identity=None,
        directory=b"/",
    )
    return found.through(program, ["CRONTABX_JOB"])


def test_no_value_is_in_an_argument() -> None:
    """`ps` shows the arguments to everybody: neither values nor where they lie are there."""
    policy = Policy(env_file="conf/env", secret_env=(("K", "file:/run/k"), ("T", "env:TOKEN")))
    program = asked_of(policy, daemon={"TOKEN": "hunter2"})
    assert program.arguments == (*boot_words("supplying", PACKAGE), b"/bin/sh", b"-c", b"env")
    assert program.environment[b"T"] == b"hunter2"
    assert json.loads(program.environment[REQUEST.encode()]) == {
        "env_file": "/home/ann/conf/env",
        "secrets": [["K", "file:/run/k"]],
        "kept": ["LOGNAME", "CRONTABX_JOB", "T"],
        "locale": None,
    }


def test_the_daemons_environment_is_not_for_everybody() -> None:
    """`secret_env=X=env:DATABASE_URL` in a user's crontab: it read whatever root's service was given."""
    policy = Policy(secret_env=(("X", "env:TOKEN"),))
    with pytest.raises(NotAllowed, match="only for root's crontabs"):
        asked_of(policy, daemon={"TOKEN": "hunter2"}, trusted=False)


def test_most_entries_need_none_of_it() -> None:
    """They start without this step."""
    assert supply_for(PLAIN, package="", home=b"/", daemon={}, trusted=False) is None


# --- the program -----------------------------------------------------------------------------------


def run(program: Program, **more: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**program.environment, **{name.encode(): text.encode() for name, text in more.items()}}
    return subprocess.run(program.arguments, env=environment, capture_output=True, check=False)


def test_it_becomes_the_command(tmp_path: Path) -> None:
    """The same process, with exactly what it is to have: nothing of the request, nothing of Python's own."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"hunt\xff")
    done = run(asked_of(Policy(secret_env=(("K", f"file:{secret}"),))))
    lines = set(done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, b"")
    shells_own = {b"PWD", b"OLDPWD", b"SHLVL", b"_"}
    assert {line for line in lines if line.partition(b"=")[0] not in shells_own} == {
        b"LOGNAME=ann",
        b"A=1",
        b"K=hunt\xff",
    }


def test_signals_are_as_for_every_job(tmp_path: Path) -> None:
    """Python ignores SIGPIPE: a job behind it would go on writing to nobody."""
    (tmp_path / "env").write_text("")
    program = asked_of(Policy(env_file=str(tmp_path / "env")))
    show = (*program.arguments[:-1], b"grep SigIgn /proc/self/status")
    done = subprocess.run(
        show, env=program.environment, capture_output=True, check=False, restore_signals=True
    )
    assert int(done.stdout.split()[1], 16) == 0


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(env_file="/no/such"), b"crond: env_file: /no/such: No such file or directory\n"),
        (Policy(env_file="/dev/null"), b"crond: env_file: /dev/null is not a regular file\n"),
        (
            Policy(secret_env=(("K", "env:TOKEN"),)),
            b"crond: secret K: crond was started without TOKEN in its environment\n",
        ),
    ],
)
def test_what_fails_is_said_in_the_jobs_output(policy: Policy, words: bytes) -> None:
    """The command does not run, and the attempt fails with a status of its own."""
    done = run(asked_of(policy))
    assert (done.returncode, done.stdout, done.stderr) == (FAILED, b"", words)


def test_a_shell_that_cannot_be_executed(tmp_path: Path) -> None:
    """It ends as when a secret is missing."""
    (tmp_path / "env").write_text("A=2\n")
    program = asked_of(Policy(env_file=str(tmp_path / "env")))
    words = [*program.arguments[:-3], b"/no/such/shell", b"-c", b"env"]
    done = subprocess.run(words, env=program.environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (
        FAILED,
        b"crond: cannot execute /no/such/shell: No such file or directory\n",
    )
    assert words[0] == os.fsencode(sys.executable)
