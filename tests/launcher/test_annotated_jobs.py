"""Annotated entries in a real launcher: parts, processes, what they are given and what they leave."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.config import Config
from crond.model.messages import Exited, Forget, NotStarted, Retire, Stop
from tests.launcher.daemon import Daemon, Runner, alive, files_config, output_of, surroundings, until
from tests.launcher.escaping import as_user, escaped, escaping

pytestmark = pytest.mark.system
UID = os.geteuid()
AS_ROOT = pytest.mark.skipif(UID != 0, reason="becoming users needs root")

Begin = Callable[..., Daemon]


class Jobs:
    """A daemon on one crontab, and its entries."""

    def __init__(self, daemon: Begin, folder: Path, *lines: str, **more: Any) -> None:
        self.path = folder / "crontab"
        self.path.write_text("".join(f"{line}\n" for line in lines))
        options = {name: more.pop(name) for name in ("env", "umask") if name in more}
        self.config = files_config(folder, self.path, **more)
        self.daemon = daemon(self.config, **options)
        self.runner = Runner(self.daemon.wire())

    def start(self, entry: int = 0, **more: Any) -> str:
        return self.runner.start(self.runner.table(self.path), entry, **more)

    def end(self, key: str) -> Exited | NotStarted:
        return self.runner.result(key)

    def run(self, entry: int = 0, **more: Any) -> Exited | NotStarted:
        return self.end(self.start(entry, **more))

    def again(self, entry: int = 0, **more: Any) -> Exited | NotStarted:
        """Return how an attempt ends whose key was used before: what was told by now does not count."""
        seen = len(self.runner.wire.facts)
        key = self.start(entry, **more)

        def is_new(fact: object) -> bool:
            known = isinstance(fact, Exited | NotStarted) and fact.attempt == key
            return known and self.runner.wire.facts.index(fact) >= seen

        result = self.runner.wire.read_until(is_new)
        assert isinstance(result, Exited | NotStarted)
        return result

    def says(self, entry: int = 0, **more: Any) -> list[str]:
        """Return the lines of a run's output."""
        key = self.start(entry, **more)
        result = self.end(key)
        assert isinstance(result, Exited), result
        return self.output(key).splitlines()

    def output(self, key: str) -> str:
        return output_of(self.config, UID, key).decode()

    def outputs(self) -> set[str]:
        found = os.listdir(Path(self.config.state) / "outputs" / str(UID))
        return {name for name in found if not name.endswith(".job")}


@pytest.fixture
def begin(folder: Path, daemon: Begin) -> Callable[..., Jobs]:
    """Starts a daemon on lines of a crontab."""

    def start(*lines: str, **more: Any) -> Jobs:
        return Jobs(daemon, folder, *lines, **more)

    return start


def code(result: Exited | NotStarted) -> int:
    assert isinstance(result, Exited), result
    return os.waitstatus_to_exitcode(result.status)


def refusal(result: Exited | NotStarted) -> tuple[str, str]:
    assert isinstance(result, NotStarted), result
    return result.reason, result.detail


# --- parts -----------------------------------------------------------------------------------------

THREE = (
    "A=b",
    "#: name=j condition='echo condition $A $CRONTABX_JOB; cat; exit 1' wait_for='echo wait $A; exit 3'",
    "* * * * * echo command $A%text",
)


def test_each_part_of_an_entry(begin: Callable[..., Jobs]) -> None:
    """Condition and sensor run as the command does: shell, environment, folder; with nothing to read."""
    jobs = begin(*THREE)
    command, condition, sensor = (jobs.start(run="r", attempt=number) for number in (1, 0, -1))
    assert (command, condition, sensor) == ("r.1", "r.0", "r.-1")
    assert [code(jobs.end(key)) for key in (command, condition, sensor)] == [0, 1, 3]
    told = jobs.start(run="s", attempt=0, environment=(("CRONTABX_JOB", "me/j"),))
    assert code(jobs.end(told)) == 1
    assert jobs.output(command) == "command b\n"
    assert jobs.output(condition) == "condition b\n"
    assert jobs.output(told) == "condition b me/j\n"
    assert jobs.output(sensor) == "wait b\n"


