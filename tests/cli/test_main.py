"""The command as a program: version, help, what it imports, signals and a closed pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crond.cli.main import VERBS
from tests.cli.conftest import Client
from tests.cli.fake_daemon import DEADLINE, RUNNING, FakeDaemon, Hang, run_body, yes

PROGRAM = [sys.executable, "-c", "from crond.cli.main import main; main()"]


def test_version(client: Client) -> None:
    """The name and a number."""
    result = client("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("crontabx ")
    assert client("-V").stdout == result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(client: Client, verb: str) -> None:
    """Help names the usage and --json, and is to be had by -h and --help. A shell's words are no JSON."""
    result = client(verb, "--help")
    assert result.exit_code == 0
    assert f"Usage: crontabx {verb} " in result.stdout
    assert ("--json" in result.stdout) is (verb not in {"shell", "completion"})
    assert client(verb, "-h").stdout == result.stdout


def test_help_lists_every_verb(client: Client) -> None:
    """In the order in which one meets them."""
    text = client("--help").stdout
    places = [text.index(f"\n  {verb} ") for verb in VERBS]
    assert places == sorted(places)


def test_no_verb(client: Client) -> None:
    """Nothing to do is a usage error that shows the help."""
    result = client()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: crontabx" in result.stderr


def test_an_unknown_verb(client: Client) -> None:
    """The nearest verb comes to mind; for what is near to none, nothing is guessed."""
    result = client("simulat")
    assert result.exit_code == 2
    assert "did you mean 'simulate'?" in result.stderr
    assert "did you mean" not in client("xyzzy").stderr
    assert "did you mean 'status'?" in client("stauts").stderr, "not stats"


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--version"], ["crond.cli.client", "crond.model.messages", "crond.cli.jobs", "crond.cli.logs"]),
        (["list"], ["crond.model.crontab", "crond.core", "crond.cli.check", "zoneinfo"]),
        (["check", os.devnull], ["crond.scheduler", "crond.launcher.launcher", "crond.cli.client"]),
        (["next", os.devnull], ["crond.scheduler", "crond.launcher"]),
    ],
)
def test_what_a_verb_imports(arguments: list[str], absent: list[str], tmp_path: Path) -> None:
    """A client command is one start of Python: it loads what it needs, and never what is slow."""
    program = (
        "import sys\nfrom crond.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, "--state", str(tmp_path), *arguments]
    said = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    loaded = set(said.stderr.split())
    assert "crond.cli.main" in loaded
    assert not loaded & {*absent, "rich", "sqlalchemy", "asyncio", "croniter"}


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """`crontabx simulate ... | head -1` ends as other tools do: by SIGPIPE, without a word."""
    crontab = tmp_path / "crontab"
    crontab.write_text("* * * * * x\n")
    command = [*PROGRAM, "simulate", str(crontab), "--from", "2026-01-01", "--until", "2030-01-01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(DEADLINE) == -signal.SIGPIPE


def test_ctrl_c_is_quiet(daemon: FakeDaemon) -> None:
    """Ctrl-C ends a verb by SIGINT, without a traceback."""
    daemon.answers("status", Hang())
    with _started(daemon, "status") as process:
        assert daemon.arrived.wait(DEADLINE)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)
    assert (process.returncode, said) == (-signal.SIGINT, b"")


def test_ctrl_c_while_waiting_for_a_run(daemon: FakeDaemon) -> None:
    """It ends the waiting, says that the run goes on and how to end it: status 130."""
    daemon.answers("run", yes({"run": run_body(**RUNNING)}, final=False), Hang())
    with _started(daemon, "run", "--wait", "backup") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"root/backup: run k3f started\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert said == b"crontabx: root/backup: run k3f goes on; to end it: crontabx stop k3f\n"


def test_a_terminal_without_unicode(tmp_path: Path) -> None:
    """What the output's encoding has not is escaped, and no reason to break."""
    crontab = tmp_path / "crontab"
    crontab.write_text("0 6 * * * 한글\n")
    command = [*PROGRAM, "simulate", str(crontab), "--from", "2026-01-01"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    said = subprocess.run(command, env=environment, capture_output=True, timeout=DEADLINE, check=True)
    assert said.stdout.endswith(b"\\ud55c\\uae00\n")


def test_a_full_disk_is_told() -> None:
    """What could not be written is no success."""
    with open("/dev/full", "wb") as full:
        command = [*PROGRAM, "simulate", "/dev/null", "--help"]
        said = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=DEADLINE, check=False)
    assert said.returncode == 1
    assert b"No space left on device" in said.stderr
    assert b"Traceback" not in said.stderr


def _started(daemon: FakeDaemon, *arguments: str) -> subprocess.Popen[bytes]:
    command = [*PROGRAM, "--state", str(daemon.state), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
