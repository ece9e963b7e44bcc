"""The client against the real daemon: each verb, as root and as a user, in a pipe and on a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pexpect
import pytest

from tests.system.conftest import StartHost
from tests.system.daemon import CLIENT, Crond, host_crond, install, is_alive, wait_for
from tests.system.ground import Ground, People

TABLE = """\
#: name=ok
0 0 31 2 * echo fine
#: name=fails
0 0 31 2 * echo "to stderr" >&2; exit 7
#: name=killed
0 0 31 2 * kill -9 $$
#: name=slow
0 0 31 2 * for i in 1 2 3 4 5 6; do echo line $i; sleep 0.2; done
#: name=long
0 0 31 2 * echo begun; exec sleep 300
#: name=colour
0 0 31 2 * printf '\\033]0;owned\\007\\033[31mred\\033[0m\\n'
#: name=daily
30 4 * * * true
SHELL=/nonexistent
#: name=noshell
0 0 31 2 * true
"""


@pytest.fixture(scope="module")
def crond(ground: Ground, people: People) -> Iterator[Crond]:
    crond, folder = host_crond(ground, people, daemon="kill_timeout = 1")
    try:
        install(folder, people.ann, TABLE)
        install(folder, people.ben, "#: name=bens\n0 0 31 2 * echo of ben\n61 * * * * wrong\n")
        crond.up()
        wait_for(lambda: len(crond.jobs()) == 9, "both tables are loaded")
        yield crond
    finally:
        crond.close()


def terminal(crond: Crond, *arguments: str) -> Any:
    command = crond.client_command(*arguments)
    environment = crond.ground.environment(TERM="xterm", TZ="UTC", COLUMNS="100")
    return pexpect.spawn(command[0], command[1:], env=environment, cwd="/", timeout=20, encoding="utf-8")


@pytest.mark.parametrize(
    ("job", "status", "words"),
    [
        ("ok", 0, "success"),
        ("fails", 7, "failed (exit status 7)"),
        ("killed", 137, "failed (signal 9, SIGKILL)"),
        ("noshell", 125, "/nonexistent"),
        ("nosuchjob", 4, "nosuchjob"),
    ],
)
@pytest.mark.parametrize("as_root", [True, False], ids=["root", "user"])
def test_run_wait_ends_as_the_job_did(
    crond: Crond, people: People, job: str, status: int, words: str, as_root: bool
) -> None:
    """The exit status is the job's own, 128+N for a signal, 125 where there was no process, 4 for no job."""
    done = crond.client("run", "--wait", job, user=None if as_root else people.ann)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr


@pytest.mark.parametrize("as_root", [True, False], ids=["root", "user"])
def test_each_verb_answers(crond: Crond, people: People, as_root: bool) -> None:
    """list, status, next, run, logs, stop: for people, and as JSON that says the same."""
    user = None if as_root else people.ann
    run = crond.client("run", "long", user=user)
    assert run.returncode == 0
    assert f"{people.ann.pw_name}/long: run " in run.stdout
    wait_for(lambda: crond.runs("long")[0]["state"] == "running", "it runs")
    for verb in ("list", "status", "next", "logs"):
        arguments = (verb, "long") if verb == "logs" else (verb,)
        plain, as_json = (crond.client(*arguments, *flag, user=user) for flag in ((), ("--json",)))
        assert (plain.returncode, as_json.returncode) == (0, 0), (plain, as_json)
        assert json.loads(as_json.stdout)
        assert ("begun" if verb == "logs" else people.ann.pw_name) in plain.stdout
        assert "\x1b" not in plain.stdout
    status = crond.client("status", user=user).stdout
    assert ("bad minute" in status) is as_root
    assert "running for" in status
    stop = crond.client("stop", "long", user=user)
    assert (stop.returncode, stop.stderr) == (0, "")
    wait_for(lambda: crond.runs("long")[0]["outcome"] == "stopped", "it is stopped")
    again = crond.client("stop", "long", user=user)
    assert again.returncode == 1
    assert "nothing of 'long' is running" in again.stderr


def test_next_knows_the_minute(crond: Crond) -> None:
    """`next JOB` says when cron will start it."""
    due = json.loads(crond.client("next", "daily", "-n", "2", "--json").stdout)["next"]
    assert [one["instant"][10:] for one in due] == ["T04:30:00Z"] * 2


def test_logs_follow_to_the_end(crond: Crond) -> None:
    """`logs -f` of a running job shows what comes, and ends with the job, every line once."""
    crond.ask("run", job="slow")
    wait_for(lambda: crond.runs("slow")[0]["pid"], "it runs")
    done = crond.client("logs", "-f", "slow")
    assert done.returncode == 0
    assert done.stdout == "".join(f"line {i}\n" for i in range(1, 7))