def test_a_part_that_is_not_there(begin: Callable[..., Jobs]) -> None:
    """No condition, no sensor; and a number that belongs to another part, whose output it would take."""
    jobs = begin("* * * * * echo kept", *THREE)
    assert refusal(jobs.run(0, attempt=0)) == ("unknown", "this entry has no condition")
    assert refusal(jobs.run(0, attempt=-1)) == ("unknown", "this entry has no wait_for")
    key = jobs.start(1, run="r")
    jobs.end(key)
    jobs.runner.wire.send(Forget(key))
    for part in ("condition", "wait_for"):
        refused = jobs.again(1, run="r", attempt=1, part=part)
        assert refusal(refused) == ("unknown", f"r.1 is no attempt of a {part}")
    assert jobs.output(key) == "command b\n"


def test_only_the_command_is_started_once_for_good(begin: Callable[..., Jobs]) -> None:
    """A forgotten condition may be asked again and has a new output; a command is refused by its old one."""
    jobs = begin("#: name=j condition='date +%N' wait_for='date +%N'", "* * * * * echo command")
    for number in (0, -1):
        key = jobs.start(run="r", attempt=number)
        jobs.end(key)
        before = jobs.output(key)
        assert refusal(jobs.again(run="r", attempt=number))[0] == "duplicate"
        jobs.runner.wire.send(Forget(key))
        assert code(jobs.again(run="r", attempt=number)) == 0
        assert jobs.output(key) != before
    key = jobs.start(run="r")
    jobs.end(key)
    jobs.runner.wire.send(Forget(key))
    assert refusal(jobs.again(run="r")) == ("duplicate", "attempt r.1 has an output already")


def test_of_a_sensor_the_latest_try_is_kept(begin: Callable[..., Jobs]) -> None:
    """A sensor that is asked for days leaves one output; that of the condition is not touched."""
    jobs = begin(*THREE)
    for number in (0, -1, -2, -3):
        jobs.end(jobs.start(run="r", attempt=number))
    assert jobs.outputs() == {"r.0", "r.-3"}
    jobs.end(jobs.start(run="r", attempt=-1))
    assert "r.0" in jobs.outputs()


def test_only_commands_are_in_crons_log(begin: Callable[..., Jobs]) -> None:
    """A sensor is asked each minute: cron's log, and what `crond FILE` shows, would be full of it."""
    jobs = begin(*THREE, echo=True)
    jobs.end(jobs.start(attempt=-1))
    jobs.end(jobs.start(attempt=0))
    jobs.end(jobs.start())
    jobs.daemon.wait_for(jobs.daemon.lines, "job0: ended")
    told = [line for line in jobs.daemon.lines if "job0" in line]
    assert [line.split("job0")[1].split()[1] for line in told] == ["started", "command", "ended,"]


# --- environment -----------------------------------------------------------------------------------


def test_the_scheduler_gives_our_names_and_params_alone(begin: Callable[..., Jobs]) -> None:
    """A scheduler that somebody took over could else set what the job trusts."""
    jobs = begin(
        "#: params=LR", "* * * * * echo $LR,$DB,$OUT_A_B,$CRONTABX_JOB", "* * * * * echo $LR,$OUT_A_B"
    )
    given = (("LR", "1"), ("DB", "2"), ("OUT_A_B", "3"), ("CRONTABX_JOB", "4"))
    assert jobs.says(0, environment=given) == ["1,,3,4"]
    assert jobs.says(1, environment=given) == [",3"]
    jobs.daemon.wait_for(jobs.daemon.errors, "job0: not given, since params= does not name it: DB")


def test_a_value_that_cannot_be_given_leaves_nothing_behind(begin: Callable[..., Jobs]) -> None:
    """Half a character, which no environment holds: there is no output of an attempt that never was."""
    jobs = begin("#: name=j", "* * * * * echo on")
    result = jobs.run(run="r", environment=(("CRONTABX_A", "\ud800"),))
    assert refusal(result)[0] == "resources"
    assert jobs.says() == ["on"]
    assert "r.1" not in jobs.outputs()
    assert os.listdir(Path(jobs.config.state) / "data") == []


