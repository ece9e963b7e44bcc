"""The client against a daemon in earnest: what the one asks is what the other understands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

DEADLINE = 30.0
CRONTAB = r"""
#: name=slow
0 0 1 1 * echo begun; read line < %PIPE%; echo "got $line"; exit 3
#: name=killed
0 0 1 1 * kill -TERM $$
#: name=colours
0 0 1 1 * printf '\033[31mred\n'
#: name=hangs
0 0 1 1 * sleep 1000
61 * * * * bad
"""

Client = Callable[..., subprocess.CompletedProcess[str]]


def command(state: Path, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-c",
        "from crond.cli.main import main; main()",
        "--state",
        str(state),
        *arguments,
    ]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a daemon that runs CRONTAB."""
    folder = tmp_path_factory.mktemp("daemon")
    os.mkfifo(folder / "pipe")
    crontab = folder / "jobs"
    crontab.write_text(CRONTAB.replace("%PIPE%", str(folder / "pipe")))
    program = [sys.executable, "-c", "import sys; from crond.cli.daemon import main; sys.exit(main())"]
    options = ["--state", str(folder), "--dialect", "cronie", "--no-echo", str(crontab)]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen([*program, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _await_answer(folder, daemon)
        yield folder
    finally:
        # The second one says not to wait for jobs that would not end by themselves.
        for _ in range(2):
            daemon.send_signal(signal.SIGTERM)
        daemon.wait(DEADLINE)


def _await_answer(state: Path, daemon: subprocess.Popen[bytes]) -> None:
    """Ask until the jobs are there: a scheduler answers before it has read the crontab."""
    until = os.times().elapsed + DEADLINE
    while os.times().elapsed < until:
        assert daemon.poll() is None, (state / "log").read_text()
        said = subprocess.run(command(state, "list", "--json"), capture_output=True, text=True, check=False)
        if said.returncode == 0 and json.loads(said.stdout)["jobs"]:
            return
    pytest.fail((state / "log").read_text())


@pytest.fixture
def client(state: Path) -> Client:
    """Run the client on that daemon."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        asked = command(state, *arguments)
        return subprocess.run(asked, capture_output=True, text=True, timeout=DEADLINE, check=False)

    return run


def test_list_and_status(client: Client, state: Path) -> None:
    """The jobs by their names, when they are due, and what is wrong with the file."""
    listed = client("list")
    assert [line.split()[0].rpartition("/")[2] for line in listed.stdout.splitlines()[1:]] == [
        "slow",
        "killed",
        "colours",
        "hangs",
    ]
    assert "-01-01 00:00:00" in listed.stdout
    status = client("status")
    assert status.returncode == 0
    assert f"{state}/jobs:10:" in status.stdout
    assert "error: bad minute" in status.stdout


def test_next_of_the_daemon_is_that_of_the_file(client: Client, state: Path) -> None:
    """The daemon and the client's own look ahead agree."""
    told = json.loads(client("next", "slow", "-n", "3", "--json").stdout)["next"]
    reckoned = json.loads(
        client("next", f"{state}/jobs", "-n", "100", "--dialect", "cronie", "--json").stdout
    )["next"]
    assert [one["instant"] for one in told] == [o["instant"] for o in reckoned if o["name"] == "slow"][:3]


def test_a_run_from_its_start_to_its_end(client: Client, state: Path) -> None:
    """With --wait `run` exits as the job did; logs -f shows it all while it runs and ends when it does."""
    asked = command(state, "run", "--wait", "slow")
    waiting = subprocess.Popen(asked, stderr=subprocess.PIPE, text=True)
    assert waiting.stderr is not None
    started = waiting.stderr.readline()
    run = started.split()[2]
    following = subprocess.Popen(command(state, "logs", "-f", run), stdout=subprocess.PIPE, text=True)
    assert following.stdout is not None
    assert following.stdout.readline() == "begun\n"
    assert run in client("status").stdout
    (state / "pipe").write_text("word\n")
    assert following.communicate(timeout=DEADLINE)[0] == "got word\n"
    assert waiting.wait(DEADLINE) == 3
    assert waiting.stderr.read().endswith(f"run {run}: failed (exit status 3)\n")
    waiting.stderr.close()
    assert client("logs", "slow").stdout == "begun\ngot word\n"
    assert client("logs", f"{run}.1").stdout == "begun\ngot word\n"
    assert json.loads(client("logs", "--json", run[:6]).stdout)["exit_code"] == 3
    assert f"{run}  failed (exit 3)" in client("status").stdout


def test_a_job_ended_by_a_signal(client: Client) -> None:
    """128 and the signal's number."""
    assert client("run", "-w", "killed").returncode == 128 + signal.SIGTERM


def test_output_in_a_pipe_is_as_it_was_written(client: Client) -> None:
    """No escape is changed where no terminal obeys it."""
    assert client("run", "-w", "colours").returncode == 0
    assert client("logs", "colours").stdout == "\x1b[31mred\n"


def test_stop(client: Client) -> None:
    """What runs is stopped, what does not run is said."""
    run = json.loads(client("run", "hangs", "--json").stdout)["run"]["id"]
    stopped = client("stop", "hangs")
    assert stopped.returncode == 0
    assert f"stopping run {run}" in stopped.stdout
    ended = subprocess.CompletedProcess[str]([], 0)
    until = os.times().elapsed + DEADLINE
    while os.times().elapsed < until:
        ended = client("stop", "hangs")
        if ended.returncode == 1:
            break
    assert ended.stderr == "crontabx: nothing of 'hangs' is running\n"


@pytest.mark.parametrize(
    "arguments", [["run", "nobody"], ["stop", "nobody"], ["next", "nobody"], ["logs", "nobody"]]
)
def test_unknown_names(client: Client, arguments: list[str]) -> None:
    """Status 4 from every verb that takes a name."""
    assert client(*arguments).returncode == 4


def test_a_name_that_fits_several(client: Client) -> None:
    """All candidates are named."""
    said = client("run", os.environ.get("LOGNAME", "") or "root/")
    assert said.returncode == 4
    assert "/slow" in said.stderr
    assert "/hangs" in said.stderr