def test_logs_follow_outlives_the_scheduler(crond: Crond) -> None:
    """Outputs are the launcher's: who follows one does not notice that the scheduler was killed."""
    crond.ask("run", job="slow")
    wait_for(lambda: crond.runs("slow")[0]["pid"], "it runs")
    with subprocess.Popen(
        crond.client_command("logs", "-f", "slow"),
        env=crond.ground.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "line 1\n"
        os.kill(crond.scheduler_pid(), signal.SIGKILL)
        assert following.stdout.read() == "".join(f"line {i}\n" for i in range(2, 7))
        assert following.wait(20) == 0
    wait_for(lambda: crond.runs("slow")[0]["outcome"] == "success", "its end is known")


def test_ctrl_c_ends_the_waiting_not_the_job(crond: Crond, people: People) -> None:
    """Ctrl-C in `run --wait`: the client says that the run goes on, and it does."""
    client = terminal(crond, "run", "--wait", "long")
    client.expect("long: run [a-z0-9]+ started")
    pid = wait_for(lambda: crond.runs("long")[0]["pid"], "it runs")
    client.sendintr()
    client.expect("goes on; to end it: crontabx stop ([a-z0-9]+)")
    run = client.match.group(1)
    client.expect(pexpect.EOF)
    client.close()
    assert client.exitstatus == 130
    assert is_alive(pid)
    assert crond.client("stop", run, user=people.ann).returncode == 0
    wait_for(lambda: not is_alive(pid), "it is stopped")


def test_ctrl_c_ends_following(crond: Crond) -> None:
    """Ctrl-C in `logs -f` ends it without a traceback; the job goes on."""
    crond.ask("run", job="long")
    pid = wait_for(lambda: crond.runs("long")[0]["pid"], "it runs")
    client = terminal(crond, "logs", "-f", "long")
    client.expect("begun")
    client.sendintr()
    client.expect(pexpect.EOF)
    client.close()
    assert (client.signalstatus, client.exitstatus) in ((signal.SIGINT, None), (None, 130))
    assert "Traceback" not in client.before
    assert is_alive(pid)
    crond.ask("stop", target="long")
    wait_for(lambda: not is_alive(pid), "it is stopped")


def test_a_terminal_is_not_steered_by_output(crond: Crond) -> None:
    """On a terminal control characters are shown, in a pipe the bytes come as they were written."""
    assert crond.run_now("colour")["outcome"] == "success"
    client = terminal(crond, "logs", "colour")
    client.expect(pexpect.EOF)
    client.close()
    assert "^[]0;owned^G^[[31mred^[[0m" in client.before
    assert "\x1b]0" not in client.before
    assert crond.client("logs", "colour").stdout == "\x1b]0;owned\x07\x1b[31mred\x1b[0m\n"


def test_a_reader_that_goes_away(crond: Crond) -> None:
    """`crontabx list | head -1`: no traceback, as in any Unix tool."""
    command = " ".join(f"'{word}'" for word in crond.client_command("list"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} | head -c 1"],
        env=crond.ground.environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stderr == ""


def test_no_daemon_is_said_clearly(start_host: StartHost, ground: Ground) -> None:
    """After the end of the daemon each verb says which socket is silent and how to start one; status 3."""
    crond, _ = start_host()
    crond.up()
    assert crond.end() == 0
    for verb in (("list",), ("status",), ("run", "x"), ("stop", "x"), ("logs", "x.1"), ("next",)):
        done = crond.client(*verb)
        assert (done.returncode, done.stdout) == (3, ""), verb
        assert str(crond.run) in done.stderr
        assert "Traceback" not in done.stderr


def test_a_client_says_what_a_hung_scheduler_is(start_host: StartHost) -> None:
    """A scheduler that does not answer: the client gives up after its patience, with status 3."""
    crond, _ = start_host()
    crond.up()
    scheduler = crond.scheduler_pid()
    os.kill(scheduler, signal.SIGSTOP)
    try:
        done = subprocess.run(
            [
                crond.ground.python,
                "-c",
                f"import crond.cli.client as c; c.PATIENCE = 0.5\n{CLIENT}",
                "--state",
                crond.state,
                "list",
            ],
            env=crond.ground.environment(),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    finally:
        os.kill(scheduler, signal.SIGCONT)
    assert done.returncode == 3
    assert "did not answer within 0.5 seconds" in done.stderr