def test_what_a_job_leaves_comes_with_its_end(begin: Callable[..., Jobs]) -> None:
    """A named job has a file for it, which is gone afterwards; others have none."""
    jobs = begin(
        "#: name=j condition='echo $CRONTABX_OUTPUT'",
        "* * * * * ls -l $CRONTABX_OUTPUT; (echo A=1; echo B=x y) >> $CRONTABX_OUTPUT; exit 3",
        "#: retries=1",
        "* * * * * echo $CRONTABX_OUTPUT",
        "#Ansible: marked",
        "* * * * * echo $CRONTABX_OUTPUT",
    )
    key = jobs.start()
    result = jobs.end(key)
    assert isinstance(result, Exited)
    assert (code(result), result.data) == (3, (("A", "1"), ("B", "x y")))
    shown, path = jobs.output(key).split()[0], jobs.output(key).split()[-1]
    assert shown.startswith("-rw-------")
    assert not os.path.exists(path)
    for entry, more in ((0, {"attempt": 0}), (1, {}), (2, {})):
        assert jobs.says(entry, **more) == [""]
    assert os.listdir(Path(jobs.config.state) / "data") == []


def test_what_a_job_leaves_is_bounded(begin: Callable[..., Jobs]) -> None:
    """A job that writes without end keeps what fits, and the log says so."""
    jobs = begin("#: name=j", "* * * * * (echo A=1; yes B=2 | head -c 200000) > $CRONTABX_OUTPUT")
    result = jobs.run()
    assert isinstance(result, Exited)
    assert result.data == (("A", "1"), ("B", "2"))
    jobs.daemon.wait_for(jobs.daemon.errors, "left more than CRONTABX_OUTPUT holds: cut")


# --- stage 1 ---------------------------------------------------------------------------------------


def test_what_a_process_begins_with(begin: Callable[..., Jobs], folder: Path) -> None:
    """Folder, mask, niceness, disk access and limits; the entry without them has the daemon's."""
    (folder / "home" / "work").mkdir(parents=True)
    show = "pwd; umask; nice; ionice; ulimit -n; grep address /proc/self/limits | tr -s ' '"
    jobs = begin(
        f"HOME={folder}/home",
        "#: working_dir=work umask=027 nice=7 ionice=idle limit_nofile=99",
        f"* * * * * {show}",
        f"* * * * * {show}",
        umask=0o022,
    )
    said = jobs.says(0)
    assert said[:3] == [f"{folder}/home/work", "0027", "7"]
    assert said[3] == "idle"
    assert said[4] == "99"
    assert jobs.says(1)[:3] == [f"{folder}/home", "0022", "0"]


def test_memory_is_bounded(begin: Callable[..., Jobs]) -> None:
    """By a group or by a limit: more than is allowed cannot be had."""
    hog = "/usr/bin/python3 -S -c 'x = bytearray(600 << 20); print(len(x))' 2>&1"
    jobs = begin("#: memory_max=300M", f"* * * * * {hog}", "#: memory_max=3G", f"* * * * * {hog}")
    key = jobs.start(0)
    assert code(jobs.end(key)) != 0
    assert jobs.says(1) == [str(600 << 20)]


def test_a_quota_that_nobody_can_hold_is_said_once(folder: Path, daemon: Begin) -> None:
    """Without a cgroup the jobs run, and the log does not fill."""
    begin = as_user("nobody", daemon, folder)
    (folder / "crontab").write_text("HOME=/\n#: cpu_quota=50%\n* * * * * true\n")
    running = begin(files_config(folder, folder / "crontab"))
    runner = Runner(running.wire())
    for _ in range(2):
        assert code(runner.run(runner.table(folder / "crontab"))) == 0
    running.wait_for(running.errors, "job0: cpu_quota has no effect on this host")
    running.end()
    assert sum("cpu_quota" in line for line in running.errors) == 1


def test_a_folder_that_is_not_there(begin: Callable[..., Jobs], folder: Path) -> None:
    """It must exist, whatever the dialect thinks of a home that does not."""
    jobs = begin(f"HOME={folder}", "#: working_dir=missing", "* * * * * echo ran", dialect="debian")
    reason, detail = refusal(jobs.run())
    assert (reason, detail) == (
        "chdir",
        f"cannot enter the folder {folder}/missing: No such file or directory",
    )


def test_what_one_may_not_ask_for(host: Callable[..., Config], folder: Path, daemon: Begin) -> None:
    """A user's crontab gets no better place than the user; root's does. The job does not run without it."""
    if UID != 0:
        pytest.skip("becoming users needs root")
    line = "#: nice=-3"
    for user in ("root", "nobody"):
        path = folder / "spool" / user
        path.write_text(f"HOME=/\n{line}\n* * * * * nice\n")
        os.chown(path, pwd.getpwnam(user).pw_uid, -1)
        path.chmod(0o600)
    config = host()
    runner = Runner(daemon(config).wire())
    refused = runner.run(runner.table(folder / "spool" / "nobody"))
    assert refusal(refused) == ("permission", "nice=-3: at least 0 here, but for root")
    key = runner.start(runner.table(folder / "spool" / "root"))
    assert code(runner.result(key)) == 0
    assert output_of(config, 0, key) == b"-3\n"


