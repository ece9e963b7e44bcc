"""Completion in the shells themselves: what the Tab key offers, with a daemon and without one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.system.daemon import DEADLINE, Crond, wait_for
from tests.system.ground import Ground

CONTRIB = Path(__file__).parents[2] / "contrib" / "completion"
TABLE = "#: name=backup\n0 0 31 2 * true\n#: name=bank\n0 0 31 2 * true\n#: name=report\n0 0 31 2 * true\n"


@pytest.fixture(scope="module")
def crond(ground: Ground) -> Iterator[Crond]:
    folder = ground.new_folder("completion")
    (folder / "jobs").write_text(TABLE)
    crond = Crond(ground, [str(folder / "jobs"), "--state", str(folder / "state")], state=folder / "state")
    try:
        wait_for(lambda: (crond.run / "scheduler.sock").exists() and len(crond.jobs()) == 3, "it is up")
        yield crond
    finally:
        crond.close()


@pytest.fixture(scope="module")
def environment(crond: Crond, ground: Ground) -> dict[str, str]:
    """A home with some files, and `crontabx` on PATH."""
    home = ground.new_folder("home")
    command = home / "bin" / "crontabx"
    command.parent.mkdir()
    command.write_text(
        f"#!/bin/sh\nexec {ground.python} -c 'from crond.cli.entry import main; main()' \"$@\"\n"
    )
    command.chmod(0o755)
    (home / "table.txt").touch()
    (home / "zlast.txt").touch()
    found = ground.environment(HOME=str(home), CRONTABX_STATE=str(crond.state), TERM="xterm")
    return {**found, "PATH": f"{command.parent}:{found['PATH']}"}


def in_bash(environment: dict[str, str], line: str) -> list[str]:
    """What bash is offered at the end of `line`, by the file that is installed."""
    script = (
        f"source {CONTRIB}/crontabx; COMP_WORDS=($1); [[ $1 == *' ' ]] && COMP_WORDS+=('');"
        ' COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt() { echo "$@"; };'
        ' $(complete -p crontabx | sed "s/.*-F \\([^ ]*\\).*/\\1/") crontabx;'
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return _offered(["bash", "--norc", "-c", script, "bash", line], environment)


def in_fish(environment: dict[str, str], line: str) -> list[str]:
    if shutil.which("fish") is None:
        pytest.skip("there is no fish here (apt install fish)")
    script = f"source {CONTRIB}/crontabx.fish; complete -C $argv[1]"
    return [offer.partition("\t")[0] for offer in _offered(["fish", "-N", "-c", script, line], environment)]


def _offered(command: list[str], environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        command, env=environment, cwd=environment["HOME"], capture_output=True, text=True,
        timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


LINES = [
    ("crontabx exp", ["explain"]),
    ("crontabx run ", ["backup", "bank", "report"]),
    ("crontabx why ba", ["backup", "bank"]),
    ("crontabx env nosuch", []),
    ("crontabx completion ", ["bash", "zsh", "fish"]),
    ("crontabx prune --dry", ["--dry-run"]),
]


@pytest.mark.parametrize(("line", "offered"), LINES, ids=str)
def test_bash(environment: dict[str, str], line: str, offered: list[str]) -> None:
    """Verbs, options, choices, and the names of jobs."""
    assert in_bash(environment, line) == offered


@pytest.mark.parametrize(("line", "offered"), LINES, ids=str)
def test_fish(environment: dict[str, str], line: str, offered: list[str]) -> None:
    """The same."""
    assert sorted(in_fish(environment, line)) == sorted(offered)


def test_owners_are_offered_once_begun(crond: Crond, environment: dict[str, str]) -> None:
    """OWNER/NAME is completed, too."""
    owner = crond.jobs()[0].partition("/")[0]
    assert in_bash(environment, f"crontabx stop {owner}/ba") == [f"{owner}/backup", f"{owner}/bank"]


def test_files_where_files_are_meant(environment: dict[str, str]) -> None:
    """The shell is told to offer files; beside them jobs, where either is meant; fish offers the files."""
    assert in_bash(environment, "crontabx check ta") == ["-o default"]
    assert in_bash(environment, "crontabx next re") == ["-o default", "report"]
    assert in_bash(environment, "crontabx table") == ["-o default"]
    assert in_fish(environment, "crontabx check ta") == ["table.txt"]


def test_runs_are_offered_once_begun(crond: Crond, environment: dict[str, str]) -> None:
    """`show` completes the id of a run; so do `logs` and `stop`, which mostly take a job."""
    run = crond.run_now("report")["id"]
    for verb in ("show", "logs", "stop"):
        assert run in in_bash(environment, f"crontabx {verb} {run[:3]}")


def test_without_a_daemon_nothing_is_said(environment: dict[str, str]) -> None:
    """No daemon, no names, and no word of it in the middle of somebody's prompt."""
    nowhere = {**environment, "CRONTABX_STATE": "/nonexistent"}
    assert in_bash(nowhere, "crontabx run ") == []
    assert in_bash(nowhere, f"crontabx --state {environment['CRONTABX_STATE']} run b") == ["backup", "bank"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh here (apt install zsh)")
@pytest.mark.parametrize("first", ["autoloaded", "evaluated"])
def test_zsh(environment: dict[str, str], first: str) -> None:
    """The Tab key completes a verb and a job, the first time already, as file of fpath and from a .zshrc."""
    shell = pexpect.spawn(
        "zsh", ["-f", "-i"], env={**environment, "PS1": "ready> "}, cwd=environment["HOME"], timeout=20,
        encoding="utf-8", dimensions=(40, 120),
    )  # fmt: skip
    shell.expect("ready> ")
    if first == "autoloaded":
        shell.sendline(f"fpath=({CONTRIB} $fpath); autoload -U compinit; compinit -u -D; echo set=up")
    else:
        shell.sendline('autoload -U compinit; compinit -u -D; eval "$(crontabx completion zsh)"; echo set=up')
    shell.expect("set=up\r\n")
    shell.send("echo done: crontabx; crontabx rest\t\x15")
    shell.expect("crontabx restore")
    shell.send("crontabx logs rep\t")
    shell.expect("crontabx logs report")
    shell.sendline("\x15exit")
    shell.expect(pexpect.EOF)
    shell.close()
    assert os.WIFEXITED(shell.status)