# --- stage 2 ---------------------------------------------------------------------------------------


def test_an_env_file_and_secrets(begin: Callable[..., Jobs], folder: Path) -> None:
    """They reach the command, and neither `ps` nor anything else of ours; a mail or a log shows none."""
    (folder / "env").write_text("export A='from file'\nCRONTABX_JOB=no\n")
    (folder / "key").write_text("hunter2\n")
    jobs = begin(
        f"HOME={folder}",
        "A=crontab",
        f"#: env_file=env secret_env=K=file:{folder}/key secret_env=T=env:TOKEN",
        "* * * * * echo $A,$K,$T,$CRONTABX_JOB,$CRONTABX_SUPPLY; "
        "tr '\\0' ' ' < /proc/$$/cmdline; echo; pwd; cat%in",
        env={"TOKEN": "sesame"},
        clean_env=True,
    )
    said = jobs.says(environment=(("CRONTABX_JOB", "me/j"),))
    assert said[0] == "from file,hunter2,sesame,me/j,"
    assert said[1].startswith("/bin/sh -c echo")
    assert said[2:] == [str(folder), "in"]
    assert not any("hunter2" in line for line in jobs.daemon.errors + jobs.daemon.lines)


def test_what_a_job_would_have_is_told_without_its_secrets(begin: Callable[..., Jobs], folder: Path) -> None:
    """By name alone; folder, mask and limits are those of a start."""
    (folder / "key").write_text("hunter2\n")
    jobs = begin(
        f"HOME={folder}",
        f"#: env_file=env secret_env=K=file:{folder}/key secret_env=T=env:TOKEN",
        "#: working_dir=w umask=027 limit_nofile=99",
        "* * * * * true",
        "* * * * * true",
        env={"TOKEN": "sesame"},
        clean_env=True,
    )
    told = surroundings(jobs.daemon, jobs.runner.table(jobs.path))
    assert (told["env_file"], told["secrets"]) == (f"{folder}/env", ["K", "T"])
    assert (told["directory"], told["umask"], told["open_files"]) == (f"{folder}/w", 0o027, [99, 99])
    assert (told["shell"], told["command"]) == ("/bin/sh", "true")
    assert not {"hunter2", "sesame"} & set(told["environment"].values())
    plain = surroundings(jobs.daemon, jobs.runner.table(jobs.path), 1)
    assert (plain["env_file"], plain["secrets"]) == (None, [])


def test_a_secret_that_cannot_be_read_fails_the_attempt(begin: Callable[..., Jobs]) -> None:
    """The command does not run without it; the reason is in the output."""
    jobs = begin("#: secret_env=K=file:/no/such", "* * * * * echo ran")
    key = jobs.start()
    assert code(jobs.end(key)) == 78
    assert jobs.output(key) == "crond: secret K: /no/such: No such file or directory\n"


@AS_ROOT
def test_secrets_are_read_as_the_user(host: Callable[..., Config], folder: Path, daemon: Begin) -> None:
    """A user's crontab that names a file of root's: the launcher, which could, does not read it."""
    (folder / "roots").write_text("hunter2\n")
    (folder / "roots").chmod(0o600)
    path = folder / "spool" / "nobody"
    path.write_text(f"HOME=/\n#: secret_env=K=file:{folder}/roots\n* * * * * echo $K\n")
    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    path.chmod(0o600)
    config = host()
    runner = Runner(daemon(config).wire())
    key = runner.start(runner.table(path))
    assert code(runner.result(key)) == 78
    said = output_of(config, pwd.getpwnam("nobody").pw_uid, key).decode()
    assert said == f"crond: secret K: {folder}/roots: Permission denied\n"


@AS_ROOT
def test_what_users_leave(host: Callable[..., Config], folder: Path, daemon: Begin) -> None:
    """Each job writes its own file by its path and sees no other; the folder cannot be listed."""
    path = folder / "spool" / "nobody"
    path.write_text(
        "HOME=/\n#: name=j\n"
        "* * * * * echo A=$(id -un) > $CRONTABX_OUTPUT; ls $(dirname $CRONTABX_OUTPUT); rm $CRONTABX_OUTPUT\n"
    )
    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    path.chmod(0o600)
    config = host()
    runner = Runner(daemon(config).wire())
    key = runner.start(runner.table(path))
    result = runner.result(key)
    assert isinstance(result, Exited)
    assert result.data == (("A", "nobody"),)
    assert output_of(config, pwd.getpwnam("nobody").pw_uid, key).count(b"Permission denied") == 2


# --- stopping --------------------------------------------------------------------------------------


def stop_one(runner: Runner, folder: Path, key: str) -> None:
    pid = escaped(folder)
    assert alive(pid)
    runner.wire.send(Stop(key))
    assert code(runner.result(key)) == -signal.SIGTERM
    until(lambda: not alive(pid))


def test_a_tree_that_forked_away_ends(begin: Callable[..., Jobs], folder: Path) -> None:
    """A child that forks twice and calls setsid outlived its job's timeout; the plain job beside it lives."""
    jobs = begin(
        "#: timeout=1h kill_timeout=1s",
        f"* * * * * {escaping(folder)}",
        f"* * * * * setsid sh -c 'echo $$ > {folder}/other; sleep 1000' & sleep 1000",
    )
    other = jobs.start(1)
    until(lambda: (folder / "other").exists() and (folder / "other").read_text().strip())
    stop_one(jobs.runner, folder, jobs.start(0))
    assert alive(int((folder / "other").read_text()))
    jobs.runner.wire.send(Stop(other))
    jobs.end(other)


def test_a_tree_ends_without_a_cgroup(folder: Path, daemon: Begin) -> None:
    """In most containers nobody gives us a group: the mark of the attempt's processes tells who is of it."""
    begin = as_user("nobody", daemon, folder)
    (folder / "crontab").write_text(f"HOME=/\n#: timeout=1h kill_timeout=1s\n* * * * * {escaping(folder)}\n")
    runner = Runner(begin(files_config(folder, folder / "crontab")).wire())
    stop_one(runner, folder, runner.start(runner.table(folder / "crontab")))


def test_an_entrys_own_signal_and_patience(begin: Callable[..., Jobs], folder: Path) -> None:
    """`stop_signal` comes instead of TERM, and `kill_timeout` holds instead of the host's."""
    jobs = begin(
        "#: stop_signal=INT",
        f"* * * * * trap 'echo int; exit 5' INT; : > {folder}/a; while :; do sleep 0.05; done",
        "#: kill_timeout=0",
        f"* * * * * trap '' TERM; : > {folder}/b; while :; do sleep 0.05; done",
        kill_timeout=600.0,
    )
    gentle, deaf = jobs.start(0), jobs.start(1)
    until(lambda: (folder / "a").exists() and (folder / "b").exists())
    jobs.runner.wire.send(Stop(gentle), Stop(deaf))
    assert code(jobs.end(gentle)) == 5
    assert jobs.output(gentle) == "int\n"
    assert code(jobs.end(deaf)) == -signal.SIGKILL


# --- outputs ---------------------------------------------------------------------------------------


def test_an_entrys_own_bound_of_output(begin: Callable[..., Jobs]) -> None:
    """`log_max_size` holds instead of the host's while the job writes, and stands in the label."""
    jobs = begin(
        "#: log_max_size=100K keep_runs=3 keep_days=0.5",
        "* * * * * head -c 5000000 /dev/zero | tr '\\0' x; sleep 1000",
    )
    key = jobs.start()
    file = Path(jobs.config.state) / "outputs" / str(UID) / key
    until(lambda: file.exists() and file.stat().st_size == 5_000_000)
    until(lambda: file.stat().st_blocks * 512 <= 100 * 1024 + 8192)
    label = os.readlink(f"{file}.job")
    assert label.split("\n") == ["job0", "max_size=102400", "keep_days=0.5", "keep_runs=3"]
    jobs.runner.wire.send(Stop(key))
    jobs.end(key)


def test_a_wish_to_retire_is_nobodys_yet(begin: Callable[..., Jobs]) -> None:
    """An unknown line of no file: nothing happens, and the next wish is done."""
    jobs = begin("* * * * * echo on")
    jobs.runner.wire.send(Retire(99, 0))
    assert jobs.says() == ["on"]
